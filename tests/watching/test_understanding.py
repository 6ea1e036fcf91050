"""When far fewer lines are understood than usual, people are told, once."""

from __future__ import annotations

import random

import pytest

from usersessionmon.model import Batch, Moment, Notice, Record, Severity, Trusted
from usersessionmon.rules.coverage import Shape
from usersessionmon.watching.understanding import PAUSE_US, Fallen, Understanding, lately

NOW = 1_795_248_930_000_000
MINUTE = 60_000_000
ODD = Shape("sshd", "Odd {word} from {ip}")


def record(uid: int | None = None) -> Record:
    trusted = None if uid is None else Trusted("syslog", uid)
    return Record(Moment(NOW, ""), "web-1", "sshd", 1, "x", trusted=trusted)


class Log:
    """Lines that come, each batch a minute after the last."""

    def __init__(self, *, restarted: bool = False) -> None:
        self.now = NOW
        self.restarted = restarted
        self.good = 0
        self.told: list[Fallen] = []
        self.made = self.new()

    def new(self) -> Understanding:
        def word(fallen: Fallen, now_us: int) -> Notice:
            self.told.append(fallen)
            return Notice("trouble", Severity.ABNORMAL, "", (), "", now_us)

        return Understanding(lambda: self.good, word)

    def lines(self, good: int, bad: int, *, uid: int | None = None, shape: Shape = ODD) -> None:
        self.now += MINUTE
        self.good = good
        for _ in range(bad):
            self.made.missed(record(uid), shape)
        self.made.turn(Batch([record()] * (good + bad), None, at_end=True), self.now)
        if self.restarted:
            kept = self.made.save()
            self.made = self.new()
            self.made.load(kept)

    def falls(self) -> list[bool]:
        return [one.over for one in self.told]


def usual(log: Log, times: int = 200) -> None:
    for _ in range(times):
        log.lines(10, 0)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_fall_and_its_end(restarted: bool) -> None:
    log = Log(restarted=restarted)
    usual(log)
    assert log.told == [] and list(log.made.wrongs()) == []
    for _ in range(6):
        log.lines(0, 10)
    (told,) = log.told
    assert (told.over, told.since_us) == (False, log.now - MINUTE)
    assert told.usual == 1.0 and told.understood < 0.8 * told.total
    assert told.programs == (("sshd", 50),) and told.shapes == (("sshd", *ODD[1:], 50),)
    assert len(list(log.made.wrongs())) == 1
    assert log.made.save()["coverage_fallen_us"] == str(told.since_us)
    for _ in range(10):
        log.lines(0, 10)
    assert log.falls() == [False]
    for _ in range(10):
        log.lines(10, 0)
    assert log.falls() == [False, True]
    assert log.told[1].understood == log.told[1].total >= 50
    assert list(log.made.wrongs()) == [] and log.made.save()["coverage_fallen_us"] == ""


def test_few_lines_mean_nothing_and_old_ones_neither() -> None:
    log = Log()
    for _ in range(9):
        log.lines(0, 5)
    log.now += 60 * MINUTE
    for _ in range(9):
        log.lines(0, 5)
    assert log.told == []
    log.lines(0, 5)
    assert log.falls() == [False]


def test_what_is_always_so_is_no_fall() -> None:
    """A host of which three quarters are understood: told at first, and then known."""
    log = Log()
    log.made.load({"understanding": "[[0, 7500, 2500, []], [], null, null]"})
    usual_share = random.Random(1)
    for _ in range(500):
        log.lines(*((10, 2) if usual_share.random() < 0.5 else (5, 3)))
    assert log.told == []
    for _ in range(10):
        log.lines(2, 8)
    assert log.falls() == [False] and log.told[0].usual == pytest.approx(0.75, abs=0.03)


def test_what_users_write_into_the_journal_does_not_count() -> None:
    log = Log()
    usual(log)
    for _ in range(20):
        log.lines(0, 50, uid=1000)
    assert log.told == []
    for _ in range(20):
        log.lines(0, 50, uid=0)
    assert log.falls() == [False]


def test_whoever_writes_odd_lines_cannot_make_a_stream_of_notices() -> None:
    log = Log(restarted=True)
    usual(log)
    begun = log.now
    for _ in range(60):
        for _ in range(6):
            log.lines(0, 50)
        for _ in range(6):
            log.lines(50, 0)
    hours = (log.now - begun) / (60 * MINUTE)
    assert hours > 11
    assert log.falls() == [False, True, False, True]


def test_a_fall_that_lasts_is_told_when_the_pause_is_over() -> None:
    log = Log()
    usual(log)
    for good in (0, 50, 0):
        for _ in range(6):
            log.lines(good, 50 - good)
    assert log.falls() == [False, True] and len(list(log.made.wrongs())) == 1
    log.now += PAUSE_US
    log.lines(0, 1)
    assert log.falls() == [False, True, False]


def test_what_is_kept_is_bounded() -> None:
    log = Log()
    for number in range(3000):
        log.lines(9, 1, shape=Shape(f"p{number}" * 50, f"{number} " * 50))
    assert len(log.made.save()["understanding"]) < 40_000


def test_where_it_stands_lately() -> None:
    log = Log()
    assert lately({}) == (0, 0)
    log.lines(10, 2)
    assert lately(log.made.save()) == (10, 12)
    for _ in range(9):
        log.lines(0, 10)
    good, lines = lately(log.made.save())
    assert good == 0 and lines > 0


@pytest.mark.parametrize(
    "text", ["[1", "5", "[]", '[[0, "a", 1, []], [], null, null]', "[1,2,3,4]"]
)
def test_facts_that_make_no_sense_are_passed_over(text: str) -> None:
    log = Log()
    log.made.load({"understanding": text})
    log.lines(0, 60)
    assert log.falls() == [False]
    assert lately({"understanding": text}) == (0, 0)
