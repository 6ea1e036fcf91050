"""The seams of delivery: what a channel is, what the outbox is, and how an answer is classed.

``reference/feishu.md``'s decision table is the model for every channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from usersessionmon.model import Notice


class Answer(StrEnum):
    """The classes of a server's answer; what follows from each is ``delivery``'s business."""

    DELIVERED = "delivered"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    PAYLOAD = "payload"
    CONFIGURATION = "configuration"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Result:
    """One exchange: its class, and what the server said, safe to show (no token, no secret)."""

    answer: Answer
    said: str
    retry_after: float | None = None
    """Seconds that the server asks for, if it does."""
    untaken: bool = False
    """Surely nothing arrived: another attempt is no repeat."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A notice in the outbox.  ``number`` grows by one for each notice and is shown in repeats."""

    number: int
    notice: Notice
    queued_us: int
    attempts: int
    plain: bool = False
    """True when the channel refused its rich form: send plain text."""
    bundle: str = ""
    held_us: int | None = None
    """Both as in ``Posted``."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What ``status`` shows of a channel, and what survives a restart."""

    answer: Answer | None = None
    said: str = ""
    failures_in_row: int = 0
    delivered_us: int | None = None
    """When something was last delivered."""
    tried_us: int | None = None
    retry_us: int | None = None
    """Not before this moment (microseconds UTC); None: whenever there is something."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A notice with where it goes."""

    notice: Notice
    channels: Sequence[str]
    held_us: int | None = None
    """Not to be sent before this moment (microseconds UTC); None: at once."""
    bundle: str = ""
    """Not empty: told only in a digest, with others of the same bundle (``notify.text`` has its
    title)."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a channel will never get: too much of it waited, or for too long."""

    channel: str
    routine: int
    abnormal: int
    first_us: int
    last_us: int
    """When the first and the last of it had happened."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What there is to do for a channel beside its queue."""

    dropped: int = 0
    """So many were dropped and are to be announced; 0 while another announcement waits."""
    nudged_us: int | None = None
    """When a person asked last for the channel to be tried at once."""


class Channel(Protocol):
    """Where notices go.  One file in ``notify`` each."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """Where it goes, for people: without token, password or secret."""

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        """Send one notice, or several as one digest, within a bounded time.  Never raises for what
        the network or the server does.  ``now_us`` is the moment of sending (for signatures)."""

    def close(self) -> None: ...


class Outbox(Protocol):
    """The durable queue as a delivery worker sees it; each call is one transaction."""

    def waiting(self, channel: str, limit: int, now_us: int) -> Sequence[Queued]:
        """What is undelivered and not held beyond ``now_us``: what has no bundle, then one bundle
        after the other; of each the abnormal before the routine, then by number."""

    def depth(self, channel: str, now_us: int) -> int:
        """How many ``waiting`` would give without a limit."""

    def due_us(self, channel: str, now_us: int) -> int | None:
        """When the next held one may be sent; None: none is held."""

    def errand(self, channel: str) -> Errand: ...

    def announce(self, channel: str, now_us: int, word: Callable[[Dropped], Notice]) -> None:
        """Queue a notice of what was dropped, which is thereby told, unless another one waits."""

    def resume(self, channel: str, now_us: int) -> Sequence[float]:
        """To be called before anything is sent: what another life was sending when it was killed
        counts as tried.  How many seconds ago each exchange of the last minute began."""

    def begin(self, channel: str, numbers: Sequence[int], now_us: int) -> None:
        """The channel's next exchange, with these, is about to begin."""

    def delivered(self, channel: str, numbers: Sequence[int], at_us: int) -> None: ...

    def tried(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        """One more attempt that did not deliver."""

    def set_plain(self, channel: str, numbers: Sequence[int]) -> None: ...

    def split(self, channel: str, number: int, halves: Sequence[Notice]) -> None:
        """Put ``halves`` in the place of one; nothing where that is gone."""

    def set_aside(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        """Refused for good: kept with the answer, never sent again."""

    def state(self, channel: str) -> ChannelState: ...

    def save_state(self, channel: str, state: ChannelState) -> None:
        """The exchange that was begun has ended so."""
