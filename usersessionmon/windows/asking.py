"""Servers asked once, side by side: a thread each, answers as they come, none held by another."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from usersessionmon.clock import Clock
from usersessionmon.errors import UserError
from usersessionmon.model import Record

from .channels import FORWARDED
from .errors import Treatment, treatment
from .eventlog import EventLog, EventLogError, Events, Rendered, Session
from .feed import BATCH, NEEDED, turn
from .forwarded import Forwarded
from .intake import Parse
from .queries import query_of, wanted_ids
from .settings import MOST_SERVERS, WindowsServer, too_many
from .waiting import LONG_ASKS, TIMEOUT, part
from .xml import Unread, glance

LOG = logging.getLogger("usersessionmon")
_WAITING = 1000
"""Answers that wait to be taken."""
_LOOK_SECONDS = 0.2
SILENT_SECONDS = 120.0
"""A server that is not heard for so long is given up; to connect may take most of a minute."""

T = TypeVar("T")


class Answer(NamedTuple, Generic[T]):
    server: WindowsServer
    found: T | None
    error: EventLogError | None = None


Ask = Callable[[WindowsServer, Session], Iterable[T | None]]
"""What is found; None: nothing yet, but it is still at it."""


def ask(
    servers: Sequence[WindowsServer], log: EventLog, clock: Clock, what: Ask[T]
) -> Iterator[Answer[T]]:
    """What each server answers, and its error where it failed, or was silent for too long.  Raises
    UserError for too many."""
    if len(servers) > MOST_SERVERS:
        raise UserError(too_many(len(servers)))
    asked = _Asked(servers, log, clock, what)
    asked.begin()
    try:
        while asked.left:
            yield from asked.take()
    finally:
        asked.left.clear()


class _Asked(Generic[T]):
    def __init__(
        self, servers: Sequence[WindowsServer], log: EventLog, clock: Clock, what: Ask[T]
    ) -> None:
        self._servers = servers
        self._log = log
        self._clock = clock
        self._what = what
        self._answers: queue.Queue[tuple[int, Answer[T] | None]] = queue.Queue(_WAITING)
        self._heard = [clock.monotonic()] * len(servers)
        """When each thread last came back from its server."""
        self.left = set(range(len(servers)))
        """Those whose answers are waited for."""

    def begin(self) -> None:
        for number, server in enumerate(self._servers):
            name = f"windows {server.label}"
            threading.Thread(target=self._one, args=(number,), name=name, daemon=True).start()

    def take(self) -> Iterator[Answer[T]]:
        """The next answer.  It is waited for in slices: on Windows nothing, not even Ctrl-C, ends
        a wait that has no time-out."""
        try:
            number, answer = self._answers.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            yield from self._given_up()
            return
        if answer is None:
            self.left.discard(number)
        elif number in self.left:
            yield answer

    def _given_up(self) -> Iterator[Answer[T]]:
        """A thread within a dead host's call is left behind."""
        since = self._clock.monotonic() - SILENT_SECONDS
        for number in sorted(self.left):
            if self._heard[number] < since:
                self.left.discard(number)
                yield Answer(self._servers[number], None, EventLogError(TIMEOUT, "", ""))

    def _one(self, number: int) -> None:
        server = self._servers[number]
        try:
            session = self._log.open(server.host, server.credentials)
            with closing(session):
                for found in self._what(server, session):
                    if not self._put(number, None if found is None else Answer(server, found)):
                        return
        except EventLogError as error:
            self._put(number, Answer(server, None, error))
        except Exception:  # a fault of ours must not look like a server that has nothing
            LOG.exception("asking %s failed", server.label)
            self._put(number, Answer(server, None, EventLogError(0, "", "")))
        finally:
            self._hand_over((number, None))

    def _put(self, number: int, answer: Answer[T] | None) -> bool:
        """A sign of life, with or without an answer.  False: nobody waits for more."""
        self._heard[number] = self._clock.monotonic()
        return number in self.left if answer is None else self._hand_over((number, answer))

    def _hand_over(self, item: tuple[int, Answer[T] | None]) -> bool:
        number, _ = item
        while number in self.left:
            try:
                self._answers.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                self._heard[number] = self._clock.monotonic()
                continue
            return True
        return False


class Past(NamedTuple):
    """A record that is there already, or why a channel cannot be read."""

    channel: str
    record: Record | None
    message: str | None = None
    error: EventLogError | None = None


class Look(NamedTuple):
    """What is looked for in the logs."""

    channels: Sequence[str]
    """Full names; empty: as each server's settings say."""
    since_ms: int | None
    messages: bool
    parse: Parse


def past(look: Look, server: WindowsServer, session: Session) -> Iterator[Past | None]:
    """The records of one server: of each channel in its own order, the small channels before
    Security; None: nothing yet.  An optional channel that is not there is left out.  Raises
    EventLogError."""
    wanted = (FORWARDED,) if server.forwarded else look.channels or server.follows()
    opened: dict[str, Events] = {}
    try:
        for channel in sorted(wanted, key=turn):
            try:
                opened[channel] = _query(session, channel, look)
            except EventLogError as error:
                yield from _without(channel, error, asked_for=bool(look.channels))
        whose = Forwarded(server.named(), {}, server.label) if server.forwarded else None
        beside = frozenset(opened)
        for channel in list(opened):
            again = partial(_query, session, channel, look)
            for rendered in _rendered(opened.pop(channel), again):
                if rendered is None:
                    yield None
                    continue
                owner = _owner(rendered.xml, whose, channel, (server.label, beside))
                record = look.parse(rendered.xml, *owner) if owner and rendered.xml else None
                yield None if record is None else Past(channel, record, rendered.message)
    finally:
        for events in opened.values():
            events.close()


def _owner(
    xml: str, whose: Forwarded | None, channel: str, direct: tuple[str, frozenset[str]]
) -> tuple[str, frozenset[str]] | None:
    """(origin, the channels beside); a record that is of another channel than it was read from is
    nobody's."""
    if whose is not None:
        return whose.whose(xml)
    seen = glance(xml)
    return direct if not isinstance(seen, Unread) and seen.channel == channel else None


def _without(channel: str, error: EventLogError, *, asked_for: bool) -> Iterator[Past]:
    """What is said of a channel that cannot be read; raises what is the whole server's."""
    kind = treatment(error)
    if kind is Treatment.ABSENT and channel not in NEEDED and not asked_for:
        return
    if kind not in {Treatment.ABSENT, Treatment.DENIED, Treatment.USELESS}:
        raise error
    yield Past(channel, None, None, error)


def _query(session: Session, channel: str, look: Look) -> Events:
    query = query_of(wanted_ids(channel), look.since_ms)
    return session.query(channel, query, messages=look.messages)


def _rendered(events: Events, again: Callable[[], Events]) -> Iterator[Rendered | None]:
    """All of a query's result; asked for ``again`` in smaller parts where a host may not send as
    much at once, without what was given already."""
    batch, given = BATCH, 0
    while True:
        place = 0
        try:
            with closing(events):
                for rendered in _to_its_end(events, batch):
                    place += rendered is not None
                    if rendered is None or place > given:
                        given = max(given, place)
                        yield rendered
            return
        except EventLogError as error:
            if treatment(error) is not Treatment.SMALLER or batch == 1:
                raise
        batch //= 2
        events = again()


def _to_its_end(events: Events, batch: int) -> Iterator[Rendered | None]:
    more = True
    while more:
        more = False
        for rendered in part(events, batch, LONG_ASKS):
            more = more or rendered is not None
            yield rendered
