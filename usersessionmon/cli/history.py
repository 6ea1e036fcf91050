"""Past sessions, oldest first, from the saved state; or their sums by user, address or day."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from sqlite3 import Connection
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.errors import UserError
from usersessionmon.model import SessionView
from usersessionmon.persons import named
from usersessionmon.store import state
from usersessionmon.store.counts import read_failures
from usersessionmon.totals import Total
from usersessionmon.wiring.here import zone_of

from . import sheet
from .common import saved_state_of, settings_of
from .output import (
    cell,
    clock_text,
    ended_by,
    micros_text,
    say,
    say_json,
    session_object,
    span_text,
    table,
)
from .totals import BY, total_object, totals

EXAMPLE = f"user-session-monitor history --user alice --since 7d\n\n{sheet.HELP}"

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_SUMS = ("sessions", "open", "abnormal", "duration", "longest", "failures", "last_seen")
_FIELDS = (
    *("session", "host", "service", "user", "ip", "port", "method", "key_fingerprint"),
    *("login_time", "logout_time", "duration", "reason", "abnormal", "inferred", "state", "tty"),
    *("elevated_to", "became", "person", "key_name", "key_named_by"),
    *("disconnected", "by_user", "by_ip"),
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON Lines, one session or sum a line")
    form.add_argument("--csv", action="store_true", help="CSV (RFC 4180) for spreadsheets")
    parser.add_argument(
        "--totals", choices=BY, help="sums by user, address or day in place of the sessions"
    )
    parser.add_argument("--user", metavar="NAME", help="only this user's")
    parser.add_argument("--host", metavar="NAME", help="only on this host")
    parser.add_argument("--ip", metavar="ADDRESS", help="only from this address")
    parser.add_argument(
        "--since", metavar="TIME", help="ended not before: 2026-11-21, 2026-11-21T08:15, 8h, 7d"
    )
    parser.add_argument("--until", metavar="TIME", help="begun before that time")
    parser.add_argument("--limit", type=int, metavar="N", help="the newest N only")
    parser.add_argument("--open", action="store_true", help="only those that are still on")
    parser.add_argument("--abnormal", action="store_true", help="only those that ended abnormally")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    zone = zone_of(settings)
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit {options.limit}: must be 1 or more")
    query = state.Query(
        user=options.user,
        host=options.host,
        ip=options.ip,
        since_us=_time(options.since, "--since", zone),
        until_us=_time(options.until, "--until", zone),
        limit=options.limit,
        only_open=options.open,
        only_abnormal=options.abnormal,
    )
    with saved_state_of(settings) as connection:
        views = (named(view, settings.keys) for view in state.sessions(connection, query))
        if options.totals:
            _print_totals(options, connection, query, zone)
        elif options.json:
            for view in views:
                say_json(session_object(view))
        elif options.csv:
            sheet.write(_FIELDS, map(session_object, views))
        else:
            show(list(views), zone)
    return 0


def _print_totals(
    options: argparse.Namespace, connection: Connection, query: state.Query, zone: tzinfo
) -> None:
    by = options.totals
    now_us = SystemClock().now_us()
    of_sessions = query.only_open or query.only_abnormal or query.limit is not None
    failures = None if of_sessions or query.host is not None else read_failures(connection, query)
    found = totals(by, state.sessions(connection, query), failures, zone, now_us)
    if not options.json and not options.csv:
        show_totals(by, found, zone)
        return
    known = failures is not None
    rows: Iterator[dict[str, Any]] = (
        total_object(by, total, zone, failures_known=known) for total in found
    )
    if options.csv:
        sheet.write((by, *_SUMS), rows)
        return
    for row in rows:
        say_json(row)


def show_totals(by: str, found: Sequence[Total], zone: tzinfo) -> None:
    """The sums for people."""
    if not found:
        say("no sessions")
        return
    rows = [
        [
            cell(total.name),
            str(total.sessions),
            str(total.open or "-"),
            str(total.abnormal or "-"),
            span_text(total.duration),
            span_text(total.longest),
            str(total.failures or "-"),
            "-" if total.last_us is None else micros_text(total.last_us, zone),
        ]
        for total in found
    ]
    name = "address" if by == "ip" else by
    columns = (name, "sessions", "on", "abnormal", "duration", "longest", "failures", "last seen")
    table(columns, rows, drop=("on", "abnormal", "longest", "failures"))


def show(views: Sequence[SessionView], zone: tzinfo) -> None:
    """The table for people."""
    if not views:
        say("no sessions")
        return
    rows = [_row(view, zone) for view in views]
    columns = ("user", "address", "login", "logout", "duration", "reason", "service", "host", "")
    table(columns, rows, drop=("host", "service", "duration", "", "reason"))


def _row(view: SessionView, zone: tzinfo) -> list[str]:
    marks = [
        word for word, holds in (("abnormal", view.abnormal), ("inferred", view.inferred)) if holds
    ]
    marks += ended_by(view)
    if view.became:
        marks.append(f"became {cell(', '.join(view.became))}")
    return [
        cell(view.user),
        cell(view.ip),
        clock_text(view.login_time, zone),
        clock_text(view.logout_time, zone) if view.state == "closed" else "still on",
        span_text(view.duration),
        view.reason or "-",
        cell(view.service),
        cell(view.host),
        ", ".join(marks),
    ]


def _time(text: str | None, option: str, zone: tzinfo) -> int | None:
    """A moment in microseconds: RFC 3339, a date, or how long ago (``8h``).  Raises UserError."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        seconds = int(ago.group(1)) * _UNITS[ago.group(2)]
        return SystemClock().now_us() - seconds * 1_000_000
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        today = micros_text(SystemClock().now_us(), zone)[:10]
        raise UserError(
            f"{option} {text}: is no time; give {today}, {today}T08:15, or how long ago: 8h, 7d"
        ) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
