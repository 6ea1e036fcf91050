"""A channel that delivers nothing is told, once, and that it works again."""

from __future__ import annotations

from typing import Any

from usersessionmon.clock import ManualClock
from usersessionmon.model import Batch, Notice, Severity
from usersessionmon.notify.base import Answer
from usersessionmon.store.figures import Standing
from usersessionmon.watching.channels import LOOK_SECONDS, Broken, Channels

NOW = 1_795_248_930_000_000
SECOND = 1_000_000
NOTHING = Batch([], None, at_end=True)
WELL = Standing("ops", 0, None, Answer.DELIVERED, "ok", NOW - SECOND, NOW - SECOND)


class Desk:
    """Looks at what is put there, and is made anew before each look when asked to."""

    def __init__(self, *, restarted: bool = False) -> None:
        self.clock = ManualClock(NOW)
        self.standing = WELL
        self.restarted = restarted
        self.told: list[Broken] = []
        self.channels = self.made()

    def made(self) -> Channels:
        def word(broken: Broken, now_us: int) -> Notice:
            self.told.append(broken)
            return Notice("trouble", Severity.ABNORMAL, broken.channel, (), "", now_us)

        return Channels(["feishu", "ops"], lambda _now: [self.standing], self.clock, word)

    def after(self, seconds: float, **changes: Any) -> list[Broken]:
        """What is told when the channel stands so after a time in which it is looked at."""
        self.standing = self.standing._replace(**changes)
        before = len(self.told)
        left = seconds
        while left > 0:
            step = min(left, LOOK_SECONDS)
            left -= step
            self.clock.advance(step)
            if self.restarted:
                kept, self.channels = self.channels.save(), self.channels
                started = self.channels._started_us
                self.channels = self.made()
                self.channels._started_us = started  # it is the look that is tried here
                self.channels.load(kept)
            self.channels.turn(NOTHING, self.clock.us)
        return self.told[before:]


def held(desk: Desk) -> list[Broken]:
    return desk.after(
        20,
        waiting=3,
        oldest_us=desk.clock.us,
        answer=Answer.CONFIGURATION,
        said="Key Words Not Found",
        tried_us=desk.clock.us + SECOND,
    )


def test_a_held_channel_is_told_at_once_and_once_and_that_it_works_again() -> None:
    for restarted in (False, True):
        desk = Desk(restarted=restarted)
        assert desk.after(7200) == [] and list(desk.channels.wrongs()) == []
        began = desk.clock.us
        (told,) = held(desk)
        assert told == Broken(False, "ops", "configuration", "Key Words Not Found", began, 3)
        assert list(desk.channels.wrongs()) == ["channel ops delivers nothing: configuration"]
        assert desk.after(86400) == []
        at = desk.clock.us
        (over,) = desk.after(20, delivered_us=at, answer=Answer.DELIVERED, waiting=2)
        assert (over.over, over.channel, over.since_us, over.waiting) == (True, "ops", began, 2)
        assert list(desk.channels.wrongs()) == []
        assert desk.after(3600, waiting=0, oldest_us=None) == []


def test_ten_minutes_without_a_delivery_while_something_waits() -> None:
    desk = Desk()
    desk.after(60, answer=Answer.TRANSIENT, said="timed out")  # nothing waits: no trouble
    assert desk.after(580, waiting=1, oldest_us=desk.clock.us) == []
    (told,) = desk.after(20)
    assert (told.answer, told.since_us) == ("transient", NOW + 60 * SECOND)
    desk = Desk()
    assert desk.after(3600, waiting=9, oldest_us=NOW - 86400 * SECOND, delivered_us=NOW) != []
    slow = Desk()
    for _ in range(100):  # it always waits, and something always goes out
        at = slow.clock.us
        assert slow.after(60, waiting=9, oldest_us=NOW - 86400 * SECOND, delivered_us=at) == []


def test_what_waited_while_nobody_was_there_is_no_trouble_yet() -> None:
    desk = Desk()
    old = {"oldest_us": NOW - 9 * 3600 * SECOND, "delivered_us": NOW - 10 * 3600 * SECOND}
    answer = {"answer": Answer.CONFIGURATION, "tried_us": NOW - 9 * 3600 * SECOND}
    assert desk.after(580, waiting=5, **old, **answer) == []
    assert len(desk.after(20)) == 1


def test_one_that_comes_and_goes_is_told_once_an_hour() -> None:
    desk = Desk()
    told: list[Broken] = []
    for _ in range(90):  # two hours, each 80 s once broken and once not
        told += held(desk)
        told += desk.after(60, delivered_us=desk.clock.us, waiting=0, answer=Answer.DELIVERED)
    assert [one.over for one in told] == [False, True, False, True]


def test_one_that_stays_broken_is_told_when_the_hour_is_over() -> None:
    desk = Desk()
    held(desk)
    desk.after(20, delivered_us=desk.clock.us, waiting=0, answer=Answer.DELIVERED)
    assert held(desk) == []
    assert list(desk.channels.wrongs()) != []
    assert [one.over for one in desk.after(3600)] == [False]


def test_what_somebody_dropped_is_no_recovery() -> None:
    desk = Desk()
    held(desk)
    assert desk.after(60, waiting=0, oldest_us=None) == []
    assert list(desk.channels.wrongs()) == []


def test_facts_that_make_no_sense_and_channels_that_are_gone_are_passed_over() -> None:
    for text in ("[1", "[]", '{"ops": 5}', '{"ops": {"colour": 1}}', '{"gone": {}}'):
        desk = Desk()
        desk.channels.load({"channels_failing": text})
        assert len(held(desk)) == 1


def test_a_clock_set_back_by_a_day_hides_no_broken_channel() -> None:
    for answer, after in ((Answer.CONFIGURATION, 20), (Answer.TRANSIENT, 620)):
        desk = Desk()
        desk.after(60)
        at = desk.clock.us - 86400 * SECOND
        desk.standing = WELL._replace(
            waiting=1, oldest_us=at, answer=answer, tried_us=at + 20 * SECOND, delivered_us=NOW
        )
        told_after = None
        for passed in range(20, 1200, 20):
            desk.clock.advance(20)
            if desk.channels.turn(NOTHING, at + passed * SECOND):
                told_after = passed
        assert told_after == after
        assert desk.told[0].since_us == at
