"""Many servers as one source, against a double of pywin32."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.windows.fake_win32 import ZERO, Host, World, event, fill
from tests.windows.support import BOTH, MINUTE, RDS, Watched, by_hand, fake, ids, means, of
from usersessionmon.clock import ManualClock, SystemClock, Waker
from usersessionmon.errors import UserError
from usersessionmon.model import Record
from usersessionmon.windows import servers
from usersessionmon.windows.channels import FORWARDED, LSM, SECURITY
from usersessionmon.windows.feed import BATCH
from usersessionmon.windows.marks import time_of
from usersessionmon.windows.servers import QUEUE, WindowsSource
from usersessionmon.windows.settings import MOST_SERVERS, WindowsServer
from usersessionmon.windows.standing import State


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        made.host("rds-1", *BOTH)
        yield made


def logins(world: World, host: str, numbers: Sequence[int], channel: str = LSM) -> None:
    fill(
        world.hosts[host].channels[channel],
        [event(channel, number, 21 if channel == LSM else 4634, host=host) for number in numbers],
    )


def test_what_was_handed_out_is_what_the_position_says(world: World) -> None:
    clock = ManualClock()
    source, [line] = by_hand([RDS], clock)
    line.step()
    logins(world, "rds-1", range(1, 11))
    line.step()
    first = source.read(7)  # two of them are the places where reading begins
    source.close()
    assert of(ids(first.records), LSM) == [1, 2, 3, 4, 5]

    source, [line] = by_hand([RDS], clock, first.position)
    line.step()
    second = source.read(1000)
    source.close()
    assert of(ids(second.records), LSM) == [6, 7, 8, 9, 10]
    assert first.at_end is False and second.at_end is True
    assert second.lines == 5


def test_a_look_that_finds_nothing_moves_nothing(world: World) -> None:
    clock = ManualClock()
    source, [line] = by_hand([RDS], clock)
    assert source.read(0) == source.read(10) == ([], None, True, (), 0)
    line.step()
    position = source.read(10).position
    assert position is not None
    clock.advance(6.0)
    assert source.read(10).position == position, "until it is surely saved"
    assert source.patience() < 5.0
    clock.advance(6.0)
    assert source.read(10).position is None and source.patience() > 5.0
    source.close()
    source.close()


def test_a_full_queue_makes_only_its_own_server_wait(world: World) -> None:
    world.host("rds-2", *BOTH)
    both = [RDS, WindowsServer("rds-2", channels=("LSM",))]
    source, lines = by_hand(both, ManualClock())
    for line in lines:
        line.step()
    logins(world, "rds-1", range(1, 1001))
    logins(world, "rds-2", [1, 2])
    found: list[Record] = []
    for _ in range(100):
        for line in lines:
            line.step()
            assert len(line) <= QUEUE
        found += source.read(50).records
    source.close()
    assert len([one for one in found if one.host == "rds-1"]) == 1000
    assert [one.host for one in found[:60]].count("rds-2") == 2, "it had its turn at once"


def test_a_thread_that_finds_no_room_while_records_are_taken_is_called(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would wait for a minute, with room for all."""
    meanwhile: list[Callable[[], object]] = []

    class Racing(deque[Any]):
        def popleft(self) -> Any:
            if meanwhile:
                meanwhile.pop()()
            return super().popleft()

    monkeypatch.setattr(servers, "deque", Racing)
    source, [line] = by_hand([RDS], ManualClock())
    line.step()
    source.read(10)
    logins(world, "rds-1", range(1, QUEUE - BATCH + 1))
    line.step()
    assert line.room() == BATCH
    logins(world, "rds-1", range(QUEUE, QUEUE + 2 * BATCH))
    [signal] = [one for one in world.handles if one.kind == "signal"]

    def other_thread() -> None:
        line.step()
        assert line.room() == 0
        signal.event.clear()  # it begins to wait

    meanwhile.append(other_thread)
    source.read(2 * BATCH)
    assert signal.event.is_set()
    source.close()


def test_too_many_servers_are_refused_with_the_way_out(world: World) -> None:
    many = [WindowsServer(f"rds-{number}") for number in range(MOST_SERVERS + 1)]
    with pytest.raises(UserError, match="forwarded: true"):
        by_hand(many, ManualClock())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rds-1": 7}', '{"rds-1": {"marks": [1]}}'])
