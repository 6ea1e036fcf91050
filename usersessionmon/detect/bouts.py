"""Many failures told as one: a notice when there are too many, one with the sum when they stop.

What has not become many is remembered by the last few of each subject.  What is told of is kept
apart, so that no flood can push it out before its end is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from usersessionmon.model import Bout, Scope

from .keys import LONGEST, key_of
from .shelf import Shelf

SUBJECTS = 4096
"""Subjects whose failures are not many yet."""
MOST = 256
"""Bouts at the same time, whatever the settings allow."""
NAMES = 50
"""Names told apart within a bout."""
STEP_BACK_US = 3_600_000_000
"""A log whose time goes back further than this had its clock set."""
MINUTE_US = 60_000_000


@dataclass(slots=True)
class Tally:
    """Failures that are not many yet."""

    recent: list[tuple[int, int, str]] = field(default_factory=list)
    """(when, how many, name), oldest first."""


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
    """One scope's.  ``distinct``: it is the different names that must be many, not the failures.

    ``most`` are told of at the same time.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        threshold: int,
        minutes: int,
        quiet_minutes: int,
        most: int,
        distinct: bool = False,
    ) -> None:
        self._scope = scope
        self._threshold = threshold
        self._minutes = minutes
        self._quiet_minutes = quiet_minutes
        self._quiet_us = quiet_minutes * MINUTE_US
        self._most = min(most, MOST)
        self._distinct = distinct
        self._tallies = Shelf(f"{scope}.few", Tally, SUBJECTS)
        self._running = Shelf(f"{scope}.many", Running, MOST)
        self.shelves = (self._tallies, self._running)
        self._heard: dict[str, float] = {}
        """When, by ``tick``'s clock, each bout's last failure was read; not saved."""

    @property
    def running(self) -> int:
        """How many are told of and not over."""
        return len(self._running)

    def has(self, host: str | None, subject: str) -> bool:
        """Whether this subject's bout is running."""
        return len(self._running) > 0 and self._running.get(key_of(host, subject)) is not None

    def add(self, host: str | None, subject: str, us: int, times: int, name: str) -> Bout | None:
        """Count a failure; the bout that it begins."""
        key = key_of(host, subject)
        running = self._running.get(key)
        if running is not None:
            running.last_us = max(running.last_us, us)
            running.count += times
            _note(running, name[:LONGEST])
            self._running.put(key, running)
            self._heard.pop(key, None)
            return None
        tally = self._tallies.get(key) or Tally()
        tally.recent = self._window(tally.recent, us)
        if self._distinct:
            times += sum(item[1] for item in tally.recent if item[2] == name[:LONGEST])
            tally.recent = [item for item in tally.recent if item[2] != name[:LONGEST]]
        tally.recent.append((us, times, name[:LONGEST]))
        if not self._many(tally) or len(self._running) >= self._most:
            del tally.recent[: -self._threshold]
            self._tallies.put(key, tally)
            return None
        self._tallies.drop(key)
        return self._begin(key, host, subject, tally)

    def _window(self, recent: list[tuple[int, int, str]], us: int) -> list[tuple[int, int, str]]:
        """What is near enough in time, before or after: a clock may be set either way."""
        span = self._minutes * MINUTE_US
        return [item for item in recent if abs(us - item[0]) < span]

    def _many(self, tally: Tally) -> bool:
        if self._distinct:  # each item has a name of its own
            return len(tally.recent) >= self._threshold
        return sum(item[1] for item in tally.recent) >= self._threshold

    def _begin(self, key: str, host: str | None, subject: str, tally: Tally) -> Bout:
        times = [item[0] for item in tally.recent]
        running = Running(
            host, subject, min(times), max(times), sum(item[1] for item in tally.recent), [], False
        )
        for item in tally.recent:
            _note(running, item[2])
        self._running.put(key, running)
        self._heard.pop(key, None)
        return self._told(running, over=False)

    def _told(self, running: Running, *, over: bool) -> Bout:
        return Bout(
            scope=self._scope,
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
        )

    # --- the end ----------------------------------------------------------------------------------

    def advance(self, host: str | None, us: int) -> list[Bout]:
        """Time of a host has gone on: the bouts that are over by then."""
        over = []
        for key, running in list(self._running.items()):
            if running.host != host:
                continue
            if us >= running.last_us + self._quiet_us:
                over.append(self._end(key, running))
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
        self._running.drop(key)
        self._heard.pop(key, None)
        return self._told(running, over=True)


def _note(running: Running, name: str) -> None:
    if not name or name in running.names:
        return
    if len(running.names) < NAMES:
        running.names.append(name)
    else:
        running.more = True
