"""Times of day on some weekdays: ``Mon-Fri 08:00-19:00``, ``Sat,Sun 22:00-06:00``, ``02:00-04:00``.

A window that ends before it begins goes over midnight, and belongs to the day on which it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHAPE = "[DAYS ]HH:MM-HH:MM such as Mon-Fri 08:00-19:00, Sat,Sun 22:00-06:00 or 02:00-04:00"
_WINDOW = re.compile(r"(?:(\S+) +)?([0-9]{2}):([0-9]{2}) *- *([0-9]{2}):([0-9]{2})")
_MIDNIGHT = 24 * 60


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


def hour_span(hour: int) -> str:
    """An hour of the day with its neighbours: ``01:00-04:00`` for 2."""
    return f"{(hour - 1) % 24:02d}:00-{(hour + 2) % 24:02d}:00"
