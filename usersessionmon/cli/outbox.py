"""The notices that a channel has not had: list them, try again, give them up."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC
from sqlite3 import Connection

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.notify.base import Answer
from usersessionmon.store import outbox_view
from usersessionmon.store.db import transaction
from usersessionmon.store.outbox_view import Entry, Wanted
from usersessionmon.store.place import holder
from usersessionmon.strict import nearest

from .common import add_actions, changed_state_of, folder_of, saved_state_of, settings_of
from .output import cell, micros_text, say, say_json, span_text, table

EXAMPLE = "user-session-monitor outbox list --failed"
_ACTIONS = {
    "list": ("what waits, and what was refused for good", EXAMPLE),
    "retry": (
        "what was refused waits again, and its channel is tried within 15 s (unless its server "
        "asked for a pause); without numbers the channel alone is tried",
        "user-session-monitor outbox retry --all --channel feishu",
    ),
    "drop": ("give notices up", "user-session-monitor outbox drop --all --failed --yes"),
}
_COLUMNS = ("number", "channel", "age", "state", "notice", "said", "tries", "severity", "kind")
_DROP = ("kind", "severity", "tries", "channel", "said", "age")
_REASONS = 3
"""How many answers of the servers are shown below the table, where it had no room for them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    for name, action in add_actions(parser, _ACTIONS).items():
        action.add_argument("--channel", metavar="NAME", help="only of this channel")
        if name != "retry":
            action.add_argument("--failed", action="store_true", help="only what was refused")
        if name == "list":
            action.add_argument("--limit", type=int, metavar="N", help="the oldest N only")
            action.add_argument("--json", action="store_true", help="JSON Lines, one a line")
            continue
        action.add_argument("numbers", metavar="NUMBER", nargs="*", type=int, help="as listed")
        action.add_argument("--all", action="store_true", help="all of them")
        if name == "drop":
            action.add_argument("--yes", action="store_true", help="--all is meant")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.action == "list":
        return _list(options, settings)
    if options.numbers and options.all:
        raise UserError("give numbers or --all, not both")
    with changed_state_of(settings) as connection:
        if options.action == "retry":
            _retry(options, settings, connection)
        else:
            _drop(options, settings, connection)
    return 0


# --- list -----------------------------------------------------------------------------------------


def _list(options: argparse.Namespace, settings: Settings) -> int:
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit {options.limit}: must be 1 or more")
    wanted = Wanted(options.channel, aside=True if options.failed else None)
    now_us = SystemClock().now_us()
    with saved_state_of(settings) as connection:
        _check_channel(options.channel, settings, connection)
        entries = outbox_view.entries(connection, wanted, options.limit)
        more = outbox_view.count(connection, wanted) - len(entries)
        reports = outbox_view.report(connection, now_us)
    if options.json:
        for entry in entries:
            say_json(_object(entry, now_us))
        return 0
    if entries:
        table(_COLUMNS, [_row(entry, now_us) for entry in entries], drop=_DROP)
    else:
        say("nothing was refused" if options.failed else "nothing waits")
    if more > 0:
        say(f"… and {more} more")
    _say_answers(entries)
    for report in reports:
        if options.channel in (None, report.channel):
            _say_condition(report, now_us, configured=report.channel in settings.channel_names())
    return 0


def _object(entry: Entry, now_us: int) -> dict[str, object]:
    notice = entry.notice
    return {
        "number": entry.number,
        "channel": entry.channel,
        "state": _state(entry, now_us),
        "queued": _iso(entry.queued_us),
        "age": max(0, now_us - entry.queued_us) / 1_000_000,
        "attempts": entry.attempts,
        "plain": entry.plain,
        "held_until": _iso(entry.held_us),
        "bundle": entry.bundle or None,
        "refused": _iso(entry.aside_us),
        "said": entry.said or None,
        "kind": notice.kind,
        "severity": notice.severity,
        "time": _iso(notice.at_us),
        "title": notice.title,
        "notice": notice.digest,
    }


def _row(entry: Entry, now_us: int) -> list[str]:
    return [
        str(entry.number),
        cell(entry.channel),
        span_text(max(0, now_us - entry.queued_us) / 1_000_000),
        _state(entry, now_us),
        cell(entry.notice.digest),
        cell(entry.said),
        str(entry.attempts or "-"),
        entry.notice.severity,
        cell(entry.notice.kind),
    ]


