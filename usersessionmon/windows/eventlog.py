"""What is asked of a Windows event log, and how it refuses: all that the rest knows of pywin32."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, NamedTuple, Protocol


class EventLogError(Exception):
    """A call that Windows refused.  What it means is decided by the number alone: the text is in
    the language of the system."""

    def __init__(self, winerror: int, function: str, text: str) -> None:
        super().__init__(winerror, function, text)
        self.winerror: Final = winerror
        self.function: Final = function
        self.text: Final = text


class Rendered(NamedTuple):
    """One event."""

    xml: str
    """Empty when the event itself cannot be read (``error``)."""
    bookmark: str
    """The place behind this event, for a subscription; of a query empty."""
    message: str | None = None
    """As Event Viewer words it, where that was asked for and the words are to be had."""
    error: EventLogError | None = None


class ChannelFacts(NamedTuple):
    """What a host says of one of its channels."""

    enabled: bool
    max_bytes: int
    oldest: int
    """Record number; 0: the log is empty."""


class Signal(Protocol):
    """What one server's thread waits on: new events, or somebody who calls."""

    def wait(self, seconds: float) -> None:
        """Until signalled, and take the signal back, or so long."""

    def wake(self) -> None:
        """From any thread."""

    def close(self) -> None: ...


class Events(Protocol):
    """A subscription, or a query's result.  All its methods raise EventLogError."""

    def read(self, count: int) -> Generator[Rendered, None, None]:
        """Up to ``count`` events that are there now.  To be taken to the end or closed, for only
        then all handles are given back."""

    def close(self) -> None:
        """Give everything back; called once."""


class Session(Protocol):
    """The event log of one host.  All methods raise EventLogError; that a host cannot be reached
    shows at the first of them."""

    def subscribe(self, channel: str, query: str, bookmark: str, signal: Signal) -> Events:
        """Follow a channel from behind the bookmark's event, which must be there (1168 if not);
        an empty bookmark: from the oldest event."""

    def query(
        self, channel: str, query: str, *, newest_first: bool = False, messages: bool = False
    ) -> Events:
        """What is in the channel now."""

    def facts(self, channel: str) -> ChannelFacts: ...

    def close(self) -> None:
        """Called once, after everything that came from it was closed."""


class EventLog(Protocol):
    """The way to the hosts' event logs."""

    def signal(self) -> Signal: ...

    def open(self, host: str, credentials: str) -> Session:
        """``host``: empty for this machine.  ``credentials``: a name in the system's store of
        passwords; empty: as whoever runs this.  Raises EventLogError when it has no such name."""
