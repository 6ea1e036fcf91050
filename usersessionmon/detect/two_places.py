"""One user is on from two networks at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from usersessionmon.model import Change, Finding, Oddity

from .keys import are_of_one_desktop, connection_of, place_of, user_key
from .settings import PlacesSettings
from .shelf import Shelf

USERS = 4096
SESSIONS = 64
"""Of one user; the oldest goes first."""
SHOWN = 2


@dataclass(slots=True)
class Row:
    """Connection → the network that it came from."""

    on: dict[str, str] = field(default_factory=dict)


class TwoPlaces:
    """It knows the sessions whose login it saw."""

    def __init__(self, _settings: PlacesSettings) -> None:
        self._users = Shelf("two_places", Row, USERS)
        self.shelves = (self._users,)

    def login(self, change: Change) -> Finding | None:
        place, connection = place_of(change), connection_of(change)
        if place is None or change.user is None or connection is None:
            return None
        key = user_key(change, change.user)
        row = self._users.get(key) or Row()
        for gone in [one for one in row.on if are_of_one_desktop(one, connection)]:
            del row.on[gone]
        others = [other for other in dict.fromkeys(row.on.values()) if other != place]
        row.on[connection] = place
        if len(row.on) > SESSIONS:
            del row.on[next(iter(row.on))]
        self._users.put(key, row)
        if not others:
            return None
        return Finding(Oddity.TWO_PLACES, place=", ".join(others[-SHOWN:]), times=len(others))

    def logout(self, change: Change) -> None:
        key, connection = user_key(change, change.user or ""), connection_of(change)
        row = self._users.get(key)
        if row is None or connection is None or connection not in row.on:
            return
        del row.on[connection]
        if row.on:
            self._users.put(key, row)
        else:
            self._users.drop(key)
