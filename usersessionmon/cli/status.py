"""Is the monitor alive, where does it stand in the log, what waits for delivery, what failed."""

from __future__ import annotations

import argparse
from datetime import tzinfo
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.notify.base import Answer
from usersessionmon.store import outbox, state
from usersessionmon.store.place import holder
from usersessionmon.wiring import zone_of

from .common import folder_of, settings_of, state_of
from .output import cell, micros_text, say, say_json, span_text

EXAMPLE = "user-session-monitor status"


_COUNTS = {
    "forged": "lines written in a daemon's name by somebody else",
    "doubted": "logins whose process was not there, was no sshd or was in before",
    "faults": "lines on which the program failed: please report them",
    "losses": "times the logger said that it dropped lines",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object")


def main(options: argparse.Namespace) -> int:
    """0 when the monitor runs and its channels are not refused, else 1."""
    settings = settings_of(options)
    folder = folder_of(settings)
    pid = holder(folder)
    data: dict[str, Any] = {"running": pid is not None, "pid": pid, "state_dir": str(folder)}
    with state_of(settings) as connection:
        facts = {} if connection is None else state.read_facts(connection)
        coverage = {} if connection is None else state.read_coverage(connection)
        channels = [] if connection is None else outbox.report(connection)
        open_now = (
            0
            if connection is None
            else sum(1 for _ in state.sessions(connection, state.Query(only_open=True)))
        )
    data |= {
        "version": facts.get("version"),
        "source": facts.get("source"),
        "why": facts.get("why"),
        "started": _iso(facts.get("started_us")),
        "last_saved": _iso(facts.get("saved_us")),
        "last_line": facts.get("last_line"),
        "last_line_age": _age(facts.get("last_line_us")),
        "open_sessions": open_now,
        "understood": sum(good for good, _ in coverage.values()),
        "not_understood": sum(bad for _, bad in coverage.values()),
        "programs": {
            program: {"understood": good, "not_understood": bad}
            for program, (good, bad) in coverage.items()
        },
        "forged": int(facts.get("forged", "0")),
        "doubted": int(facts.get("doubted", "0")),
        "faults": int(facts.get("faults", "0")),
        "losses": int(facts.get("losses", "0")),
        "channels": [_channel(report) for report in channels],
    }
    trouble = pid is None or any(channel["trouble"] for channel in data["channels"])
    if options.json:
        say_json(data)
    else:
        _show(data, zone_of(settings))
    return 1 if trouble else 0


def _channel(report: outbox.ChannelReport) -> dict[str, Any]:
    answer = report.state.answer
    return {
        "channel": report.channel,
        "waiting": report.waiting,
        "oldest": _iso(None if report.oldest_us is None else str(report.oldest_us)),
        "set_aside": report.set_aside,
        "answer": answer,
        "said": report.state.said,
        "delivered": _iso(_text(report.state.delivered_us)),
        "retry": _iso(_text(report.state.retry_us)),
        "trouble": answer not in {None, Answer.DELIVERED} or report.set_aside > 0,
    }


def _text(us: int | None) -> str | None:
    return None if us is None else str(us)


def _iso(us: str | None) -> str | None:
    from datetime import UTC

    return None if us is None else micros_text(int(us), UTC).replace(" ", "T") + "+00:00"


def _age(us: str | None) -> float | None:
    return None if us is None else max(0, SystemClock().now_us() - int(us)) / 1_000_000


def _show(data: dict[str, Any], zone: tzinfo) -> None:
    state_text = f"running (pid {data['pid']})" if data["running"] else "NOT RUNNING"
    say(f"monitor    {state_text}, version {cell(data['version'])}")
    say(f"following  {cell(data['source'])}: {cell(data['why'])}")
    age = span_text(data["last_line_age"])
    say(f"last line  {cell(data['last_line'])} ({age} ago); saved {cell(data['last_saved'])}")
    total = data["understood"] + data["not_understood"]
    say(f"understood {data['understood']} of {total} lines of the programs that matter")
    for program, counts in data["programs"].items():
        if counts["not_understood"]:
            say(f"           {cell(program)}: {counts['not_understood']} lines not understood")
    say(f"on now     {data['open_sessions']} (user-session-monitor who)")
    for name, text in _COUNTS.items():
        if data[name]:
            say(f"{name:<10} {data[name]} {text}")
    for channel in data["channels"]:
        words = [f"{channel['waiting']} waiting", f"{channel['set_aside']} set aside"]
        if channel["delivered"]:
            words.append(f"last delivered {channel['delivered']}")
        if channel["trouble"] and channel["said"]:
            words.append(f"TROUBLE: {cell(channel['said'])}")
        if channel["retry"] and channel["trouble"]:
            words.append(f"tried again {channel['retry']}")
        say(f"{channel['channel']:<10} {', '.join(words)}")
