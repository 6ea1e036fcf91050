"""Hosts whose answers are long in coming, against a double of pywin32."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.windows.fake_win32 import ZERO, World, event, fill
from tests.windows.support import BOTH, MINUTE, RDS, Watched, failing, fake, of
from usersessionmon.windows.asking import Look, past
from usersessionmon.windows.channels import LSM
from usersessionmon.windows.eventlog import EventLogError
from usersessionmon.windows.live import LiveEventLog
from usersessionmon.windows.probing import probe
from usersessionmon.windows.standing import State
from usersessionmon.windows.waiting import ASKS, LONG_ASKS
from usersessionmon.windows.xml import record_of


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        made.host("rds-1", *BOTH)
        yield made


def logins(world: World, *numbers: int) -> None:
    fill(world.hosts["rds-1"].channels[LSM], [event(LSM, number) for number in numbers])


def numbers(world: World) -> list[int]:
    """What ``scan --server`` finds."""
    session = LiveEventLog().open("rds-1", "")
    try:
        found = [one for one in past(Look((), None, False, record_of), RDS, session) if one]
    finally:
        session.close()
    return [one.record.windows.record_id for one in found if one.record and one.record.windows]


def test_a_query_that_takes_long_is_waited_for(world: World) -> None:
    logins(world, 1, 2)
    world.slow = ASKS - 1
    with Watched() as watched:
        watched.step()
        assert watched.now().state is State.LIVE
        logins(world, 3)
        world.trouble = failing(15011, "EvtNext", path=LSM)
        watched.step()  # is the event that was read last still there
        assert watched.basket.records() == [(LSM, 3)]
        assert watched.now().state is State.LIVE and not watched.basket.notes


def test_a_query_that_is_never_answered_is_given_up_for_a_while(world: World) -> None:
    world.slow = ASKS
    with Watched() as watched:
        assert watched.step() == 1.0
        assert watched.now().state is State.BACK_OFF
        assert "did not answer in time" in watched.now().error
        world.slow = 0
        watched.step(1.0)
        assert watched.now().state is State.LIVE


def test_who_waits_for_a_query_can_be_stopped(world: World) -> None:
    world.slow = ASKS
    asked = []
    with Watched() as watched:

        def trouble(function: str, _host: str, _path: str) -> int:
            asked.append(function)
            watched.server.stopping = asked.count("EvtNext") == 3
            return 0

        world.trouble = trouble
        watched.step()
        assert asked.count("EvtNext") == 3
        assert not watched.basket.notes


@pytest.mark.parametrize("code", [4317, ZERO])
def test_an_odd_nothing_of_a_query_is_asked_again_before_it_is_believed(
    world: World, code: int
) -> None:
    """Else a log would look cleared, and be told once more."""
    logins(world, 1, 2)
    with Watched() as watched:
        watched.step()
        marks = watched.basket.marks()
    logins(world, 3)
    world.trouble = failing(code, "EvtNext", times=2)
    with Watched(marks=marks) as watched:
        watched.step()
        assert of(watched.basket.records(), LSM) == [3]
        assert not watched.basket.notes and watched.now().state is State.LIVE


@pytest.mark.parametrize("code", [4317, ZERO])
def test_an_odd_nothing_that_stays_is_an_empty_log(world: World, code: int) -> None:
    world.trouble = failing(code, "EvtNext", times=1_000)
    with Watched() as watched:
        watched.step()
        assert watched.now().state is State.LIVE


def test_no_error_of_a_subscription_is_nothing_there(world: World) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1)
        world.trouble = failing(ZERO, "EvtNext", times=2)
        watched.step()
        assert watched.now().state is State.LIVE and not watched.basket.notes
        watched.step(MINUTE)
        assert watched.basket.records() == [(LSM, 1)]


def test_a_scan_waits_longer(world: World) -> None:
    logins(world, *range(1, 101))
    world.hosts["rds-1"].bound = 20
    world.slow = LONG_ASKS - 1
    assert numbers(world) == list(range(1, 101))
    world.slow = LONG_ASKS
    with pytest.raises(EventLogError, match="1460"):
        numbers(world)


def test_check_waits_as_well(world: World) -> None:
    world.slow = ASKS - 1
    session = LiveEventLog().open("rds-1", "")
    found = [one for one in probe(0, RDS, session) if one]
    assert [(one.ok, one.there) for one in found] == [(True, True)] * 2
    world.slow = ASKS
    with pytest.raises(EventLogError, match="1460"):
        list(probe(0, RDS, session))
    session.close()
