"""Servers whose event logs cannot be read are told of, once, together, and when they are back."""

from __future__ import annotations

import json

import pytest

from usersessionmon.clock import ManualClock
from usersessionmon.model import Batch, Notice, Severity
from usersessionmon.watching.servers import DOWN, LATE_US, LOOK_SECONDS, SERVERS, Away, Servers
from usersessionmon.windows.standing import ChannelState, ServerState, State, Status, load

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
    assert watch.turn(LATE_US / 1e6) == [(False, ["a", "c"])]
    assert [*watch.servers.wrongs()] == ["server a cannot be read", "server c cannot be read"]
    assert watch.turn(3600) == []
    watch.be(a=State.LIVE, b=State.LIVE, c=State.DENIED)
    assert watch.turn() == [(True, ["a"])]
    assert [*watch.servers.wrongs()] == ["server c cannot be read"]


def test_one_that_is_soon_back_is_nothing_to_tell() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF)
    watch.turn()
    watch.be(a=State.LIVE)
    assert watch.turn(LATE_US / 1e6) == [] and watch.turn(LATE_US / 1e6) == []


def test_the_kind_of_trouble_may_change_without_beginning_anew() -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF)
    watch.turn()
    watch.be(a=State.CONNECTING)
    assert watch.turn(LATE_US / 1e6) == [(False, ["a"])]


@pytest.mark.parametrize("told", [True, False])
def test_a_restart_neither_repeats_nor_forgets(told: bool) -> None:
    watch = Watch()
    watch.be(a=State.BACK_OFF)
    watch.turn()
    if told:
        assert watch.turn(LATE_US / 1e6) == [(False, ["a"])]
    facts = watch.servers.save()
    watch.servers = watch.anew()
    watch.servers.load(facts)
    watch.be(a=State.CONNECTING)
    assert watch.turn(LATE_US / 1e6) == ([] if told else [(False, ["a"])])
    watch.be(a=State.LIVE)
    assert watch.turn() == [(True, ["a"])]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": []}'])
def test_facts_that_cannot_be_understood_are_none(text: str) -> None:
    watch = Watch()
    watch.servers.load({DOWN: text, SERVERS: text})
    assert [*watch.servers.wrongs()] == []
    assert load(text) == () or text == "[]"


def test_how_they_stand_is_kept_also_where_nobody_is_told() -> None:
    watch = Watch(tell=False)
    watch.be(a=State.REFUSED)
    assert watch.turn() == [] and watch.turn(LATE_US / 1e6) == []
    facts = watch.servers.save()
    assert load(facts[SERVERS]) == tuple(watch.states)
    assert json.loads(facts[DOWN]) == {"a": 1_000_000_000}
