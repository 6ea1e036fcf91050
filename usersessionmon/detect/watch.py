"""All detectors together: what is unusual about a change, what many failures add up to, and what is
not to be told.

Pure: no clock, no I/O.  Time comes in with the changes, each host's own, and with ``tick``.  What
is remembered is bounded, and can be saved and loaded between any two changes without changing what
is found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple, Protocol

from usersessionmon.model import Bout, Change, ChangeKind, Finding

from .abnormal import AbnormalLogout
from .failures import Failures
from .first_from import FirstFrom
from .first_login import FirstLogin
from .hours import Hours
from .length import SessionLength
from .quiet import Maintenance, Quiet
from .root_password import RootPassword
from .settings import DetectSettings, MaintenanceSettings, QuietSettings
from .shelf import Shelf
from .success import SuccessAfterFailures
from .two_places import TwoPlaces

Look = Callable[[Change], Finding | None]


class Detector(Protocol):
    """What remembers something."""

    @property
    def shelves(self) -> Sequence[Shelf[Any]]: ...


class LoginDetector(Detector, Protocol):
    def login(self, change: Change) -> Finding | None: ...


class LogoutDetector(Detector, Protocol):
    def logout(self, change: Change) -> Finding | None: ...


class Seen(NamedTuple):
    """What follows from one change, in the order in which it is told."""

    over: Sequence[Bout]
    """Bouts of failures that had ended before it."""
    silent: bool
    """The change is not to be told."""
    findings: tuple[Finding, ...]
    """What is unusual about it."""
    begun: Sequence[Bout]
    """Bouts that begin with it."""
    quiet: bool
    """It is of whom nothing is to be known."""


class Watch:
    """``kinds`` are the changes that people are told of; others are looked at all the same."""

    def __init__(
        self,
        detect: DetectSettings,
        quiet: QuietSettings,
        maintenance: MaintenanceSettings,
        zone: tzinfo,
        kinds: Collection[ChangeKind],
    ) -> None:
        self.quieted = 0
        """Changes that a quiet list kept back."""
        self.in_maintenance = 0
        """Changes that a maintenance window kept back."""
        self._kinds = frozenset(kinds)
        self._quiet = Quiet(quiet)
        self._maintenance = Maintenance(maintenance, zone)
        self._shelves: dict[str, Shelf[Any]] = {}
        self._gone: dict[str, None] = {}
        """Saved rows that nobody wants any more."""
        self._on_login: list[Look] = []
        self._on_logout: list[Look] = []
        self.keep(self._quiet.shelves)
        self._set_failures(detect)
        self._set_logins(detect, zone)
        self._set_logouts(detect)

    def _set_failures(self, detect: DetectSettings) -> None:
        self._failures = Failures(detect.failures, detect.sweep)
        self._bouts = self._failures.bouts
        self.keep(self._failures.shelves)
        success = detect.success_after_failures
        self._success = SuccessAfterFailures(success) if success.enabled else None
        for bouts in self._bouts:
            self.keep(bouts.shelves)
        if self._success is not None:
            self._look_at_logins(self._success)

    def _set_logins(self, detect: DetectSettings, zone: tzinfo) -> None:
        """The gravest first: in this order they stand in the notice."""
        if detect.root_password.enabled:
            self._on_login.append(RootPassword(detect.root_password).login)
        if detect.first_login.enabled:
            self._look_at_logins(FirstLogin(detect.first_login))
        if detect.first_from.enabled:
            self._look_at_logins(FirstFrom(detect.first_from))
        if detect.two_places.enabled:
            places = TwoPlaces(detect.two_places)
            self._look_at_logins(places)
            self._on_logout.append(places.logout)
        if detect.hours.enabled:
            self._look_at_logins(Hours(detect.hours, zone))

    def _set_logouts(self, detect: DetectSettings) -> None:
        if detect.session_length.enabled:
            self._look_at_logouts(SessionLength(detect.session_length))
        if detect.abnormal_logout.enabled:
            self._look_at_logouts(AbnormalLogout(detect.abnormal_logout))

    def _look_at_logins(self, detector: LoginDetector) -> None:
        self.keep(detector.shelves)
        self._on_login.append(detector.login)

    def _look_at_logouts(self, detector: LogoutDetector) -> None:
        self.keep(detector.shelves)
        self._on_logout.append(detector.logout)

    def keep(self, shelves: Iterable[Shelf[Any]]) -> None:
        """Save and load these too."""
        for shelf in shelves:
            self._shelves[shelf.name] = shelf

    # --- looking ----------------------------------------------------------------------------------

    def see(self, change: Change) -> Seen:
        """Look at one change, and learn from it.  Failures of whom is quiet count for nothing."""
        us = change.time.us
        over = _in_order(
            bout for each in self._bouts if each.running for bout in each.advance(change.host, us)
        )
        quiet = self._quiet.holds(change)
        findings: tuple[Finding, ...] = ()
        begun: list[Bout] = []
        if change.kind is ChangeKind.LOGIN:
            findings = _found(self._on_login, change)
        elif change.kind is ChangeKind.LOGOUT:
            findings = _found(self._on_logout, change)
        elif change.kind is ChangeKind.LOGIN_FAILED and not quiet:
            begun = self._failed(change)
        silent = self._silent(change, quiet, unusual=bool(findings) or change.abnormal)
        return Seen(over, silent, findings, begun, quiet)

    def _failed(self, change: Change) -> list[Bout]:
        if self._success is not None:
            self._success.failed(change)
        return self._failures.failed(change)

    def _silent(self, change: Change, quiet: bool, *, unusual: bool) -> bool:
        if change.kind not in self._kinds:
            return False
        if quiet:
            self.quieted += 1
            return True
        if unusual or not self._maintenance.holds(change.time.us):
            return False
        self.in_maintenance += 1
        return True

    # --- passing time -----------------------------------------------------------------------------

    def tick(self, monotonic: float) -> list[Bout]:
        """Time has passed at the log's end: the bouts that are over.

        ``monotonic``: seconds that never go back.
        """
        return _in_order(bout for each in self._bouts for bout in each.tick(monotonic))

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to tell; None: nothing waits."""
        waits = [bouts.patience(monotonic) for bouts in self._bouts]
        return min((wait for wait in waits if wait is not None), default=None)

    # --- saving -----------------------------------------------------------------------------------

    def drain(self) -> dict[str, str | None]:
        """Name → JSON of what changed since the last call, in order; None: forget it."""
        rows: dict[str, str | None] = dict.fromkeys(self._gone)
        self._gone.clear()
        for shelf in self._shelves.values():
            rows.update((f"{shelf.name}\n{key}", body) for key, body in shelf.drain().items())
        return rows

    def load(self, rows: Iterable[tuple[str, str]]) -> int:
        """Take up what ``drain`` gave, in its order; how many rows cannot be understood.

        What a detector that is off now remembered is forgotten: it does not know what it missed.
        """
        bad = 0
        for name, body in rows:
            shelf_name, _, key = name.partition("\n")
            shelf = self._shelves.get(shelf_name)
            if shelf is not None and shelf.load(key, body):
                continue
            bad += shelf is not None
            self._gone[name] = None
        return bad

    def sizes(self) -> Iterator[tuple[str, int]]:
        """How much each table holds."""
        return ((name, len(shelf)) for name, shelf in self._shelves.items())


def _in_order(bouts: Iterable[Bout]) -> list[Bout]:
    found = list(bouts)
    return found if len(found) < 2 else sorted(found, key=lambda bout: bout.at_us)


def _found(looks: Sequence[Look], change: Change) -> tuple[Finding, ...]:
    return tuple(found for look in looks if (found := look(change)) is not None)
