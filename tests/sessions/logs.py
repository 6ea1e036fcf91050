"""Logs written by hand for the engine's tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from usersessionmon.contract import event_object
from usersessionmon.envelope.text import LineReader
from usersessionmon.model import Change, Record
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import load_rules
from usersessionmon.sessions.engine import Engine

RULES = load_rules("generic")
REFERENCE_US = 1_795_300_000_000_000  # 2026-11-22


def records(lines: Iterable[str], *, host: str = "web-1", day: str = "2026-11-21") -> list[Record]:
    """Records of lines such as ``08:15:00.5 sshd[1]: text``; others are whole lines of a log."""
    reader = LineReader(wanted=RULES.wanted, zone=UTC, reference_us=REFERENCE_US)
    whole = []
    for line in lines:
        time, _, rest = line.partition(" ")
        short = time[2:3] == ":" and time[5:6] == ":"
        whole.append(f"{day}T{time}+00:00 {host} {rest}" if short else line)
    return reader.read_block([line.encode() for line in whole])


def conclude(found: Sequence[Record], *, finish: bool = True) -> list[Change]:
    """What a log of these records leads to."""
    pipeline = Pipeline(RULES, Engine())
    changes = pipeline.process(found)
    return [*changes, *pipeline.engine.finish()] if finish else changes


def events(lines: Iterable[str], **more: Any) -> list[dict[str, Any]]:
    """The contract's events of a log."""
    return [event_object(change) for change in conclude(records(lines, **more))]


def brief(lines: Iterable[str], **more: Any) -> list[str]:
    """Events in short: ``logout alice user 95``."""
    result = []
    for event in events(lines, **more):
        words = [event["event"], event["user"] if event["user"] is not None else "-"]
        if event["event"] == "logout":
            words += [event["reason"], str(event["duration"])]
            words += ["abnormal"] if event["abnormal"] else []
            words += ["inferred"] if event["inferred"] else []
        elif event["event"] == "login_failed":
            words += [f"x{event['count']}", str(event["valid_user"])]
        elif event["event"] == "elevation":
            words += ["to", event["target_user"] or "-"]
        result.append(" ".join(words))
    return result
