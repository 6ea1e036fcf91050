"""Who is on now: the saved sessions, checked against the live host."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import tzinfo

from usersessionmon.clock import SystemClock
from usersessionmon.host import facts
from usersessionmon.model import SessionView
from usersessionmon.stock import Presence, presence
from usersessionmon.store import state
from usersessionmon.store.place import holder
from usersessionmon.wiring import zone_of

from .common import folder_of, saved_state_of, settings_of
from .output import cell, clock_text, say, say_json, session_object, span_text, table, warn

EXAMPLE = "user-session-monitor who"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON Lines, one session a line")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with saved_state_of(settings) as connection:
        views = list(state.sessions(connection, state.Query(only_open=True)))
    if holder(folder_of(settings)) is None:
        warn("the monitor is not running: who came or left since it stopped is not known")
    names, boot = facts.host_names(), facts.boot_id()
    found = [(view, presence(view, names, boot)) for view in views]
    there = [(view, how) for view, how in found if how is not Presence.OVER]
    if options.json:
        for view, how in there:
            say_json({**session_object(view), "confirmed": _confirmed(how)})
        return 0
    show(there, zone_of(settings), SystemClock().now_us())
    return 0


def show(there: Sequence[tuple[SessionView, Presence | None]], zone: tzinfo, now_us: int) -> None:
    """The table for people."""
    if not there:
        say("nobody is on")
        return
    rows = [
        [
            cell(view.user),
            cell(view.ip),
            clock_text(view.login_time, zone),
            span_text(_since(view, now_us)),
            cell(view.service),
            cell(view.method),
            cell(view.tty),
            cell(view.host),
            _mark(view, how),
        ]
        for view, how in there
    ]
    columns = ("user", "address", "since", "for", "service", "method", "tty", "host", "")
    table(columns, rows, drop=("method", "tty", "host", "service", "for"))


def _since(view: SessionView, now_us: int) -> float | None:
    return None if view.login_time is None else max(0, now_us - view.login_time.us) / 1_000_000


def _confirmed(how: Presence) -> bool | None:
    return {Presence.THERE: True, Presence.GONE: False}.get(how)


def _mark(view: SessionView, how: Presence | None) -> str:
    marks = []
    if view.inferred:
        marks.append("inferred")
    if how is Presence.GONE:
        marks.append("its process is gone")
    return ", ".join(marks)
