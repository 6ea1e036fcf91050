"""Who logs in on a host that somebody else has claimed is told so, in the login's own notice; and
everybody is told of claims that are made and released."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Collection, Mapping

from usersessionmon.clock import Clock
from usersessionmon.config import Settings
from usersessionmon.host import facts
from usersessionmon.model import Change, ChangeKind, Claim, NamedBy, Notice
from usersessionmon.notify.claimed import claim_notice, with_claim
from usersessionmon.notify.words import Server
from usersessionmon.store import claims
from usersessionmon.store.faults import may_pass
from usersessionmon.tellers import Teller
from usersessionmon.watching.claims import Claims, Look

Mark = Callable[[Notice, Change], Notice]


def own_names(settings: Settings) -> frozenset[str]:
    """Every name of this machine, that of the configuration included."""
    return facts.host_names() | {settings.server.name or platform.node()}


def mark_of(connection: sqlite3.Connection, server: Server, clock: Clock) -> Mark:
    """Adds to a login's notice who has claimed the host, as the state says at this moment: a
    command may have written it just now."""

    def mark(notice: Notice, change: Change) -> Notice:
        if change.kind is not ChangeKind.LOGIN:
            return notice
        now_us = clock.now_us()
        names = claims.known_as(change.host, server.local_hosts)
        for claim in _read(connection, names, now_us):
            if not _is_own(claim, change):
                return with_claim(notice, claim, now_us, server.say)
        return notice

    return mark


def teller_of(
    settings: Settings, server: Server, connection: sqlite3.Connection, kept: Mapping[str, str]
) -> list[Teller]:
    """What tells of claims, where it is wanted.  ``kept``: the facts of the last life."""

    def look(now_us: int, known: Collection[int]) -> Look | None:
        try:
            there = claims.current(connection, now_us)
            gone = set(known) - {claim.number for claim in there}
            return Look(there, claims.numbered(connection, gone) if gone else ())
        except sqlite3.Error as error:
            if not may_pass(error):
                raise
            return None

    def word(claim: Claim) -> Notice:
        if any(claims.same_host(claim.host, name) for name in server.local_hosts):
            claim = claim._replace(host=server.name)
        return claim_notice(claim, server)

    if not settings.claims.notify:
        return []
    made = Claims(look, word)
    made.load(kept)
    return [made]


def _read(connection: sqlite3.Connection, names: Collection[str], now_us: int) -> list[Claim]:
    """While the state cannot be read for the moment, a login is told all the same."""
    try:
        return claims.of_host(connection, names, now_us)
    except sqlite3.Error as error:
        if not may_pass(error):
            raise
        return []


def _is_own(claim: Claim, change: Change) -> bool:
    """By the account, or by the key; what a comment calls a key proves nothing."""
    key = None if change.key_named_by is NamedBy.COMMENT else change.key_name
    names = (change.user, key)
    return any(name and claims.same_person(claim.user, name) for name in names)
