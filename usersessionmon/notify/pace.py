"""How fast, and how soon again: the budget of a channel and its back-off.  Pure: time comes in."""

from __future__ import annotations

import random
import threading
from collections import deque

from .base import Answer, Result

JITTER = 0.2
UNKNOWN_LIMIT = 10
"""Unknown answers in a row that are taken for a matter of configuration."""


class Budget:
    """Exchanges in a sliding second and a sliding minute, with a reserve for the abnormal.

    Times are monotonic seconds.  An exchange counts from its end, so that a server, which sees it
    earlier, never sees more than this in a window of its own.  Channels of one bot, each with a
    thread of its own, share it.
    """

    def __init__(self, per_second: int = 4, per_minute: int = 80, reserve: int = 10) -> None:
        self._per_second = per_second
        self._per_minute = per_minute
        self._reserve = reserve
        self._spent: deque[float] = deque(maxlen=per_minute + reserve)
        self._lock = threading.Lock()

    @classmethod
    def unlimited(cls) -> Budget:
        """For channels that nobody limits (the terminal)."""
        return cls(per_second=0)

    def free(self, now: float, *, urgent: bool = False) -> int:
        """How many more exchanges this minute has room for."""
        if not self._per_second:
            return 1_000_000
        with self._lock:
            used = sum(now - at < 60 for at in self._spent)
        return max(0, self._per_minute + (self._reserve if urgent else 0) - used)

    def wait(self, now: float, *, urgent: bool = False) -> float:
        """Seconds until the next exchange may begin; 0: now."""
        if not self._per_second:
            return 0.0
        allowed = self._per_minute + (self._reserve if urgent else 0)
        with self._lock:
            second = self._until(now, self._per_second, 1.0)
            return max(second, self._until(now, allowed, 60.0))

    def spend(self, now: float) -> None:
        if self._per_second:
            with self._lock:
                self._spent.append(now)

    def _until(self, now: float, allowed: int, span: float) -> float:
        """Seconds until fewer than ``allowed`` exchanges lie within ``span``."""
        if len(self._spent) < allowed:
            return 0.0
        return max(0.0, self._spent[-allowed] + span - now)


_SCHEDULES = {
    Answer.THROTTLED: (30.0, 600.0),
    Answer.TRANSIENT: (2.0, 300.0),
    Answer.UNKNOWN: (2.0, 300.0),
    Answer.CONFIGURATION: (60.0, 600.0),
}


class Backoff:
    """The pause after each refusal: first × 2ⁿ up to a limit, with jitter, for each class of
    answer by itself (what is unknown is as transient); ``reset`` after a delivery."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._times: dict[Answer, int] = {}

    def pause(self, answer: Answer) -> float:
        """Seconds to wait after one more ``answer``."""
        kind = Answer.TRANSIENT if answer is Answer.UNKNOWN else answer
        times = self._times.get(kind, 0)
        self._times[kind] = times + 1
        first, most = _SCHEDULES[answer]
        return jittered(first, most, times, self._rng)

    def reset(self) -> None:
        self._times.clear()


class Patience:
    """When a channel may be tried again: by its answers, and by who asks for it."""

    def __init__(self, rng: random.Random) -> None:
        self._backoff = Backoff(rng)
        self._unknown_in_row = 0
        self._not_before = 0.0
        self._asked_to_wait = False
        self._nudged_us: int | None = None

    def left(self, now: float, nudged_us: int | None) -> float:
        """Seconds of the pause that are left; a nudge ends it, unless the server itself asked for
        it.  ``nudged_us``: the last nudge there was, whenever it was."""
        nudged = nudged_us != self._nudged_us and not self._asked_to_wait
        if nudged or now >= self._not_before:
            self._nudged_us = nudged_us
            self._not_before = now
        return self._not_before - now

    def after(self, result: Result, now: float) -> tuple[Answer, float]:
        """For what an answer is to be taken, and the pause that follows it, in seconds."""
        answer = self._meaning(result.answer)
        wait = self._pause(answer, result)
        self._not_before = now + wait
        return answer, wait

    def _meaning(self, answer: Answer) -> Answer:
        self._unknown_in_row = self._unknown_in_row + 1 if answer is Answer.UNKNOWN else 0
        return Answer.CONFIGURATION if self._unknown_in_row >= UNKNOWN_LIMIT else answer

    def _pause(self, answer: Answer, result: Result) -> float:
        self._asked_to_wait = False
        if answer is Answer.DELIVERED:
            self._backoff.reset()
        if answer in (Answer.DELIVERED, Answer.PAYLOAD):
            return 0.0
        pause = self._backoff.pause(answer)
        if result.retry_after is not None and answer in (Answer.THROTTLED, Answer.TRANSIENT):
            self._asked_to_wait = True
            return result.retry_after
        return pause


def jittered(first: float, most: float, times: int, rng: random.Random) -> float:
    """``first`` × 2^``times``, up to 20 % more, and never above ``most``."""
    base = min(first * 2.0 ** min(times, 32), most / (1 + JITTER))
    return base * (1 + JITTER * rng.random())
