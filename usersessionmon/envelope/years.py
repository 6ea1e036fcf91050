"""Which year a date without one belongs to.

A log goes forward: its year rises when the date falls by more than half a year, and small steps
back (daemons that race, a corrected clock) never change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from .stamp import FIRST_YEAR, ordinal

_FALL = 180
_NEAR = 2
"""Days within which a line belongs to what came just before the turn of the year."""
_LEAP_YEARS = 8
"""Among so many years there is always a leap year, around 2100 too."""
_FILE_YEARS = 40
"""The most years that one file is thought to cover."""

MonthDay = tuple[int, int]
Saved = dict[str, int | str | None]


class YearWalker:
    """Gives each date its year; dates must come in the order of the log."""

    def __init__(self, reference: int, year: int | None = None) -> None:
        """``reference``: the ordinal of a day that the log's first line is not after (one day is
        allowed).  ``year``: of the first line, where it is known."""
        self.year = year or 0
        self._limit = reference + 1
        self._given = year is not None
        self._last: int | None = None
        self._before: int | None = None
        """The last day before the year rose."""

    def ordinal_of(self, month: int, day: int) -> int | None:
        """The day's ordinal, or None when no year near has such a day."""
        if self._last is not None:
            found = self._next(month, day, self._last)
        elif self._given:
            found = ordinal(self.year, month, day) or self._foreign(month, day)
        else:
            found = self._at_most(self._limit, month, day)
        if found is not None:
            own = ordinal(self.year, month, day)
            self._last = own if own is not None else ordinal(self.year, 2, 28)
        return found

    def saw(self, day: int) -> None:
        """A line told its year itself; ``day`` is its ordinal."""
        self._last, self.year = day, date.fromordinal(day).year

    def save(self) -> Saved:
        return {"year": self.year, "last_day": self._last, "before_day": self._before}

    def restore(self, saved: Saved) -> None:
        """Go on from ``save``'s values; anything else in their place is passed over."""
        year, last, before = (saved.get(key) for key in ("year", "last_day", "before_day"))
        if isinstance(year, int) and isinstance(last, int):
            self.year, self._last = year, last
            self._before = before if isinstance(before, int) else None

    def _next(self, month: int, day: int, last: int) -> int | None:
        here = ordinal(self.year, month, min(day, 28)) or 0
        if last - here > _FALL:
            self._before = last
            self.year += 1
        elif here - last > _FALL and self._is_of_last_year(month, day, here, last):
            self.year -= 1
        return ordinal(self.year, month, day) or self._leap(month, day)

    def _is_of_last_year(self, month: int, day: int, here: int, last: int) -> bool:
        """A step back over the turn of the year, and not a leap forward of half a year or more."""
        earlier = ordinal(self.year - 1, month, day)
        if earlier is None:
            return False
        new_year = last - (ordinal(self.year, 1, 1) or 0) <= _NEAR  # or a clock that had stopped
        if new_year and self._before is not None and abs(earlier - self._before) <= _NEAR:
            return True
        return here > self._limit and last - earlier <= _NEAR

    def _leap(self, month: int, day: int) -> int | None:
        """Feb 29 in a year that has none: the log is of another year than was thought."""
        if self._given:
            return self._foreign(month, day)
        for year in range(self.year + 1, self.year + _LEAP_YEARS + 1):
            found = ordinal(year, month, day)
            if found is not None and found <= self._limit:
                self.year = year
                return found
        return self._at_most(self._limit, month, day)

    def _foreign(self, month: int, day: int) -> int | None:
        """The day in the nearest year before that has it, for a line that contradicts the year
        that the user gave: the other lines keep to it."""
        years = range(self.year, self.year - _LEAP_YEARS - 1, -1)
        return next(filter(None, (ordinal(year, month, day) for year in years)), None)

    def _at_most(self, limit: int, month: int, day: int) -> int | None:
        """The day in the latest year that puts it at the limit or before."""
        latest = date.fromordinal(limit).year
        for year in range(latest, max(latest - _LEAP_YEARS, FIRST_YEAR) - 1, -1):
            found = ordinal(year, month, day)
            if found is not None and found <= limit:
                self.year = year
                return found
        return None


def first_year(dates: Iterable[MonthDay], reference: int) -> int | None:
    """The year of the first date of a whole log, of which nothing is after ``reference`` (an
    ordinal; one day is allowed).  None when no year fits.

    It is the latest that lets the walk end in time and gives every Feb 29 a leap year.
    """
    whole = list(dates)
    latest = date.fromordinal(reference + 1).year
    for year in range(latest, latest - _FILE_YEARS, -1):
        if _fits(whole, year, reference):
            return year
    return None


def _fits(dates: list[MonthDay], year: int, reference: int) -> bool:
    walker = YearWalker(reference, year)
    limit = reference + 1
    last = limit + 1
    for month, day in dates:
        last = walker.ordinal_of(month, day) or 0
        if not last or date.fromordinal(last).year != walker.year:
            return False
        if walker.year < year and ordinal(year, *dates[0]) == limit:
            return False  # the allowed day and a late line of the year before are too much
    return last <= limit
