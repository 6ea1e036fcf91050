"""Ended sessions are not kept for ever: the oldest go, a few at a time, and the file shrinks.

A step is a short transaction or two, made while the log has nothing new: nobody waits for it.
Files that were made before this had been thought of keep their size, and what is freed in them is
used again: to turn one over, SQLite would have to write all of it anew at once.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from . import claims, db

STEP = 500
"""Sessions that one step removes at most."""
PAGES = 256
"""Pages that one step gives back to the file system at most: 1 MiB."""
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of ended sessions, and for how long of ended claims; 0: no limit."""

    days: int
    sessions: int


def step(connection: sqlite3.Connection, limits: Limits, now_us: int) -> bool:
    """Remove some of what is too old or too much; True when there is more to do.

    Raises sqlite3.Error.
    """
    with db.transaction(connection):
        removed = _remove_old(connection, now_us - limits.days * _DAY_US) if limits.days else 0
        if limits.sessions and removed < STEP:
            removed += _remove_most(connection, limits.sessions, STEP - removed)
        if limits.days:
            claims.forget_old(connection, now_us - limits.days * _DAY_US)
    return _give_back(connection) or removed >= STEP


def _remove_old(connection: sqlite3.Connection, before_us: int) -> int:
    """Those that ended before; one that began long ago and has just ended stays."""
    return connection.execute(
        "DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE begun_us < ?1"
        " AND state = 'closed' AND coalesce(logout_us, begun_us) < ?1 ORDER BY begun_us LIMIT ?2)",
        (before_us, STEP),
    ).rowcount


def _remove_most(connection: sqlite3.Connection, most: int, limit: int) -> int:
    (there,) = connection.execute(
        "SELECT (SELECT count(*) FROM session)"
        " - (SELECT count(*) FROM session WHERE state = 'open')"
    ).fetchone()
    if there <= most:
        return 0
    return connection.execute(
        "DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE state = 'closed'"
        " ORDER BY begun_us LIMIT ?)",
        (min(limit, there - most),),
    ).rowcount


def _give_back(connection: sqlite3.Connection) -> bool:
    """Let the file shrink by what is free in it; True when more of it is free."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        return False
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free:
        # Not `execute`: this statement gives one page back at each step, and has no rows to fetch.
        connection.executescript(f"PRAGMA incremental_vacuum({PAGES:d})")
    return bool(free > PAGES)
