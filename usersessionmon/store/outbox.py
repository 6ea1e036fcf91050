"""The durable queue of notices: filled inside the main loop's transaction, emptied by one worker
a channel, each with its own connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Answer, ChannelState, Dropped, Errand, Posted, Queued

from . import drops
from .db import connect, transaction
from .drops import Policy
from .faults import DamagedError, trouble

BUSY_MS = 1000
"""A worker asks again soon, so it need not hold out long for the main loop's transaction."""
_MINUTE_US = 60_000_000
KEPT_ASIDE = 1000
"""Refused notices kept for each channel; older ones are dropped."""
_FIELDS = frozenset(Notice.__dataclass_fields__)
_ANNOUNCING = (
    "EXISTS (SELECT 1 FROM deliveries d WHERE d.channel = channels.name"
    " AND d.number = channels.announcement AND d.aside_us IS NULL)"
)


def enqueue(
    connection: sqlite3.Connection,
    posted: Iterable[Posted],
    now_us: int,
    policy: Policy | None = None,
) -> list[Dropped]:
    """Queue notices for their channels, inside the transaction that the caller has open, and drop
    what ``policy`` allows no more; the list is that of ``drops.keep_to_number``."""
    touched: dict[str, None] = {}
    for one in posted:
        if one.channels:
            _queue(connection, one, now_us)
            touched.update(dict.fromkeys(one.channels))
    return [] if policy is None else drops.keep_to_number(connection, touched, policy)


def _queue(connection: sqlite3.Connection, one: Posted, now_us: int) -> int:
    """Its number."""
    number = connection.execute(
        "INSERT INTO notices (queued_us, fields) VALUES (?, ?)", (now_us, fields_of(one.notice))
    ).lastrowid
    assert number is not None
    routine = int(one.notice.severity is not Severity.ABNORMAL)
    connection.executemany(
        "INSERT INTO deliveries (channel, number, routine, queued_us, held_us, bundle)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(channel, number, routine, now_us, one.held_us, one.bundle) for channel in one.channels],
    )
    return number


def waiting_query(connection: sqlite3.Connection) -> str:
    """What gives ``copy_waiting`` its rows, of a state of this version or an earlier one.  Raises
    sqlite3.Error."""
    there = {name for _, name, *_ in connection.execute("PRAGMA table_info(deliveries)")}
    policy = "d.held_us, d.bundle" if "bundle" in there else "NULL, ''"
    return (
        f"SELECT n.number, n.queued_us, n.fields, d.channel, d.attempts, d.plain, {policy}"  # noqa: S608
        " FROM notices n JOIN deliveries d USING (number) WHERE d.aside_us IS NULL"
        " ORDER BY n.number"
    )


