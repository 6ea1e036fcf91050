"""What is added up over Windows' sessions: a desktop that is left and come back to is one session,
and its connections' time is its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from tests.watching.test_report import Desk
from usersessionmon.cli.totals import totals
from usersessionmon.metrics.collect import collect
from usersessionmon.metrics.counters import Counters
from usersessionmon.model import Report, SessionView
from usersessionmon.store import db, state
from usersessionmon.store.figures import figures
from usersessionmon.totals import Total

from .building import LSM, START_US, Host

HOUR = 3600
NOW_US = START_US + 10 * HOUR * 1_000_000
HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(db.connect(tmp_path / "state.db")) as made:
        db.migrate(made)
        yield made


def a_day() -> Host:
    """Alice's desktop has three connections, the last of them open; bob has two desktops."""
    host = Host(LSM, patient=False).desktop(0, 21, "alice", 2, HERE)
    host.why(HOUR, 2, 0).desktop(HOUR, 24, "alice", 2, HERE)
    host.desktop(2 * HOUR, 25, "alice", 2, HERE)
    host.why(4 * HOUR, 2, 5).desktop(4 * HOUR, 24, "alice", 2, HERE)
    host.desktop(4 * HOUR + 1, 25, "alice", 2, THERE)
    host.desktop(5 * HOUR, 21, "bob", 3, HERE).desktop(5.5 * HOUR, 23, "bob", 3)
    host.desktop(6 * HOUR, 21, "bob", 4, HERE).desktop(7 * HOUR, 23, "bob", 4)
    return host.wait(0, 20)


def save(connection: sqlite3.Connection, host: Host) -> list[SessionView]:
    with db.transaction(connection):
        state.write_windows(connection, *host.engine.drain())
    return list(state.sessions(connection, state.Query()))


def plain(found: Iterable[Total]) -> list[tuple[str | None, int, int, int, float, float | None]]:
    return [
        (one.name, one.sessions, one.open, one.abnormal, one.duration, one.longest) for one in found
    ]


def test_a_desktop_is_one_session_however_often_it_is_left(connection: sqlite3.Connection) -> None:
    rows = save(connection, a_day())
    assert len(rows) == 5
    alice = 9 * HOUR - 1.0  # the hour in which nobody was there does not count
    assert plain(totals("user", rows, None, UTC, NOW_US)) == [
        ("bob", 2, 0, 0, 1.5 * HOUR, float(HOUR)),
        ("alice", 1, 1, 1, alice, 6 * HOUR - 1.0),
    ]
    assert [(one.name, one.sessions) for one in totals("ip", rows, None, UTC, NOW_US)] == [
        (HERE, 3), (THERE, 1),
    ]  # fmt: skip


def test_rows_of_one_session_on_linux_would_be_two(connection: sqlite3.Connection) -> None:
    total = Total("alice")
    for row in save(connection, a_day()):
        total.add(replace(row, service="sshd"), NOW_US)
    assert total.sessions == 5


def test_the_days_report(connection: sqlite3.Connection) -> None:
    desk = Desk(connection, "00:00", UTC)
    desk.turn(START_US - HOUR * 1_000_000)
    save(connection, a_day())
    day_us = 86_400_000_000
    due_us = (START_US // day_us + 1) * day_us
    found: Report = desk.until_told(due_us)
    by_name = {one.user: one for one in found.people}
    alice, bob = by_name["alice"], by_name["bob"]
    assert (found.sessions, found.on_now, found.abnormal) == (3, 1, 1)
    assert (alice.sessions, alice.on_now, alice.addresses) == (1, 1, (HERE, THERE))
    assert alice.seconds == (due_us - START_US) / 1_000_000 - HOUR - 1
    assert (bob.sessions, bob.on_now, bob.seconds) == (2, 0, 1.5 * HOUR)


def test_who_is_on_now_and_what_happened(connection: sqlite3.Connection) -> None:
    host = a_day()
    save(connection, host)
    assert figures(connection, NOW_US).on_now == 1
    counters = Counters()
    counters.events(host.changes)
    assert counters.seen_events() == {("login", "windows"): 5, ("logout", "windows"): 4}
    found = collect(connection, counters, (), version="1", started_us=0, now_us=NOW_US)
    (sample,) = next(one for one in found if one.name.endswith("sessions_open")).samples
    assert sample.value == 1
