"""Is the monitor alive, where does it stand in the log, how much of it does it understand, what
waits for delivery, what failed."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from usersessionmon.app import REFUSED
from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.notify.base import Answer
from usersessionmon.silence import LAST, SINCE
from usersessionmon.store import claims, counts, db, outbox_view, state
from usersessionmon.store.damage import Damage
from usersessionmon.store.faults import is_full
from usersessionmon.store.place import holder, noted_trouble
from usersessionmon.wiring.here import zone_of

from . import standing, watched
from .claimed import claim_object
from .common import folder_of, settings_of, state_of
from .output import micros_text, say_json

_SHAPES = 5
"""How many shapes of lines that are not understood are shown."""

EXAMPLE = f"user-session-monitor status\n\n{standing.HELP}"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object")


def main(options: argparse.Namespace) -> int:
    """0 when nothing is wrong by ``standing.HELP``, else 1."""
    settings = settings_of(options)
    folder = folder_of(settings)
    zone = zone_of(settings)
    pid = holder(folder)
    data: dict[str, Any] = {"running": pid is not None, "pid": pid, "state_dir": str(folder)}
    with state_of(settings) as connection:
        data |= _nothing() if connection is None else _standing(connection, zone, settings)
        facts = {} if connection is None else state.read_facts(connection)
        data |= watched.facts_of(facts, settings, zone)
    data["not_saving"] = None if pid is None else _not_saving(folder)
    data["disk_full"] = is_full(folder / db.FILE_NAME)
    data["trouble"] = standing.troubles(data)
    if options.json:
        for hour in data["hours"]:
            del hour["hour_us"]
        say_json(data)
    else:
        standing.show(data, zone)
    return 1 if data["trouble"] else 0


def _nothing() -> dict[str, Any]:
    """Before the monitor ran for the first time."""
    return {
        **_of_facts({}),
        **_of_programs({}),
        "open_sessions": 0,
        "shapes": [],
        "hours": [],
        "claims": [],
        "channels": [],
    }


def _standing(connection: Connection, zone: tzinfo, settings: Settings) -> dict[str, Any]:
    names = settings.channel_names()
    open_now = sum(1 for _ in state.sessions(connection, state.Query(only_open=True)))
    return {
        **_of_facts(state.read_facts(connection)),
        "open_sessions": open_now,
        **_of_programs(state.read_coverage(connection)),
        "shapes": [
            {"program": program, "shape": text, "count": count}
            for program, text, count in counts.read_shapes(connection, _SHAPES)
        ],
        "hours": _hours(connection, zone),
        "claims": [
            claim_object(claim, zone)
            for claim in claims.current(connection, SystemClock().now_us())
        ],
        "channels": [
            _channel(report, configured=report.channel in names)
            for report in outbox_view.report(connection, SystemClock().now_us())
        ],
    }


def _of_facts(facts: dict[str, str]) -> dict[str, Any]:
    return {
        "version": facts.get("version"),
        "source": facts.get("source"),
        "why": facts.get("why"),
        "started": _iso(facts.get("started_us")),
        "last_saved": _iso(facts.get("saved_us")),
        "last_line": facts.get("last_line"),
        "last_line_age": _age(facts.get("last_line_us")),
        "last_sshd_line": _iso(facts.get(LAST)),
        "silent_since": _iso(facts.get(SINCE)),
        "forged": int(facts.get("forged", "0")),
        "doubted": int(facts.get("doubted", "0")),
        "faults": int(facts.get("faults", "0")),
        "losses": int(facts.get("losses", "0")),
        "quieted": int(facts.get("quieted", "0")),
        "in_maintenance": int(facts.get("in_maintenance", "0")),
        "folded": int(facts.get("folded", "0")),
        "purposes": _purposes(facts),
        "unrouted": int(facts.get("unrouted", "0")),
        "damaged": _damaged(facts),
        "reload_refused": _refused(facts),
    }


def _purposes(facts: dict[str, str]) -> dict[str, Any]:
    """What the connections of each purpose did since the last sum was told."""
    counted: dict[str, dict[str, int]] = json.loads(facts.get("purposes", "{}"))
    return {
        name: {**counts, "since": _iso(str(counts.pop("since_us") or ""))}
        for name, counts in counted.items()
    }


def _of_programs(coverage: dict[str, tuple[int, int]]) -> dict[str, Any]:
    return {
        "understood": sum(good for good, _ in coverage.values()),
        "not_understood": sum(bad for _, bad in coverage.values()),
        "programs": {program: _pair(good, bad) for program, (good, bad) in coverage.items()},
    }


def _pair(good: int, bad: int) -> dict[str, int]:
    return {"understood": good, "not_understood": bad}


def _hours(connection: Connection, zone: tzinfo) -> list[dict[str, Any]]:
    """Today's hours that had lines, the earliest first."""
    now_us = SystemClock().now_us()
    now = datetime.fromtimestamp(now_us / 1_000_000, zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = int(midnight.timestamp()) * 1_000_000
    hours: dict[int, dict[str, Any]] = {}
    for hour_us, program, good, bad in counts.read_hours(connection, first, now_us):
        at = datetime.fromtimestamp(hour_us // 1_000_000, zone).isoformat()
        empty = {"hour": at, "hour_us": hour_us, **_pair(0, 0), "programs": {}}
        hour = hours.setdefault(hour_us, empty)
        hour["understood"] += good
        hour["not_understood"] += bad
        hour["programs"][program] = _pair(good, bad)
    return list(hours.values())


def _not_saving(folder: Path) -> dict[str, Any] | None:
    """Since when and why the running monitor cannot write its state."""
    noted = noted_trouble(folder)
    return None if noted is None else {"since": _iso(str(noted[0])), "why": noted[1]}


def _damaged(facts: dict[str, str]) -> dict[str, Any] | None:
    """The damaged state whose place this one took, as long as it is kept."""
    damage = Damage.load(facts)
    if damage is None or not damage.file.exists():
        return None
    return {"at": _iso(str(damage.at_us)), "file": str(damage.file), "why": damage.why}


def _refused(facts: dict[str, str]) -> dict[str, Any] | None:
    """The configuration that was not taken up, and why; until the next one is."""
    at_us, _, why = facts.get(REFUSED, "").partition(" ")
    return {"at": _iso(at_us), "why": why} if why else None


def _channel(report: outbox_view.ChannelReport, *, configured: bool) -> dict[str, Any]:
    """Of a former channel it matters only what is still there for it."""
    answer = report.state.answer
    fails = answer not in {None, Answer.DELIVERED} if configured else report.waiting > 0
    return {
        "channel": report.channel,
        "configured": configured,
        "waiting": report.waiting,
        "oldest": _iso(_text(report.oldest_us)),
        "oldest_age": _age(_text(report.oldest_us)),
        "held": report.held,
        "set_aside": report.set_aside,
        "dropped_total": report.dropped,
        "answer": answer,
        "said": report.state.said,
        "delivered": _iso(_text(report.state.delivered_us)),
        "retry": _iso(_text(report.state.retry_us)),
        "trouble": fails or report.set_aside > 0,
    }


def _text(us: int | None) -> str | None:
    return None if us is None else str(us)


def _iso(us: str | None) -> str | None:
    return micros_text(int(us), UTC).replace(" ", "T") + "+00:00" if us else None


def _age(us: str | None) -> float | None:
    return None if us is None else max(0, SystemClock().now_us() - int(us)) / 1_000_000
