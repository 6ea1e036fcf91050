"""``scan --server``: the live event logs of Windows servers, read once and side by side."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, NamedTuple, Protocol

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.errors import UserError
from usersessionmon.model import Change, Record, SessionView
from usersessionmon.pipeline import Pipeline
from usersessionmon.system.host import nodes
from usersessionmon.windows.asking import Answer, Look, Past, ask, past
from usersessionmon.windows.channels import SHORT
from usersessionmon.windows.errors import sentence
from usersessionmon.windows.live import LiveEventLog
from usersessionmon.windows.naming import Naming
from usersessionmon.windows.settings import LOCAL, WindowsServer, channel_of, unknown_channel
from usersessionmon.windows.xml import record_of
from usersessionmon.wiring.windows import servers_of

from .output import cell, clock_text, complain, json_line, warn

SINCE = "8h"
MESSAGE_MOST = 500
"""Characters of a record's message that are shown."""
MESSAGES_MOST = 50_000
"""Records whose messages are kept until all can be sorted."""
_SPAN = re.compile(r"([0-9]{1,5})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ONLY_HERE = ("channel", "since", "message")


class Printer(Protocol):
    """``scan``'s."""

    def line(self, text: str) -> None: ...

    def events(self, changes: Iterable[Change]) -> None: ...

    def views(self, views: Iterable[SessionView]) -> None: ...


class _Shown(NamedTuple):
    """A record with its message."""

    record: Record
    message: str


def arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the live event logs of Windows servers (on Windows)")
    group.add_argument("--server", metavar="A,B", help="servers by name; local: this machine")
    group.add_argument(
        "--channel", metavar="C,D", help="Security, LSM, RCM, System, OpenSSH, RdpCoreTS"
    )
    group.add_argument("--since", metavar="SPAN", help=f"how far back: 30m, 7d (default: {SINCE})")
    group.add_argument("--message", action="store_true", help="with each record's own text")


def check(options: argparse.Namespace) -> None:
    """Raise UserError where what is given does not go together."""
    if options.server is not None and options.paths:
        raise UserError("give files to scan, or --server, not both")
    if options.server is None and not options.paths:
        raise UserError("give a PATH to scan (- for standard input), or --server")
    for name in _ONLY_HERE:
        if options.server is None and getattr(options, name):
            raise UserError(f"--{name} goes with --server")


def scan(
    options: argparse.Namespace,
    settings: Settings,
    pipeline: Pipeline,
    printer: Printer,
    zone: tzinfo,
) -> int:
    """0 when every server was read, else 1; what failed is said on standard error."""
    look = Look(
        _channels(options.channel),
        _milliseconds(options.since or SINCE),
        options.message,
        record_of,
    )
    servers = _servers(options.server, settings)
    naming = Naming(servers, nodes())
    changes: list[Change] = []
    shown: list[_Shown] = []
    status = 0
    for answer in ask(servers, LiveEventLog(), SystemClock(), partial(past, look)):
        trouble = _trouble(answer)
        if trouble:
            complain([trouble])
            status = 1
        elif answer.found is not None and answer.found.record is not None:
            record = naming.named(answer.server, answer.found.record)
            changes += pipeline.process((record,), more=True)
            if options.message and len(shown) < MESSAGES_MOST:
                shown.append(_Shown(record, answer.found.message or ""))
    changes += pipeline.finish()
    if len(shown) == MESSAGES_MOST:
        warn(f"only the first {MESSAGES_MOST} records are shown: give a shorter --since")
    views = sorted((*pipeline.ended(), *pipeline.open_sessions()), key=_begun)
    printer.views(views)
    if not options.sessions or shown:
        _print(_in_time(changes, shown), printer, zone, as_json=options.json)
    return status


def _servers(names: str, settings: Settings) -> Sequence[WindowsServer]:
    """As the configuration has them, else by their name alone."""
    known = {key.casefold(): one for one in servers_of(settings) for key in (one.host, one.label)}
    found = []
    for name in dict.fromkeys(part.strip() for part in names.split(",")):
        if not name:
            raise UserError(f"--server {names}: names servers, with commas between them")
        host = "" if name == LOCAL else name
        found.append(known.get(name.casefold()) or WindowsServer(host))
    return list({one.label: one for one in found}.values())


def _channels(names: str | None) -> tuple[str, ...]:
    found = []
    for name in names.split(",") if names else ():
        channel = channel_of(name.strip())
        if channel is None:
            raise UserError(f"--channel {unknown_channel(name.strip())}")
        found.append(channel)
    return tuple(dict.fromkeys(found))


def _milliseconds(span: str) -> int:
    found = _SPAN.fullmatch(span)
    if found is None:
        raise UserError(f"--since {span}: is no span; give 8h, 30m or 7d")
    return int(found[1]) * _UNITS[found[2]] * 1000


def _trouble(answer: Answer[Past]) -> str:
    """The sentence about what failed; empty: nothing did."""
    if answer.error is not None:
        return f"{answer.server.label}: {sentence(answer.error)}"
    if answer.found is not None and answer.found.error is not None:
        return f"{answer.server.label}: {answer.found.channel}: {sentence(answer.found.error)}"
    return ""


def _begun(view: SessionView) -> int:
    begun = view.login_time or view.logout_time
    return 0 if begun is None else begun.us


def _in_time(changes: list[Change], shown: list[_Shown]) -> Iterator[Change | _Shown]:
    """Of one moment the records first: they are what it is concluded from."""
    found: list[tuple[int, int, Change | _Shown]] = [(one.record.time.us, 0, one) for one in shown]
    found += [(one.time.us, 1, one) for one in changes]
    return (one for _, _, one in sorted(found, key=lambda item: item[:2]))


def _print(
    found: Iterable[Change | _Shown], printer: Printer, zone: tzinfo, *, as_json: bool
) -> None:
    for one in found:
        if isinstance(one, Change):
            printer.events((one,))
        else:
            printer.line(json_line(_object(one)) if as_json else _text(one, zone))


def _object(shown: _Shown) -> dict[str, Any]:
    """Of a record.  It has no ``event``: it is none of the contract's."""
    record, event = shown.record, shown.record.windows
    return {
        "record": None if event is None else event.record_id,
        "channel": record.program if event is None else event.channel,
        "id": None if event is None else event.id,
        "time": record.time.text,
        "host": record.host,
        "message": cell(shown.message or record.text, MESSAGE_MOST),
    }


def _text(shown: _Shown, zone: tzinfo) -> str:
    record, event = shown.record, shown.record.windows
    words = [clock_text(record.time, zone), cell(record.host), cell(record.program)]
    if event is not None:
        words += [SHORT.get(event.channel, cell(event.channel)), f"{event.id} #{event.record_id}"]
    return " ".join([*words, cell(" ".join((shown.message or record.text).split()), MESSAGE_MOST)])
