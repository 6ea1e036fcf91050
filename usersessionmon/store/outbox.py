"""The durable queue of notices: filled inside the main loop's transaction, emptied by one worker
a channel, each with its own connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Answer, ChannelState, Posted, Queued

from .db import connect, transaction
from .faults import DamagedError, trouble

BUSY_MS = 1000
"""A worker asks again soon, so it need not hold out long for the main loop's transaction."""
KEPT_ASIDE = 1000
"""Refused notices kept for each channel; older ones go."""


def enqueue(connection: sqlite3.Connection, posted: Iterable[Posted], now_us: int) -> None:
    """Queue notices for their channels, inside the transaction that the caller has open."""
    for one in posted:
        if not one.channels:
            continue
        notice = one.notice
        cursor = connection.execute(
            "INSERT INTO notices (queued_us, fields) VALUES (?, ?)", (now_us, _fields(notice))
        )
        routine = int(notice.severity is not Severity.ABNORMAL)
        connection.executemany(
            "INSERT INTO deliveries (channel, number, routine, queued_us, held_us, bundle)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (channel, cursor.lastrowid, routine, now_us, one.held_us, one.bundle)
                for channel in one.channels
            ],
        )


WAITING = (
    "SELECT n.number, n.queued_us, n.fields, d.channel, d.attempts, d.plain FROM notices n"
    " JOIN deliveries d USING (number) WHERE d.aside_us IS NULL ORDER BY n.number"
)


def copy_waiting(rows: Iterable[tuple[object, ...]], to: sqlite3.Connection) -> int:
    """Queue what ``WAITING`` gave of another state, under the same numbers, in the transaction that
    the caller has open; how many notices.  What is no notice is left out."""
    kept = set()
    for number, queued_us, fields, channel, attempts, plain in rows:
        try:
            notice = _notice(str(fields))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if not all(isinstance(value, int) for value in (number, queued_us, attempts, plain)):
            continue
        if number not in kept:
            to.execute(
                "INSERT OR IGNORE INTO notices (number, queued_us, fields) VALUES (?, ?, ?)",
                (number, queued_us, _fields(notice)),
            )
        routine = int(notice.severity is not Severity.ABNORMAL)
        to.execute(
            "INSERT OR IGNORE INTO deliveries (channel, number, routine, queued_us, attempts,"
            " plain) VALUES (?, ?, ?, ?, ?, ?)",
            (str(channel), number, routine, queued_us, attempts, plain),
        )
        kept.add(number)
    return len(kept)


@dataclass(frozen=True, slots=True)
class Aside:
    """A notice that a channel refused for good."""

    number: int
    notice: Notice
    aside_us: int
    said: str


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """One channel's queue as ``status`` shows it.  Moments are microseconds UTC."""

    channel: str
    waiting: int
    oldest_us: int | None
    """When the oldest waiting notice was queued."""
    set_aside: int
    state: ChannelState


def report(connection: sqlite3.Connection) -> list[ChannelReport]:
    """Every channel that has a queue or a state, by name.  Reads only; raises sqlite3.Error."""
    names = connection.execute(
        "SELECT name FROM channels UNION SELECT DISTINCT channel FROM deliveries ORDER BY 1"
    ).fetchall()
    return [_report(connection, str(name)) for (name,) in names]


def asides(connection: sqlite3.Connection, channel: str, limit: int) -> list[Aside]:
    """The notices that a channel refused for good, the newest first.  Raises sqlite3.Error."""
    rows = connection.execute(
        "SELECT d.number, n.fields, d.aside_us, d.said FROM deliveries d JOIN notices n"
        " USING (number) WHERE d.channel = ? AND d.aside_us IS NOT NULL"
        " ORDER BY d.aside_us DESC, d.number DESC LIMIT ?",
        (channel, limit),
    )
    return [Aside(number, _notice(fields), at, said) for number, fields, at, said in rows]


