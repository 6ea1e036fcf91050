"""What is given up when too many notices wait for a channel, or for too long: the routine before
the abnormal, the oldest first, and every one counted until its channel has announced it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from usersessionmon.notify.base import Dropped

_DAY_US = 86_400_000_000
_STEP_BACK_US = 3_600_000_000
"""A clock that is set back by no more puts little off."""
STEP = 500
"""Notices that one step removes for their age at most: it is a transaction of the main loop."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What may wait for each channel; 0: no limit."""

    max_notices: int
    max_days: int


def keep_to_number(
    connection: sqlite3.Connection, channels: Iterable[str], policy: Policy
) -> list[Dropped]:
    """Drop what is too many, inside the transaction that the caller has open.

    The list has an entry for each channel that lost something and had nothing to announce before.
    """
    if not policy.max_notices:
        return []
    begun = []
    for channel in channels:
        (waiting,) = connection.execute(
            "SELECT waiting FROM channels WHERE name = ?", (channel,)
        ).fetchone()
        surplus = waiting - policy.max_notices
        if surplus > 0:
            begun += drop(connection, channel, _oldest(connection, channel, surplus))
    return begun


def keep_to_age(
    connection: sqlite3.Connection, policy: Policy, now_us: int
) -> tuple[list[Dropped], bool]:
    """As ``keep_to_number`` for all that waits for too long since it could have been sent; True:
    there is more of it."""
    _bring_back(connection, now_us)
    if not policy.max_days:
        return [], False
    begun, more = [], False
    before_us = now_us - policy.max_days * _DAY_US
    for (channel,) in connection.execute("SELECT name FROM channels WHERE waiting > 0").fetchall():
        rows = connection.execute(
            "SELECT number, routine FROM deliveries WHERE channel = ? AND aside_us IS NULL"
            " AND max(queued_us, coalesce(held_us, 0)) < ?"
            " AND number IS NOT (SELECT announcement FROM channels WHERE name = channel)"
            " ORDER BY routine DESC, number LIMIT ?",
            (channel, before_us, STEP),
        ).fetchall()
        begun += drop(connection, channel, rows)
        more = more or len(rows) == STEP
    return begun, more


def _bring_back(connection: sqlite3.Connection, now_us: int) -> None:
    """What was queued in a future that the clock has left again waits from now on, as long as it
    was meant to: else it could be held for years, and would never be too old."""
    connection.execute(
        "UPDATE deliveries SET queued_us = :now, held_us = held_us - queued_us + :now"
        " WHERE queued_us > :now + :step",
        {"now": now_us, "step": _STEP_BACK_US},
    )


def drop(
    connection: sqlite3.Connection, channel: str, rows: Iterable[tuple[int, int]]
) -> list[Dropped]:
    """Forget (number, routine) for a channel and count it; as ``keep_to_number``."""
    counts = {True: 0, False: 0}
    times = []
    for number, routine in rows:
        times.append(_at_us(connection, number))
        counts[bool(routine)] += 1
        forget(connection, channel, [number])
    if not times:
        return []
    (before,) = connection.execute(
        "SELECT dropped_routine + dropped_abnormal FROM channels WHERE name = ?", (channel,)
    ).fetchone()
    lost = Dropped(channel, counts[True], counts[False], min(times), max(times))
    connection.execute(
        "UPDATE channels SET dropped_routine = dropped_routine + :routine,"
        " dropped_abnormal = dropped_abnormal + :abnormal,"
        " dropped_total = dropped_total + :routine + :abnormal,"
        " dropped_first_us = min(coalesce(dropped_first_us, :first), :first),"
        " dropped_last_us = max(coalesce(dropped_last_us, :last), :last) WHERE name = :name",
        {
            "name": channel,
            "routine": lost.routine,
            "abnormal": lost.abnormal,
            "first": lost.first_us,
            "last": lost.last_us,
        },
    )
    return [] if before else [lost]


def forget(connection: sqlite3.Connection, channel: str, numbers: Iterable[int]) -> None:
    """One channel is done with these; a notice that none waits for is deleted."""
    for number in numbers:
        connection.execute(
            "DELETE FROM deliveries WHERE channel = ? AND number = ?", (channel, number)
        )
        connection.execute(
            "DELETE FROM notices WHERE number = ?"
            " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.number = notices.number)",
            (number,),
        )


def _oldest(
    connection: sqlite3.Connection, channel: str, surplus: int
) -> Iterator[tuple[int, int]]:
    """(number, routine) of so many; never what announces what was dropped before."""
    for routine in (1, 0):
        rows = connection.execute(
            "SELECT number, routine FROM deliveries WHERE channel = ? AND routine = ?"
            " AND aside_us IS NULL"
            " AND number IS NOT (SELECT announcement FROM channels WHERE name = channel)"
            " ORDER BY number LIMIT ?",
            (channel, routine, surplus),
        ).fetchall()
        yield from rows
        surplus -= len(rows)


def _at_us(connection: sqlite3.Connection, number: int) -> int:
    """When it had happened; where that cannot be understood, when it was queued."""
    fields, queued_us = connection.execute(
        "SELECT fields, queued_us FROM notices WHERE number = ?", (number,)
    ).fetchone()
    try:
        return int(json.loads(fields)["at_us"])
    except (ValueError, TypeError, KeyError):
        return int(queued_us)
