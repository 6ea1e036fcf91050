"""Lines in another's name are told at once, and then at most once an hour."""

from __future__ import annotations

from usersessionmon.alarm import PAUSE_US, Alarm
from usersessionmon.model import Batch, Forged, Moment, Notice, Record, Severity, Trusted
from usersessionmon.rules.forgeries import Forgeries

NOW = 1_795_248_930_000_000


NOTHING = Batch([], None, at_end=True)


def made() -> tuple[Alarm, Forgeries]:
    sums = Forgeries()
    return Alarm(word, sums), sums


def word(forged: Forged, now_us: int) -> Notice:
    count = sum(forged.counts.values())
    return Notice("forged", Severity.ABNORMAL, f"{count} 通知", (), "", now_us)


def forge(sums: Forgeries, count: int = 1) -> None:
    for _ in range(count):
        trusted = Trusted("syslog", 1000)
        sums.add(Record(Moment(NOW, ""), "web-1", "sshd", 1, "x", trusted=trusted))


def titles(alarm: Alarm, now_us: int) -> list[str]:
    return [notice.title for notice in alarm.turn(NOTHING, now_us)]


def test_the_first_at_once_and_then_the_sum_of_each_hour() -> None:
    alarm, sums = made()
    assert alarm.patience(NOW) is None and titles(alarm, NOW) == []
    forge(sums, 2)
    assert alarm.patience(NOW) == 0
    assert titles(alarm, NOW) == ["2 通知"]
    assert alarm.patience(NOW) is None
    forge(sums, 3)
    assert titles(alarm, NOW + PAUSE_US - 1) == []
    assert alarm.patience(NOW + PAUSE_US - 1_000_000) == 1
    forge(sums, 3)
    assert titles(alarm, NOW + PAUSE_US) == ["6 通知"]
    assert titles(alarm, NOW + 3 * PAUSE_US) == []  # nothing happened since
    forge(sums)
    assert titles(alarm, NOW + 3 * PAUSE_US) == ["1 通知"]


def test_a_clock_set_back_does_not_silence_it() -> None:
    alarm, sums = made()
    forge(sums)
    assert titles(alarm, NOW) == ["1 通知"]
    forge(sums)
    assert titles(alarm, NOW - 30 * PAUSE_US) == ["1 通知"]


def test_a_restart_neither_loses_nor_hastens_it() -> None:
    alarm, sums = made()
    assert alarm.save() == {"forged_waiting": ""}
    forge(sums)
    titles(alarm, NOW)
    forge(sums, 4)
    again, _ = made()
    again.load(alarm.save())
    assert titles(again, NOW + PAUSE_US - 1) == []
    assert titles(again, NOW + PAUSE_US) == ["4 通知"]


def test_facts_that_make_no_sense_are_passed_over() -> None:
    alarm, sums = made()
    alarm.load({"forged_told_us": "soon", "forged_waiting": "[1"})
    forge(sums)
    assert titles(alarm, NOW) == ["1 通知"]
