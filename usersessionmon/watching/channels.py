"""A channel that delivers nothing is told on the others.

Everything is read from the outbox, where each worker notes what it was answered: so no thread is
asked, and whoever starts anew knows it, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from usersessionmon.clock import Clock
from usersessionmon.model import Batch, Notice
from usersessionmon.notify.base import Answer
from usersessionmon.store.figures import Standing

LOOK_SECONDS = 20.0
STUCK_SECONDS = 600.0
"""So long something waits and nothing is delivered: longer than any pause of a healthy channel."""
PAUSE_US = 3_600_000_000
"""Of one channel is told no sooner again."""
FAILING = "channels_failing"
"""Name of what is kept among the state's facts."""


class Broken(NamedTuple):
    """What people are told.  Moments are microseconds UTC."""

    over: bool
    channel: str
    answer: str
    """The class of the last answer; empty: there was none."""
    said: str
    since_us: int
    """Nothing was delivered since then."""
    waiting: int


@dataclass(slots=True)
class _Trouble:
    """Of one channel."""

    failing: bool = False
    since_us: int = 0
    delivered_us: int | None = None
    """When it had delivered last, at that time."""
    answer: str = ""
    said: str = ""
    told: bool = False
    """Of this time."""
    told_us: int | None = None
    """When it was last told at all."""


class Channels:
    """Looks at how the channels stand, now and then."""

    def __init__(
        self,
        names: Iterable[str],
        look: Callable[[int], Sequence[Standing]],
        clock: Clock,
        word: Callable[[Broken, int], Notice],
    ) -> None:
        """``names`` of all channels there are.  ``look`` gives how each of them stands at a moment
        (microseconds UTC); ``word`` makes the notice."""
        self._look = look
        self._clock = clock
        self._word = word
        self._started_us = clock.now_us()
        self._next = 0.0
        self._troubles = {name: _Trouble() for name in names}

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off; what cannot be understood is as if nothing were there."""
        try:
            for name, fields in json.loads(facts.get(FAILING) or "{}").items():
                if name in self._troubles:
                    self._troubles[name] = _Trouble(**fields)
        except (ValueError, TypeError, AttributeError):
            self._troubles = {name: _Trouble() for name in self._troubles}

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        kept = {name: asdict(one) for name, one in self._troubles.items() if one != _Trouble()}
        return {FAILING: json.dumps(kept)}

    def patience(self, _now_us: int) -> float | None:
        """The source is looked at often enough."""
        return None

    def wrongs(self) -> Iterator[str]:
        """For ``Health``."""
        for name, trouble in self._troubles.items():
            if trouble.failing:
                yield f"channel {name} delivers nothing: {trouble.answer or 'no answer'}"

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        """The notices that are due."""
        now = self._clock.monotonic()
        if now < self._next:
            return []
        self._next = now + LOOK_SECONDS
        self._started_us = min(self._started_us, now_us)  # the clock was set back
        return [
            notice
            for standing in self._look(now_us)
            if standing.channel in self._troubles
            for notice in self._judge(self._troubles[standing.channel], standing, now_us)
        ]

    def _judge(self, trouble: _Trouble, standing: Standing, now_us: int) -> Iterator[Notice]:
        works = standing.delivered_us != trouble.delivered_us
        if trouble.failing and (works or not standing.waiting):
            trouble.failing = False
            if trouble.told and works:  # else somebody dropped what waited
                yield self._notice(trouble, standing, now_us)
            return
        if not trouble.failing:
            if not self._fails(standing, now_us):
                return
            trouble.failing, trouble.told = True, False
            trouble.delivered_us = standing.delivered_us
            trouble.since_us = _latest(now_us, standing.oldest_us, standing.delivered_us)
        trouble.answer = "" if standing.answer is None else standing.answer.value
        trouble.said = standing.said
        if not trouble.told and _has_passed(trouble.told_us, now_us):
            trouble.told, trouble.told_us = True, now_us
            yield self._notice(trouble, standing, now_us)

    def _fails(self, standing: Standing, now_us: int) -> bool:
        if not standing.waiting or standing.oldest_us is None:
            return False
        tried = (standing.tried_us or 0) >= self._started_us  # else another life's answer
        if standing.answer is Answer.CONFIGURATION and tried:
            return True
        since_us = _latest(now_us, standing.oldest_us, standing.delivered_us, self._started_us)
        return now_us - since_us >= STUCK_SECONDS * 1_000_000

    def _notice(self, trouble: _Trouble, standing: Standing, now_us: int) -> Notice:
        over = not trouble.failing
        told = Broken(
            over, standing.channel, trouble.answer, trouble.said, trouble.since_us, standing.waiting
        )
        return self._word(told, now_us)


def _latest(now_us: int, *moments: int | None) -> int:
    """Of those that the clock, which may have been set back, has come to."""
    return max((one for one in moments if one is not None and one <= now_us), default=now_us)


def _has_passed(told_us: int | None, now_us: int) -> bool:
    """A clock that was set back must not silence it."""
    return told_us is None or abs(now_us - told_us) >= PAUSE_US
