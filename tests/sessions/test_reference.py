"""The reference examples and the corpora, as far as this version goes, read as text logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.contract import event_object
from usersessionmon.envelope.text import LineReader
from usersessionmon.pipeline import Pipeline
from usersessionmon.sessions.engine import Engine

from .logs import REFERENCE_US, RULES

SHARED = Path(__file__).resolve().parents[3] / "shared"
EXAMPLES = SHARED / "reference" / "messages-examples.jsonl"
CORPORA = SHARED / "corpora"

DIFFERENT = {
    49: "the port is known from sshd's own line of the same attempt and is therefore told",
}
"""Examples (by the id of the group's last line) that come out otherwise, with the reason."""


def _read(lines: list[str]) -> list[dict[str, Any]]:
    reader = LineReader(wanted=RULES.wanted, zone=UTC, reference_us=REFERENCE_US, year=2026)
    pipeline = Pipeline(RULES, Engine())
    changes = pipeline.process(reader.read_block([line.encode() for line in lines]))
    return [event_object(change) for change in [*changes, *pipeline.engine.finish()]]


def _groups() -> Iterator[list[dict[str, Any]]]:
    groups: dict[object, list[dict[str, Any]]] = {}
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row.get("envelope") != "journal":  # those are tested with the trust rule
            groups.setdefault(row.get("seq", row["id"]), []).append(row)
    yield from groups.values()


def _fits(wanted: dict[str, Any], event: dict[str, Any]) -> bool:
    return all(event.get(key) == value for key, value in wanted.items())


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the reference folder is not here")
def test_every_reference_example_comes_out_as_stated() -> None:
    problems = []
    for rows in _groups():
        if rows[-1]["id"] in DIFFERENT:
            continue
        left = _read([row["line"] for row in rows])
        for row in rows:
            wanted = row["expect"]
            if wanted["event"] is None:
                continue
            match = next((event for event in left if _fits(wanted, event)), None)
            if match is None:
                problems.append(f"{row['id']}: missing {wanted}")
            else:
                left.remove(match)
        problems += [f"{rows[-1]['id']}: invented {event}" for event in left]
    assert problems == []


@pytest.mark.skipif(not CORPORA.exists(), reason="the corpora folder is not here")
def test_the_real_brute_force_log_by_line_and_as_a_whole() -> None:
    text = (CORPORA / "loghub_openssh_2k.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    for row in rows:
        allowed = {row["expect"]["event"], *row.get("accept", [])}
        told = {event["event"] for event in _read([row["line"]])} or {"none"}
        assert told <= allowed, row["id"]
    whole = _read([row["line"] for row in rows])
    logins = [event for event in whole if event["event"] == "login"]
    assert [event["user"] for event in logins] == ["fztu"]
    logouts = [event for event in whole if event["event"] == "logout"]
    assert [event["session"] for event in logouts] == [logins[0]["session"]]
    failed = [row for row in rows if " Failed " in row["line"] and "repeated" not in row["line"]]
    assert sum(event["count"] for event in whole if event["event"] == "login_failed") >= len(failed)
