"""Connections with a purpose (backup, deployment): counted, and told in sum.

The first purpose that fits a login is that of its session: a logout names neither method nor key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from usersessionmon.fitting import Networks, is_named
from usersessionmon.model import WINDOWS, Change, ChangeKind, NamedBy, Tally

from .fold_settings import PURPOSES, FoldSettings, PurposeSettings, Tell
from .keys import LONGEST, alike, connection_of
from .shelf import Shelf

SESSIONS = 20_000
ADDRESSES = 50
"""Of one purpose; more are not told apart."""


@dataclass(slots=True)
class Session:
    purpose: str


@dataclass(slots=True)
class Counts:
    """As ``model.Tally``."""

    since_us: int = 0
    logins: int = 0
    logouts: int = 0
    failures: int = 0
    alone: int = 0
    addresses: list[str] = field(default_factory=list)
    more: bool = False
    longest: float = 0.0


class Purposes:
    """``counts`` of who is told ``daily`` begin anew with ``take``; those of others never do."""

    def __init__(self, settings: FoldSettings, sessions: int = SESSIONS) -> None:
        self._settings = settings.purposes
        self._fits = {name: _Purpose(one) for name, one in settings.purposes.items()}
        self._sessions = Shelf("fold.purposes", Session, sessions)
        self._counts = Shelf("fold.counts", Counts, 2 * PURPOSES)
        """Of former purposes too, until they are told."""
        self.shelves = (self._sessions, self._counts)

    def of(self, change: Change) -> str | None:
        """The purpose of a change; None: it has none."""
        kind, connection = change.kind, connection_of(change)
        if kind is ChangeKind.LOGOUT and connection is not None:
            known = self._sessions.get(connection)
            if known is not None:
                self._sessions.drop(connection)
                return known.purpose
        name = next((name for name, one in self._fits.items() if one.fits(change)), None)
        if name is not None and kind is ChangeKind.LOGIN and connection is not None:
            self._sessions.put(connection, Session(name))
        return name

    def knows(self, change: Change) -> bool:
        """Whether a connection's login had a purpose."""
        connection = connection_of(change)
        return connection is not None and self._sessions.get(connection) is not None

    def is_told(self, purpose: str) -> bool:
        """Whether each change of a purpose is told by itself."""
        return purpose in self._settings and self._settings[purpose].tell is Tell.ALWAYS

    def count(self, purpose: str, change: Change, *, alone: bool) -> None:
        """``alone``: it is told by itself."""
        counts = self._counts.get(purpose) or Counts(change.time.us)
        if change.kind is ChangeKind.LOGIN_FAILED:
            counts.failures += change.times
        else:
            counts.logins += change.kind is ChangeKind.LOGIN
            counts.logouts += change.kind is ChangeKind.LOGOUT
            counts.alone += alone
            counts.longest = max(counts.longest, change.duration or 0.0)
        address = change.ip or change.client_host
        if address is not None and address not in counts.addresses:
            if len(counts.addresses) < ADDRESSES:
                counts.addresses.append(address[:LONGEST])
            else:
                counts.more = True
        self._counts.put(purpose, counts)

    @property
    def daily(self) -> bool:
        """Whether there is anything to tell of once a day."""
        return any(not self._is_never(one.purpose) for one in self.tallies())

    def tallies(self) -> list[Tally]:
        """All that is counted, in the configuration's order, former purposes last."""
        names = [*self._settings, *(name for name, _ in self._counts.items())]
        return [self._tally(name) for name in dict.fromkeys(names) if not self.is_told(name)]

    def take(self) -> list[Tally]:
        """What is to be told of the day, which begins anew; a purpose of which nothing was seen is
        there too, for a backup that did not run is news."""
        told = [one for one in self.tallies() if not self._is_never(one.purpose)]
        for one in told:
            self._counts.drop(one.purpose)
        return told

    def _is_never(self, name: str) -> bool:
        return name in self._settings and self._settings[name].tell is Tell.NEVER

    def _tally(self, name: str) -> Tally:
        row = self._counts.get(name) or Counts()
        return Tally(
            name, row.since_us, row.logins, row.logouts, row.failures, row.alone,
            tuple(row.addresses), row.more, row.longest,
        )  # fmt: skip


class _Purpose:
    def __init__(self, settings: PurposeSettings) -> None:
        self._asked = settings
        self._networks = Networks(settings.networks)

    def fits(self, change: Change) -> bool:
        """Whether a change is all that is asked for."""
        asked = self._asked
        return (
            (not asked.users or _is_named(change, change.user, asked.users))
            and (not asked.hosts or _is_named(change, change.host, asked.hosts))
            and (not asked.methods or change.method in asked.methods)
            and (not asked.keys or bool(_keys(change) & {*asked.keys}))
            and (not self._networks or self._networks.hold(change.ip))
        )


def _is_named(change: Change, name: str | None, patterns: Sequence[str]) -> bool:
    if name is None or change.service != WINDOWS:
        return is_named(name, patterns)
    return is_named(alike(change, name), [alike(change, one) for one in patterns])


def _keys(change: Change) -> set[str | None]:
    """What the key may go by; the comment of its owner proves nothing."""
    named = change.key_named_by in {NamedBy.CONFIG, NamedBy.CERTIFICATE}
    return {change.key_fingerprint, change.key_name if named else None} - {None}


def plain(tallies: Iterable[Tally]) -> Mapping[str, dict[str, int]]:
    """For ``status``: the counts by purpose."""
    return {
        one.purpose: {
            "since_us": one.since_us,
            "logins": one.logins,
            "logouts": one.logouts,
            "failures": one.failures,
            "told": one.alone,
        }
        for one in tallies
    }
