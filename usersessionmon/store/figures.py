"""Sums over the state for those who report on it: cheap enough for the main loop."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from usersessionmon.notify.base import Answer

from . import state


class Standing(NamedTuple):
    """How a channel stands.  Moments are microseconds UTC."""

    channel: str
    waiting: int
    """Without what is held back on purpose."""
    oldest_us: int | None
    """Since when the oldest of these could be sent."""
    answer: Answer | None
    said: str
    delivered_us: int | None
    tried_us: int | None


class Figures(NamedTuple):
    """Where the monitor stands."""

    understood: int
    missed: int
    """Lines of the programs that matter, since the state was made."""
    on_now: int
    waiting: int
    """Notices that wait, each once for each channel; without what is held back on purpose."""


def standings(
    connection: sqlite3.Connection, channels: Iterable[str], now_us: int
) -> list[Standing]:
    """Of each of these channels.  Raises sqlite3.Error."""
    return [_standing(connection, channel, now_us) for channel in channels]


def _standing(connection: sqlite3.Connection, channel: str, now_us: int) -> Standing:
    waiting, oldest_us = connection.execute(
        "SELECT count(*), min(max(queued_us, coalesce(held_us, 0))) FROM deliveries"
        " WHERE channel = ? AND aside_us IS NULL AND coalesce(held_us, 0) <= ?",
        (channel, now_us),
    ).fetchone()
    answer, said, delivered_us, tried_us = connection.execute(
        "SELECT answer, said, delivered_us, tried_us FROM channels WHERE name = ?", (channel,)
    ).fetchone() or (None, "", None, None)
    known = Answer(answer) if answer else None
    return Standing(channel, waiting, oldest_us, known, said, delivered_us, tried_us)


def figures(connection: sqlite3.Connection, now_us: int) -> Figures:
    """Raises sqlite3.Error."""
    lines = state.read_coverage(connection).values()
    (on_now,) = connection.execute("SELECT count(*) FROM session WHERE state = 'open'").fetchone()
    (waiting,) = connection.execute(
        "SELECT count(*) FROM deliveries WHERE aside_us IS NULL AND coalesce(held_us, 0) <= ?",
        (now_us,),
    ).fetchone()
    good, bad = sum(one for one, _ in lines), sum(one for _, one in lines)
    return Figures(good, bad, on_now, waiting)


def dropped(connection: sqlite3.Connection) -> int:
    """Notices that were ever dropped because too many waited, or for too long."""
    (found,) = connection.execute("SELECT coalesce(sum(dropped_total), 0) FROM channels").fetchone()
    return int(found)
