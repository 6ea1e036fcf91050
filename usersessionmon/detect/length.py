"""A session of unusual length."""

from __future__ import annotations

from dataclasses import dataclass, field

from usersessionmon.model import Change, Finding, Oddity

from .keys import user_key
from .settings import LengthSettings
from .shelf import Shelf

USERS = 2048
KEPT = 20
HOUR = 3600.0


@dataclass(slots=True)
class Row:
    """The lengths of a user's last sessions in seconds, the oldest first."""

    last: list[int] = field(default_factory=list)


class SessionLength:
    """A length that was concluded, and not told by the log, says and teaches nothing."""

    def __init__(self, settings: LengthSettings) -> None:
        self._longest = settings.hours * HOUR
        self._times = settings.times
        self._sessions = settings.sessions
        self._users = Shelf("length", Row, USERS)
        self.shelves = (self._users,)

    def logout(self, change: Change) -> Finding | None:
        length = change.duration
        if length is None or change.inferred:
            return None
        found = None
        if length > self._longest:
            found = Finding(Oddity.LONG_SESSION, seconds=self._longest)
        if change.user is not None:
            key = user_key(change, change.user)
            row = self._users.get(key) or Row()
            longest = max(row.last, default=0)
            usual = len(row.last) < self._sessions or length <= max(HOUR, self._times * longest)
            if found is None and not usual:
                found = Finding(
                    Oddity.LONGER_THAN_USUAL, total=len(row.last), seconds=float(longest)
                )
            row.last = [*row.last, int(length)][-KEPT:]
            self._users.put(key, row)
        return found
