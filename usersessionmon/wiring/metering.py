"""From settings to the figures for Prometheus."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from usersessionmon import __version__
from usersessionmon.metrics.collect import collect
from usersessionmon.metrics.counters import Counters
from usersessionmon.metrics.exposition import Family
from usersessionmon.metrics.settings import MetricsSettings, place_of
from usersessionmon.metrics.teller import Metrics
from usersessionmon.model import Change, Record
from usersessionmon.tellers import Teller

if TYPE_CHECKING:
    from usersessionmon.metrics.server import MetricsServer


@dataclass(slots=True)
class Metering:
    """What the main loop needs for it; by default nothing is measured."""

    tellers: list[Teller] = field(default_factory=list)
    seen: Callable[[Sequence[Record], Iterable[Change], int], None] = lambda _r, _c, _us: None
    """To be told what was read, what it led to, and when (microseconds UTC)."""
    close: Callable[[], None] = lambda: None


def metering_of(
    settings: MetricsSettings,
    counters: Counters,
    connection: sqlite3.Connection,
    channels: Sequence[str],
    started_us: int,
) -> Metering:
    """Raises TroubleError when the address of ``metrics.listen`` is in use."""
    if not settings.wanted:
        return Metering()
    server = _server(settings.listen)

    def figures(now_us: int) -> list[Family]:
        try:
            return collect(
                connection,
                counters,
                channels,
                version=__version__,
                started_us=started_us,
                now_us=now_us,
            )
        except sqlite3.Error:
            return []  # the state's own trouble is told elsewhere

    teller = Metrics(
        figures,
        lambda data: None if server is None else server.publish(data),
        textfile=settings.textfile,
        seconds=settings.seconds,
    )

    def seen(records: Sequence[Record], changes: Iterable[Change], now_us: int) -> None:
        if records:
            counters.lag(now_us - records[-1].time.us)
        counters.events(changes)

    return Metering([teller], seen, lambda: None if server is None else server.close())


def _server(listen: str) -> MetricsServer | None:
    place = place_of(listen)
    if place is None:
        return None
    from usersessionmon.metrics.server import MetricsServer  # 3 MiB that few want

    return MetricsServer(place)
