"""A channel whose exchanges are counted by their result."""

from __future__ import annotations

from collections.abc import Sequence

from usersessionmon.notify.base import Queued, Result
from usersessionmon.notify.courier import BatchChannel

from .counters import Counters


class CountedChannel:
    """Another channel, from which it differs in nothing else."""

    def __init__(self, channel: BatchChannel, counters: Counters) -> None:
        self._channel = channel
        self._counters = counters

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def address(self) -> str:
        return self._channel.address

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        result = self._channel.send(batch, now_us=now_us)
        self._counters.delivery(self.name, result.answer.value, len(batch))
        return result

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        return self._channel.fits(batch, now_us=now_us)

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        return self._channel.is_plain(batch)

    def close(self) -> None:
        self._channel.close()
