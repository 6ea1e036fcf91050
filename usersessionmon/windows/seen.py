"""Which records were read already, where the same log is given more than once (copies, archives
that overlap, a part of it as XML)."""

from __future__ import annotations

from array import array
from typing import NamedTuple

_PAGE = 512
"""Records whose numbers are near each other, kept together: two bytes each."""
_PAGES_MOST = 40_000
"""50 MB.  Beyond them (twenty million events, or numbers that somebody made up) nothing new is
remembered."""
_MARKS = 65_521
_AGAIN_MOST = 4


class _Page(NamedTuple):
    origin: str
    channel: str
    number: int
    again: int
    """How often the numbers of this log began anew."""


class Seen:
    """By origin, channel, record id and time: numbers may begin again, but not at the same time."""

    def __init__(self) -> None:
        self._pages: dict[_Page, array[int]] = {}

    def is_new(self, origin: str, channel: str, record_id: int, us: int) -> bool:
        """Whether this record was not read yet; from now on it is."""
        number, slot = divmod(record_id, _PAGE)
        mark = 1 + us % _MARKS
        for again in range(_AGAIN_MOST):
            key = _Page(origin, channel, number, again)
            page = self._pages.get(key)
            if page is None:
                if len(self._pages) >= _PAGES_MOST:
                    return True
                page = self._pages[key] = array("H", bytes(2 * _PAGE))
            if not page[slot]:
                page[slot] = mark
                return True
            if page[slot] == mark:
                return False
        return True
