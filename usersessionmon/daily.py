"""Once a day: what the connections that are not told by themselves did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from usersessionmon.detect import windows
from usersessionmon.detect.purposes import Purposes
from usersessionmon.model import Batch, Notice, Tally

_SINCE = "daily_since_us"
"""The name of what is kept among the state's facts."""
_DAY_US = 86_400_000_000
Word = Callable[[Sequence[Tally], int, int], Notice]


class Daily:
    """Words the sums of ``purposes`` at a time of day; a day that was missed is told late, and none
    twice, for a clock that was set back: the second would say that nothing ran."""

    def __init__(self, word: Word, purposes: Purposes, at: str, zone: tzinfo) -> None:
        """``word``'s further arguments: from when and until when (microseconds UTC)."""
        self._word = word
        self._purposes = purposes
        self._at = windows.time_of_day(at)
        self._zone = zone
        self._since_us: int | None = None

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off; what cannot be understood is as if nothing were there."""
        kept = facts.get(_SINCE, "")
        self._since_us = int(kept) if kept.isascii() and kept.isdigit() else None

    def save(self) -> dict[str, str]:
        return {} if self._since_us is None else {_SINCE: str(self._since_us)}

    def turn(self, batch: Batch, now_us: int) -> list[Notice]:
        """The day's notice when it is due; not before all is read that happened meanwhile."""
        if self._since_us is None or now_us < self._since_us - _DAY_US:
            self._since_us = now_us  # at the beginning; or the clock was set back far
        if not batch.at_end or self._left_us(now_us) > 0:
            return []
        since_us, self._since_us = self._since_us, now_us
        tallies = self._purposes.take()
        return [self._word(tallies, since_us, now_us)] if tallies else []

    def patience(self, now_us: int) -> float | None:
        """Seconds until the next one."""
        return max(0, self._left_us(now_us)) / 1_000_000

    def _left_us(self, now_us: int) -> int:
        since_us = now_us if self._since_us is None else self._since_us
        due_us = windows.next_time(self._at, since_us, self._zone)
        return 0 if due_us is None else due_us - now_us
