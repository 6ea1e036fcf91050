"""A collector's channel: the events of many hosts, in no order between them.

A record's channel, computer and number are those of the host that it comes from, so with its time
(numbers may begin anew) they are its name; what forwards it may send it twice.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection

from .marks import MOST_COMPUTERS, Learned, time_of

MOST_KEYS = 50_000
_COMPUTER = re.compile(r"<Computer>([^<]{1,255})</Computer>")
_CHANNEL = re.compile(r"<Channel>([^<]{1,255})</Channel>")
_NUMBER = re.compile(r"<EventRecordID>(\d{1,20})</EventRecordID>")
_HEAD = 4000


class Forwarded:
    """Tells whose each event is, and which ones were there before."""

    def __init__(self, channels: Collection[str], learned: Learned) -> None:
        """``channels``: those that the configuration says are forwarded; none: those that were
        seen, of which ``learned`` are known already."""
        self._channels = frozenset(channels)
        self._computers: OrderedDict[str, frozenset[str]] = OrderedDict(learned)
        self._keys: OrderedDict[tuple[str, str, str, str], None] = OrderedDict()

    def whose(self, xml: str) -> tuple[str, frozenset[str]] | None:
        """(origin, the channels beside); None for what was there before or names no computer."""
        parts = [one.search(xml, 0, _HEAD) for one in (_COMPUTER, _CHANNEL, _NUMBER)]
        if None in parts:
            return None
        computer, channel, number = (part[1] for part in parts if part is not None)
        key = computer.casefold(), channel, number, time_of(xml)
        if key in self._keys:
            return None
        self._keys[key] = None
        if len(self._keys) > MOST_KEYS:
            self._keys.popitem(last=False)
        return computer, self._beside(computer, channel)

    def _beside(self, computer: str, channel: str) -> frozenset[str]:
        known = self._computers.get(computer, self._channels) | {channel}
        self._computers[computer] = known
        self._computers.move_to_end(computer)
        if len(self._computers) > MOST_COMPUTERS:
            self._computers.popitem(last=False)
        return known