def test_a_position_that_cannot_be_understood_is_none(world: World, text: str) -> None:
    source, [line] = by_hand([RDS], ManualClock(), text)
    line.step()
    assert source.states()[0].state is State.LIVE
    source.close()


def test_a_server_that_is_not_configured_for_a_while_keeps_its_place(world: World) -> None:
    world.host("rds-2", *BOTH)
    other = WindowsServer("rds-2", channels=("LSM",))
    source, lines = by_hand([RDS, other], ManualClock())
    for line in lines:
        line.step()
    position = source.read(100).position
    source.close()
    logins(world, "rds-2", [1, 2])
    source, [line] = by_hand([RDS], ManualClock(), position)
    logins(world, "rds-1", [1])
    line.step()
    position = source.read(100).position
    source.close()
    source, [line] = by_hand([other], ManualClock(), position)
    line.step()
    assert ids(source.read(100).records) == [(LSM, 1), (LSM, 2)]
    source.close()


# --- a collector ----------------------------------------------------------------------------------

COLLECTOR = WindowsServer("collector", forwarded=True)


def forwarded(*parts: tuple[str, str, int]) -> list[Any]:
    return [
        event(channel, number, 21 if channel == LSM else 4634, host=host, collected=place)
        for place, (host, channel, number) in enumerate(parts, start=1)
    ]


def test_forwarded_records_are_their_own_hosts(world: World) -> None:
    world.host("collector", FORWARDED)
    source, [line] = by_hand([COLLECTOR], ManualClock())
    line.step()
    fill(
        world.hosts["collector"].channels[FORWARDED],
        forwarded(("a", LSM, 900), ("b", LSM, 5), ("a", SECURITY, 31), ("a", LSM, 901)),
    )
    line.step()
    batch = source.read(100)
    source.close()
    events = [one.windows for one in batch.records]
    assert [(one.origin, one.channel, one.record_id) for one in events if one] == [
        ("collector/a", LSM, 900),
        ("collector/b", LSM, 5),
        ("collector/a", SECURITY, 31),
        ("collector/a", LSM, 901),
    ]
    assert [one.beside for one in events if one] == [{LSM}, {LSM}, {LSM, SECURITY}, {LSM, SECURITY}]

    source, [line] = by_hand([COLLECTOR], ManualClock(), batch.position)
    channel = world.hosts["collector"].channels[FORWARDED]
    fill(channel, [event(LSM, 902, host="a", collected=5)])
    line.step()
    [record] = source.read(100).records
    source.close()
    assert record.windows is not None
    assert record.windows.beside == {LSM, SECURITY}, "what a computer forwards is remembered"


def test_what_is_forwarded_twice_is_told_once(world: World) -> None:
    world.host("collector", FORWARDED)
    source, [line] = by_hand([COLLECTOR], ManualClock())
    line.step()
    fill(
        world.hosts["collector"].channels[FORWARDED],
        forwarded(("a", LSM, 7), ("A", LSM, 7), ("a", LSM, 6), ("b", LSM, 7), ("a", LSM, 7)),
    )
    line.step()
    events = [one.windows for one in source.read(100).records]
    source.close()
    found = [(one.origin.removeprefix("collector/"), one.record_id) for one in events if one]
    assert found == [("a", 7), ("a", 6), ("b", 7)]


def test_a_forwarded_host_whose_numbers_begin_anew_is_heard(world: World) -> None:
    world.host("collector", FORWARDED)
    source, [line] = by_hand([COLLECTOR], ManualClock())
    line.step()
    parts = [event(LSM, 1, host="a", second=at, collected=at) for at in (5, 900)]
    fill(world.hosts["collector"].channels[FORWARDED], parts)
    line.step()
    assert ids(source.read(100).records) == [(LSM, 1), (LSM, 1)]
    source.close()


def test_channels_that_the_configuration_names_are_beside_from_the_beginning(world: World) -> None:
    world.host("collector", FORWARDED)
    named = WindowsServer("collector", forwarded=True, channels=("Security", "LSM"))
    source, [line] = by_hand([named], ManualClock())
    line.step()
    fill(world.hosts["collector"].channels[FORWARDED], forwarded(("a", SECURITY, 7)))
    line.step()
    [record] = source.read(100).records
    source.close()
    assert record.windows is not None and record.windows.beside == {LSM, SECURITY}


# --- whatever goes wrong --------------------------------------------------------------------------

