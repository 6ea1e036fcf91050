"""Times of day on some weekdays."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from usersessionmon.detect.windows import (
    covers_all,
    hour_span,
    local,
    next_time,
    parse,
    time_of_day,
    until,
    within,
)

BERLIN = "Europe/Berlin"


def us_of(when: str) -> int:
    return int(datetime.fromisoformat(when).timestamp()) * 1_000_000


def ends(windows: str, when: str, zone: str = BERLIN) -> str | None:
    """When the windows that hold a moment end, by UTC."""
    found = until([parse(text) for text in windows.split("; ")], us_of(when), ZoneInfo(zone))
    return None if found is None else f"{datetime.fromtimestamp(found / 1e6, UTC):%d %H:%M:%S}"


def holds(text: str, when: str, zone: str = "UTC") -> bool:
    at = datetime.fromisoformat(when).astimezone(UTC)
    return within([parse(text)], int(at.timestamp()) * 1_000_000, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("08:00-19:00", "2026-11-21T08:00Z", "2026-11-21T19:00Z"),
        ("mon-fri 08:00-19:00", "2026-11-20T18:59Z", "2026-11-21T08:00Z"),
        ("Sat,Sun 00:00-24:00", "2026-11-22T23:59Z", "2026-11-23T00:00Z"),
        ("Sat 22:00-06:00", "2026-11-22T05:59Z", "2026-11-21T05:59Z"),
        ("Sat 22:00-06:00", "2026-11-21T22:00Z", "2026-11-22T22:00Z"),
        ("Sun 22:00-06:00", "2026-11-23T01:00Z", "2026-11-22T01:00Z"),
        ("Fri-Mon 10:00 - 11:00", "2026-11-23T10:30Z", "2026-11-24T10:30Z"),
    ],
)
def test_what_lies_within(text: str, inside: str, outside: str) -> None:
    assert holds(text, inside)
    assert not holds(text, outside)


def test_by_the_clock_of_the_zone_through_its_changes() -> None:
    assert holds("02:00-03:00", "2026-11-20T18:30Z", "Asia/Shanghai")
    for winter, utc in ((True, "09:30"), (False, "08:30")):
        day = "2026-12-01" if winter else "2026-07-01"
        assert holds("10:00-11:00", f"{day}T{utc}Z", "Europe/Berlin")


@pytest.mark.parametrize(
    "text",
    ["", "08:00", "8-19", "08:00-08:00", "25:00-26:00", "24:00-01:00", "08:60-09:00",
     "Fun 08:00-09:00", "Mon- 08:00-09:00x", ",Mon 08:00-09:00", "24:01-03:00"],
)  # fmt: skip
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_moment_that_no_calendar_has_lies_nowhere() -> None:
    assert local(10**30, UTC) is None
    assert not within([parse("00:00-24:00")], 10**30, UTC)


def test_an_hour_with_its_neighbours() -> None:
    assert [hour_span(hour) for hour in (0, 12, 23)] == [
        "23:00-02:00",
        "11:00-14:00",
        "22:00-01:00",
    ]


@pytest.mark.parametrize(
    ("windows", "when", "end"),
    [
        # winter, Berlin is UTC+1
        ("22:00-08:00", "2026-11-21T21:00Z", "22 07:00:00"),
        ("22:00-08:00", "2026-11-21T20:59:59.9Z", None),
        ("22:00-08:00", "2026-11-22T06:59:59Z", "22 07:00:00"),
        ("22:00-08:00", "2026-11-22T07:00:00Z", None),
        ("00:00-24:00; Mon 10:00-11:00", "2026-11-21T12:00Z", None),  # never: refused before
        # those that adjoin or overlap are one
        ("22:00-24:00; 00:00-06:30", "2026-11-21T21:30Z", "22 05:30:00"),
        ("22:00-02:00; 01:00-09:00", "2026-11-21T21:30Z", "22 08:00:00"),
        ("Sat,Sun 00:00-24:00; 22:00-08:00", "2026-11-20T21:30Z", "23 07:00:00"),
        # the night of 2026-03-29 is an hour shorter, that of 2026-10-25 an hour longer
        ("22:00-08:00", "2026-03-28T21:30Z", "29 06:00:00"),
        ("22:00-08:00", "2026-10-24T21:30Z", "25 07:00:00"),
        # an end that the clock jumps over, and one that it comes to twice
        ("22:00-02:30", "2026-03-28T21:30Z", "29 01:00:00"),
        ("22:00-02:30", "2026-10-24T21:30Z", "25 00:30:00"),
        ("22:00-02:30", "2026-10-25T01:10Z", "25 01:30:00"),
        ("02:30-08:00", "2026-10-25T00:40Z", "25 01:00:00"),
        ("02:30-08:00", "2026-10-25T01:40Z", "25 07:00:00"),
    ],
)
def test_when_windows_end(windows: str, when: str, end: str | None) -> None:
    assert ends(windows, when) == end


def test_whether_they_leave_any_time() -> None:
    assert covers_all([parse("00:00-12:00"), parse("Mon-Sun 12:00-24:00")])
    assert not covers_all([parse("00:00-12:00"), parse("Mon-Sat 12:00-24:00")])


@pytest.mark.parametrize(
    ("text", "when", "then"),
    [
        ("08:30", "2026-11-21T07:29:59Z", "2026-11-21T07:30Z"),
        ("08:30", "2026-11-21T07:30Z", "2026-11-22T07:30Z"),
        ("08:30", "2026-03-28T08:00Z", "2026-03-29T06:30Z"),
        ("02:30", "2026-03-28T08:00Z", "2026-03-29T01:30Z"),  # as 03:30, for there is no 02:30
        ("02:30", "2026-10-24T08:00Z", "2026-10-25T00:30Z"),  # the first of two
        ("02:30", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
    ],
)
def test_the_next_time_of_day(text: str, when: str, then: str) -> None:
    assert next_time(time_of_day(text), us_of(when), ZoneInfo(BERLIN)) == us_of(then)


def test_a_time_of_day_that_no_calendar_has() -> None:
    assert next_time(time(8, 30), 10**30, UTC) is None
    last = int(datetime(9999, 12, 31, 23, tzinfo=UTC).timestamp()) * 1_000_000
    assert next_time(time(8, 30), last, UTC) is None


@pytest.mark.parametrize("text", ["8:30", "24:00", "08:60", "", "08:30 ", "０８:30"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError):
        time_of_day(text)
