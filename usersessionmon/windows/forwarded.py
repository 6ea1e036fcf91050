"""A collector's channel: the events of many hosts, in no order between them.

A record's channel, computer and number are those of the host that it comes from, so with its time
(numbers may begin anew) they are its name; what forwards it may send it twice.  All of them are
what the sender says: it is believed of the collector's own hosts alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from .channels import WANTED
from .marks import MOST_COMPUTERS, Learned, time_of
from .xml import Unread, glance

MOST_KEYS = 50_000
_ORIGIN_MOST = 255


class Forwarded:
    """Tells whose each event is, and which ones were there before."""

    def __init__(self, channels: Collection[str], learned: Learned, label: str = "") -> None:
        """``channels``: those that the configuration says are forwarded; none: those that were
        seen, of which ``learned`` are known already.  ``label``: the collector's."""
        self._front = f"{label}/".casefold()
        self._channels = frozenset(channels)
        self._computers: OrderedDict[str, frozenset[str]] = OrderedDict(
            (name.casefold(), known) for name, known in learned.items()
        )
        self._keys: OrderedDict[tuple[str, str, int, str], None] = OrderedDict()

    def whose(self, xml: str) -> tuple[str, frozenset[str]] | None:
        """(origin, the channels beside); None for what was there before, does not matter or names
        no computer that there can be."""
        seen = glance(xml)
        if isinstance(seen, Unread) or seen.id not in WANTED.get(seen.channel, ()):
            return None
        computer = seen.computer.casefold()
        origin = self._front + computer
        if not computer or "/" in computer or len(origin) > _ORIGIN_MOST:
            return None
        key = computer, seen.channel, seen.record_id, time_of(xml)
        if key in self._keys:
            return None
        self._keys[key] = None
        if len(self._keys) > MOST_KEYS:
            self._keys.popitem(last=False)
        return origin, self._beside(computer, seen.channel)

    def _beside(self, computer: str, channel: str) -> frozenset[str]:
        known = self._computers.get(computer, self._channels) | {channel}
        self._computers[computer] = known
        self._computers.move_to_end(computer)
        if len(self._computers) > MOST_COMPUTERS:
            self._computers.popitem(last=False)
        return known
