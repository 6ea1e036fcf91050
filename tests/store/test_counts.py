"""What is only counted, and its bounds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from usersessionmon.model import Change, ChangeKind, Moment
from usersessionmon.store import counts, db
from usersessionmon.store.counts import HOUR_US, OTHERS
from usersessionmon.store.place import open_state
from usersessionmon.store.state import Query

NOON = 490_000 * HOUR_US


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_state(tmp_path)) as opened:
        yield opened


def failed(at: int, user: str | None, ip: str | None, times: int = 1) -> Change:
    kind = ChangeKind.LOGIN_FAILED
    return Change(kind, Moment(at, ""), "web-1", "sshd", user=user, ip=ip, times=times)


def failures(
    connection: sqlite3.Connection, **query: object
) -> list[tuple[str | None, str | None, int]]:
    found = counts.read_failures(connection, Query(**query))  # type: ignore[arg-type]
    return [(one.user, one.ip, one.times) for one in found]


def test_lines_are_counted_by_the_hour_in_which_they_were_read(
    connection: sqlite3.Connection,
) -> None:
    counts.add_hours(connection, {"sshd": 3}, {"sudo": 1}, NOON + 5)
    counts.add_hours(connection, {"sshd": 2}, {"sshd": 1}, NOON + HOUR_US - 1)
    counts.add_hours(connection, {"sshd": 7}, {}, NOON + HOUR_US)
    assert counts.read_hours(connection, NOON, NOON + 2 * HOUR_US) == [
        (NOON, "sshd", 5, 1),
        (NOON, "sudo", 0, 1),
        (NOON + HOUR_US, "sshd", 7, 0),
    ]
    assert len(counts.read_hours(connection, NOON + 1, NOON + 2 * HOUR_US)) == 1


def test_hours_are_few_and_a_clock_that_was_ahead_leaves_none(
    connection: sqlite3.Connection,
) -> None:
    for hour in range(100):
        counts.add_hours(connection, {"sshd": 1}, {}, NOON + hour * HOUR_US)
    kept = counts.read_hours(connection, 0, 2**62)
    assert len(kept) == counts.HOURS_KEPT
    counts.add_hours(connection, {"sshd": 1}, {}, NOON + 60 * HOUR_US)  # the clock was set back
    assert counts.read_hours(connection, NOON + 61 * HOUR_US, 2**62) == []


def test_failures_are_found_by_account_address_and_time(connection: sqlite3.Connection) -> None:
    login = Change(ChangeKind.LOGIN, Moment(NOON, ""), "web-1", "sshd", user="alice", ip="a")
    first = [failed(NOON, "alice", "192.0.2.7", 3), failed(NOON + 1, None, "192.0.2.7"), login]
    counts.add_failures(connection, first, NOON + HOUR_US)
    again = [failed(NOON + 2, "alice", "192.0.2.7"), failed(NOON + HOUR_US, "bob", None)]
    counts.add_failures(connection, again, NOON + HOUR_US)
    both = [(None, "192.0.2.7", 1), ("alice", "192.0.2.7", 4)]
    assert failures(connection) == [*both, ("bob", None, 1)]
    assert failures(connection, ip="192.0.2.7") == both
    assert failures(connection, user="alice") == both[1:]
    assert failures(connection, since_us=NOON + 3) == [("bob", None, 1)]
    assert failures(connection, until_us=NOON + 3) == both


def test_whoever_tries_cannot_fill_the_state(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "FAILURES_HOUR", 10)
    monkeypatch.setattr(counts, "FAILURES_KEPT", 30)
    for hour in range(20):
        at = NOON + hour * HOUR_US
        for part in range(5):
            names = [failed(at, f"name{part}-{number}", "192.0.2.7") for number in range(20)]
            counts.add_failures(connection, names, at)
    rows = failures(connection)
    assert len(rows) <= 30 + 11
    last = failures(connection, since_us=NOON + 19 * HOUR_US)
    assert len(last) == 11
    assert sum(row[2] for row in last) == 100  # none is lost
    assert (OTHERS, OTHERS, 90) in last


def test_a_failure_in_times_to_come_is_of_now(connection: sqlite3.Connection) -> None:
    counts.add_failures(connection, [failed(NOON + 999 * HOUR_US, "x", None)], NOON)
    (row,) = counts.read_failures(connection, Query())
    assert (row.hour_us, row.last_us) == (NOON, NOON)


def test_shapes_are_counted_and_few(connection: sqlite3.Connection) -> None:
    counts.add_shapes(connection, [(("sshd", "Odd {word}"), 2), (("su", "x"), 1)], NOON)
    counts.add_shapes(connection, [(("sshd", "Odd {word}"), 3)], NOON)
    counts.add_shapes(connection, [(("sshd", f"{number}"), 1) for number in range(500)], NOON + 1)
    shapes = counts.read_shapes(connection, 1000)
    assert shapes[0] == ("sshd", "Odd {word}", 5)
    assert len(shapes) == counts.SHAPES_KEPT
    assert counts.read_shapes(connection, 2)[:1] == shapes[:1]


def test_a_state_from_before_has_none(tmp_path: Path) -> None:
    """The program was upgraded and the service not started again yet."""
    with closing(db.connect(tmp_path / "state.db")) as old:
        for number, sql in db.migrations()[:2]:
            old.executescript(sql)
            old.execute(f"PRAGMA user_version={number}")
        assert counts.read_hours(old, 0, 2**62) == []
        assert failures(old) == []
        assert counts.read_shapes(old, 9) == []
