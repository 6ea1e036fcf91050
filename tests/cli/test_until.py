"""Moments that are yet to come, as people say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.cli.until import MOST_DAYS, day_text, lasting, until
from usersessionmon.errors import UserError

ZONE = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400_000_000


def at(text: str, zone: ZoneInfo = ZONE) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1_000_000


NOW = at("2026-11-21 08:15:30")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("17:00", "2026-11-21 17:00"),
        ("8:16", "2026-11-21 08:16"),
        ("08:15", "2026-11-22 08:15"),
        ("00:00", "2026-11-22 00:00"),
        ("2026-11-25 09:30", "2026-11-25 09:30"),
        ("2026-11-25T09:30:15", "2026-11-25 09:30:15"),
        ("2026-11-25T01:30:00Z", "2026-11-25 09:30"),
        ("2026-11-25t01:30:00.5z", "2026-11-25 09:30:00"),
        ("2026-11-24 20:30-05:00", "2026-11-25 09:30"),
        ("2h", "2026-11-21 10:15:30"),
        ("90m", "2026-11-21 09:45:30"),
        ("1d", "2026-11-22 08:15:30"),
        ("1d2h3m", "2026-11-22 10:18:30"),
        ("30d", "2026-12-21 08:15:30"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    assert until(text, ZONE, NOW) // 1_000_000 == at(meant) // 1_000_000


def test_tomorrow_is_the_next_day_of_the_calendar_whatever_the_clock_does() -> None:
    night_of_change = at("2026-10-24 12:00", BERLIN)
    assert until("11:00", BERLIN, night_of_change) == at("2026-10-25 11:00", BERLIN)
    assert until("24h", BERLIN, night_of_change) == at("2026-10-25 11:00", BERLIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "is no time; give 17:00"),
        ("", "is no time"),
        ("25:00", "is no time"),
        ("12:60", "is no time"),
        ("2026-11-25", "is no time"),
        ("2026-02-30 10:00", "is no time"),
        ("2026-11-25 10:00+99:00", "is no time"),
        ("2026-W48-3T10:00", "is no time"),
        ("１７:00", "is no time"),
        ("\x1b[31m", "is no time"),
        ("2026-11-21 08:15", "is over already"),
        ("0001-01-01 00:00", "is over already"),
        ("0m", "is over already"),
        ("31d", f"is more than {MOST_DAYS} days from now"),
        ("999999d", f"is more than {MOST_DAYS} days from now"),
        ("9999-12-31T23:59:59-23:59", f"is more than {MOST_DAYS} days from now"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        until(text, ZONE, NOW)
    (line,) = error.value.lines
    assert said in line and line.startswith("--until ") and line.isprintable()


def test_a_span_and_nothing_else() -> None:
    assert lasting("1h30m", NOW) == at("2026-11-21 09:45:30")
    for text in ("17:00", "h", "2", "", "2H ", "1m2h", "-2h"):
        with pytest.raises(UserError, match=r"--for .*: is no span"):
            lasting(text, NOW)
    with pytest.raises(UserError, match="--for 0h: is over already"):
        lasting("0h", NOW)
    with pytest.raises(UserError, match="--for 721h: is more than 30 days"):
        lasting("721h", NOW)


@given(st.text(max_size=30) | st.from_regex(r"[0-9T:+Z \-]{0,26}", fullmatch=True))
def test_any_text_is_a_moment_within_the_bounds_or_one_line(text: str) -> None:
    lines: Sequence[str] = ()
    us = NOW + 1
    try:
        us = until(text, ZONE, NOW)
    except UserError as error:
        lines = error.lines
    assert NOW < us <= NOW + MOST_DAYS * DAY
    assert all(line.isprintable() for line in lines) and len(lines) < 2


def test_a_moment_is_told_by_as_little_as_is_clear() -> None:
    assert day_text(at("2026-11-21 17:00"), NOW, ZONE) == "17:00"
    assert day_text(at("2026-11-22 00:00"), NOW, ZONE) == "tomorrow 00:00"
    assert day_text(at("2026-11-23 00:00"), NOW, ZONE) == "2026-11-23 00:00"
    assert day_text(at("2026-11-20 23:59"), NOW, ZONE) == "2026-11-20 23:59"
