"""Times of day on some weekdays: ``Mon-Fri 08:00-19:00``, ``Sat,Sun 22:00-06:00``, ``02:00-04:00``.

A window that ends before it begins goes over midnight, and belongs to the day on which it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHAPE = "[DAYS ]HH:MM-HH:MM such as Mon-Fri 08:00-19:00, Sat,Sun 22:00-06:00 or 02:00-04:00"
_WINDOW = re.compile(r"(?:(\S+) +)?([0-9]{2}):([0-9]{2}) *- *([0-9]{2}):([0-9]{2})")
_MIDNIGHT = 24 * 60
_WEEK = 7 * _MIDNIGHT
_MINUTE_US = 60_000_000
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})")


class Window(NamedTuple):
    """``begin`` and ``end`` are minutes of the day, the end not included."""

    days: frozenset[int]
    """0 is Monday."""
    begin: int
    end: int

    def holds(self, day: int, minute: int) -> bool:
        """Whether this minute of a weekday lies within."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        if minute >= self.begin:
            return day in self.days
        return minute < self.end and (day - 1) % 7 in self.days


def parse(text: str) -> Window:
    """Raises ValueError."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError
    begin, end = _minute(found[2], found[3]), _minute(found[4], found[5])
    if begin in {end, _MIDNIGHT}:
        raise ValueError
    return Window(_days(found[1] or "Mon-Sun"), begin, end)


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > _MIDNIGHT:
        raise ValueError
    return minute


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)


def local(us: int, zone: tzinfo) -> datetime | None:
    """The moment on a wall clock of ``zone``; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(us // 1_000_000, zone)
    except (OverflowError, ValueError, OSError):
        return None


def within(windows: Iterable[Window], us: int, zone: tzinfo) -> bool:
    """Whether a moment (microseconds UTC) lies in any of the windows, by the clock of ``zone``."""
    at = local(us, zone)
    if at is None:
        return False
    minute = at.hour * 60 + at.minute
    return any(window.holds(at.weekday(), minute) for window in windows)


def until(windows: Sequence[Window], us: int, zone: tzinfo) -> int | None:
    """When the windows that hold a moment end: the first minute (microseconds UTC) that lies in
    none, so that those which adjoin or overlap count as one.  None: it lies in none now, or they
    leave no time at all.

    Each minute is asked for by itself, because only so is the clock of ``zone`` right on the days
    on which it jumps.
    """
    if not within(windows, us, zone):
        return None
    first = us - us % _MINUTE_US + _MINUTE_US
    for minute in range(2 * _WEEK):  # a clock that jumps may put the end off, never by a week
        at_us = first + minute * _MINUTE_US
        if not within(windows, at_us, zone):
            return at_us
    return None


def covers_all(windows: Iterable[Window]) -> bool:
    """Whether they leave no time of the week."""
    held = list(windows)
    return all(
        any(window.holds(day, minute) for window in held)
        for day in range(7)
        for minute in range(_MIDNIGHT)
    )


def time_of_day(text: str) -> time:
    """``08:30``.  Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError
    return time(int(found[1]), int(found[2]))


def next_time(at: time, us: int, zone: tzinfo) -> int | None:
    """The next moment after ``us`` at which the clock of ``zone`` comes to a time of day; one that
    the clock jumps over counts as so much later.  None: no calendar has it."""
    now = local(us, zone)
    if now is None:
        return None
    for days in range(3):
        try:
            day = now.date() + timedelta(days=days)
        except OverflowError:
            return None
        at_us = int(datetime.combine(day, at, zone).timestamp()) * 1_000_000
        if at_us > us:
            return at_us
    return None


def hour_span(hour: int) -> str:
    """An hour of the day with its neighbours: ``01:00-04:00`` for 2."""
    return f"{(hour - 1) % 24:02d}:00-{(hour + 2) % 24:02d}:00"