FUNCTIONS = (
    "EvtOpenSession", "EvtSubscribe", "EvtQuery", "EvtNext", "EvtRender", "EvtUpdateBookmark",
    "EvtCreateBookmark", "EvtClose",
)  # fmt: skip
CODES = (
    5, 6, 53, 87, 259, 1168, 1223, 1326, 1460, 1500, 1722, 1726, 1734, 1753, 4317, 15001, 15005,
    15007, 15009, 15011, 31337, ZERO,
)  # fmt: skip
FOR_EVER = (87, 1326, 15001, 15009)
"""Are not tried again: until the configuration is loaded anew."""


class Plan:
    """Errors that come at the n-th call of all."""

    def __init__(self, errors: dict[int, int]) -> None:
        self._errors = dict(errors)
        self._calls = 0

    def __call__(self, function: str, _host: str, _path: str) -> int:
        self._calls += 1
        code = self._errors.get(self._calls, 0)
        if function == "EvtRender" and code in {1500, 15005}:
            return 0  # this says that the event itself cannot be read: then it is not
        return code if function in FUNCTIONS else 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    errors=st.dictionaries(st.integers(1, 120), st.sampled_from(CODES), max_size=8),
    arrivals=st.lists(st.integers(0, 70), min_size=1, max_size=4),
    harsh=st.booleans(),
    kills=st.sets(st.integers(0, 30), max_size=4),
    limit=st.integers(1, 60),
)
def test_whatever_goes_wrong_all_is_delivered_once(
    monkeypatch: pytest.MonkeyPatch,
    errors: dict[int, int],
    arrivals: list[int],
    harsh: bool,
    kills: set[int],
    limit: int,
) -> None:
    """Errors at any call, and the program killed and begun anew from its saved position."""
    with fake(monkeypatch) as world:
        world.host("rds-1", *BOTH)
        world.harsh = harsh
        clock = ManualClock()
        source, [line] = by_hand([RDS], clock, from_start=True)
        world.trouble = Plan(errors)
        position: str | None = None
        found: list[tuple[str, int]] = []
        number = 0
        for turn in range(40):
            if turn < len(arrivals):
                for _ in range(arrivals[turn]):
                    number += 1
                    logins(world, "rds-1", [number], SECURITY if number % 3 == 0 else LSM)
            clock.advance(line.step())
            batch = source.read(limit)
            position = batch.position or position
            found += ids(batch.records)
            stuck = any(code in FOR_EVER for code in errors.values()) and turn % 5 == 4
            if turn in kills or stuck:
                line.step()  # read into the queue, handed out to nobody
                source.close()
                source, [line] = by_hand([RDS], clock, position, from_start=True)
            clock.advance(MINUTE if turn < 30 else 3600)
        for _ in range(10):
            clock.advance(line.step())
            found += ids(source.read(1000).records)
        source.close()
        assert of(found, LSM) == [one for one in range(1, number + 1) if one % 3]
        assert of(found, SECURITY) == [one for one in range(1, number + 1) if not one % 3]


Way = Callable[[Host], None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.integers(1, 40),  # so many events come
            st.sampled_from(["read", "kill", "cleared", "counts anew", "overwritten"]),
        ),
        max_size=25,
    ),
    errors=st.dictionaries(st.integers(1, 60), st.sampled_from([6, 1168, 1722, 15011]), max_size=4),
)
@example(steps=[3, "read", "counts anew", 5], errors={})
@example(steps=[3, "read", "overwritten", 2, "kill", "counts anew", 9, "read", 1], errors={3: 1168})
def test_of_a_log_that_is_cleared_only_what_was_not_read_yet_is_lost(
    monkeypatch: pytest.MonkeyPatch, steps: list[int | str], errors: dict[int, int]
) -> None:
    with fake(monkeypatch) as world:
        channel = world.host("rds-1", *BOTH).channels[LSM]
        clock = ManualClock()
        source, [line] = by_hand([RDS], clock, from_start=True)
        world.trouble = Plan(errors)
        position: str | None = None
        found: list[str] = []
        kept: list[str] = []  # all that came and was not cleared away unread
        second = number = 0

        def read() -> None:
            nonlocal position
            batch = source.read(1000)
            position = batch.position or position
            found.extend(one.time.text for one in batch.records)

        for step in [*steps, "read"]:
            if isinstance(step, int):
                for _ in range(step):
                    second, number = second + 1, number + 1
                    one = event(LSM, number, second=second)
                    channel.add(one)
                    kept.append(time_of(one.xml))
            elif step == "kill":
                source.close()
                source, [line] = by_hand([RDS], clock, position, from_start=True)
            elif step == "read":
                for _ in range(6):
                    clock.advance(line.step() + 301)
                    read()
            else:
                keep = 3 if step == "overwritten" else 0
                channel.clear(keep=keep)
                number = 0 if step == "counts anew" else number
                there = {time_of(one.xml) for one in channel.events}
                kept = [one for one in kept if one in found or one in there]
        source.close()
        assert found == kept


