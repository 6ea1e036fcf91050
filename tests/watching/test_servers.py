"""Servers whose event logs cannot be read are told of, once, together, and when they are back."""

from __future__ import annotations

import json

import pytest

from usersessionmon.clock import ManualClock
from usersessionmon.model import Batch, Notice, Severity
from usersessionmon.watching.servers import (
    DOWN,
    GATHER_US,
    LATE_US,
    LOOK_SECONDS,
    PART_US,
    SERVERS,
    TOLD,
    Away,
    Servers,
)
from usersessionmon.windows.standing import ChannelState, ServerState, State, Status, load

DUE = (LATE_US + GATHER_US) / 1e6
NOTHING = Batch((), None, True)


def state(name: str, now: State, since_us: int = 0, error: str = "") -> ServerState:
    channels = (ChannelState("Security", Status.FOLLOWED),)
    return ServerState(name, name, now, since_us, None, error, channels)


class Watch:
    def __init__(self, *, tell: bool = True) -> None:
        self.clock = ManualClock(1_000_000_000)
        self.states: list[ServerState] = []
        self.told: list[Away] = []
        self.servers = self.anew(tell=tell)

    def anew(self, *, tell: bool = True) -> Servers:
        def word(away: Away, now_us: int) -> Notice:
            self.told.append(away)
            return Notice("trouble", Severity.ABNORMAL, "x", (), "x", now_us)

        return Servers(lambda: tuple(self.states), self.clock, word if tell else None)

    def be(self, **states: State) -> None:
        now_us = self.clock.now_us()
        self.states = [state(name, one, now_us) for name, one in states.items()]

    def turn(self, seconds: float = LOOK_SECONDS) -> list[tuple[bool, list[str]]]:
        """What was told after so long."""
        self.told.clear()
        self.clock.advance(seconds)
        notices = self.servers.turn(NOTHING, self.clock.now_us())
        assert len(notices) == len(self.told)
        return [(one.over, [server.name for server, _ in one.servers]) for one in self.told]


def test_those_that_fail_together_are_told_together_and_once() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF, b=State.LIVE, c=State.DENIED)
    assert watch.turn() == []
    assert watch.turn(DUE) == [(False, ["a", "c"])]
    assert [*watch.servers.wrongs()] == ["server a cannot be read", "server c cannot be read"]
    assert watch.turn(3600) == []
    watch.be(a=State.LIVE, b=State.LIVE, c=State.DENIED)
    assert watch.turn() == [], "c may be back soon, too"
    assert [*watch.servers.wrongs()] == ["server c cannot be read"]
    assert watch.turn(PART_US / 1e6) == [(True, ["a"])]
    watch.be(a=State.LIVE, b=State.LIVE, c=State.LIVE)
    assert watch.turn() == [(True, ["c"])]
    assert watch.turn(PART_US / 1e6) == []


def test_fifty_that_fail_and_come_back_are_three_notices_at_most() -> None:
    """As a net does that fails: seen within a minute, and over within five of trying again."""
    watch = Watch()
    names = [f"rds-{number}" for number in range(50)]
    told = []
    for step in range(200):
        second = step * 7
        gone = {name for at, name in enumerate(names) if at * 1.2 <= second < 900 + at * 6}
        before = {one.name: one for one in watch.states}
        watch.states = []
        for name in names:
            now = State.BACK_OFF if name in gone else State.LIVE
            known = before.get(name)
            if known is None or known.state is not now:
                known = state(name, now, watch.clock.now_us())
            watch.states.append(known)
        told += watch.turn(7)
    assert told == [(False, names), (True, names)]


def test_one_that_fails_again_before_it_was_told_to_be_back_is_still_away() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF, b=State.BACK_OFF)
    watch.turn()
    assert watch.turn(DUE) == [(False, ["a", "b"])]
    watch.be(a=State.LIVE, b=State.BACK_OFF)
    assert watch.turn() == []
    watch.be(a=State.BACK_OFF, b=State.LIVE)
    assert watch.turn(PART_US / 2e6) == []
    assert watch.turn(PART_US / 2e6) == []
    assert watch.turn(PART_US / 2e6) == [(True, ["b"])]
    watch.be(a=State.LIVE, b=State.BACK_OFF)
    assert watch.turn() == [(True, ["a"])], "b fails anew, which is another matter"
    assert watch.turn(DUE) == [(False, ["b"])]


def test_one_that_is_no_longer_configured_holds_nobody() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF, b=State.BACK_OFF)
    watch.turn()
    assert watch.turn(DUE) == [(False, ["a", "b"])]
    watch.be(a=State.LIVE)
    assert watch.turn() == [(True, ["a"])]


def test_one_that_is_soon_back_is_nothing_to_tell() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF)
    watch.turn()
    watch.be(a=State.LIVE)
    assert watch.turn(DUE) == [] and watch.turn(DUE) == []


def test_the_kind_of_trouble_may_change_without_beginning_anew() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF)
    watch.turn()
    watch.be(a=State.CONNECTING)
    assert watch.turn(DUE) == [(False, ["a"])]


@pytest.mark.parametrize("told", [True, False])
def test_a_restart_neither_repeats_nor_forgets(told: bool) -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF)
    watch.turn()
    if told:
        assert watch.turn(DUE) == [(False, ["a"])]
    facts = watch.servers.save()
    watch.servers = watch.anew()
    watch.servers.load(facts)
    watch.be(a=State.CONNECTING)
    assert watch.turn(DUE) == ([] if told else [(False, ["a"])])
    watch.be(a=State.LIVE)
    assert watch.turn() == [(True, ["a"])]


def test_those_that_are_back_wait_over_a_restart() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF, b=State.BACK_OFF)
    watch.turn()
    assert watch.turn(DUE) == [(False, ["a", "b"])]
    watch.be(a=State.LIVE, b=State.BACK_OFF)
    assert watch.turn() == []
    facts = watch.servers.save()
    watch.servers = watch.anew()
    watch.servers.load(facts)
    assert watch.turn(PART_US / 1e6) == [(True, ["a"])]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": []}', '{"a": [1, 2, "x"]}', "a\nb"])
def test_facts_that_cannot_be_understood_are_none(text: str) -> None:
    watch = Watch()
    watch.servers.load({DOWN: text, SERVERS: text, TOLD: text})
    assert [*watch.servers.wrongs()] == []
    assert load(text) == () or text == "[]"


def test_how_they_stand_is_kept_also_where_nobody_is_told() -> None:
    watch = Watch(tell=False)
    watch.be(a=State.REFUSED)
    assert watch.turn() == [] and watch.turn(DUE) == []
    facts = watch.servers.save()
    assert load(facts[SERVERS]) == tuple(watch.states)
    assert json.loads(facts[DOWN]) == {"a": 1_000_000_000}
