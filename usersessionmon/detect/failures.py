"""Many failures, and names that do not exist: what is told of once and summed up at the end."""

from __future__ import annotations

from usersessionmon.model import Bout, Change, Scope

from .bouts import MOST, Bouts
from .keys import source_of
from .settings import FailureSettings, SweepSettings


def _client(change: Change) -> str | None:
    return change.client_host if change.ip is None else source_of(change.ip)


class Sweep:
    """One address tries several names that do not exist: somebody looks for accounts."""

    def __init__(self, settings: SweepSettings) -> None:
        self.bouts = Bouts(
            Scope.SWEEP,
            threshold=settings.names,
            minutes=settings.minutes,
            quiet_minutes=settings.quiet_minutes,
            most=settings.most,
            distinct=True,
        )

    def covers(self, change: Change) -> bool:
        """Whether a running sweep tells of this failure."""
        client = _client(change)
        return client is not None and self.bouts.has(change.host, client)

    def failed(self, change: Change) -> list[Bout]:
        """What this failure begins.  In a sweep that runs every failure of the address counts."""
        client = _client(change)
        if client is None or (change.valid_user is not False and not self.covers(change)):
            return []
        us, name = change.time.us, change.user or ""
        begun = self.bouts.add(change.host, client, us, change.times, name)
        return [] if begun is None else [begun]


class Failures:
    """Many failures from one address, on one account, or on the whole host.

    A failure belongs to one bout: what is told of its address is not told again of the account,
    and the host's sum is of those that nothing else tells of.  An account is counted unless the log
    says that there is none: nobody can be let in by a name that does not exist, and attackers try
    thousands of them.
    """

    def __init__(self, settings: FailureSettings) -> None:
        def bouts(scope: Scope, threshold: int, most: int) -> Bouts:
            return Bouts(
                scope,
                threshold=threshold,
                minutes=settings.minutes,
                quiet_minutes=settings.quiet_minutes,
                most=most,
            )

        self._address = bouts(Scope.ADDRESS, settings.address, settings.most)
        self._account = bouts(Scope.ACCOUNT, settings.account, settings.most)
        self._host = bouts(Scope.HOST, settings.host, MOST)
        self.bouts = (self._address, self._account, self._host)

    def covers(self, change: Change) -> bool:
        """Whether it is told already that this failure's address fails often."""
        client = _client(change)
        return client is not None and self._address.has(change.host, client)

    def failed(self, change: Change) -> list[Bout]:
        """What this failure begins."""
        client, user, host = _client(change), change.user, change.host
        places: list[tuple[Bouts, str, str]] = []
        if client is not None:
            places.append((self._address, client, user or ""))
        if user is not None and change.valid_user is not False:
            places.append((self._account, user, client or ""))
        running = [place for place in places if place[0].has(host, place[1])]
        for bouts, subject, name in running[:1] or [*places, (self._host, "", client or "")]:
            begun = bouts.add(host, subject, change.time.us, change.times, name)
            if begun is not None:
                return [begun]
        return []
