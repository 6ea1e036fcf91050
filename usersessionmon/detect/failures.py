"""Many failures, and names that do not exist: what is told of once and summed up at the end.

A failure is in one sum.  Of a host few attackers are told of by themselves; when there are more, or
too many failures that belong to none of them, it is the host that is told of, those told of before
go into its sum, and as long as it lasts everything does: a storm is a handful of notices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from usersessionmon.model import Bout, Change, Scope

from .bouts import MINUTE_US, Bouts, Counted, Running
from .recent import Failure, Recent, failure_of, near
from .settings import FailureSettings, SweepSettings


class _Place(NamedTuple):
    """Where a failure may count."""

    bouts: Bouts
    subject: str
    threshold: int
    belongs: Callable[[Failure], bool] | None
    """Which failures are its own; None: all."""


class Failures:
    """Many failures from one address, on one account, on names that do not exist, or on the whole
    host.

    An account is counted unless the log says that there is none: nobody can be let in by a name
    that does not exist, and attackers try thousands of them.
    """

    def __init__(self, failures: FailureSettings, sweep: SweepSettings) -> None:
        self._limits, self._sweeps = failures, sweep

        def bouts(scope: Scope, kind: FailureSettings | SweepSettings) -> Bouts:
            return Bouts(scope, minutes=kind.minutes, quiet_minutes=kind.quiet_minutes)

        self._sweep = bouts(Scope.SWEEP, sweep)
        self._address = bouts(Scope.ADDRESS, failures)
        self._account = bouts(Scope.ACCOUNT, failures)
        self._host = bouts(Scope.HOST, failures)
        self._small = (self._sweep, self._address, self._account)
        self.bouts = (
            *((self._sweep,) if sweep.enabled else ()),
            *((self._address, self._account, self._host) if failures.enabled else ()),
        )
        """Of what is not enabled none ever runs."""
        minutes = [kind.minutes for kind in (failures, sweep) if kind.enabled]
        self._recent = Recent(max(minutes, default=0) * MINUTE_US)
        self.shelves = self._recent.shelves if minutes else ()

    def failed(self, change: Change) -> list[Bout]:
        """What this failure begins."""
        if not self.bouts:
            return []
        host, failure = change.host, failure_of(change)
        whole, *small = self._places(failure)
        for place in (whole, *small):
            if place.bouts.add(host, place.subject, _counted(place.bouts, failure)):
                return []
        recent = self._recent.add(host, failure)
        for place in (*small, whole):
            mine = self._many(place, recent)
            if mine:
                return self._begin(host, place, mine, recent)
        return []

    def _places(self, last: Failure) -> list[_Place]:
        """The host, then who may be told of by itself, the more telling first."""
        limits, client, user = self._limits, last.client, last.user

        def same_client(one: Failure) -> bool:
            return one.client == client

        def same_account(one: Failure) -> bool:
            return one.user == user and not one.missing

        places = [_Place(self._host, "", limits.host, None)]
        if client is not None:
            places.append(_Place(self._sweep, client, self._sweeps.names, same_client))
            places.append(_Place(self._address, client, limits.address, same_client))
        if user is not None and not last.missing:
            places.append(_Place(self._account, user, limits.account, same_account))
        return places

    def _many(self, place: _Place, recent: list[Failure]) -> list[Failure]:
        """What belongs to the place, when it is too many now; ``recent``: the new one last."""
        bouts, last = place.bouts, recent[-1]
        sweep = bouts is self._sweep
        if bouts not in self.bouts or (sweep and not last.missing):
            return []
        mine = near(list(filter(place.belongs, recent)), last.us, bouts.span_us)
        if sweep:
            many = len({one.user or "" for one in mine if one.missing})
        else:
            many = sum(one.times for one in mine)
        return mine if many >= place.threshold else []

    def _begin(
        self, host: str | None, place: _Place, mine: list[Failure], recent: list[Failure]
    ) -> list[Bout]:
        """The place's bout; the host's, when no more are told of by themselves.

        When that cannot begin either they are not forgotten: the next failure tries again.
        """
        bouts, subject = place.bouts, place.subject
        if bouts is not self._host and self._host in self.bouts and not self._room(host, bouts):
            bouts, subject = self._host, ""
            belongs = {*mine, *near(recent, recent[-1].us, bouts.span_us)}
            mine = [one for one in recent if one in belongs]
        if not self._room(host, bouts):
            return []
        merged: list[Running] = []
        if bouts is self._host:
            merged = [one for each in self._small for one in each.take(host)]
            merged.sort(key=lambda one: one.began_us)
        self._recent.take(host, mine)
        return [bouts.begin(host, subject, [_counted(bouts, one) for one in mine], merged)]

    def _room(self, host: str | None, bouts: Bouts) -> bool:
        """Whether one more bout may begin."""
        if bouts.full or bouts is self._host:
            return not bouts.full
        if bouts is self._sweep and bouts.of(host) >= self._sweeps.most:
            return False
        told = sum(each.of(host) for each in self._small)
        return self._host not in self.bouts or told < self._limits.most


def _counted(bouts: Bouts, failure: Failure) -> Counted:
    """An account's and a host's failures are told apart by address, others by account."""
    by_client = bouts.scope in {Scope.ACCOUNT, Scope.HOST}
    name = failure.client if by_client else failure.user
    return failure.us, failure.times, name or ""
