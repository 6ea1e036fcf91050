"""One user is on from two networks at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from usersessionmon.model import Change, Finding, Oddity

from .keys import key_of, place_of
from .settings import PlacesSettings
from .shelf import Shelf

USERS = 4096
SESSIONS = 64
"""Of one user; the oldest goes first."""
SHOWN = 2


@dataclass(slots=True)
class Row:
    """Session → the network that it came from."""

    on: dict[str, str] = field(default_factory=dict)


class TwoPlaces:
    """It knows the sessions whose login it saw."""

    def __init__(self, _settings: PlacesSettings) -> None:
        self._users = Shelf("two_places", Row, USERS)
        self.shelves = (self._users,)

    def login(self, change: Change) -> Finding | None:
        place = place_of(change)
        if place is None or change.user is None or change.session is None:
            return None
        key = key_of(change.host, change.user)
        row = self._users.get(key) or Row()
        others = [other for other in dict.fromkeys(row.on.values()) if other != place]
        row.on[change.session] = place
        if len(row.on) > SESSIONS:
            del row.on[next(iter(row.on))]
        self._users.put(key, row)
        if not others:
            return None
        return Finding(Oddity.TWO_PLACES, place=", ".join(others[-SHOWN:]), times=len(others))

    def logout(self, change: Change) -> None:
        key = key_of(change.host, change.user or "")
        row = self._users.get(key)
        if row is None or change.session is None or change.session not in row.on:
            return
        del row.on[change.session]
        if row.on:
            self._users.put(key, row)
        else:
            self._users.drop(key)
