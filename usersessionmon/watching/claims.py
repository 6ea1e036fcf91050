"""Claims of hosts are told: each once when it is made, and once when it is ended before its time.

They are made and ended by commands, beside the monitor: which ones people know of is kept among the
state's facts, in the same transaction as the notices.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from usersessionmon.model import Batch, Claim, Notice
from usersessionmon.store.claims import same_host, same_person

TOLD = "claims_told"
"""The fact that says which claims that hold are known, by their numbers."""


class Look(NamedTuple):
    """How the claims stand."""

    current: Sequence[Claim]
    gone: Sequence[Claim]
    """Of the known ones, those that hold no more and are still kept."""


class Claims:
    """Looks at them each time that the main loop turns: that is a moment after the command."""

    def __init__(
        self,
        look: Callable[[int, Collection[int]], Look | None],
        word: Callable[[Claim], Notice],
    ) -> None:
        """``look`` is given the moment (microseconds UTC) and the known numbers; None: not now.
        ``word`` makes the notice."""
        self._look = look
        self._word = word
        self._known: frozenset[int] = frozenset()

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off."""
        numbers = facts.get(TOLD, "").split(",")
        self._known = frozenset(int(one) for one in numbers if one.isascii() and one.isdecimal())

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        seen = self._look(now_us, self._known)
        if seen is None:
            return []
        new = sorted(
            (claim for claim in seen.current if claim.number not in self._known),
            key=lambda claim: claim.number,
        )
        self._known = frozenset(claim.number for claim in seen.current)
        return [self._word(claim) for claim in (*_released(seen.gone, new), *new)]

    def patience(self, _now_us: int) -> float | None:
        """The source is looked at often enough."""
        return None

    def save(self) -> dict[str, str]:
        return {TOLD: ",".join(map(str, sorted(self._known)))}


def _released(gone: Sequence[Claim], new: Sequence[Claim]) -> Iterator[Claim]:
    """Those that were ended before their time; one that was made anew is none."""
    for claim in gone:
        again = any(
            same_host(one.host, claim.host) and same_person(one.user, claim.user) for one in new
        )
        if claim.released_us is not None and not again:
            yield claim
