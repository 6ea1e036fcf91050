"""What is not told because somebody configured it so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import tzinfo

from usersessionmon.fitting import Networks
from usersessionmon.model import WINDOWS, Change, ChangeKind

from . import windows
from .fold_settings import QuietHoursSettings
from .keys import alike, connection_of
from .settings import MaintenanceSettings, QuietSettings
from .shelf import Shelf

SESSIONS = 20_000


@dataclass(slots=True)
class Row:
    """A session whose login was not told."""


class Quiet:
    """By user, network, method and host; any that fits is enough.

    A logout does not name the method, and sometimes no address: it is as quiet as its login was.
    """

    def __init__(self, settings: QuietSettings) -> None:
        self._users = frozenset(settings.users)
        self._methods = frozenset(settings.methods)
        self._hosts = frozenset(settings.hosts)
        self._networks = Networks(settings.networks)
        self._any = settings != QuietSettings()
        self._sessions = Shelf("quiet", Row, SESSIONS)
        self.shelves = (self._sessions,)

    def holds(self, change: Change) -> bool:
        """Whether this change is not to be told."""
        if not self._any:
            return False
        quiet = self._fits(change)
        connection = connection_of(change)
        if connection is None:
            return quiet
        if change.kind is ChangeKind.LOGOUT:
            was = self._sessions.get(connection) is not None
            self._sessions.drop(connection)
            return quiet or was
        if quiet and change.kind is ChangeKind.LOGIN:
            self._sessions.put(connection, Row())
        return quiet

    def _fits(self, change: Change) -> bool:
        return (
            _is_one(change, change.user, self._users)
            or change.method in self._methods
            or _is_one(change, change.host, self._hosts)
            or self._networks.hold(change.ip)
        )


def _is_one(change: Change, name: str | None, names: Collection[str]) -> bool:
    if name is None or change.service != WINDOWS:
        return name in names
    return any(alike(change, name) == alike(change, one) for one in names)


class Maintenance:
    """Times in which only what is abnormal is told."""

    def __init__(self, settings: MaintenanceSettings, zone: tzinfo) -> None:
        self._windows = tuple(windows.parse(text) for text in settings.windows)
        self._zone = zone

    def holds(self, us: int) -> bool:
        return bool(self._windows) and windows.within(self._windows, us, self._zone)


class QuietHours:
    """Times in which the routine waits, because people sleep."""

    def __init__(self, settings: QuietHoursSettings, zone: tzinfo) -> None:
        self._windows = tuple(windows.parse(text) for text in settings.windows)
        self._zone = zone
        self._known: tuple[int, int] | None = None
        """A stretch within one night: all of it ends at the second moment."""

    def end(self, us: int) -> int | None:
        """When what is queued at ``us`` may be sent (microseconds UTC); None: at once."""
        if self._known is not None and self._known[0] <= us < self._known[1]:
            return self._known[1]
        end = windows.until(self._windows, us, self._zone)
        if end is not None:
            self._known = us, end
        return end
