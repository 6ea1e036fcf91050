"""A login outside the configured hours, or outside the user's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo

from usersessionmon.model import Change, Finding, Oddity

from . import windows
from .keys import user_key
from .settings import HourSettings
from .shelf import Shelf

USERS = 2048
ENOUGH = 1000
"""Logins after which the counts are halved: habits change."""
RARE = 50
"""One login in so many near an hour does not make it usual."""


@dataclass(slots=True)
class Row:
    """When one user logs in."""

    hours: list[int] = field(default_factory=lambda: [0] * 24)
    """Logins by hour of the day."""


class Hours:
    """An hour is usual when the user logged in within it or the hours beside it."""

    def __init__(self, settings: HourSettings, zone: tzinfo) -> None:
        self._allowed = tuple(windows.parse(text) for text in settings.allowed)
        self._said = ", ".join(settings.allowed)
        self._logins = settings.logins
        self._zone = zone
        self._users = Shelf("hours", Row, USERS)
        self.shelves = (self._users,)

    def login(self, change: Change) -> Finding | None:
        us = change.time.us
        at = windows.local(us, self._zone)
        if at is None:
            return None
        if self._allowed:
            if windows.within(self._allowed, us, self._zone):
                return None
            return Finding(Oddity.OUTSIDE_HOURS, place=self._said)
        return None if change.user is None else self._by_habit(change, change.user, at.hour)

    def _by_habit(self, change: Change, user: str, hour: int) -> Finding | None:
        key = user_key(change, user)
        row = self._users.get(key) or Row()
        total = sum(row.hours)
        near = sum(row.hours[(hour + step) % 24] for step in (-1, 0, 1))
        found = None
        if total >= self._logins and near * RARE < total:
            span = windows.hour_span(hour)
            found = Finding(Oddity.UNUSUAL_HOUR, place=span, times=near, total=total)
        if change.doubt is None:
            row.hours[hour] += 1
            if total >= ENOUGH:
                row.hours = [count // 2 for count in row.hours]
            self._users.put(key, row)
        return found
