"""Whose a su or sudo is: the session of the person who had logged in.

What the line or the journal says goes first.  What is only concluded is said to be so, and where
two sessions fit, none is taken.
"""

from __future__ import annotations

from collections.abc import Iterable

from usersessionmon.model import Event, Link

from .state import Connection, Phase
from .world import SECOND, World, process_key

BRIEF = 3600 * SECOND
"""A command that began longer ago than this is rather one whose end the log has lost."""
_NO_TTY = frozenset({"none", "unknown", "?", "???", "notty"})
_NO_SHELL = frozenset({"vsftpd", "proftpd", "pure-ftpd", "ftp"})
"""Services in whose sessions nobody can run anything."""
_UNSET = frozenset({"", "4294967295"})
"""The audit session id of what no login began."""


def found(world: World, event: Event, caller: str | None) -> tuple[Connection | None, Link | None]:
    """The session that an elevation by ``caller`` belongs to, and by what it was found."""
    record = event.record
    trusted = record.trusted
    audit = None if trusted is None else trusted.audit_session
    if audit in _UNSET:
        audit = None
    if audit is not None:
        connection = world.of_logind(record.host, record.boot, audit)
        if _is_on(connection):
            return connection, Link.AUDIT
    tty = event.got.get("tty")
    if tty in _NO_TTY:
        tty = None
    if tty is None and caller in {None, "root"}:
        return None, None  # daemons and timers call su and sudo as well
    candidates = _candidates(world, event, caller, audit)
    if not candidates:
        return None, None
    if tty is not None:
        connection = _by_tty(candidates, tty)
        if connection is not None:
            return connection, Link.TTY
    connection = None if caller is None else _one(candidates)
    return (None, None) if connection is None else (connection, Link.ONLY)


def by_host(
    world: World, host: str | None, boot: str | None, pids: Iterable[int], logind: Iterable[str]
) -> Connection | None:
    """The session of the first of these processes, or of these logind sessions, that has one."""
    boots = dict.fromkeys((boot, None))
    keys = (process_key(host, known, pid) for pid in pids for known in boots)
    for key in keys:
        connection = world.get(key)
        if _is_on(connection):
            return connection
    for name in logind:
        for known in boots:
            connection = world.of_logind(host, known, name)
            if _is_on(connection):
                return connection
    return None


def _is_on(connection: Connection | None) -> bool:
    return connection is not None and connection.phase is Phase.OPEN


def _by_tty(candidates: list[Connection], tty: str) -> Connection | None:
    """The one session on a terminal, its own or that of a su or sudo in it."""
    return _one(
        connection
        for connection in candidates
        if connection.tty == tty or any(lift.tty == tty for lift in connection.lifts)
    )


def _one(found: Iterable[Connection]) -> Connection | None:
    fitting = {connection.key: connection for connection in found}
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _candidates(
    world: World, event: Event, caller: str | None, audit: str | None
) -> list[Connection] | None:
    """Open sessions of whoever goes by the caller's name at this moment; None: too many.

    ``audit``: the id of the session, if the kernel has one; of those that have another it is none.
    """
    host = event.record.host
    own = [] if caller is None else world.only_recent(host, caller)
    if own is None:
        return None
    others = [
        connection
        for connection in world.lifted(host)
        if caller is None or any(lift.target == caller for lift in connection.lifts)
    ]
    for lift in world.host(host).lifts:  # what a command of sudo's calls: `sudo su -`
        goes_on = lift.opened and event.record.time.us - lift.us <= BRIEF
        holder = world.get(lift.key) if goes_on and lift.key is not None else None
        if holder is not None and caller == lift.target:
            others.append(holder)
    return [
        connection
        for connection in (*own, *others)
        if _is_on(connection)
        and connection.service not in _NO_SHELL
        and (audit is None or connection.logind in {None, audit})
    ]
