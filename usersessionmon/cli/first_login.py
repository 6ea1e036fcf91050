"""Waiting for a login and its notice, as the state of the running monitor shows them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from usersessionmon.clock import Clock, Waker
from usersessionmon.errors import TroubleError
from usersessionmon.model import SessionView
from usersessionmon.store import outbox_view, state
from usersessionmon.store.outbox_view import Wanted
from usersessionmon.store.place import holder, reading

_EVERY = 0.05
"""Seconds between two looks; how quick the notice was is in the state."""
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class First:
    """``latency``: seconds from the time in the log to the channel's yes; None: not yet."""

    view: SessionView
    latency: float | None


def await_start(folder: Path, since_us: int, seconds: float, clock: Clock, waker: Waker) -> bool:
    """Whether a monitor that began after ``since_us`` runs on this state and knows its place in
    the log, within ``seconds``."""
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        if holder(folder) is not None and _began_us(folder) >= since_us:
            return True
        waker.wait(_EVERY)
    return False


def _began_us(folder: Path) -> int:
    """0: not yet; what is saved first behind the start is the place."""
    try:
        with reading(folder) as connection:
            facts = state.read_facts(connection) if connection else {}
    except (TroubleError, sqlite3.Error):  # it is being made
        return 0
    return min(int(facts.get(name, 0)) for name in ("started_us", "saved_us"))


def await_login(
    folder: Path, channel: str, since_us: int, seconds: float, clock: Clock, waker: Waker
) -> First | None:
    """The first login after ``since_us`` whose notice was delivered; when there is none in time,
    the first that was seen, or None.  Ctrl-C ends the waiting."""
    until = clock.monotonic() + seconds
    first: First | None = None
    try:
        while clock.monotonic() < until and (first is None or first.latency is None):
            first = _look(folder, channel, since_us) or first
            waker.wait(_EVERY)
    except KeyboardInterrupt:
        pass
    return first


def _look(folder: Path, channel: str, since_us: int) -> First | None:
    try:
        with reading(folder) as connection:
            if connection is None:
                return None
            found = state.sessions(connection, state.Query(since_us=since_us))
            latencies = [
                First(view, _latency(connection, view, channel))
                for view in found
                if _is_since(view, since_us)
            ]
    except (TroubleError, sqlite3.Error):  # busy, for a moment
        return None
    told = [one for one in latencies if one.latency is not None]
    return next(iter(told or latencies), None)


def _is_since(view: SessionView, since_us: int) -> bool:
    """A log of whole seconds gives each moment as the beginning of its own."""
    if view.login_time is None:
        return False
    us = view.login_time.us
    return us >= since_us or (us % _SECOND == 0 and us >= since_us // _SECOND * _SECOND)


def _latency(connection: sqlite3.Connection, view: SessionView, channel: str) -> float | None:
    assert view.login_time is not None
    at_us = view.login_time.us
    waits = outbox_view.entries(connection, Wanted(channel))
    if any(one.notice.kind == "login" and one.notice.at_us == at_us for one in waits):
        return None
    reports = outbox_view.report(connection, at_us)
    delivered = next((one.state.delivered_us for one in reports if one.channel == channel), None)
    if delivered is None or delivered < at_us:
        return None
    return (delivered - at_us) / 1_000_000
