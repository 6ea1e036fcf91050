"""Lines in another's name, summed by who wrote them until somebody is told of them."""

from __future__ import annotations

import json

from usersessionmon.model import Forged, Forger, Record

MAX_FORGERS = 32
"""Writers told apart; whoever forges may start as many processes as he likes."""
MAX_TEXT = 200
"""Characters kept of a path or a name."""


class Forgeries:
    """A sum that does not grow with the number of lines or of writers."""

    def __init__(self) -> None:
        self._counts: dict[Forger, int] = {}
        self._more = 0
        self._first_us = 0
        self._last_us = 0

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, record: Record) -> None:
        """Count a line that shows who wrote it."""
        trusted = record.trusted
        assert trusted is not None  # a text log shows nobody's hand
        forger = Forger(
            _short(record.host),
            record.program[:MAX_TEXT],
            trusted.uid,
            _short(trusted.exe),
            _short(trusted.comm),
            _short(trusted.unit),
            _short(trusted.sid),
        )
        if not self:
            self._first_us = record.time.us
        self._last_us = record.time.us
        if forger in self._counts or len(self._counts) < MAX_FORGERS:
            self._counts[forger] = self._counts.get(forger, 0) + 1
        else:
            self._more += 1

    def take(self) -> Forged:
        """The sum, which begins anew."""
        taken = Forged(self._counts, self._more, self._first_us, self._last_us)
        self._counts, self._more = {}, 0
        return taken

    def dump(self) -> str:
        """As text, for the state; empty when there is nothing."""
        if not self:
            return ""
        counts = [[*forger, count] for forger, count in self._counts.items()]
        return json.dumps([counts, self._more, self._first_us, self._last_us])

    def load(self, text: str) -> None:
        """Go on with what ``dump`` gave.  Raises ValueError or TypeError for anything else."""
        if text:
            counts, more, first_us, last_us = json.loads(text)
            self._counts = {Forger(*forger): int(count) for *forger, count in counts}
            self._more, self._first_us, self._last_us = int(more), int(first_us), int(last_us)


def _short(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT]
