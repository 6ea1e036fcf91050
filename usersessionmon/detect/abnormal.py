"""Abnormal ends of one user's sessions that pile up.

That a single session ended abnormally, and how, its notice says already.  Whoever goes on from
another desk, which ends the connection at the first, has no trouble.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from usersessionmon.model import Change, Finding, Oddity

from .keys import user_key
from .settings import AbnormalSettings
from .shelf import Shelf

USERS = 2048
KEPT = 50
HOUR_US = 3_600_000_000


@dataclass(slots=True)
class Row:
    """When sessions of one user ended abnormally, the earliest told first."""

    ends: list[int] = field(default_factory=list)


class AbnormalLogout:
    def __init__(self, settings: AbnormalSettings) -> None:
        self._count = settings.count
        self._hours = settings.hours
        self._users = Shelf("abnormal", Row, USERS)
        self.shelves = (self._users,)

    def logout(self, change: Change) -> Finding | None:
        if not change.abnormal or change.user is None or change.is_replaced:
            return None
        key, us = user_key(change, change.user), change.time.us
        row = self._users.get(key) or Row()
        near = [end for end in row.ends if abs(us - end) < self._hours * HOUR_US]
        row.ends = [*near, us][-KEPT:]
        self._users.put(key, row)
        if len(row.ends) < self._count:
            return None
        return Finding(
            Oddity.ABNORMAL_AGAIN, times=len(row.ends), seconds=float(self._hours * 3600)
        )
