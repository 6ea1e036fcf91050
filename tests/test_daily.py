"""The day's sum: when it is due, what it says, and after a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.detect.people import HOUR, MINUTE, MORNING, login, logout
from tests.notify.support import server
from usersessionmon.daily import Daily
from usersessionmon.detect.fold_settings import FoldSettings, PurposeSettings, Tell
from usersessionmon.detect.purposes import Purposes
from usersessionmon.model import Batch, Change, Notice, Tally
from usersessionmon.notify.folded import daily_notice

END, MORE = Batch((), None, at_end=True), Batch((), None, at_end=False)
DAY = 24 * HOUR
TWO = FoldSettings(
    purposes={
        "backup": PurposeSettings(users=("backup",)),
        "ansible": PurposeSettings(users=("deploy",), tell=Tell.NEVER),
    }
)


def word(tallies: object, since_us: int, until_us: int) -> Notice:
    assert isinstance(tallies, list)
    return daily_notice(tallies, since_us, until_us, server())


def purposes(settings: FoldSettings = TWO) -> Purposes:
    return Purposes(settings)


def daily(counted: Purposes, at: str = "08:30") -> Daily:
    return Daily(word, counted, at, UTC)


def count(counted: Purposes, *changes: Change) -> None:
    for one in changes:
        name = counted.of(one)
        assert name is not None
        counted.count(name, one, alone=False)


def test_once_a_day_at_its_time_with_what_was_counted() -> None:
    counted = purposes()
    taken = daily(counted)
    assert taken.turn(END, MORNING) == []
    assert taken.patience(MORNING) == 1800
    said = {"user": "backup"}
    count(counted, login(0, **said), logout(9, session="s0", duration=180.0, **said))
    assert taken.turn(END, MORNING + 30 * MINUTE - 1) == []
    (notice,) = taken.turn(END, MORNING + 30 * MINUTE)
    assert (notice.kind, notice.title) == ("report", "每日汇总通知")
    assert notice.pairs[2:] == (
        ("时段", "2026-11-21 08:00:00 – 2026-11-21 08:30:00"),
        ("backup", "1 次登录，1 个地址，最长 3分，失败 0 次"),
    )
    assert taken.turn(END, MORNING + 30 * MINUTE) == []
    assert taken.patience(MORNING + 30 * MINUTE) == 86_400
    (notice,) = taken.turn(END, MORNING + 30 * MINUTE + DAY)
    assert notice.pairs[-1] == ("backup", "0 次登录，失败 0 次")


def test_a_day_that_was_missed_is_told_once_and_late_after_all_was_read() -> None:
    counted = purposes()
    before = daily(counted)
    before.turn(END, MORNING)
    taken = daily(counted)
    taken.load(before.save())
    later = MORNING + 3 * DAY
    assert taken.turn(MORE, later) == []
    count(counted, login(0, user="backup"))
    (notice,) = taken.turn(END, later)
    assert notice.pairs[2] == ("时段", "2026-11-21 08:00:00 – 2026-11-24 08:00:00")
    assert notice.pairs[3][1].startswith("1 次登录")
    assert taken.turn(END, later) == []
    assert taken.patience(later) == 1800


@pytest.mark.parametrize("kept", [{}, {"daily_since_us": "x"}, {"daily_since_us": "9" * 30}])
def test_what_cannot_be_understood_and_a_clock_set_back_begin_anew(kept: dict[str, str]) -> None:
    taken = daily(purposes())
    taken.load(kept)
    assert taken.turn(END, MORNING) == []
    assert taken.patience(MORNING) == 1800


@pytest.mark.parametrize("back", [1, MINUTE, 12 * HOUR])
def test_a_clock_set_back_over_the_time_of_day_tells_no_day_twice(back: int) -> None:
    counted = purposes()
    taken = daily(counted)
    taken.turn(END, MORNING)
    due = MORNING + 30 * MINUTE
    count(counted, login(0, user="backup"))
    assert len(taken.turn(END, due)) == 1
    assert taken.turn(END, due - back) == []
    assert taken.turn(END, due) == [], "a second one would say that no backup had run"
    assert len(taken.turn(END, due + DAY)) == 1


def test_a_clock_that_was_days_ahead_costs_no_more_than_these() -> None:
    taken = daily(purposes())
    taken.turn(END, MORNING + 9 * DAY)
    assert taken.turn(END, MORNING) == []
    assert len(taken.turn(END, MORNING + 30 * MINUTE)) == 1


def test_where_there_is_nothing_to_tell_nothing_is_told() -> None:
    taken = daily(purposes(FoldSettings()))
    taken.turn(END, MORNING)
    assert taken.turn(END, MORNING + DAY) == []


def test_all_that_a_line_can_say_in_both_languages() -> None:
    one = Tally("a b", 0, 96, 96, 2, 1, ("192.0.2.1", "192.0.2.2"), more=True, longest=180.0)
    assert daily_notice([one], 0, 1, server()).pairs[-1] == (
        "a b",
        "96 次登录，2 个地址以上，最长 3分，失败 2 次，1 次已单独通知",
    )
    english = daily_notice([one], 0, 1, server("en"))
    assert english.pairs[-1][1] == (
        "96 logins, more than 2 addresses, the longest 3m, 2 failures, 1 told by themselves"
    )
    assert "通知" in english.title
    assert english.digest == "1970-01-01 00:00:00 day-summary - - web-1 a␣b×96"


def test_by_the_clock_of_the_zone() -> None:
    at = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    taken = Daily(word, purposes(), "02:30", ZoneInfo("Europe/Berlin"))
    us = int(at.timestamp()) * 1_000_000
    taken.turn(END, us)
    assert taken.patience(us) == 5400  # 02:30 does not exist on that day: 03:30 by summer time