def down(code: int) -> Way:
    def way(host: Host) -> None:
        host.down = code

    return way


def denied(code: int) -> Way:
    def way(host: Host) -> None:
        for channel in host.channels.values():
            channel.denied = code
            channel.clear()  # so that it is noticed

    return way


def gone(host: Host) -> None:
    for channel in host.channels.values():
        channel.clear()
    host.channels.clear()


def too_large(host: Host) -> None:
    host.bound = 0
    fill(host.channels[LSM], [event(LSM, 1)])


WAYS: Sequence[Way] = (
    down(53), down(1326), down(1722), down(1726), down(1909), down(31337), denied(5),
    denied(15001), gone, too_large,
)  # fmt: skip


def test_ten_servers_fail_each_in_its_way_and_the_other_forty_lose_nothing(world: World) -> None:
    """With threads, as it runs; nobody waits for a time, but for what must come."""
    names = [f"host-{number:02}" for number in range(50)]
    ill = dict(zip(names[::5], WAYS, strict=True))
    well = [name for name in names if name not in ill]
    for name in names:
        world.host(name, *BOTH)
    world.longest = 0.2
    waker = Waker()
    wanted = [WindowsServer(name, channels=("Security", "LSM")) for name in names]
    source = WindowsSource(wanted, means(SystemClock()), position=None, wake=waker.wake)
    try:
        until(waker, lambda: all(one.state is State.LIVE for one in source.states()))
        for name, way in ill.items():
            way(world.hosts[name])
        for first in (1, 11, 21):
            for name in well:
                logins(world, name, range(first, first + 10))
        expected = 30 * len(well)
        found: dict[str, list[int]] = {}
        count = 0

        def read() -> bool:
            nonlocal count
            for one in source.read(25).records:
                assert one.windows is not None and one.host is not None
                found.setdefault(one.host, []).append(one.windows.record_id)
                count += 1
            return count >= expected

        until(waker, read)
        assert found == {name: list(range(1, 31)) for name in well}
        until(waker, lambda: sum(one.state is State.LIVE for one in source.states()) == 40)
        states = {one.name: one for one in source.states()}
        assert {states[name].state for name in well} == {State.LIVE}
    finally:
        source.close()
        waker.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("windows ")]


def until(waker: Waker, done: Callable[[], bool]) -> None:
    """Turn as the main loop does; the test's own time-out ends what never comes."""
    while not done():
        waker.wait(0.05)


def test_once_ends_when_every_server_was_read_or_failed(world: World) -> None:
    world.host("off").down = 1722
    world.host("rds-2", *BOTH)
    logins(world, "rds-2", range(1, 2 * QUEUE))
    logins(world, "rds-1", [1])
    waker = Waker()
    wanted = [RDS, WindowsServer("off"), WindowsServer("rds-2", channels=("LSM",))]
    parts = means(SystemClock(), from_start=True)
    source = WindowsSource(wanted, parts, position=None, wake=waker.wake, once=True)
    found = []
    try:
        while not (batch := source.read(100)).at_end:
            found += ids(batch.records)
        found += ids(batch.records)
    finally:
        source.close()
        waker.close()
    assert len(found) == 2 * QUEUE


def test_the_position_is_text_that_other_programs_may_read(world: World) -> None:
    source, [line] = by_hand([RDS], ManualClock())
    line.step()
    logins(world, "rds-1", [4])
    line.step()
    position = source.read(100).position
    source.close()
    bookmark, number, at = json.loads(position or "")["rds-1"]["marks"][LSM]
    assert "RecordId='4'" in bookmark and number == 4 and at.startswith("2026-11-21T08:00:04")
    with Watched() as watched:
        watched.step()
