"""From a rendered event to what is handed on: whose it is, its record, and the place behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

from usersessionmon.model import Record
from usersessionmon.strict import shown

from .errors import sentence
from .eventlog import Rendered
from .feed import CLEARED, Feed
from .forwarded import Forwarded
from .marks import Mark
from .standing import ServerState
from .xml import Unread, glance

LOG = logging.getLogger("usersessionmon")

Parse = Callable[[str, str, frozenset[str]], Record | None]
"""``windows.xml.record_of``."""


class Taken(NamedTuple):
    """How far a channel was read, and what was there."""

    channel: str
    mark: Mark
    record: Record | None
    """None: of no interest."""


class Sink(Protocol):
    """Where it goes.  All may be called from the server's thread."""

    def room(self) -> int:
        """How many there is room for now."""

    def put(self, taken: Taken) -> None: ...

    def note(self, text: str) -> None:
        """A sentence for people."""

    def show(self, state: ServerState) -> None:
        """How it stands."""


class Intake:
    """Of one server."""

    def __init__(self, label: str, parse: Parse, sink: Sink, forwarded: Forwarded | None) -> None:
        self._label = label
        self._parse = parse
        self._sink = sink
        self._forwarded = forwarded
        self._strange: set[str] = set()
        """The feeds' channels in which records of others were met."""
        self.last_us: int | None = None
        """Of the last record's own time (microseconds UTC)."""

    def take(self, feed: Feed, rendered: Rendered, beside: frozenset[str]) -> None:
        """``beside``: the channels that are read."""
        mark = feed.accept(rendered)
        if mark is None:
            return
        if rendered.error is not None:
            self.say(feed, f"an event cannot be read: {sentence(rendered.error)}; passed over")
        record = self._record(feed, rendered.xml, beside) if rendered.xml else None
        if record is not None:
            self.last_us = record.time.us
            event = record.windows
            if event is not None and (event.channel, event.id) in CLEARED:
                self.say(feed, f"the log {event.channel} of {shown(event.origin)} was cleared")
        self._sink.put(Taken(feed.channel, mark, record))

    def say(self, feed: Feed, text: str) -> None:
        """A note about one channel."""
        self._sink.note(f"server {self._label}: {feed.channel}: {text}")

    def _record(self, feed: Feed, xml: str, beside: frozenset[str]) -> Record | None:
        try:
            whose = self._whose(feed, xml, beside)
            return None if whose is None else self._parse(xml, *whose)
        except Exception:  # a fault of ours: one event lost is better than all
            LOG.exception("an event of %s could not be dealt with", feed.channel)
            return None

    def _whose(
        self, feed: Feed, xml: str, beside: frozenset[str]
    ) -> tuple[str, frozenset[str]] | None:
        """A host may say what it likes of itself, and nothing under another's name."""
        if self._forwarded is not None:
            return self._forwarded.whose(xml)
        seen = glance(xml)
        if isinstance(seen, Unread) or seen.channel == feed.channel:
            return self._label, beside
        if feed.channel not in self._strange:
            self._strange.add(feed.channel)
            said = f"holds a record that says it is of {shown(seen.channel)}"
            self.say(feed, f"{said}; such records are passed over")
        return None
