"""Who is on now: the saved sessions, checked against the live host; and who has claimed one."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Collection, Sequence
from datetime import tzinfo
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.errors import UserError
from usersessionmon.host import facts
from usersessionmon.model import SessionView
from usersessionmon.persons import named
from usersessionmon.stock import Presence, presence
from usersessionmon.store import claims, state
from usersessionmon.store.place import holder
from usersessionmon.wiring.claims import own_names
from usersessionmon.wiring.here import zone_of

from .claimed import claim_object, first_of, sentence
from .common import folder_of, saved_state_of, settings_of
from .output import (
    cell,
    clock_text,
    cut,
    say,
    say_json,
    session_object,
    span_text,
    table,
    table_text,
    warn,
)
from .watch import ObjectOf, Seen, watch_lines, watch_screen

EXAMPLE = "user-session-monitor who --watch 5"
_COLUMNS = ("user", "address", "since", "for", "service", "method", "tty", "host", "")
_DROP = ("method", "tty", "host", "service", "for")
_NOT_RUNNING = "the monitor is not running: who came or left since it stopped is not known"
_EVERY, _LEAST, _MOST = 2.0, 0.2, 86_400.0
"""Seconds between two looks of ``--watch``."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON Lines, one session a line")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=_EVERY,
        metavar="SECONDS",
        help="look again and again (every 2 seconds) until Ctrl-C; with --json one line for each "
        "change: came, left or changed",
    )


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.watch is not None:
        return _watch(options, settings)
    seen = look(settings)
    if not seen.running:
        warn(_NOT_RUNNING)
    if options.json:
        object_of = _objects(settings)
        for view, how in seen.there:
            say_json(object_of(seen, view, how))
        return 0
    zone, now_us = zone_of(settings), SystemClock().now_us()
    show(seen.there, zone, now_us)
    for claim in seen.claims:
        say(sentence(claim, zone, now_us))
    return 0


def look(settings: Settings, before: Collection[str] = ()) -> Seen:
    """Who is on by the state and the live host; and which of the sessions of ``before`` are not."""
    names, boot = facts.host_names(), facts.boot_id()
    with saved_state_of(settings) as connection:
        saved = state.sessions(connection, state.Query(only_open=True))
        views = [named(view, settings.keys) for view in saved]
        there = [(view, presence(view, names, boot)) for view in views]
        there = [(view, how) for view, how in there if how is not Presence.OVER]
        gone = set(before) - {view.key for view, _ in there}
        ended = [state.session(connection, number) for number in sorted(gone)]
        claimed = claims.current(connection, SystemClock().now_us())
    running = holder(folder_of(settings)) is not None
    gone_views = [named(view, settings.keys) for view in ended if view is not None]
    return Seen(there, gone_views, running, claimed)


def _watch(options: argparse.Namespace, settings: Settings) -> int:
    zone, every = zone_of(settings), options.watch
    if not _LEAST <= every <= _MOST:
        raise UserError(
            f"--watch {every:g}: must be a number of seconds from {_LEAST} to {_MOST:g}"
        )

    def again(before: Collection[str]) -> Seen:
        return look(settings, before)

    def page(seen: Seen, room: int) -> list[str]:
        now_us = SystemClock().now_us()
        columns, few = shutil.get_terminal_size().columns, max(0, room - 4) // 2
        claimed = [cut(sentence(one, zone, now_us), columns) for one in seen.claims[:few]]
        if not seen.there:
            return ["nobody is on", *claimed]
        # the head, the rule below it, and how many more there are
        most = max(1, room - 3 - len(claimed))
        rows = _rows(seen.there[-most:], zone, now_us)
        lines = table_text(_COLUMNS, rows, drop=_DROP).splitlines()
        more = len(seen.there) - most
        return [*lines, *([f"and {more} who came before"] if more > 0 else ()), *claimed]

    if options.json:
        return watch_lines(again, every, zone, _objects(settings))
    if not sys.stdout.isatty():
        raise UserError(
            "--watch: the output is no terminal; add --json to have each change as a line"
        )
    return watch_screen(again, every, zone, page)


def show(there: Sequence[tuple[SessionView, Presence | None]], zone: tzinfo, now_us: int) -> None:
    """The table for people."""
    if not there:
        say("nobody is on")
        return
    table(_COLUMNS, _rows(there, zone, now_us), drop=_DROP)


def _rows(
    there: Sequence[tuple[SessionView, Presence | None]], zone: tzinfo, now_us: int
) -> list[list[str]]:
    return [
        [
            cell(
                " → ".join((view.user or "?", *view.elevated_to)) if view.elevated_to else view.user
            ),
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


def _since(view: SessionView, now_us: int) -> float | None:
    return None if view.login_time is None else max(0, now_us - view.login_time.us) / 1_000_000


def _objects(settings: Settings) -> ObjectOf:
    """What programs get of a session that one look gave."""
    zone, local = zone_of(settings), own_names(settings)
    known = {Presence.THERE: True, Presence.GONE: False}

    def object_of(seen: Seen, view: SessionView, how: Presence | None) -> dict[str, Any]:
        claim = first_of(seen.claims, view.host, local)
        return {
            **session_object(view),
            "confirmed": None if how is None else known.get(how),
            "claim": None if claim is None else claim_object(claim, zone),
        }

    return object_of


def _mark(view: SessionView, how: Presence | None) -> str:
    marks = []
    if view.inferred:
        marks.append("inferred")
    if how is Presence.GONE:
        marks.append("its process is gone")
    return ", ".join(marks)
