"""Claims in the state: which hold, whose host they are about, and that there are never too many."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.errors import TroubleError
from usersessionmon.model import Claim
from usersessionmon.store import claims, damage, db, retention
from usersessionmon.store.place import open_state
from usersessionmon.store.retention import Limits

MINUTE, DAY = 60_000_000, 86_400_000_000
NOW = 1_795_248_930_000_000


def claim(host: str = "web-1", user: str = "alice", made: int = 0, until: int = 60) -> Claim:
    """``made`` and ``until``: minutes from now."""
    return Claim(host, user, user, "deploying", NOW + made * MINUTE, NOW + until * MINUTE)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_state(tmp_path)) as connection:
        yield connection


def put(connection: sqlite3.Connection, *new: Claim) -> None:
    with db.transaction(connection):
        for one in new:
            claims.add(connection, one)


def hosts(found: list[Claim]) -> list[str]:
    return [one.host for one in found]


def test_a_claim_holds_until_its_time_or_its_end(state: sqlite3.Connection) -> None:
    put(state, claim("web-2", "bob", until=10), claim("web-1"))
    first, second = claims.current(state, NOW)
    assert (first.host, second.host) == ("web-1", "web-2"), "by host"
    assert first._replace(number=0) == claim("web-1")
    last = NOW + 10 * MINUTE
    assert hosts(claims.current(state, last - 1)) == ["web-1", "web-2"]
    assert hosts(claims.current(state, last)) == ["web-1"]
    assert hosts(claims.of_host(state, ["web-2"], last - 1)) == ["web-2"]
    assert claims.of_host(state, ["web-2"], last) == []
    with db.transaction(state):
        claims.end(state, [first], "root", NOW + 1)
    assert claims.of_host(state, ["web-1"], NOW + 2) == []
    assert hosts(claims.current(state, NOW + 2)) == ["web-2"]
    ended = claims.every(state)[1]
    assert (ended.host, ended.released_us, ended.released_by) == ("web-1", NOW + 1, "root")


def test_a_host_is_found_by_its_short_and_its_full_name(state: sqlite3.Connection) -> None:
    put(state, claim("WEB-1"), claim("db.example.com"), claim("192.0.2.1"))

    def found(*names: str) -> list[str]:
        return hosts(claims.of_host(state, names, NOW))

    assert found("web-1") == found("web-1.example.com") == ["WEB-1"]
    assert found("db") == found("DB.example.com") == ["db.example.com"]
    assert found("db.example.org") == found("web-10") == found("web") == []
    assert found("192.0.2.1") == ["192.0.2.1"]
    assert found("192.0.2.2") == found("192") == []
    assert found("web-1", "db") == ["WEB-1", "db.example.com"]
    assert found() == []


@given(st.text(max_size=8), st.text(max_size=8))
def test_two_names_of_a_host_have_their_short_one_in_common(one: str, other: str) -> None:
    """Else the search by it would miss what ``same_host`` takes for the same."""
    for first, second in ((one, other), (one, f"{one}.{other}"), (one.upper(), one.lower())):
        assert claims.same_host(first, first)
        if claims.same_host(first, second):
            assert claims.short_of(first) == claims.short_of(second)
            assert claims.same_host(second, first)


def test_this_machine_is_known_by_all_its_names() -> None:
    local = {"web-1", "www"}
    assert set(claims.known_as(None, local)) == local
    assert set(claims.known_as("www.example.com", local)) == {"www.example.com", *local}
    assert set(claims.known_as("db", local)) == {"db"}


@pytest.mark.parametrize("other", ["alice", "ALICE", "CORP\\alice", "Alice@corp.example"])
def test_a_person_is_known_without_the_domain(other: str) -> None:
    assert claims.same_person("alice", other) and claims.same_person(other, "alice")
    assert not claims.same_person("bob", other)


def test_what_is_nothing_but_a_domain_is_nobody_else() -> None:
    assert not claims.same_person("@a", "@b")
    assert not claims.same_person("a\\", "b\\")
    assert not claims.same_person("@a", "")


def test_ended_ones_make_room_and_those_that_hold_stay(
    state: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MOST", 3)
    put(state, claim("a", made=-9, until=-5), claim("b"), claim("c", made=-8, until=-1))
    put(state, claim("d"))
    assert hosts(claims.every(state)) == ["b", "c", "d"]
    put(state, claim("e"))
    assert hosts(claims.every(state)) == ["b", "d", "e"]
    with pytest.raises(TroubleError, match="3 claims hold already"):
        put(state, claim("f"))
    assert hosts(claims.every(state)) == ["b", "d", "e"]


def test_retention_forgets_what_ended_long_ago(state: sqlite3.Connection) -> None:
    old = claim("old", made=-60, until=-10)
    put(state, old, claim("on", made=-60), claim("done", made=-60))
    with db.transaction(state):
        claims.end(state, claims.of_host(state, ["done"], NOW), "alice", NOW - 30 * MINUTE)
    retention.step(state, Limits(0, 0), NOW + 500 * DAY)
    assert hosts(claims.every(state)) == ["old", "on", "done"], "without a limit all stay"
    retention.step(state, Limits(1, 0), NOW + DAY - 30 * MINUTE)
    assert hosts(claims.every(state)) == ["old", "on", "done"]
    retention.step(state, Limits(1, 0), NOW + DAY - 20 * MINUTE)
    assert hosts(claims.every(state)) == ["old", "on"]
    retention.step(state, Limits(1, 0), NOW + DAY)
    assert hosts(claims.every(state)) == ["on"]


def test_the_state_of_an_older_version_has_none(tmp_path: Path) -> None:
    with closing(db.connect(tmp_path / "state.db")) as connection:
        assert claims.current(connection, NOW) == claims.every(connection) == []


def test_a_number_that_a_damaged_state_has_twice_is_kept_once(state: sqlite3.Connection) -> None:
    rows = [tuple(claim(host)._replace(number=5)) for host in ("web-1", "web-2")]
    with db.transaction(state):
        claims.copy(rows, state)
    assert [(one.host, one.number) for one in claims.every(state)] == [("web-1", 5)]


def test_claims_outlive_a_damaged_state(tmp_path: Path) -> None:
    with closing(open_state(tmp_path)) as connection:
        put(connection, claim("web-1"), claim("web-2"))
        with db.transaction(connection):
            claims.end(connection, claims.of_host(connection, ["web-2"], NOW), "bob", NOW)
            connection.execute(
                "INSERT INTO claim VALUES (7, 'x', 'x', 'x', 'x', x'00', 1, 2, NULL, NULL)"
            )
        before = claims.every(connection)[:2]
    damage.set_aside(tmp_path, "on purpose", NOW)
    with closing(open_state(tmp_path)) as connection:
        assert claims.every(connection) == before, "and what is none is left out"
