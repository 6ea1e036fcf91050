"""What ``status`` says of those who watch the monitor itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.detect.windows import next_time, time_of_day
from usersessionmon.watching import heartbeat, report, understanding
from usersessionmon.watching.down import DOWN_FROM, DOWN_TO
from usersessionmon.watching.numbers import whole

from .output import cell, micros_text, say


def facts_of(facts: Mapping[str, str], settings: Settings, zone: tzinfo) -> dict[str, Any]:
    """The part of the object; moments in RFC 3339."""
    lately = understanding.lately(facts)
    return {
        "heartbeat": _heartbeat(facts) if settings.heartbeat.is_set else None,
        "down": _down(facts),
        "coverage_fallen_since": _iso(facts.get(understanding.SINCE)),
        "lately": {"understood": lately[0], "lines": lately[1]},
        "next_report": _next_report(facts, settings, zone),
    }


def _heartbeat(facts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sent": _iso(facts.get(heartbeat.PINGED)),
        "to": facts.get(heartbeat.WHERE),
        "answer": facts.get(heartbeat.ANSWERED),
        "taken": bool(facts.get(heartbeat.TAKEN)),
    }


def _down(facts: Mapping[str, str]) -> dict[str, Any] | None:
    since, until = _iso(facts.get(DOWN_FROM)), _iso(facts.get(DOWN_TO))
    return {"from": since, "to": until} if since and until else None


def _next_report(facts: Mapping[str, str], settings: Settings, zone: tzinfo) -> str | None:
    if not settings.report.at:
        return None
    last_us = whole(facts.get(report.REPORTED))
    after_us = SystemClock().now_us() if last_us is None else last_us
    return _iso(str(next_time(time_of_day(settings.report.at), after_us, zone)))


def _iso(us: str | None) -> str | None:
    known = whole(us)
    return None if known is None else f"{micros_text(known, UTC).replace(' ', 'T')}+00:00"


def troubles(data: dict[str, Any]) -> Iterator[str]:
    """A sentence for each thing that is wrong."""
    if data["coverage_fallen_since"]:
        good, lines = data["lately"]["understood"], data["lately"]["lines"]
        yield (
            f"since {data['coverage_fallen_since']} far fewer lines are understood than usual "
            f"({good} of the last {lines}): user-session-monitor rules coverage shows them"
        )
    beat = data["heartbeat"]
    if beat and beat["sent"] and not beat["taken"]:
        yield f"heartbeat: {beat['to']} did not take the last one: {beat['answer']}"


def show(data: dict[str, Any]) -> None:
    """For people."""
    if data["lately"]["lines"]:
        say(f"lately     {data['lately']['understood']} of {data['lately']['lines']} understood")
    if beat := data["heartbeat"]:
        said = f"sent {beat['sent']}: {cell(beat['answer'])}" if beat["sent"] else "not sent yet"
        say(f"heartbeat  {said}")
    if data["down"]:
        say(f"was down   from {data['down']['from']} to {data['down']['to']}")
    if data["next_report"]:
        say(f"report     next at {data['next_report']}")
