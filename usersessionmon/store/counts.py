"""What is only counted: lines by program and hour, failed logins by hour, account and address.

Both are bounded, because names are foreign text.  The writing functions are called inside the main
loop's one transaction.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from usersessionmon.model import Change, ChangeKind

from .db import schema_version
from .state import Query

HOUR_US = 3_600_000_000
HOURS_KEPT = 48
_SCHEMA = 3
"""The migration with these tables; a service not restarted since an upgrade has none."""
_SHAPES_SCHEMA = 5
SHAPES_KEPT = 200
"""Shapes of lines that no rule understands: the rarest go."""
FAILURES_HOUR = 500
"""Pairs of account and address that are told apart in one hour."""
FAILURES_KEPT = 50_000
"""Rows that are kept at all; the oldest go."""
OTHERS = "…"
"""Stands for the accounts and addresses beyond the bound."""


class Failures(NamedTuple):
    """Failed logins of one account from one address in one hour; None: the log named none."""

    user: str | None
    ip: str | None
    hour_us: int
    times: int
    last_us: int


class FailedSum(NamedTuple):
    """Failed logins of some hours; an empty name: the log gave none."""

    times: int
    addresses: tuple[tuple[str, int], ...]
    users: tuple[tuple[str, int], ...]
    """With the most of them, most first."""


def add_hours(
    connection: sqlite3.Connection,
    understood: Mapping[str, int],
    not_understood: Mapping[str, int],
    now_us: int,
) -> None:
    """Count lines for the hour in which they were read: what a log says of its own times may be
    anything."""
    hour = _hour(now_us)
    connection.execute(
        "DELETE FROM coverage_hour WHERE hour_us <= ? OR hour_us > ?",
        (hour - HOURS_KEPT * HOUR_US, hour),
    )
    connection.executemany(
        "INSERT INTO coverage_hour VALUES (?, ?, ?, ?) ON CONFLICT (hour_us, program) DO UPDATE"
        " SET understood = understood + excluded.understood,"
        " not_understood = not_understood + excluded.not_understood",
        [
            (hour, program, understood.get(program, 0), not_understood.get(program, 0))
            for program in {**understood, **not_understood}
        ],
    )


def read_hours(
    connection: sqlite3.Connection, since_us: int, until_us: int
) -> list[tuple[int, str, int, int]]:
    """(hour, program, understood, not understood) of the hours that begin in that time."""
    if schema_version(connection) < _SCHEMA:
        return []
    return connection.execute(
        "SELECT * FROM coverage_hour WHERE hour_us >= ? AND hour_us < ? ORDER BY hour_us, program",
        (since_us, until_us),
    ).fetchall()


def add_shapes(
    connection: sqlite3.Connection, shapes: Iterable[tuple[tuple[str, str], int]], now_us: int
) -> None:
    """Count lines that no rule understands, by (program, shape)."""
    rows = [(program, text, count, now_us) for (program, text), count in shapes]
    if not rows:
        return
    connection.executemany(
        "INSERT INTO shape VALUES (?, ?, ?, ?) ON CONFLICT (program, text) DO UPDATE"
        " SET count = count + excluded.count, last_us = excluded.last_us",
        rows,
    )
    connection.execute(
        "DELETE FROM shape WHERE (program, text) IN"
        " (SELECT program, text FROM shape ORDER BY count DESC, last_us DESC LIMIT -1 OFFSET ?)",
        (SHAPES_KEPT,),
    )


def read_shapes(connection: sqlite3.Connection, most: int) -> list[tuple[str, str, int]]:
    """(program, shape, count), the most frequent first."""
    if schema_version(connection) < _SHAPES_SCHEMA:
        return []
    return connection.execute(
        "SELECT program, text, count FROM shape ORDER BY count DESC, last_us DESC LIMIT ?", (most,)
    ).fetchall()


def add_failures(connection: sqlite3.Connection, changes: Iterable[Change], now_us: int) -> None:
    """Count the failed logins among the changes."""
    counts: Counter[tuple[int, str, str]] = Counter()
    last: dict[tuple[int, str, str], int] = {}
    for change in changes:
        if change.kind is ChangeKind.LOGIN_FAILED:
            at = min(change.time.us, now_us)  # a time to come would outlive all that is true
            key = (_hour(at), change.user or "", change.ip or "")
            counts[key] += change.times
            last[key] = max(at, last.get(key, at))
    if not counts:
        return
    known = {hour: _known(connection, hour) for hour in {key[0] for key in counts}}
    new_hours = [hour for hour, pairs in known.items() if not pairs]
    for (hour, user, ip), count in counts.items():
        pairs = known[hour]
        if (user, ip) not in pairs and len(pairs) >= FAILURES_HOUR:
            pair = (OTHERS, OTHERS)
        else:
            pair = (user, ip)
            pairs.add(pair)
        connection.execute(
            "INSERT INTO failure VALUES (?, ?, ?, ?, ?) ON CONFLICT (hour_us, user, ip) DO UPDATE"
            " SET count = count + excluded.count, last_us = max(last_us, excluded.last_us)",
            (hour, *pair, count, last[hour, user, ip]),
        )
    if new_hours:
        connection.execute(
            "DELETE FROM failure WHERE hour_us <="
            " (SELECT hour_us FROM failure ORDER BY hour_us DESC LIMIT 1 OFFSET ?)",
            (FAILURES_KEPT,),
        )


def read_failures(connection: sqlite3.Connection, query: Query) -> Iterator[Failures]:
    """The failed logins that fit a query's account, address and time, oldest first."""
    if schema_version(connection) < _SCHEMA:
        return
    rows = connection.execute(
        "SELECT user, ip, hour_us, count, last_us FROM failure"
        " WHERE (?1 IS NULL OR user = ?1) AND (?2 IS NULL OR ip = ?2)"
        " AND (?3 IS NULL OR last_us >= ?3) AND (?4 IS NULL OR hour_us < ?4)"
        " ORDER BY hour_us, user, ip",
        (query.user, query.ip, query.since_us, query.until_us),
    ).fetchall()  # at once: a reader that lingers keeps SQLite's log from being emptied
    for user, ip, hour_us, count, last_us in rows:
        yield Failures(user or None, ip or None, hour_us, count, last_us)


def sum_failures(
    connection: sqlite3.Connection, since_us: int, until_us: int, most: int
) -> FailedSum:
    """Of whole hours, from that of ``since_us`` to the last before that of ``until_us``: so times
    that follow each other count each hour once."""
    hours = (_hour(since_us), _hour(until_us))
    within = "FROM failure WHERE hour_us >= ? AND hour_us < ?"
    (times,) = connection.execute(
        f"SELECT coalesce(sum(count), 0) {within}",
        hours,
    ).fetchone()

    def top(column: str) -> tuple[tuple[str, int], ...]:
        rows = connection.execute(
            f"SELECT {column}, sum(count) AS times {within} "
            f"GROUP BY {column} ORDER BY times DESC, {column} LIMIT ?",
            (*hours, most),
        )
        return tuple(rows.fetchall())

    return FailedSum(times, top("ip"), top("user"))


def _known(connection: sqlite3.Connection, hour: int) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT user, ip FROM failure WHERE hour_us = ?", (hour,)))


def _hour(us: int) -> int:
    return us - us % HOUR_US
