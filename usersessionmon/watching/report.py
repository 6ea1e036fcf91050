"""The daily report: once a day by the clock of the configured zone, late when nobody was there to
make it, and never twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import tzinfo

from usersessionmon.detect.windows import next_time, time_of_day
from usersessionmon.model import Batch, Notice, Report
from usersessionmon.store import figures

from .numbers import whole
from .settings import ReportSettings
from .summary import Summary

DAY_US = 86_400_000_000
LONGEST_US = 7 * DAY_US
"""A report goes back no further."""
REPORTED, READ, DROPPED = "report_us", "report_read", "report_dropped"
"""Names of what is kept among the state's facts."""


class DailyReport:
    """Gathers in small steps what ``word`` puts into a notice."""

    def __init__(
        self,
        settings: ReportSettings,
        zone: tzinfo,
        connection: sqlite3.Connection,
        word: Callable[[Report, int], Notice],
    ) -> None:
        """``word``'s second argument is the present (microseconds UTC)."""
        self._at = time_of_day(settings.at)
        self._people = settings.top
        self._zone = zone
        self._connection = connection
        self._word = word
        self._reported_us: int | None = None
        """Until when the last one was."""
        self._read = (0, 0)
        self._dropped = 0
        self._work: tuple[int, Summary] | None = None

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off."""
        good, _, bad = facts.get(READ, "").partition(" ")
        self._reported_us = whole(facts.get(REPORTED))
        self._read = (whole(good) or 0, whole(bad) or 0)
        self._dropped = whole(facts.get(DROPPED)) or 0

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        if self._reported_us is None:
            return {}
        return {
            REPORTED: str(self._reported_us),
            READ: f"{self._read[0]} {self._read[1]}",
            DROPPED: str(self._dropped),
        }

    def patience(self, now_us: int) -> float | None:
        """Seconds until the next one, or until the next step."""
        if self._work is not None:
            return 0.0
        due_us = None if self._reported_us is None else self._due_us(self._reported_us)
        return None if due_us is None else max(0, due_us - now_us) / 1_000_000

    def turn(self, batch: Batch, now_us: int) -> list[Notice]:
        """The report when it is due and gathered."""
        if self._reported_us is None or self._reported_us > now_us + DAY_US:
            # At the very beginning; or the clock was set back far.
            self._begin(now_us)
            return []
        if self._work is None and batch.at_end:
            due_us = self._due_us(self._reported_us)
            if due_us is not None and due_us <= now_us:
                self._work = now_us, self._summary(self._reported_us, now_us)
        if self._work is None:
            return []
        until_us, summary = self._work
        report = summary.step()
        if report is None:
            return []
        self._work = None
        self._begin(until_us)
        return [self._word(report, now_us)]

    def _due_us(self, since_us: int) -> int | None:
        return next_time(self._at, since_us, self._zone)

    def _begin(self, now_us: int) -> None:
        found = figures.figures(self._connection, now_us)
        self._reported_us, self._read = now_us, (found.understood, found.missed)
        self._dropped = figures.dropped(self._connection)

    def _summary(self, since_us: int, now_us: int) -> Summary:
        return Summary(
            self._connection,
            max(since_us, now_us - LONGEST_US),
            now_us,
            people=self._people,
            lines_before=self._read,
            dropped_before=self._dropped,
        )