def _state(entry: Entry, now_us: int) -> str:
    if entry.aside_us is not None:
        return "refused"
    return "held" if entry.held_us is not None and entry.held_us > now_us else "waits"


def _say_answers(entries: Iterable[Entry]) -> None:
    """What the servers had against those that they refused, the most frequent first."""
    said = Counter((one.channel, one.said) for one in entries if one.aside_us is not None)
    for (channel, answer), times in said.most_common(_REASONS):
        say(f"{cell(channel)}: {times} refused: {cell(answer, 300)}")


def _say_condition(report: outbox_view.ChannelReport, now_us: int, *, configured: bool) -> None:
    """Why a channel's notices wait, and what is no more."""
    state = report.state
    if not configured and report.waiting:
        say(f"{cell(report.channel)}: not configured any more: nothing is sent there")
    elif state.answer not in (None, Answer.DELIVERED, Answer.PAYLOAD):
        left = max(0, (state.retry_us or 0) - now_us) / 1_000_000
        due = f"tried again in {span_text(left)}" if left else "tried again when there is something"
        say(f"{cell(report.channel)}: {state.answer}: {cell(state.said, 300)}; {due}")
    if report.dropped:
        say(f"{cell(report.channel)}: {report.dropped} dropped in all")


def _iso(us: int | None) -> str | None:
    return None if us is None else micros_text(us, UTC).replace(" ", "T") + "+00:00"


# --- retry and drop -------------------------------------------------------------------------------


def _retry(options: argparse.Namespace, settings: Settings, connection: Connection) -> None:
    if not (options.numbers or options.all or options.channel):
        raise UserError("give numbers, --all, or --channel NAME to try a channel at once")
    wanted = Wanted(options.channel, options.numbers)
    _check(options, settings, connection, wanted)
    now_us = SystemClock().now_us()
    with transaction(connection):
        whom = outbox_view.channels_of(connection, wanted)
        if options.channel is not None:
            whom = [options.channel]
        again = 0
        if options.numbers or options.all:
            again = outbox_view.retry(connection, wanted, now_us)
        outbox_view.nudge(connection, whom, now_us)
    if options.numbers or options.all:
        say(f"{_notices(again)} that had been refused {_is(again)} tried again")
    there = settings.channel_names()
    for name in whom:
        if name not in there:
            say(f"{cell(name)}: not configured any more: nothing is sent there")
    if tried := [name for name in whom if name in there]:
        soon = "within 15 s" if holder(folder_of(settings)) else "when the monitor runs"
        say(f"{', '.join(map(cell, tried))}: tried {soon}")


def _drop(options: argparse.Namespace, settings: Settings, connection: Connection) -> None:
    if not (options.numbers or options.all):
        raise UserError("give numbers (outbox list shows them), or --all")
    wanted = Wanted(options.channel, options.numbers, aside=True if options.failed else None)
    _check(options, settings, connection, wanted)
    if options.all and not options.yes:
        many = _notices(outbox_view.count(connection, wanted))
        raise UserError(f"this would drop {many} for good: add --yes")
    with transaction(connection):
        gone = outbox_view.drop(connection, wanted)
    say(f"{_notices(gone)} dropped")


def _check(
    options: argparse.Namespace, settings: Settings, connection: Connection, wanted: Wanted
) -> None:
    """Raise UserError and TroubleError for what is not there: nothing is done by half."""
    _check_channel(options.channel, settings, connection)
    unknown = sorted(set(options.numbers) - outbox_view.known(connection, wanted))
    if unknown:
        where = "" if options.channel is None else f" for {options.channel}"
        of_these = " among those that were refused" if wanted.aside else ""
        raise TroubleError(
            f"there is no notice {_listed(unknown)}{where} in the outbox{of_these}: nothing was "
            "done (outbox list shows what there is)"
        )


def _check_channel(name: str | None, settings: Settings, connection: Connection) -> None:
    there = {**settings.all_channels(), **dict.fromkeys(outbox_view.channels(connection))}
    if name is not None and name not in there:
        raise UserError(
            f"--channel {cell(name)}: there is no such channel{nearest(name, there)}; there is "
            f"{', '.join(map(cell, there)) or 'none'}"
        )


def _listed(numbers: Sequence[int], most: int = 5) -> str:
    shown: Iterable[str] = map(str, numbers[:most])
    return ", ".join(shown) + (f" (and {len(numbers) - most} more)" if numbers[most:] else "")


def _notices(count: int) -> str:
    return "1 notice" if count == 1 else f"{count} notices"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
