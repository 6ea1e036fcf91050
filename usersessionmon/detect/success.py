"""A login after failures from the same client: a password may have been guessed."""

from __future__ import annotations

from dataclasses import dataclass

from usersessionmon.model import Change, Finding, Oddity

from .keys import key_of, source_of
from .settings import SuccessSettings
from .shelf import Shelf

CLIENTS = 4096
MINUTE_US = 60_000_000


@dataclass(slots=True)
class Row:
    """Failures of one client, each near to the next."""

    count: int
    last_us: int


class SuccessAfterFailures:
    """Failures on other accounts of the same client count too; those elsewhere do not, because a
    host on the internet has them at all times."""

    def __init__(self, settings: SuccessSettings) -> None:
        self._failures = settings.failures
        self._window_us = settings.minutes * MINUTE_US
        self._clients = Shelf("success", Row, CLIENTS)
        self.shelves = (self._clients,)

    def failed(self, change: Change) -> None:
        key = self._key(change)
        if key is None:
            return
        row = self._clients.get(key)
        us = change.time.us
        if row is None or not self._near(row, us):
            row = Row(0, us)
        row.count += change.times
        row.last_us = max(row.last_us, us)
        self._clients.put(key, row)

    def login(self, change: Change) -> Finding | None:
        """It also ends the count: the next login of the client is not unusual."""
        key = self._key(change)
        row = None if key is None else self._clients.get(key)
        if key is None or row is None:
            return None
        self._clients.drop(key)
        us = change.time.us
        if row.count < self._failures or not self._near(row, us):
            return None
        ago = max(0, us - row.last_us) / 1_000_000
        return Finding(Oddity.SUCCESS_AFTER_FAILURES, times=row.count, seconds=ago)

    def _near(self, row: Row, us: int) -> bool:
        return abs(us - row.last_us) <= self._window_us

    @staticmethod
    def _key(change: Change) -> str | None:
        if change.ip is not None:
            return key_of(change.host, source_of(change.ip))
        return None if change.client_host is None else key_of(change.host, change.client_host)
