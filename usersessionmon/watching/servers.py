"""Servers whose event logs cannot be read are told of, and when they can be again.

Those that fail together are told together, and so is their return; how it stands with all of them
is kept among the state's facts, for ``status``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from usersessionmon.clock import Clock
from usersessionmon.model import Batch, Notice
from usersessionmon.windows.standing import ServerState, State, dump

LOOK_SECONDS = 10.0
LATE_US = 300_000_000
"""So long a server may be away, as one that is restarted, before anybody is told."""
GATHER_US = 90_000_000
"""So much longer others are waited for: a net that fails is not seen at all of them at once."""
PART_US = 600_000_000
"""So long those that are back wait for the others of their notice."""
SERVERS, DOWN, TOLD = "windows_servers", "windows_down", "windows_told"
"""Names of what is kept among the state's facts: how all stand, since when some are away, and of
which of these people were told."""


class Away(NamedTuple):
    """What people are told."""

    over: bool
    """They are read again."""
    servers: tuple[tuple[ServerState, int], ...]
    """Each with since when it was away (microseconds UTC)."""


class _Told(NamedTuple):
    """A server that people were told of, until they are told that it is back."""

    told_us: int
    """When: the same for all of one notice."""
    since_us: int
    back_us: int | None


class Servers:
    """Looks at them now and then."""

    def __init__(
        self,
        look: Callable[[], Sequence[ServerState]],
        clock: Clock,
        word: Callable[[Away, int], Notice] | None,
    ) -> None:
        """``word`` makes the notice; None: nobody is told."""
        self._look = look
        self._clock = clock
        self._word = word
        self._next = 0.0
        self._states: Sequence[ServerState] = ()
        self._down: dict[str, int] = {}
        self._told: dict[str, _Told] = {}

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off; what cannot be understood is as if nothing were there."""
        self._down = down_of(facts)
        self._told = _told_of(facts)

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        return {
            SERVERS: dump(self._states),
            DOWN: json.dumps(self._down, ensure_ascii=False),
            TOLD: json.dumps(self._told, ensure_ascii=False),
        }

    def patience(self, _now_us: int) -> float | None:
        return LOOK_SECONDS

    def wrongs(self) -> Iterator[str]:
        """For ``Health``."""
        for name, since_us in self._down.items():
            if self._is_away(since_us, LATE_US):
                yield f"server {name} cannot be read"

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        """The notices that are due."""
        now = self._clock.monotonic()
        if now < self._next:
            return []
        self._next = now + LOOK_SECONDS
        self._states = self._look()
        before = self._down
        self._down = {
            one.name: before.get(one.name, min(one.since_us, now_us))
            for one in self._states
            if one.state is not State.LIVE
        }
        return [*self._fallen(now_us), *self._returned(now_us)]

    def _fallen(self, now_us: int) -> Iterator[Notice]:
        """One notice of all that are late, once the first of them has waited for the others."""
        new = {
            name: since_us
            for name, since_us in self._down.items()
            if name not in self._told and self._is_away(since_us, LATE_US)
        }
        if any(self._is_away(since_us, LATE_US + GATHER_US) for since_us in new.values()):
            for name, since_us in new.items():
                self._told[name] = _Told(now_us, since_us, None)
            yield from self._notice(False, new, now_us)

    def _returned(self, now_us: int) -> Iterator[Notice]:
        """One notice of all that are back, once no other of theirs is away or they waited long."""
        here = {one.name for one in self._states}
        self._told = {
            name: one._replace(back_us=None if name in self._down else one.back_us or now_us)
            for name, one in self._told.items()
            if name in here
        }
        away = {one.told_us for one in self._told.values() if one.back_us is None}
        long = {
            one.told_us
            for one in self._told.values()
            if one.back_us is not None and self._is_away(one.back_us, PART_US)
        }
        back = {
            name: one.since_us
            for name, one in self._told.items()
            if one.back_us is not None and (one.told_us not in away or one.told_us in long)
        }
        self._told = {name: one for name, one in self._told.items() if name not in back}
        yield from self._notice(True, back, now_us)

    def _notice(self, over: bool, since: Mapping[str, int], now_us: int) -> Iterator[Notice]:
        found = tuple((one, since[one.name]) for one in self._states if one.name in since)
        if found and self._word is not None:
            yield self._word(Away(over, found), now_us)

    def _is_away(self, since_us: int, least_us: int) -> bool:
        return self._clock.now_us() - since_us >= least_us


def down_of(facts: Mapping[str, str]) -> dict[str, int]:
    """Which servers are away, and since when (microseconds UTC)."""
    try:
        return {str(name): int(us) for name, us in json.loads(facts.get(DOWN) or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _told_of(facts: Mapping[str, str]) -> dict[str, _Told]:
    try:
        return {
            str(name): _Told(int(told), int(since), None if back is None else int(back))
            for name, (told, since, back) in json.loads(facts.get(TOLD) or "{}").items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}
