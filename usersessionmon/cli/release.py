"""End one's own claim of a host before its time."""

from __future__ import annotations

import argparse
import platform

from usersessionmon.clock import SystemClock
from usersessionmon.errors import TroubleError
from usersessionmon.model import Claim
from usersessionmon.store import claims
from usersessionmon.store.db import transaction
from usersessionmon.wiring.claims import own_names
from usersessionmon.wiring.here import zone_of

from .caller import caller
from .claimed import checked_name, claims_for_writing, sentence
from .common import settings_of
from .output import cell, say

EXAMPLE = "user-session-monitor release web-1"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", nargs="?", help="none: this host")
    parser.add_argument("--anyway", action="store_true", help="even if it is somebody else's")


def main(options: argparse.Namespace) -> int:
    """0 also where there is nothing to end: it may have ended by itself."""
    settings = settings_of(options)
    zone, now_us, by = zone_of(settings), SystemClock().now_us(), caller()
    host = platform.node() if options.host is None else checked_name("HOST", options.host)
    names = claims.known_as(host, own_names(settings))
    with claims_for_writing(settings) as connection, transaction(connection):
        found = claims.of_host(connection, names, now_us)
        others = [one for one in found if not _is_own(one, by)]
        if others and not options.anyway:
            text = sentence(others[0], zone, now_us)
            raise TroubleError(f"{text} (--anyway ends it all the same)")
        claims.end(connection, found, by, now_us)
    for one in found:
        say(f"released: {sentence(one, zone, now_us, verb='was')}")
    if not found:
        say(f"{cell(host)} is not claimed")
    return 0


def _is_own(claim: Claim, by: str) -> bool:
    return any(claims.same_person(by, name) for name in (claim.user, claim.made_by))