def copy_waiting(rows: Iterable[tuple[object, ...]], to: sqlite3.Connection) -> int:
    """Queue what ``waiting_query`` gave of another state, under the same numbers, in the
    transaction that the caller has open; how many notices.  What is no notice is left out."""
    kept = set()
    for number, queued_us, fields, channel, attempts, plain, held_us, bundle in rows:
        try:
            notice = notice_of(str(fields))
        except ValueError:
            continue
        if not all(isinstance(value, int) for value in (number, queued_us, attempts, plain)):
            continue
        if number not in kept:
            to.execute(
                "INSERT OR IGNORE INTO notices (number, queued_us, fields) VALUES (?, ?, ?)",
                (number, queued_us, fields_of(notice)),
            )
        routine = int(notice.severity is not Severity.ABNORMAL)
        held = held_us if isinstance(held_us, int) else None
        to.execute(
            "INSERT OR IGNORE INTO deliveries (channel, number, routine, queued_us, attempts,"
            " plain, held_us, bundle) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (str(channel), number, routine, queued_us, attempts, plain, held, str(bundle)),
        )
        kept.add(number)
    return len(kept)


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
        with self._reading() as connection, self._understanding():
            found = _due(connection, channel, limit, now_us, bundled=False)
            if len(found) < limit:
                found += _due(connection, channel, limit - len(found), now_us, bundled=True)
        return found

    def depth(self, channel: str, now_us: int) -> int:
        with self._reading() as connection:
            row = connection.execute(
                "SELECT count(*) FROM deliveries WHERE channel = ? AND aside_us IS NULL"
                " AND (held_us IS NULL OR held_us <= ?)",
                (channel, now_us),
            ).fetchone()
        return int(row[0])

    def due_us(self, channel: str, now_us: int) -> int | None:
        with self._reading() as connection:
            row = connection.execute(
                "SELECT min(held_us) FROM deliveries WHERE channel = ? AND aside_us IS NULL"
                " AND held_us > ?",
                (channel, now_us),
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def errand(self, channel: str) -> Errand:
        with self._reading() as connection:
            row = connection.execute(
                f"SELECT CASE WHEN {_ANNOUNCING} THEN 0 ELSE dropped_routine + dropped_abnormal"  # noqa: S608
                " END, nudged_us FROM channels WHERE name = ?",
                (channel,),
            ).fetchone()
        return Errand() if row is None else Errand(*row)

    def announce(self, channel: str, now_us: int, word: Callable[[Dropped], Notice]) -> None:
        with self._writing() as connection:
            row = connection.execute(
                "SELECT dropped_routine, dropped_abnormal, dropped_first_us, dropped_last_us"  # noqa: S608
                " FROM channels WHERE name = ? AND dropped_routine + dropped_abnormal > 0"
                f" AND NOT {_ANNOUNCING}",
                (channel,),
            ).fetchone()
            if row is None:
                return
            posted = Posted(word(Dropped(channel, *row)), (channel,))
            connection.execute(
                "UPDATE channels SET announcement = ?, dropped_routine = 0, dropped_abnormal = 0,"
                " dropped_first_us = NULL, dropped_last_us = NULL WHERE name = ?",
                (_queue(connection, posted, now_us), channel),
            )

    def resume(self, channel: str, now_us: int) -> Sequence[float]:
        with self._writing() as connection:
            connection.execute(
                "UPDATE deliveries SET attempts = attempts + 1, begun = 0"
                " WHERE channel = ? AND begun = 1",
                (channel,),
            )
            rows = connection.execute(
                "SELECT at_us FROM exchanges WHERE channel = ? AND at_us BETWEEN ? AND ?"
                " ORDER BY at_us",
                (channel, now_us - _MINUTE_US, now_us),
            ).fetchall()
        return [(now_us - at_us) / 1_000_000 for (at_us,) in rows]

    def begin(self, channel: str, numbers: Sequence[int], now_us: int) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET begun = 1 WHERE channel = ? AND number = ?",
                [(channel, number) for number in numbers],
            )
            connection.execute(
                "DELETE FROM exchanges WHERE channel = ? AND at_us NOT BETWEEN ? AND ?",
                (channel, now_us - _MINUTE_US, now_us),
            )
            connection.execute("INSERT INTO exchanges VALUES (?, ?)", (channel, now_us))

    def delivered(self, channel: str, numbers: Sequence[int], at_us: int) -> None:
        """They are forgotten, and the channel's last delivery is ``at_us``."""
        with self._writing() as connection:
            drops.forget(connection, channel, numbers)
            connection.execute(
                "UPDATE channels SET delivered_us = ? WHERE name = ?", (at_us, channel)
            )

    def tried(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET attempts = attempts + 1, tried_us = ?, said = ?, begun = 0"
                " WHERE channel = ? AND number = ?",
                [(at_us, said, channel, number) for number in numbers],
            )

    def set_plain(self, channel: str, numbers: Sequence[int]) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET plain = 1 WHERE channel = ? AND number = ?",
                [(channel, number) for number in numbers],
            )

    def split(self, channel: str, number: int, halves: Sequence[Notice]) -> None:
        """The halves go on as the one was: its age, its plain form, its place among the held."""
        with self._writing() as connection:
            row = connection.execute(
                "SELECT queued_us, plain, held_us, bundle FROM deliveries"
                " WHERE channel = ? AND number = ? AND aside_us IS NULL",
                (channel, number),
            ).fetchone()
            if row is None:  # dropped meanwhile, and counted
                return
            queued_us, plain, held_us, bundle = row
            drops.forget(connection, channel, [number])
            for half in halves:
                made = _queue(connection, Posted(half, (channel,), held_us, bundle), queued_us)
                connection.execute(
                    "UPDATE deliveries SET plain = ? WHERE channel = ? AND number = ?",
                    (plain, channel, made),
                )

    def set_aside(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET aside_us = ?, said = ? WHERE channel = ? AND number = ?",
                [(at_us, said, channel, number) for number in numbers],
            )
            old = connection.execute(
                "SELECT number, routine FROM deliveries WHERE channel = ? AND aside_us IS NOT NULL"
                " ORDER BY aside_us DESC, number DESC LIMIT -1 OFFSET ?",
                (channel, KEPT_ASIDE),
            ).fetchall()
            drops.drop(connection, channel, old)

    def state(self, channel: str) -> ChannelState:
        with self._reading() as connection, self._understanding():
            return state_of(connection, channel)

    def save_state(self, channel: str, state: ChannelState) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO channels (name, answer, said, failures_in_row, delivered_us,"
                " tried_us, retry_us) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET answer = excluded.answer, said = excluded.said,"
                " failures_in_row = excluded.failures_in_row,"
                " delivered_us = excluded.delivered_us, tried_us = excluded.tried_us,"
                " retry_us = excluded.retry_us",
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
            connection.execute(
                "UPDATE deliveries SET begun = 0 WHERE channel = ? AND begun = 1", (channel,)
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
    def _understanding(self) -> Iterator[None]:
        """A row that means nothing would hold up all that come after it: it is damage, and what
        else waits is saved from it."""
        try:
            yield
        except ValueError as error:
            found = DamagedError(self._path, "what waits for delivery cannot be understood")
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


def _due(
    connection: sqlite3.Connection, channel: str, limit: int, now_us: int, *, bundled: bool
) -> list[Queued]:
    """The numbers are chosen first: to sort would else be to sort all the notices' fields."""
    which = "bundle <> ''" if bundled else "bundle = ''"
    order = "bundle, routine, number" if bundled else "routine, number"
    rows = connection.execute(
        "SELECT d.number, n.fields, d.queued_us, d.attempts, d.plain, d.bundle, d.held_us"  # noqa: S608
        " FROM deliveries d JOIN notices n USING (number) WHERE d.channel = :channel"
        " AND d.number IN (SELECT number FROM deliveries WHERE channel = :channel"
        f" AND aside_us IS NULL AND {which} AND (held_us IS NULL OR held_us <= :now)"
        f" ORDER BY {order} LIMIT :limit) ORDER BY {order}",
        {"channel": channel, "now": now_us, "limit": limit},
    )
    return [
        Queued(number, notice_of(fields), queued_us, attempts, bool(plain), bundle, held_us)
        for number, fields, queued_us, attempts, plain, bundle, held_us in rows
    ]


def state_of(connection: sqlite3.Connection, channel: str) -> ChannelState:
    """Raises sqlite3.Error."""
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


def fields_of(notice: Notice) -> str:
    """ASCII, so that even half a surrogate pair from a log can be stored."""
    return json.dumps(asdict(notice))


def notice_of(fields: str) -> Notice:
    """What ``fields_of`` wrote, without what only a later version knows.  Raises ValueError."""
    try:
        kept: dict[str, Any] = {
            name: value for name, value in json.loads(fields).items() if name in _FIELDS
        }
        kept["severity"] = Severity(kept["severity"])
        kept["pairs"] = tuple((name, value) for name, value in kept["pairs"])
        kept["people"] = tuple(kept.get("people", ()))
        return Notice(**kept)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no notice") from error
