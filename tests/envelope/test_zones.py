"""Local times: clock changes and abbreviations."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from usersessionmon.envelope.text import LineReader
from usersessionmon.envelope.zones import local_day
from usersessionmon.model import Moment

BERLIN = ZoneInfo("Europe/Berlin")


def times(lines: list[str], zone: tzinfo, year: int = 2026) -> list[Moment]:
    """``sshd`` is what matters, all other lines only pass by."""
    reader = LineReader(
        wanted=lambda program: program == "sshd", zone=zone, reference_us=0, year=year
    )
    whole = [line if "[" in line else f"{line} web-1 sshd[1]: x" for line in lines]
    return [record.time for record in reader.read_block([line.encode() for line in whole])]


def check(found: list[Moment], *texts: str) -> None:
    assert [moment.text for moment in found] == list(texts)
    for moment in found:
        instant = datetime.fromisoformat(moment.text)
        assert moment.us == int(instant.timestamp()) * 1_000_000


def test_offsets_of_the_seasons() -> None:
    found = times(["Jun 21 08:15:30", "Nov 21 08:15:30"], BERLIN)
    check(found, "2026-06-21T08:15:30+02:00", "2026-11-21T08:15:30+01:00")


def test_the_hour_that_comes_twice_is_told_by_the_step_back() -> None:
    found = times(
        ["Oct 25 01:59:59", "Oct 25 02:10:00", "Oct 25 02:59:00", "Oct 25 02:05:00",
         "Oct 25 02:59:58", "Oct 25 02:58:00", "Oct 25 03:00:00", "Oct 26 02:30:00"],
        BERLIN,
    )  # fmt: skip
    check(
        found,
        "2026-10-25T01:59:59+02:00",
        "2026-10-25T02:10:00+02:00",
        "2026-10-25T02:59:00+02:00",
        "2026-10-25T02:05:00+01:00",
        "2026-10-25T02:59:58+01:00",
        "2026-10-25T02:58:00+01:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-26T02:30:00+01:00",
    )


def test_a_small_step_back_is_no_clock_change() -> None:
    found = times(["Oct 25 02:30:00", "Oct 25 02:25:00"], BERLIN)
    check(found, "2026-10-25T02:30:00+02:00", "2026-10-25T02:25:00+02:00")


def test_a_line_that_does_not_matter_shows_the_step() -> None:
    cron = "Oct 25 02:50:00 web-1 CRON[1]: x"
    check(times([cron, "Oct 25 02:01:00"], BERLIN), "2026-10-25T02:01:00+01:00")


def test_half_an_hour_that_comes_twice() -> None:
    found = times(["Apr  5 01:59:00", "Apr  5 01:31:00"], ZoneInfo("Australia/Lord_Howe"))
    check(found, "2026-04-05T01:59:00+11:00", "2026-04-05T01:31:00+10:30")


def test_an_hour_that_comes_twice_before_midnight() -> None:
    found = times(["Apr  4 23:59:00", "Apr  4 23:01:00"], ZoneInfo("America/Santiago"))
    check(found, "2026-04-04T23:59:00-03:00", "2026-04-04T23:01:00-04:00")


def test_a_time_that_never_was_is_shifted_forward() -> None:
    found = times(["Mar 29 01:59:59", "Mar 29 02:30:00", "Mar 29 03:00:01"], BERLIN)
    check(
        found,
        "2026-03-29T01:59:59+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T03:00:01+02:00",
    )


def test_a_midnight_that_never_was() -> None:
    found = times(["Sep  6 00:30:00", "Sep  6 01:30:00"], ZoneInfo("America/Santiago"))
    check(found, "2026-09-06T01:30:00-03:00", "2026-09-06T01:30:00-03:00")


def test_iso_without_an_offset_is_local() -> None:
    check(times(["2026-06-21 08:15:30"], BERLIN), "2026-06-21T08:15:30+02:00")


@pytest.mark.parametrize(
    ("name", "zone", "expected"),
    [
        ("CEST", UTC, "+02:00"),
        ("UTC", BERLIN, "+00:00"),
        ("CST", ZoneInfo("Asia/Shanghai"), "+08:00"),
        ("CST", ZoneInfo("America/Chicago"), "-06:00"),
        ("CET", BERLIN, "+01:00"),
    ],
)
def test_abbreviations(name: str, zone: tzinfo, expected: str) -> None:
    found = times([f"Sat 2026-11-21 08:15:30 {name}"] * 2, zone)
    check(found, *[f"2026-11-21T08:15:30{expected}"] * 2)


def test_an_abbreviation_of_many_meanings_is_not_guessed() -> None:
    assert times(["Sat 2026-11-21 08:15:30 CST"], BERLIN) == []


def test_the_abbreviation_tells_the_equal_hours_apart() -> None:
    found = times(["Sun 2026-10-25 02:30:00 CEST", "Sun 2026-10-25 02:30:00 CET"], BERLIN)
    check(found, "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")


def test_epoch_seconds_are_shown_in_the_zone() -> None:
    found = times(["1795248930.000000"], ZoneInfo("Asia/Shanghai"))
    check(found, "2026-11-21T16:15:30.000000+08:00")


@pytest.mark.parametrize("us", [-(10**30), -1, 0, 10**30])
def test_any_reference_is_a_day(us: int) -> None:
    assert 719_163 <= local_day(us, BERLIN) <= 3_652_000


def test_nine_digits_are_shown_and_six_are_reckoned_with() -> None:
    found = times(["2026-11-21T08:15:30.123456789Z"] * 2, UTC)
    assert found == [Moment(1_795_248_930_123_456, "2026-11-21T08:15:30.123456789Z")] * 2
