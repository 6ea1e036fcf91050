"""Years that are not written."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from usersessionmon.envelope.text import LineReader
from usersessionmon.envelope.years import YearWalker, first_year

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


def day(text: str) -> tuple[int, int]:
    month, number = text.split()
    return MONTHS.index(month) + 1, int(number)


def walk(dates: str, reference: str, year: int | None = None) -> list[str]:
    walker = YearWalker(date.fromisoformat(reference).toordinal(), year)
    found = [walker.ordinal_of(*day(part)) for part in dates.split(", ")]
    return [date.fromordinal(each).isoformat() if each else "none" for each in found]


@pytest.mark.parametrize(
    ("reference", "text", "expected"),
    [
        ("2026-11-21", "Nov 21", "2026-11-21"),
        ("2026-11-21", "Nov 22", "2026-11-22"),  # the writer's clock or zone is ahead
        ("2026-11-21", "Nov 23", "2025-11-23"),
        ("2026-12-31", "Jan 1", "2027-01-01"),
        ("2026-12-31", "Jan 2", "2026-01-02"),
        ("2027-01-01", "Dec 31", "2026-12-31"),
        ("2026-11-21", "Feb 29", "2024-02-29"),
        ("2028-02-28", "Feb 29", "2028-02-29"),
        ("2028-02-27", "Feb 29", "2024-02-29"),
        ("2101-06-01", "Feb 29", "2096-02-29"),
    ],
)
def test_the_first_line_is_not_after_the_reference(
    reference: str, text: str, expected: str
) -> None:
    assert walk(text, reference) == [expected]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ("Dec 31, Jan 1", ["2025-12-31", "2026-01-01"]),
        ("Dec 31, Jan 1, Dec 31, Jan 1", ["2025-12-31", "2026-01-01", "2025-12-31", "2026-01-01"]),
        ("Dec 30, Feb 1", ["2025-12-30", "2026-02-01"]),
        ("Mar 1, Nov 20, Feb 3", ["2025-03-01", "2025-11-20", "2026-02-03"]),
        ("Jan 5, Aug 10", ["2025-01-05", "2025-08-10"]),
        ("Jun 10, Jun 9, Jun 10", ["2025-06-10", "2025-06-09", "2025-06-10"]),
        ("Jun 10, Jan 20", ["2025-06-10", "2025-01-20"]),  # a clock that was wrong for months
        ("Jan 1, Dec 31", ["2025-01-01", "2025-12-31"]),
        # a host without a clock of its own wakes up on New Year's Day
        ("Nov 20, Jan 1, Nov 21", ["2025-11-20", "2026-01-01", "2025-11-21"]),
        ("Dec 31, Jan 1, Dec 31", ["2025-12-31", "2026-01-01", "2025-12-31"]),
    ],
)
def test_walking_forward(dates: str, expected: list[str]) -> None:
    assert walk(dates, "2030-01-01", 2025) == expected


def test_a_log_that_begins_with_a_late_line_of_last_year() -> None:
    assert walk("Jan 1, Dec 31, Jan 1", "2026-01-02") == ["2026-01-01", "2025-12-31", "2026-01-01"]


def test_a_leap_day_moves_the_log_to_a_leap_year() -> None:
    assert walk("Feb 28, Feb 29, Mar 1", "2026-11-21") == ["2026-02-28", "2024-02-29", "2024-03-01"]
    assert walk("Dec 31, Feb 29, Mar 1", "2030-01-01", 2023) == [
        "2023-12-31",
        "2024-02-29",
        "2024-03-01",
    ]


def test_a_leap_day_does_not_move_the_year_that_the_user_gave() -> None:
    assert walk("Feb 29, Mar 1", "2026-11-21", 2026) == ["2024-02-29", "2026-03-01"]
    assert walk("Jan 3, Feb 29, Mar 1", "2026-11-21", 2026)[1:] == ["2024-02-29", "2026-03-01"]


@pytest.mark.parametrize(
    ("dates", "reference", "expected"),
    [
        ("Nov 1, Nov 21", "2026-11-21", 2026),
        ("Dec 20, Jan 5", "2027-01-06", 2026),
        ("Nov 1, Mar 1, Nov 1, Jan 3", "2027-01-05", 2025),
        ("Jan 1, Dec 31", "2026-12-31", 2026),
        ("Nov 22, Mar 1, Nov 20", "2026-11-21", 2025),
        ("Nov 1, Dec 1", "2026-11-21", 2025),
        ("Feb 29", "2026-11-21", 2024),
        ("Nov 1, Feb 29, Mar 5", "2026-11-21", 2023),
        ("Feb 28, Feb 29, Jan 2, Jan 1", "2027-01-01", 2024),
        ("Nov 30", "2026-11-21", 2025),
    ],
)
def test_the_first_year_of_a_whole_log(dates: str, reference: str, expected: int) -> None:
    found = first_year(
        [day(part) for part in dates.split(", ")], date.fromisoformat(reference).toordinal()
    )
    assert found == expected


def test_no_year_fits() -> None:
    assert first_year([], 700_000) is None
    assert first_year([(2, 29), (2, 28), (2, 30)], 730_000) is None


def read(lines: list[str], reference: datetime, year: int | None = None) -> list[str]:
    reader = LineReader(
        wanted=lambda program: program == "sshd",
        zone=UTC,
        reference_us=int(reference.timestamp()) * 1_000_000,
        year=year,
    )
    return [record.time.text for record in reader.read_block([line.encode() for line in lines])]


def test_lines_of_other_programs_carry_the_year_on() -> None:
    """Nobody logged in for most of a year; cron alone shows that it went by."""
    months = [f"{month} 10 08:00:00 web-1 CRON[1]: x" for month in MONTHS]
    lines = ["Mar 10 08:00:00 web-1 sshd[1]: a", *months[3:], *months[:2]]
    lines.append("Apr 10 08:00:00 web-1 sshd[1]: b")
    assert read(lines, datetime(2030, 1, 1, tzinfo=UTC), 2025) == [
        "2025-03-10T08:00:00+00:00",
        "2026-04-10T08:00:00+00:00",
    ]


def test_the_same_day_a_year_later() -> None:
    lines = ["Mar 10 08:00:00 web-1 sshd[1]: a", "Mar 10 08:00:00 web-1 sshd[1]: a"]
    between = ["Sep 10 08:00:00 web-1 CRON[1]: x", "Jan 10 08:00:00 web-1 CRON[1]: x"]
    assert read([lines[0], *between, lines[1]], datetime(2030, 1, 1, tzinfo=UTC), 2025) == [
        "2025-03-10T08:00:00+00:00",
        "2026-03-10T08:00:00+00:00",
    ]


def test_a_line_with_a_year_tells_it_to_those_behind() -> None:
    """The log changed its form after an upgrade, and back."""
    lines = ["2023-12-31T23:00:00Z web-1 sshd[1]: a", "Jan  1 00:00:10 web-1 sshd[1]: b"]
    assert read(lines, datetime(2026, 11, 21, tzinfo=UTC)) == [
        "2023-12-31T23:00:00Z",
        "2024-01-01T00:00:10+00:00",
    ]
