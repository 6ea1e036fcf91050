"""The first login of a user from a network or an address."""

from __future__ import annotations

from dataclasses import dataclass, field

from usersessionmon.model import Change, Finding, Oddity

from .keys import place_of, user_key
from .settings import FirstFromSettings, Near
from .shelf import Shelf

USERS = 2048
PLACES = 64
"""Remembered for each user; the longest unused goes first."""


@dataclass(slots=True)
class Row:
    """Where one user came from."""

    since_us: int
    """From then on every place is known: the first login, or the last of the place that went."""
    logins: int = 0
    places: dict[str, int] = field(default_factory=dict)
    """Place → its last login, the longest unused first."""


class FirstFrom:
    """Silent until some logins of the user are known: a new installation knows nobody."""

    def __init__(self, settings: FirstFromSettings) -> None:
        self._logins = settings.logins
        self._address = settings.scope is Near.ADDRESS
        self._users = Shelf(f"first_from.{settings.scope}", Row, USERS)
        self.shelves = (self._users,)

    def login(self, change: Change) -> Finding | None:
        place = change.ip if self._address and change.ip is not None else place_of(change)
        if place is None or change.user is None:
            return None
        key = user_key(change, change.user)
        us = change.time.us
        row = self._users.get(key) or Row(us)
        found = None
        if place not in row.places and row.logins >= self._logins:
            oddity = Oddity.FIRST_ADDRESS if self._address else Oddity.FIRST_NETWORK
            found = Finding(oddity, place=place, total=row.logins, since_us=row.since_us)
        if change.doubt is None:
            self._learn(row, place, us)
            self._users.put(key, row)
        return found

    @staticmethod
    def _learn(row: Row, place: str, us: int) -> None:
        row.logins += 1
        row.places.pop(place, None)
        row.places[place] = us
        if len(row.places) > PLACES:
            row.since_us = row.places.pop(next(iter(row.places)))
