"""Who logged in when: found by user and about the time, in a bounded room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SLOT_US = 10_000_000


class Moments:
    """(microseconds, user) in the order in which they were added.  Users are compared in any
    letters, times within a slot (ten seconds)."""

    def __init__(self, items: Iterable[tuple[int, str]] = (), most: int = 5000) -> None:
        self.most = most
        self._slots: dict[tuple[str, int], list[int]] = {}
        self._order: dict[tuple[int, str], None] = {}
        for us, user in items:
            self.add(us, user)

    def add(self, us: int, user: str) -> None:
        item = us, user.casefold()
        if item in self._order:
            return
        self._order[item] = None
        self._slots.setdefault((item[1], us // SLOT_US), []).append(us)
        while len(self._order) > self.most:
            self._forget(next(iter(self._order)))

    def has(self, us: int, user: str) -> bool:
        """Whether there was one of this user at about that time."""
        name, place = user.casefold(), us // SLOT_US
        return any(
            abs(at - us) <= SLOT_US
            for slot in (place - 1, place, place + 1)
            for at in self._slots.get((name, slot), ())
        )

    def forget_before(self, us: int) -> None:
        """The oldest, as long as they are of before that time."""
        while self._order:
            first = next(iter(self._order))
            if first[0] >= us:
                return
            self._forget(first)

    def _forget(self, item: tuple[int, str]) -> None:
        del self._order[item]
        slot = item[1], item[0] // SLOT_US
        self._slots[slot].remove(item[0])
        if not self._slots[slot]:
            del self._slots[slot]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)
