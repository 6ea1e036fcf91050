"""The outbox as people see it and turn it over: ``status``, ``outbox list``, ``retry``, ``drop``.

Everything here raises sqlite3.Error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from usersessionmon.model import Notice
from usersessionmon.notify.base import ChannelState

from .drops import forget
from .outbox import notice_of, state_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A notice that a channel has not had, waiting or refused for good."""

    channel: str
    number: int
    notice: Notice
    queued_us: int
    attempts: int
    """Of those that may have arrived."""
    plain: bool
    held_us: int | None
    bundle: str
    aside_us: int | None
    """When it was refused for good; None: it waits."""
    said: str
    """What the server said of it last."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the outbox's entries somebody means."""

    channel: str | None = None
    numbers: Sequence[int] = ()
    """Empty: all."""
    aside: bool | None = None
    """True: only those that were refused; False: only those that wait."""


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """One channel's queue as ``status`` shows it.  Moments are microseconds UTC."""

    channel: str
    waiting: int
    oldest_us: int | None
    """Since when the one has been waiting that could have been sent first."""
    held: int
    """How many of the waiting are not to be sent yet."""
    set_aside: int
    dropped: int
    """All that were ever dropped."""
    state: ChannelState


def report(connection: sqlite3.Connection, now_us: int) -> list[ChannelReport]:
    """Every channel that has a queue or a state, by name."""
    names = connection.execute(
        "SELECT name FROM channels UNION SELECT DISTINCT channel FROM deliveries ORDER BY 1"
    ).fetchall()
    return [_report(connection, str(name), now_us) for (name,) in names]


def _report(connection: sqlite3.Connection, channel: str, now_us: int) -> ChannelReport:
    waiting, oldest_us, held, aside = connection.execute(
        "SELECT count(*) - count(aside_us), min(CASE WHEN aside_us IS NULL AND"
        " coalesce(held_us, 0) <= :now THEN max(queued_us, coalesce(held_us, 0)) END),"
        " count(CASE WHEN aside_us IS NULL AND held_us > :now THEN 1 END), count(aside_us)"
        " FROM deliveries WHERE channel = :channel",
        {"now": now_us, "channel": channel},
    ).fetchone()
    row = connection.execute(
        "SELECT dropped_total FROM channels WHERE name = ?", (channel,)
    ).fetchone()
    state = state_of(connection, channel)
    dropped = 0 if row is None else row[0]
    return ChannelReport(channel, waiting, oldest_us, held, aside, dropped, state)


def waiting(connection: sqlite3.Connection) -> dict[str, int]:
    """How many wait for each channel that any waits for."""
    rows = connection.execute("SELECT name, waiting FROM channels WHERE waiting > 0 ORDER BY name")
    return {str(name): int(count) for name, count in rows}


def entries(
    connection: sqlite3.Connection, wanted: Wanted, limit: int | None = None
) -> list[Entry]:
    """In the order of their numbers; with ``limit`` the first of them."""
    where, values = _where(wanted)
    rows = connection.execute(
        "SELECT d.channel, d.number, n.fields, d.queued_us, d.attempts, d.plain, d.held_us,"  # noqa: S608
        f" d.bundle, d.aside_us, d.said FROM deliveries d JOIN notices n USING (number) {where}"
        " ORDER BY d.number, d.channel LIMIT ?",
        (*values, -1 if limit is None else limit),
    )
    try:
        return [
            Entry(channel, number, notice_of(fields), queued_us, attempts, bool(plain), *rest)
            for channel, number, fields, queued_us, attempts, plain, *rest in rows
        ]
    except ValueError as error:
        raise sqlite3.DatabaseError("a notice cannot be understood") from error


def count(connection: sqlite3.Connection, wanted: Wanted) -> int:
    """How many ``entries`` would give without a limit."""
    where, values = _where(wanted)
    return int(
        connection.execute(f"SELECT count(*) FROM deliveries d {where}", values).fetchone()[0]  # noqa: S608
    )


def known(connection: sqlite3.Connection, wanted: Wanted) -> set[int]:
    """Those of its numbers that are there."""
    where, values = _where(wanted)
    rows = connection.execute(f"SELECT d.number FROM deliveries d {where}", values)  # noqa: S608
    return {number for (number,) in rows}


def retry(connection: sqlite3.Connection, wanted: Wanted, now_us: int) -> int:
    """What was refused waits again, as if it were queued now; how many.  In the transaction that
    the caller has open."""
    where, values = _where(wanted)
    return connection.execute(
        "UPDATE deliveries AS d SET aside_us = NULL, said = '', queued_us = ?"  # noqa: S608
        f" {where} AND d.aside_us IS NOT NULL",
        (now_us, *values),
    ).rowcount


def drop(connection: sqlite3.Connection, wanted: Wanted) -> int:
    """Forget entries, in the transaction that the caller has open; how many."""
    where, values = _where(wanted)
    rows = connection.execute(
        f"SELECT d.channel, d.number FROM deliveries d {where}",  # noqa: S608
        values,
    ).fetchall()
    for channel, number in rows:
        forget(connection, channel, [number])
    return len(rows)


def nudge(connection: sqlite3.Connection, channels: Iterable[str], now_us: int) -> None:
    """Ask the workers of these channels to try at once; in the transaction of the caller."""
    connection.executemany(
        "UPDATE channels SET nudged_us = ? WHERE name = ?",
        [(now_us, channel) for channel in channels],
    )


def channels_of(connection: sqlite3.Connection, wanted: Wanted) -> list[str]:
    """Those that have such entries, by name."""
    where, values = _where(wanted)
    rows = connection.execute(
        f"SELECT DISTINCT d.channel FROM deliveries d {where} ORDER BY 1",  # noqa: S608
        values,
    )
    return [str(name) for (name,) in rows]


def channels(connection: sqlite3.Connection) -> list[str]:
    """Those that ever had a notice, by name."""
    return [str(name) for (name,) in connection.execute("SELECT name FROM channels ORDER BY name")]


def _where(wanted: Wanted) -> tuple[str, tuple[object, ...]]:
    """A condition over ``deliveries d``."""
    parts, values = ["1"], list[object]()
    if wanted.channel is not None:
        parts.append("d.channel = ?")
        values.append(wanted.channel)
    if wanted.numbers:
        parts.append(f"d.number IN ({', '.join('?' * len(wanted.numbers))})")
        values += wanted.numbers
    if wanted.aside is not None:
        parts.append(f"d.aside_us IS {'NOT NULL' if wanted.aside else 'NULL'}")
    return f"WHERE {' AND '.join(parts)}", tuple(values)
