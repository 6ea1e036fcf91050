"""What ``status`` says of those who watch the monitor itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.detect.windows import next_time, time_of_day
from usersessionmon.watching import heartbeat, report, servers, understanding
from usersessionmon.watching.down import DOWN_FROM, DOWN_TO
from usersessionmon.watching.numbers import whole
from usersessionmon.windows import standing
from usersessionmon.windows.channels import SHORT

from .output import cell, micros_text, say, span_text


def facts_of(facts: Mapping[str, str], settings: Settings, zone: tzinfo) -> dict[str, Any]:
    """The part of the object; moments in RFC 3339."""
    lately = understanding.lately(facts)
    return {
        "heartbeat": _heartbeat(facts) if settings.heartbeat.is_set else None,
        "down": _down(facts),
        "coverage_fallen_since": _iso(facts.get(understanding.SINCE)),
        "lately": {"understood": lately[0], "lines": lately[1]},
        "next_report": _next_report(facts, settings, zone),
        "servers": _servers(facts),
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


def _servers(facts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The Windows servers that are read; ``away``: seconds since which one is not."""
    down, now_us = servers.down_of(facts), SystemClock().now_us()
    return [
        {
            "name": one.name,
            "host": one.host,
            "state": one.state.value,
            "since": _iso(str(one.since_us)),
            "away": max(0, now_us - down[one.name]) / 1_000_000 if one.name in down else None,
            "last_record": None if one.last_us is None else _iso(str(one.last_us)),
            "error": one.error or None,
            "channels": [channel._asdict() for channel in one.channels],
        }
        for one in standing.load(facts.get(servers.SERVERS))
    ]


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
    for one in data["servers"]:
        if one["away"] is not None and one["away"] * 1_000_000 >= servers.LATE_US:
            error = one["error"] or "not tried yet"
            yield f"server {one['name']} is not read for {span_text(one['away'])}: {error}"
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
    for one in data["servers"]:
        say(f"server     {cell(one['name'])}: {', '.join(_server_words(one))}")
    if data["down"]:
        say(f"was down   from {data['down']['from']} to {data['down']['to']}")
    if data["next_report"]:
        say(f"report     next at {data['next_report']}")


def _server_words(one: dict[str, Any]) -> Iterator[str]:
    yield f"{one['state']} since {one['since']}"
    if one["last_record"]:
        yield f"last record {one['last_record']}"
    if one["error"]:
        yield cell(one["error"], 300)
    for channel in one["channels"]:
        if channel["status"] not in {"followed", "pending"}:
            name = SHORT.get(channel["channel"], channel["channel"])
            yield f"without {cell(name)} ({channel['status']})"
