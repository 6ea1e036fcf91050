"""Servers whose event logs cannot be read are told of, and when they can be again.

Those that fail together are told together; how it stands with all of them is kept among the
state's facts, for ``status``.
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
SERVERS, DOWN, TOLD = "windows_servers", "windows_down", "windows_told"
"""Names of what is kept among the state's facts: how all stand, since when some are away, and of
which of these people were told."""


class Away(NamedTuple):
    """What people are told."""

    over: bool
    """They are read again."""
    servers: tuple[tuple[ServerState, int], ...]
    """Each with since when it was away (microseconds UTC)."""


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
        self._told: set[str] = set()

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off; what cannot be understood is as if nothing were there."""
        self._down = down_of(facts)
        self._told = set(facts.get(TOLD, "").split("\n")) & self._down.keys()

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        return {
            SERVERS: dump(self._states),
            DOWN: json.dumps(self._down, ensure_ascii=False),
            TOLD: "\n".join(sorted(self._told)),
        }

    def patience(self, _now_us: int) -> float | None:
        return LOOK_SECONDS

    def wrongs(self) -> Iterator[str]:
        """For ``Health``."""
        for name, since_us in self._down.items():
            if self._is_late(since_us):
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
        late = [one for one in self._down if self._is_late(self._down[one])]
        back = self._told - self._down.keys()
        new = [one for one in late if one not in self._told]
        self._told = {*late}
        return [
            *self._notice(False, new, self._down, now_us),
            *self._notice(True, back, before, now_us),
        ]

    def _notice(
        self, over: bool, names: Sequence[str] | set[str], since: Mapping[str, int], now_us: int
    ) -> Iterator[Notice]:
        found = tuple((one, since[one.name]) for one in self._states if one.name in names)
        if found and self._word is not None:
            yield self._word(Away(over, found), now_us)

    def _is_late(self, since_us: int) -> bool:
        return self._clock.now_us() - since_us >= LATE_US


def down_of(facts: Mapping[str, str]) -> dict[str, int]:
    """Which servers are away, and since when (microseconds UTC)."""
    try:
        return {str(name): int(us) for name, us in json.loads(facts.get(DOWN) or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}
