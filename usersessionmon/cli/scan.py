"""Read logs that already exist and print what happened: text logs (plain, .gz, .xz, .bz2), - for
standard input, journal files and directories, journalctl -o export and -o json files; Windows event
logs (.evtx, XML exports, folders that hold them), all that are given together.

Never notifies and never touches the saved state.
"""

from __future__ import annotations

import argparse
import sys
import zoneinfo
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from usersessionmon.clock import SystemClock
from usersessionmon.contract import event_line
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.host import facts
from usersessionmon.model import Change, ChangeKind, SessionView
from usersessionmon.notify.desktop import domain_of
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.pack import identifiers
from usersessionmon.sessions.engine import Engine
from usersessionmon.sources.archive import ReadOptions
from usersessionmon.wiring.log import rules_of

from . import scan_servers
from .common import check_path, settings_if_any
from .output import (
    cell,
    clock_text,
    complain,
    ended_by,
    json_line,
    progress_of,
    session_object,
    span_text,
    warn,
)
from .scanned import sort_out

EXAMPLE = "user-session-monitor scan --sessions /var/log/auth.log.1 /var/log/auth.log"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="a log, a folder, or - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="JSON Lines, one object a line")
    parser.add_argument("--sessions", action="store_true", help="sessions in place of events")
    parser.add_argument(
        "--year", type=int, metavar="Y", help="the first line's year, where headers have none"
    )
    parser.add_argument(
        "--timezone", metavar="Z", help="the zone of headers that have none (Asia/Shanghai, UTC)"
    )
    scan_servers.arguments(parser)


def main(options: argparse.Namespace) -> int:
    zone = _zone(options.timezone)
    if options.year is not None and not 1970 <= options.year <= 9998:
        raise UserError(f"--year {options.year}: must be a year from 1970 to 9998")
    scan_servers.check(options)
    settings = settings_if_any(options)
    pipeline = Pipeline(rules_of(settings, ()), Engine())
    printer = _Printer(as_json=options.json, sessions=options.sessions, zone=zone)
    if options.server is not None:
        return scan_servers.scan(options, settings, pipeline, printer, zone)
    status = 0
    for log in sort_out(options.paths):
        try:
            check_path(log.path)
            with progress_of(log.path) as progress:
                read = ReadOptions(
                    wanted=pipeline.rules.wanted,
                    zone=zone,
                    year=options.year,
                    now_us=SystemClock().now_us(),
                    progress=progress,
                    identifiers=identifiers(pipeline.rules.packs),
                    notice=warn,
                )
                for records in log.records(read):
                    printer.events(pipeline.process(records, more=True))
                    printer.sessions(pipeline)
        except TroubleError as error:
            sys.stdout.flush()
            complain(error.lines)
            status = 1
    printer.events(pipeline.finish())
    printer.sessions(pipeline)
    printer.open_sessions(pipeline)
    if not printer.wrote and status == 0 and sys.stderr.isatty():
        warn("no line here tells of a login, a logout, a failure or an elevation")
    return status


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return facts.local_zone()
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError(
            f"--timezone {name}: unknown; give a zone's name such as Asia/Shanghai or UTC"
        ) from error


class _Printer:
    """Writes events or sessions as they are concluded; holds nothing back."""

    def __init__(self, *, as_json: bool, sessions: bool, zone: tzinfo) -> None:
        self._as_json = as_json
        self._sessions = sessions
        self._zone = zone
        self.wrote = False

    def events(self, changes: Iterable[Change]) -> None:
        if self._sessions:
            return
        if self._as_json:
            self._write("".join([event_line(change) + "\n" for change in changes]))
        else:
            self._write("".join([_event_text(change, self._zone) + "\n" for change in changes]))

    def _write(self, text: str) -> None:
        self.wrote = self.wrote or bool(text)
        sys.stdout.write(text)

    def line(self, text: str) -> None:
        self._write(text + "\n")

    def sessions(self, pipeline: Pipeline) -> None:
        self.views(pipeline.ended())

    def open_sessions(self, pipeline: Pipeline) -> None:
        self.views(pipeline.open_sessions())

    def views(self, views: Iterable[SessionView]) -> None:
        for view in views if self._sessions else ():
            self._session(view)

    def _session(self, view: SessionView) -> None:
        if self._as_json:
            self._write(json_line(session_object(view)) + "\n")
        else:
            self._write(_session_text(view, self._zone) + "\n")


def _event_text(change: Change, zone: tzinfo) -> str:
    words = [
        clock_text(change.time, zone),
        f"{change.kind.value:<12}",
        f"{cell(change.service):<7}",
        cell(change.user),
        cell(change.ip or change.client_host),
    ]
    words += [f"{name}={cell(value)}" for name, value in _details(change) if value is not None]
    return " ".join(words)


def _details(change: Change) -> Iterator[tuple[str, str | None]]:
    yield "port", None if change.port is None else str(change.port)
    yield "host", change.host
    yield "method", change.method
    yield "domain", domain_of(change)
    match change.kind:
        case ChangeKind.LOGIN:
            yield "key", change.key_fingerprint
            yield "session", change.session
            yield "desktop", "reconnected" if change.again else None
        case ChangeKind.LOGOUT:
            yield "reason", change.reason
            yield "duration", span_text(change.duration)
            yield "session", change.session
            yield "desktop", "disconnected" if change.kept else None
            yield "by", change.by_user
            yield "by_ip", change.by_ip
        case ChangeKind.LOGIN_FAILED:
            yield "count", None if change.times == 1 else str(change.times)
        case ChangeKind.ELEVATION:
            yield "to", change.target_user
            yield "command", change.command


def _session_text(view: SessionView, zone: tzinfo) -> str:
    words = [
        clock_text(view.login_time, zone),
        clock_text(view.logout_time, zone) if view.state == "closed" else f"{'still on':<19}",
        f"{span_text(view.duration):>11}",
        f"{view.reason or '-':<8}",
        f"{cell(view.service):<7}",
        cell(view.user),
        cell(view.ip),
        cell(view.host),
        ", ".join(ended_by(view)),
    ]
    return " ".join(words).rstrip()
