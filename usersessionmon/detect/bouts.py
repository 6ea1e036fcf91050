"""Many failures told as one: a notice when there are too many, one with the sum when they stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from usersessionmon.model import Bout, Scope

from .keys import key_of
from .shelf import Shelf

MOST = 256
"""Bouts of one scope at the same time, of all hosts."""
NAMES = 50
"""Names told apart within a bout."""
STEP_BACK_US = 3_600_000_000
"""A log whose time goes back further than this had its clock set."""
MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
"""How long a sum may wait for the end: some hosts are always under attack."""

Counted = tuple[int, int, str]
"""A failure of a bout: when, how many, whose name it adds."""


@dataclass(slots=True)
class Running:
    """A bout that was told and is not over."""

    host: str | None
    subject: str
    began_us: int
    last_us: int
    count: int
    names: list[str]
    more: bool


class Bouts:
    """Those of one scope that run."""

    def __init__(self, scope: Scope, *, minutes: int, quiet_minutes: int) -> None:
        self.scope = scope
        self.span_us = minutes * MINUTE_US
        """Failures so near in time belong together."""
        self._minutes = minutes
        self._quiet_minutes = quiet_minutes
        self._quiet_us = quiet_minutes * MINUTE_US
        self._running = Shelf(f"{scope}.many", Running, MOST)
        self.shelves = (self._running,)
        self._heard: dict[str, float] = {}
        """When, by ``tick``'s clock, each bout's last failure was read; not saved."""

    @property
    def running(self) -> int:
        """How many are told of and not over."""
        return len(self._running)

    @property
    def full(self) -> bool:
        """None can begin: one that ran would be forgotten and its end never told."""
        return len(self._running) >= MOST

    def of(self, host: str | None) -> int:
        """How many of one host's run."""
        return sum(running.host == host for _, running in self._running.items())

    def add(self, host: str | None, subject: str, failure: Counted) -> bool:
        """Count a failure of a bout that runs; False: none does."""
        key = key_of(host, subject)
        running = self._running.get(key) if len(self._running) else None
        if running is None:
            return False
        us, times, name = failure
        running.last_us = max(running.last_us, us)
        running.count += times
        _note(running, name)
        self._running.put(key, running)
        self._heard.pop(key, None)
        return True

    def begin(
        self,
        host: str | None,
        subject: str,
        failures: Sequence[Counted],
        merged: Sequence[Running] = (),
    ) -> Bout:
        """Begin a bout of ``failures``; ``merged``: bouts whose sums are in its own from now on."""
        running = Running(
            host,
            subject,
            min([us for us, _, _ in failures] + [one.began_us for one in merged]),
            max([us for us, _, _ in failures] + [one.last_us for one in merged]),
            sum(times for _, times, _ in failures) + sum(one.count for one in merged),
            [],
            any(one.more for one in merged),
        )
        for name in [name for one in merged for name in one.names]:
            _note(running, name)
        for _, _, name in failures:
            _note(running, name)
        self._running.put(key_of(host, subject), running)
        return self._told(running, over=False)

    def take(self, host: str | None) -> list[Running]:
        """End all of a host's without a word, since their sums go into another; each with the
        addresses as its names."""
        taken = [(key, one) for key, one in self._running.items() if one.host == host]
        for key, one in taken:
            self._drop(key)
            if self.scope is not Scope.ACCOUNT:
                one.names, one.more = [one.subject], False
        return [one for _, one in taken]

    def _told(self, running: Running, *, over: bool, day: bool = False) -> Bout:
        return Bout(
            scope=self.scope,
            over=over,
            host=running.host,
            subject=running.subject,
            began_us=running.began_us,
            last_us=running.last_us,
            at_us=running.last_us + (self._quiet_us if over else 0),
            times=running.count,
            names=tuple(running.names),
            more=running.more,
            minutes=self._quiet_minutes if over else self._minutes,
            day=day,
        )

    # --- the end ----------------------------------------------------------------------------------

    def advance(self, host: str | None, us: int) -> list[Bout]:
        """Time of a host has gone on: the bouts that are over by then, and the sums of those that
        have been running for a day."""
        over = []
        for key, running in list(self._running.items()):
            if running.host != host:
                continue
            if us >= running.last_us + self._quiet_us:
                over.append(self._end(key, running))
            elif running.last_us - running.began_us >= DAY_US:
                over.append(self._told(running, over=False, day=True))
                running.began_us, running.count = running.last_us, 0
                running.names, running.more = [], False
                self._running.put(key, running)
            elif us < running.last_us - STEP_BACK_US:
                running.last_us = us
                self._running.put(key, running)
        return over

    def tick(self, monotonic: float) -> list[Bout]:
        """Time has passed at the log's end: the bouts that have been quiet long enough."""
        over = []
        for key, running in list(self._running.items()):
            if monotonic - self._heard.setdefault(key, monotonic) >= self._quiet_minutes * 60:
                over.append(self._end(key, running))
        return over

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to tell; None: nothing runs."""
        heard = (self._heard.get(key, monotonic) for key, _ in self._running.items())
        waits = [at + self._quiet_minutes * 60 - monotonic for at in heard]
        return max(0.0, min(waits)) if waits else None

    def _end(self, key: str, running: Running) -> Bout:
        self._drop(key)
        return self._told(running, over=True)

    def _drop(self, key: str) -> None:
        self._running.drop(key)
        self._heard.pop(key, None)


def _note(running: Running, name: str) -> None:
    if not name or name in running.names:
        return
    if len(running.names) < NAMES:
        running.names.append(name)
    else:
        running.more = True
