"""When people are told of lines in another's name: the first at once, then the sum each hour.

Whoever forges lines decides how many there are; how often people are told is not his choice, nor
that of who restarts the monitor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from usersessionmon.model import Batch, Forged, Notice
from usersessionmon.rules.forgeries import Forgeries

PAUSE_US = 3_600_000_000
_TOLD, _WAITING = "forged_told_us", "forged_waiting"
"""Names of what is kept among the state's facts."""


class Alarm:
    """Words what ``forgeries`` holds whenever its time has come."""

    def __init__(self, word: Callable[[Forged, int], Notice], forgeries: Forgeries) -> None:
        """``word`` makes the notice; its second argument is the present (microseconds UTC).
        ``forgeries`` is filled by others."""
        self._word = word
        self._forgeries = forgeries
        self._told_us: int | None = None

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off; what cannot be understood is as if nothing were there."""
        try:
            self._forgeries.load(facts.get(_WAITING, ""))
            self._told_us = int(facts[_TOLD]) if _TOLD in facts else None
        except (ValueError, TypeError):
            self._told_us = None

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        told = {} if self._told_us is None else {_TOLD: str(self._told_us)}
        return {**told, _WAITING: self._forgeries.dump()}

    def patience(self, now_us: int) -> float | None:
        """Seconds until ``turn`` is worth asking; None: nothing waits."""
        if not self._forgeries:
            return None
        return max(0, PAUSE_US - self._since(now_us)) / 1_000_000

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        """The notice that is due, or none."""
        if not self._forgeries or self._since(now_us) < PAUSE_US:
            return []
        self._told_us = now_us
        return [self._word(self._forgeries.take(), now_us)]

    def _since(self, now_us: int) -> int:
        """Microseconds since the last one; a clock that was set back must not silence it."""
        return PAUSE_US if self._told_us is None else abs(now_us - self._told_us)
