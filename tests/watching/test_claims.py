"""Claims are told once when they are made and once when they are released, whatever happens to the
monitor meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.notify.support import NOW_US, server
from usersessionmon.config import ClaimSettings, Settings
from usersessionmon.model import Batch, Claim
from usersessionmon.store import claims, damage, db
from usersessionmon.store.place import open_state
from usersessionmon.store.state import read_facts, write_facts
from usersessionmon.wiring.claims import teller_of

MINUTE = 60_000_000
BATCH = Batch([], None, at_end=True)


class Monitor:
    """Turns and saves as the main loop does; with ``restarts`` it begins anew before each turn."""

    def __init__(self, folder: Path, *, restarts: bool) -> None:
        self.connection = open_state(folder)
        self._restarts = restarts
        self.now_us = NOW_US
        self.begin()

    def begin(self) -> None:
        kept = read_facts(self.connection)
        (self.teller,) = teller_of(Settings(), server(), self.connection, kept)

    def turn(self) -> list[str]:
        """The notices, a line each."""
        if self._restarts:
            self.begin()
        told = self.teller.turn(BATCH, self.now_us)
        with db.transaction(self.connection):
            write_facts(self.connection, self.teller.save())
        return [f"{one.title} {dict(one.pairs)['占用人']} {one.host}" for one in told]

    def claim(self, host: str, user: str, *, minutes: int = 60, over: str = "") -> None:
        """A command's work; ``over``: whose claim it ends."""
        until_us = self.now_us + minutes * MINUTE
        with db.transaction(self.connection):
            if over:
                self.release(host, user)
            claims.add(self.connection, Claim(host, user, user, "", self.now_us, until_us))

    def release(self, host: str, by: str) -> None:
        found = claims.of_host(self.connection, [host], self.now_us)
        claims.end(self.connection, found, by, self.now_us)


@pytest.fixture(params=[False, True], ids=["one-life", "restarts"])
def monitor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Monitor]:
    made = Monitor(tmp_path, restarts=request.param)
    with closing(made.connection):
        yield made


def test_made_and_released_are_told_each_once(monitor: Monitor) -> None:
    assert monitor.turn() == []
    monitor.claim("web-1", "alice")
    monitor.claim("db", "bob")
    assert monitor.turn() == ["主机占用通知 alice web-1", "主机占用通知 bob db"]
    assert monitor.turn() == []
    monitor.now_us += MINUTE
    monitor.release("db", "bob")
    assert monitor.turn() == ["主机释放通知 bob db"]
    assert monitor.turn() == []


def test_what_ends_in_time_is_not_told(monitor: Monitor) -> None:
    monitor.claim("web-1", "alice", minutes=5)
    assert len(monitor.turn()) == 1
    monitor.now_us += 5 * MINUTE
    assert monitor.turn() == [] and monitor.turn() == []


def test_what_was_over_before_anybody_looked_is_not_told(monitor: Monitor) -> None:
    monitor.claim("web-1", "alice", minutes=5)
    monitor.claim("db", "bob")
    monitor.release("db", "bob")
    monitor.now_us += 5 * MINUTE
    assert monitor.turn() == []


def test_made_anew_by_the_same_person_is_one_notice(monitor: Monitor) -> None:
    monitor.claim("web-1", "alice")
    monitor.turn()
    monitor.claim("WEB-1", "Alice", over="alice")
    assert monitor.turn() == ["主机占用通知 Alice web-1"]


def test_taken_over_is_two_notices_the_end_first(monitor: Monitor) -> None:
    monitor.claim("web-1", "alice")
    monitor.turn()
    monitor.claim("web-1", "bob", over="alice")
    assert monitor.turn() == ["主机释放通知 alice web-1", "主机占用通知 bob web-1"]


def test_numbers_that_are_given_again_are_news(monitor: Monitor) -> None:
    """SQLite gives a row's number again when the last row has gone."""
    monitor.claim("web-1", "alice", minutes=1)
    assert len(monitor.turn()) == 1
    monitor.now_us += 2 * MINUTE
    monitor.turn()
    claims.forget_old(monitor.connection, monitor.now_us)
    monitor.claim("db", "bob")
    assert claims.every(monitor.connection)[0].number == 1
    assert monitor.turn() == ["主机占用通知 bob db"]


def test_a_damaged_state_repeats_nothing(tmp_path: Path) -> None:
    made = Monitor(tmp_path, restarts=False)
    with closing(made.connection):
        made.claim("old", "alice", minutes=1)
        made.claim("web-1", "alice")
        made.turn()
        made.now_us += 2 * MINUTE
        claims.forget_old(made.connection, made.now_us)
        made.turn()
    damage.set_aside(tmp_path, "on purpose", NOW_US)
    again = Monitor(tmp_path, restarts=False)
    with closing(again.connection):
        assert len(claims.current(again.connection, again.now_us)) == 1
        assert again.turn() == []


def test_not_where_it_is_not_wanted(tmp_path: Path) -> None:
    settings = Settings(claims=ClaimSettings(notify=False))
    with closing(open_state(tmp_path)) as connection:
        assert teller_of(settings, server(), connection, {}) == []


def test_facts_that_make_no_sense_are_none(tmp_path: Path) -> None:
    with closing(open_state(tmp_path)) as connection:
        for text in ("x,1y,,-3", "\x00", "١"):
            (teller,) = teller_of(Settings(), server(), connection, {"claims_told": text})
            assert teller.turn(BATCH, NOW_US) == []


def test_a_state_that_cannot_be_read_now_is_looked_at_later(tmp_path: Path) -> None:
    made = Monitor(tmp_path, restarts=False)
    made.claim("web-1", "alice")
    with closing(made.connection), closing(sqlite3.connect(tmp_path / "state.db")) as other:
        made.connection.execute("PRAGMA busy_timeout=0")
        made.connection.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        assert made.teller.turn(BATCH, NOW_US) == []
        other.execute("ROLLBACK")
        assert len(made.teller.turn(BATCH, NOW_US)) == 1
