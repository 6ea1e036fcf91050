"""Times of day on some weekdays."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from usersessionmon.detect.windows import hour_span, local, parse, within


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
