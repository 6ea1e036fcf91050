"""The seams of delivery: what a channel is, what the outbox is, and how an answer is classed.

``reference/feishu.md``'s decision table is the model for every channel.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """As in ``Posted``."""


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
        """What is undelivered and not held beyond ``now_us``, abnormal before routine, then by
        number."""

    def depth(self, channel: str, now_us: int) -> int: ...

    def delivered(self, channel: str, numbers: Sequence[int], at_us: int) -> None: ...

    def tried(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        """One more attempt that did not deliver."""

    def set_plain(self, channel: str, numbers: Sequence[int]) -> None: ...

    def set_aside(self, channel: str, numbers: Sequence[int], at_us: int, said: str) -> None:
        """Refused for good: kept with the answer, never sent again."""

    def state(self, channel: str) -> ChannelState: ...

    def save_state(self, channel: str, state: ChannelState) -> None: ...
