"""The monitor's signs of life: to a URL that misses them, and to the chat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from usersessionmon.clock import Clock
from usersessionmon.model import Batch, Notice
from usersessionmon.store.figures import Figures

from .health import Health
from .numbers import whole
from .pinger import Pinger

SAVED_SECONDS = 180.0
"""A save that is older proves nothing: while nothing happens there is one each minute."""
CHANGED_SECONDS = 60.0
"""That something is wrong, or is no more, is said at once, but no sooner after the last time."""
PINGED, WHERE, ANSWERED, TAKEN = (
    "heartbeat_us",
    "heartbeat_to",
    "heartbeat_said",
    "heartbeat_ok",
)
CHATTED, READ = "chat_us", "chat_read"
"""Names of what is kept among the state's facts."""
UNSAVED = "the state cannot be written"
_LINE_MOST = 500


class Heartbeat:
    """Says at the URL that the main loop turns and its state is saved, or what is wrong."""

    def __init__(
        self,
        pinger: Pinger,
        health: Health,
        figures: Callable[[int], Figures],
        clock: Clock,
        *,
        minutes: int,
        fail: bool,
    ) -> None:
        """``fail``: say what is wrong; else say nothing then."""
        self._pinger = pinger
        self._health = health
        self._figures = figures
        self._clock = clock
        self._every = minutes * 60.0
        self._fail = fail
        self._saving = False
        self._saved: float | None = None
        self._sent: float | None = None
        self._bad = False

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        now = self._clock.monotonic()
        if self._saving:  # asked again: what was being saved then is saved
            self._saving, self._saved = False, now
        wrongs = self._health.wrongs()
        saved = self._saved is not None and now - self._saved <= SAVED_SECONDS
        if saved and self._is_due(now, bad=bool(wrongs)):
            self._send(wrongs, now, now_us)
        return []

    def unsaved(self, _now_us: int) -> None:
        """Called now and then while the state cannot be written and nothing else goes on."""
        now = self._clock.monotonic()
        if self._is_due(now, bad=True):
            self._send([UNSAVED], now, 0)

    def patience(self, _now_us: int) -> float | None:
        """The source is looked at often enough."""
        return None

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts for ``status``."""
        self._saving = True
        outcome = self._pinger.outcome
        if outcome is None:
            return {}
        taken = "1" if outcome.ok else ""
        return {
            PINGED: str(outcome.at_us),
            WHERE: outcome.where,
            ANSWERED: outcome.said,
            TAKEN: taken,
        }

    def _is_due(self, now: float, *, bad: bool) -> bool:
        since = None if self._sent is None else now - self._sent
        if since is None or since >= self._every:
            return True
        return bad != self._bad and since >= CHANGED_SECONDS

    def _send(self, wrongs: list[str], now: float, now_us: int) -> None:
        if wrongs and not self._fail:
            return
        line = "; ".join(wrongs)[:_LINE_MOST] if wrongs else self._well(now_us)
        if self._pinger.send(line, fail=bool(wrongs)):
            self._sent, self._bad = now, bool(wrongs)

    def _well(self, now_us: int) -> str:
        found = self._figures(now_us)
        lines = found.understood + found.missed
        return f"ok lines={lines} waiting={found.waiting} open={found.on_now}"


class Well(NamedTuple):
    """What the chat is told.  Moments are microseconds UTC."""

    started_us: int
    since_us: int
    """Of the lines."""
    understood: int
    total: int
    on_now: int
    waiting: int


class Chat:
    """Says in the chat, every so many hours, that all is well; while it is not, that is told by
    others, and this waits."""

    def __init__(
        self,
        health: Health,
        figures: Callable[[int], Figures],
        word: Callable[[Well, int], Notice],
        *,
        hours: int,
        started_us: int,
    ) -> None:
        """``word`` makes the notice, its second argument is the present (microseconds UTC)."""
        self._health = health
        self._figures = figures
        self._word = word
        self._every_us = hours * 3_600_000_000
        self._started_us = started_us
        self._told_us: int | None = None
        self._read = (0, 0)

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on in the rhythm of the last life."""
        good, _, bad = facts.get(READ, "").partition(" ")
        self._told_us = whole(facts.get(CHATTED))
        self._read = (whole(good) or 0, whole(bad) or 0)

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        if self._told_us is None:
            return {}
        return {CHATTED: str(self._told_us), READ: f"{self._read[0]} {self._read[1]}"}

    def patience(self, _now_us: int) -> float | None:
        """The source is looked at often enough."""
        return None

    def turn(self, batch: Batch, now_us: int) -> list[Notice]:
        """The notice that is due, or none; the first an interval after the very beginning."""
        if self._told_us is None:
            self._begin(self._figures(now_us), now_us)
            return []
        if not batch.at_end or abs(now_us - self._told_us) < self._every_us:
            return []
        if self._health.wrongs():
            return []
        found, (good, bad) = self._figures(now_us), self._read
        if good > found.understood or bad > found.missed:
            good = bad = 0  # the state is a new one
        understood, missed = found.understood - good, found.missed - bad
        told = Well(
            self._started_us, self._told_us, understood, understood + missed,
            found.on_now, found.waiting,
        )  # fmt: skip
        self._begin(found, now_us)
        return [self._word(told, now_us)]

    def _begin(self, found: Figures, now_us: int) -> None:
        self._told_us, self._read = now_us, (found.understood, found.missed)
