"""What is counted while the program runs: since its start, as Prometheus expects counters to be."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from usersessionmon.model import Change

Labels = tuple[str, ...]


class Counters:
    """Filled by the main loop and by every channel's worker; read by the main loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: Counter[Labels] = Counter()
        self._deliveries: Counter[Labels] = Counter()
        self._lag_us: int | None = None
        self._lag_most_us = 0

    def events(self, changes: Iterable[Change]) -> None:
        """What happened, by kind and service; a failure by how many it stands for."""
        with self._lock:
            for change in changes:
                self._events[change.kind.value, change.service] += change.times

    def delivery(self, channel: str, result: str, notices: int) -> None:
        """One exchange of a channel: its result, and how many notices were in it."""
        with self._lock:
            self._deliveries[channel, result, "exchanges"] += 1
            self._deliveries[channel, result, "notices"] += notices

    def lag(self, us: int) -> None:
        """How long after it was written a line was read."""
        with self._lock:
            self._lag_us = max(0, us)
            self._lag_most_us = max(self._lag_most_us, self._lag_us)

    def seen_events(self) -> dict[Labels, int]:
        """(kind, service) → how many."""
        with self._lock:
            return dict(self._events)

    def seen_deliveries(self) -> dict[Labels, int]:
        """(channel, result, ``exchanges`` or ``notices``) → how many."""
        with self._lock:
            return dict(self._deliveries)

    def take_lag(self) -> tuple[int | None, int]:
        """Of the last line, and the longest since this was asked last; microseconds."""
        with self._lock:
            found = self._lag_us, self._lag_most_us
            self._lag_most_us = 0
        return found
