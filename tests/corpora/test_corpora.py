"""Every row of the public corpora, each line by itself, against what its own project expects."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import yaml

from usersessionmon.contract import event_object
from usersessionmon.envelope.text import loose
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.explain import guess
from usersessionmon.rules.matcher import load_rules
from usersessionmon.sessions.engine import Engine

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
RULES = load_rules("generic")
REFERENCE_US = 1_795_300_000_000_000
DIFFERENCES: list[dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("differences.yaml").read_text(encoding="utf-8")
)

pytestmark = pytest.mark.skipif(not CORPORA.exists(), reason="the corpora folder is not here")


def _rows() -> Iterator[dict[str, Any]]:
    for path in sorted(CORPORA.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _events(line: str) -> list[dict[str, Any]]:
    found = loose(
        line.encode(), wanted=RULES.wanted, zone=UTC, reference_us=REFERENCE_US, year=2026
    )
    record = found.record if found.tagged else guess(RULES, found.record)
    if record is None or not RULES.wanted(record.program):
        return []
    pipeline = Pipeline(RULES, Engine())
    changes = [*pipeline.one(record), *pipeline.engine.finish()]
    return [event_object(change) for change in changes]


def _fits(row: dict[str, Any], events: list[dict[str, Any]]) -> bool:
    expected = row["expect"]
    allowed = [expected["event"], *row.get("accept", [])]
    if not events:
        return "none" in allowed
    (event,) = events
    if event["event"] not in allowed:
        return False
    return event["event"] != expected["event"] or all(
        event.get(key) == value for key, value in expected.items()
    )


def _known(row: dict[str, Any], events: list[dict[str, Any]]) -> bool:
    """Whether a difference is one that the file gives a reason for."""
    return any(
        fnmatch.fnmatch(row["id"], entry["rows"])
        and entry.get("only") in {None, row["service"]}
        and [event["event"] for event in events] == [entry["got"]]
        for entry in DIFFERENCES
    )


def test_every_row_comes_out_as_stated_or_for_a_reason() -> None:
    problems = []
    used: set[str] = set()
    for row in _rows():
        if row["expect"] is None:
            continue
        events = _events(row["line"])
        if _fits(row, events):
            continue
        if _known(row, events):
            used.add(row["id"])
        else:
            problems.append(f"{row['id']}: {row['line']}: {events}")
    assert problems == []
    for entry in DIFFERENCES:  # a reason that nothing needs any more is wrong
        assert any(fnmatch.fnmatch(name, entry["rows"]) for name in used), entry["rows"]


def test_no_line_says_that_somebody_came_who_did_not() -> None:
    """A login is told by no line whose source expects something else."""
    for row in _rows():
        for event in _events(row["line"]):
            if event["event"] == "login" and row["expect"] is not None:
                assert "login" in [row["expect"]["event"], *row.get("accept", [])], row["id"]
