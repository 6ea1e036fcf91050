"""Who of several receivers has which notice already.

A channel with several receivers is delivered when all have the notice.  When some have it and some
do not, the repeat must go to the latter alone.  This is remembered in memory: after a restart a
notice that some had is sent to all again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .base import Queued

MOST = 1000
"""Notices that are remembered; more than one digest holds."""


class Shares:
    def __init__(self) -> None:
        self._had: dict[int, set[str]] = {}

    def groups(
        self, batch: Sequence[Queued], receivers: Sequence[str]
    ) -> list[tuple[list[Queued], list[str]]]:
        """What is still to be sent, and to whom; those who lack the same get the same."""
        groups: dict[tuple[int, ...], tuple[list[Queued], list[str]]] = {}
        for receiver in dict.fromkeys(receivers):
            lacks = [one for one in batch if receiver not in self._had.get(one.number, ())]
            if lacks:
                key = tuple(one.number for one in lacks)
                groups.setdefault(key, (lacks, []))[1].append(receiver)
        return list(groups.values())

    def note(self, batch: Iterable[Queued], receivers: Iterable[str]) -> None:
        """They have it."""
        who = set(receivers)
        for one in batch:
            self._had.setdefault(one.number, set()).update(who)
        while len(self._had) > MOST:
            del self._had[next(iter(self._had))]

    def anybody(self, batch: Iterable[Queued]) -> bool:
        """Whether all of ``batch`` is had by somebody."""
        return all(self._had.get(one.number) for one in batch)

    def forget(self, batch: Iterable[Queued]) -> None:
        """It is delivered."""
        for one in batch:
            self._had.pop(one.number, None)
