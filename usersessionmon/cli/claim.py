"""Claim a host for a while: `who` and the notices of others' logins say so, politely.  Without
arguments: the claims that hold.  Nobody is kept out.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Collection, Sequence
from datetime import tzinfo
from sqlite3 import Connection
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.model import Claim
from usersessionmon.store import claims
from usersessionmon.store.db import transaction
from usersessionmon.store.place import holder
from usersessionmon.strict import nearest
from usersessionmon.wiring.claims import own_names
from usersessionmon.wiring.here import zone_of

from .caller import caller
from .claimed import (
    NOTE_MOST,
    checked,
    checked_name,
    claim_object,
    claims_for_writing,
    holder_text,
    iso,
    sentence,
)
from .common import folder_of, saved_state_of, settings_of
from .output import cell, micros_text, say, say_json, table, warn
from .until import MOST_DAYS, day_text, lasting, until

EXAMPLE = """\
user-session-monitor claim web-1 --until 17:00 --note "deploying, please ask first"

A host is known by its short and by its full name, in any letters; users are compared without
domain.  Writing a claim needs the rights to write the state: root's or the service's."""
_COLUMNS = ("host", "claimed by", "until", "since", "note", "ended")
_DROP = ("since", "ended", "note")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", nargs="?", help="none: this host")
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--until",
        metavar="TIME",
        help="17:00 (of tomorrow when that is past), '2026-11-22 17:00', RFC 3339, or a span; at "
        f"most {MOST_DAYS} days",
    )
    end.add_argument("--for", metavar="SPAN", dest="span", help="2h, 90m, 1d, 1h30m")
    parser.add_argument("--note", metavar="TEXT", help=f"what for; {NOTE_MOST} characters")
    parser.add_argument("--user", metavar="NAME", help="in whose name; none: the caller's")
    parser.add_argument(
        "--anyway", action="store_true", help="even if somebody else has claimed it: theirs ends"
    )
    parser.add_argument("--list", action="store_true", help="only list, HOST's or all")
    parser.add_argument("--all", action="store_true", help="list those that have ended, too")
    parser.add_argument("--json", action="store_true", help="JSON Lines, one claim a line")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    given = (options.until, options.span, options.note, options.user, options.anyway or None)
    writes = any(value is not None for value in given)
    listing = options.list or options.all
    if listing and writes:
        raise UserError("--list and --all only list: give them without what makes a claim")
    if listing or not (writes or options.host):
        return _list(options, settings)
    return _claim(options, settings)


# --- list -----------------------------------------------------------------------------------------


def _list(options: argparse.Namespace, settings: Settings) -> int:
    zone, now_us = zone_of(settings), SystemClock().now_us()
    with saved_state_of(settings) as connection:
        found = claims.every(connection) if options.all else claims.current(connection, now_us)
    if options.host is not None:
        names = claims.known_as(checked_name("HOST", options.host), own_names(settings))
        found = [claim for claim in found if claims.is_of(claim, names)]
    if options.json:
        for claim in found:
            say_json(_past_object(claim, zone) if options.all else claim_object(claim, zone))
    elif found:
        table(_COLUMNS, [_row(claim, zone, now_us) for claim in found], drop=_DROP)
    else:
        say("no claims")
    return 0


def _past_object(claim: Claim, zone: tzinfo) -> dict[str, Any]:
    us = claim.released_us
    released = {"released": us and iso(us, zone), "released_by": claim.released_by}
    return {**claim_object(claim, zone), **released}


def _row(claim: Claim, zone: tzinfo, now_us: int) -> list[str]:
    ended = ""
    if claim.released_us is not None:
        ended = f"{micros_text(claim.released_us, zone)[:16]} by {cell(claim.released_by)}"
    elif claim.until_us <= now_us:
        ended = "in time"
    return [
        cell(claim.host),
        holder_text(claim),
        day_text(claim.until_us, now_us, zone),
        day_text(claim.made_us, now_us, zone),
        cell(claim.note, NOTE_MOST),
        ended,
    ]


# --- claim ----------------------------------------------------------------------------------------


def _claim(options: argparse.Namespace, settings: Settings) -> int:
    zone, now_us = zone_of(settings), SystemClock().now_us()
    claim = _wanted(options, zone, now_us)
    names = claims.known_as(claim.host, own_names(settings))
    with claims_for_writing(settings) as connection:
        others = _make(connection, claim, names, anyway=options.anyway, zone=zone)
        hosts = claims.seen_hosts(connection)
    _tell(claim, others, settings, as_json=options.json)
    if names == (claim.host,):
        _doubt(claim.host, hosts)
    return 0


def _make(
    connection: Connection, claim: Claim, names: Collection[str], *, anyway: bool, zone: tzinfo
) -> list[Claim]:
    """Write it; those of others that ended for it.  Raises TroubleError when one is in the way."""
    now_us = claim.made_us
    with transaction(connection):
        before = claims.of_host(connection, names, now_us)
        others = [one for one in before if not _is_own(one, claim)]
        if others and not anyway:
            text = sentence(others[0], zone, now_us)
            raise TroubleError(f"{text} (ask them first; --anyway ends their claim)")
        claims.end(connection, before, claim.made_by, now_us)
        claims.add(connection, claim)
    return others


def _wanted(options: argparse.Namespace, zone: tzinfo, now_us: int) -> Claim:
    """The claim as it is asked for.  Raises UserError."""
    if options.until is not None:
        until_us = until(options.until, zone, now_us)
    elif options.span is not None:
        until_us = lasting(options.span, now_us)
    else:
        raise UserError("until when? give --until 17:00 or --for 2h (claim --list lists)")
    maker = caller()
    host = platform.node() if options.host is None else checked_name("HOST", options.host)
    user = maker if options.user is None else checked_name("--user", options.user)
    note = checked("--note", options.note or "", NOTE_MOST)
    return Claim(host, user, maker, note, now_us, until_us)


def _is_own(there: Claim, new: Claim) -> bool:
    """The same person's, and made or held by who calls now."""
    mine = any(claims.same_person(new.made_by, name) for name in (there.user, there.made_by))
    return mine and claims.same_person(there.user, new.user)


def _doubt(host: str, seen: Sequence[str]) -> None:
    """A name with a slip in it would be claimed in vain."""
    if seen and not any(claims.same_host(host, one) for one in seen):
        warn(f"nobody was seen on a host called {cell(host)} yet{nearest(host, seen)}")


def _tell(claim: Claim, others: Sequence[Claim], settings: Settings, *, as_json: bool) -> None:
    zone, now_us = zone_of(settings), claim.made_us
    for one in others:
        (warn if as_json else say)(f"ended: {sentence(one, zone, now_us, verb='was')}")
    if as_json:
        say_json(claim_object(claim, zone))
    else:
        say(sentence(claim, zone, now_us))
    if holder(folder_of(settings)) is None:
        warn("the monitor is not running: nobody who logs in is told of it")