class SqliteOutbox:
    """``notify.base.Outbox`` over the state's file.

    The connection is made by the first call and belongs to its thread.  Every method raises
    TroubleError when the file cannot be read or written (locked, disk full); nothing is then
    changed, and the call may be made again.
    """

    def __init__(
        self, path: Path, damaged: Callable[[DamagedError], None] = lambda _error: None
    ) -> None:
        """``damaged`` is told, in the caller's thread, of what will not pass."""
        self._path = path
        self._damaged = damaged
        self._open: sqlite3.Connection | None = None

    def waiting(self, channel: str, limit: int, now_us: int) -> Sequence[Queued]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT d.number, n.fields, d.queued_us, d.attempts, d.plain, d.bundle"
                " FROM deliveries d JOIN notices n USING (number)"
                " WHERE d.channel = ? AND d.aside_us IS NULL"
                " AND (d.held_us IS NULL OR d.held_us <= ?)"
                " ORDER BY d.routine, d.number LIMIT ?",
                (channel, now_us, limit),
            ).fetchall()
        return [
            Queued(number, _notice(fields), queued_us, attempts, bool(plain), bundle)
            for number, fields, queued_us, attempts, plain, bundle in rows
        ]

    def depth(self, channel: str, now_us: int) -> int:
        with self._reading() as connection:
            row = connection.execute(
                "SELECT count(*) FROM deliveries WHERE channel = ? AND aside_us IS NULL"
                " AND (held_us IS NULL OR held_us <= ?)",
                (channel, now_us),
            ).fetchone()
        return int(row[0])

    def delivered(self, channel: str, numbers: Sequence[int], at_us: int) -> None:
        """They are forgotten, and the channel's last delivery is ``at_us``."""
        with self._writing() as connection:
            _delete(connection, channel, numbers)
            connection.execute(
                "UPDATE channels SET delivered_us = ? WHERE name = ?", (at_us, channel)
            )

    def tried(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET attempts = attempts + 1, tried_us = ?, said = ?"
                " WHERE channel = ? AND number = ?",
                [(at_us, said, channel, number) for number in numbers],
            )

    def set_plain(self, channel: str, numbers: Sequence[int]) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET plain = 1 WHERE channel = ? AND number = ?",
                [(channel, number) for number in numbers],
            )

    def set_aside(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET aside_us = ?, said = ? WHERE channel = ? AND number = ?",
                [(at_us, said, channel, number) for number in numbers],
            )
            old = connection.execute(
                "SELECT number FROM deliveries WHERE channel = ? AND aside_us IS NOT NULL"
                " ORDER BY aside_us DESC, number DESC LIMIT -1 OFFSET ?",
                (channel, KEPT_ASIDE),
            ).fetchall()
            _delete(connection, channel, [number for (number,) in old])

    def state(self, channel: str) -> ChannelState:
        with self._reading() as connection:
            return _state(connection, channel)

    def save_state(self, channel: str, state: ChannelState) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO channels (name, answer, said, failures_in_row,"
                " delivered_us, tried_us, retry_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    channel,
                    state.answer.value if state.answer else None,
                    state.said,
                    state.failures_in_row,
                    state.delivered_us,
                    state.tried_us,
                    state.retry_us,
                ),
            )

    def close(self) -> None:
        """Close the connection, in the thread that made it.  Safe to call twice."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection()
        except sqlite3.Error as error:
            found = trouble(self._path, error)
            if isinstance(found, DamagedError):
                self._damaged(found)
            raise found from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection, transaction(connection):
            yield connection

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = connect(self._path)
            self._open.execute(f"PRAGMA busy_timeout={BUSY_MS:d}")
        return self._open


def _delete(connection: sqlite3.Connection, channel: str, numbers: Iterable[int]) -> None:
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


def _depth(connection: sqlite3.Connection, channel: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM deliveries WHERE channel = ? AND aside_us IS NULL", (channel,)
    ).fetchone()
    return int(row[0])


def _state(connection: sqlite3.Connection, channel: str) -> ChannelState:
    row = connection.execute(
        "SELECT answer, said, failures_in_row, delivered_us, tried_us, retry_us FROM channels"
        " WHERE name = ?",
        (channel,),
    ).fetchone()
    if row is None:
        return ChannelState()
    answer, said, failures, delivered_us, tried_us, retry_us = row
    return ChannelState(
        Answer(answer) if answer else None, said, failures, delivered_us, tried_us, retry_us
    )


def _report(connection: sqlite3.Connection, channel: str) -> ChannelReport:
    oldest_us, set_aside = connection.execute(
        "SELECT min(CASE WHEN aside_us IS NULL THEN queued_us END), count(aside_us)"
        " FROM deliveries WHERE channel = ?",
        (channel,),
    ).fetchone()
    return ChannelReport(
        channel, _depth(connection, channel), oldest_us, set_aside, _state(connection, channel)
    )


def _fields(notice: Notice) -> str:
    """ASCII, so that even half a surrogate pair from a log can be stored."""
    return json.dumps(asdict(notice))


def _notice(fields: str) -> Notice:
    kept: dict[str, Any] = json.loads(fields)
    kept["severity"] = Severity(kept["severity"])
    kept["pairs"] = tuple((name, value) for name, value in kept["pairs"])
    kept["people"] = tuple(kept.get("people", ()))
    return Notice(**kept)
