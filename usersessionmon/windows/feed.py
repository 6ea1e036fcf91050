"""One channel of one server: its subscription, and how far it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from .channels import FORWARDED, LSM, SECURITY, SYSTEM
from .errors import GAP
from .eventlog import EventLogError, Events, Rendered, Session, Signal
from .hosts import READ_IN_TURN
from .marks import Mark, mark_of, time_of
from .queries import query_of, record_query, wanted_ids
from .standing import ChannelState, State, Status
from .waiting import first

BATCH = 32
"""Events that are asked for at once; fewer where a host may not send as much (1734)."""
NEEDED = frozenset({SECURITY, SYSTEM, FORWARDED})
"""Channels that every host has; the others come with a role or a feature."""
CLEARED = frozenset({(SECURITY, 1102), (SYSTEM, 104)})


def turn(channel: str) -> int:
    """Small channels are read before Security, for what they say of its records."""
    return READ_IN_TURN.index(channel) if channel in READ_IN_TURN else len(READ_IN_TURN)


class Feed:
    """What is kept over broken subscriptions."""

    def __init__(
        self, channel: str, mark: Mark | None, from_start: bool, go_on: Callable[[], bool]
    ) -> None:
        """``go_on``: whether it is still to be waited for an answer."""
        self.channel = channel
        self.query = query_of(wanted_ids(channel))
        self.mark = mark
        """What was read last; None: not begun."""
        self.resume = "" if mark is None else mark.bookmark
        """Behind which event the next subscription begins; empty: at the oldest."""
        self.known = 0
        """The event up to which all was read before, when it begins at the oldest."""
        self.batch = BATCH
        self.trips = 0
        """Subscriptions that died in a row."""
        self.events: Events | None = None
        self.status = Status.PENDING
        self.said = ""
        self.retry_at = 0.0
        self._from_start = from_start
        self._go_on = go_on

    def begin(self, session: Session) -> Mark:
        """Take the place where reading begins, so that there is one to go on from even if nothing
        happens for long."""
        mark = Mark() if self._from_start else self._newest(session)
        self.mark, self.resume = mark, mark.bookmark
        return mark

    def follow(self, session: Session, signal: Signal) -> None:
        """Subscribe.  Raises the error for a bookmark that is gone also where another event has
        its number: Windows would go on behind that one."""
        if self.resume and self.channel != FORWARDED and not self.is_there(session):
            raise EventLogError(GAP, "EvtSubscribe", "")
        self.events = session.subscribe(self.channel, self.query, self.resume, signal)

    def drop(self) -> None:
        events, self.events = self.events, None
        if events is not None:
            events.close()

    def accept(self, rendered: Rendered) -> Mark | None:
        """The place behind an event; None for one that was read before."""
        mark = mark_of(rendered.bookmark, rendered.xml)
        self.trips = 0
        if self.known and mark.record_id <= self.known:
            return None
        self.known = 0
        self.mark, self.resume = mark, mark.bookmark
        return mark

    def is_there(self, session: Session) -> bool:
        """Whether the event that was read last is still in the log.  Where its number is but its
        time is not, the numbers began anew."""
        assert self.mark is not None
        events = session.query(self.channel, record_query(self.mark.record_id))
        found = first(events, self._go_on)
        return found is not None and time_of(found.xml) == self.mark.at

    def again_from_oldest(self, known: int) -> None:
        self.resume, self.known = "", known

    def jump(self, session: Session) -> None:
        """On with what comes from now on."""
        mark = self._newest(session)
        self.mark, self.resume, self.known, self.trips = mark, mark.bookmark, 0, 0

    def shown(self, reached: bool) -> ChannelState:
        """``reached``: whether there is a connection; nothing is followed without one."""
        idle = self.status is Status.FOLLOWED and not reached
        return ChannelState(self.channel, Status.PENDING if idle else self.status, self.said)

    def _newest(self, session: Session) -> Mark:
        """Behind the newest event that matters; where there is none, before all to come."""
        events = session.query(self.channel, self.query, newest_first=True)
        found = first(events, self._go_on)
        return Mark() if found is None else mark_of(found.bookmark, found.xml)


def followed(feeds: Iterable[Feed]) -> Iterator[str]:
    return (feed.channel for feed in feeds if feed.status is Status.FOLLOWED)


def state_of(feeds: Sequence[Feed]) -> State:
    """How it stands with a server that can be reached."""
    missing = {feed.status for feed in feeds if _is_missed(feed)}
    if Status.DENIED in missing:
        return State.DENIED
    return State.INCOMPLETE if missing or not any(followed(feeds)) else State.LIVE


def worst_of(feeds: Sequence[Feed]) -> str:
    """Why a channel that is needed is not followed, or any where none is."""
    said = [feed for feed in feeds if feed.said]
    missed = [feed for feed in said if _is_missed(feed)]
    if not missed and any(followed(feeds)):
        return ""
    return next((f"{feed.channel}: {feed.said}" for feed in missed or said), "")


def _is_missed(feed: Feed) -> bool:
    """Sessions are lost with it.  A host may lack LSM, but one that has it must let it be read."""
    if feed.status is Status.FOLLOWED:
        return False
    return feed.channel in NEEDED or (feed.channel == LSM and feed.status is not Status.ABSENT)
