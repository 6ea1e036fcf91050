"""One server: its channels followed side by side, whatever happens to it.

    connecting → live ⇄ back-off
               → denied, incomplete (a channel that is needed is missing; the others are read)
               → refused

``step`` does what can be done now and says how long to wait.  It runs in a thread of its own, for
the calls may take as long as a dead host does; what it finds goes into a bounded sink.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from usersessionmon.clock import Clock

from .channels import FORWARDED
from .errors import Treatment, sentence, treatment
from .eventlog import EventLog, EventLogError, Session, Signal
from .feed import Feed, followed, state_of, turn, worst_of
from .forwarded import Forwarded
from .intake import Intake, Parse, Sink, Taken
from .marks import Mark
from .settings import WindowsServer
from .standing import ServerState, State, Status

LOG = logging.getLogger("usersessionmon")
POLL_SECONDS = 60.0
"""Looked at anyway: wake-ups get lost."""
DENIED_SECONDS, ABSENT_SECONDS, NEVER = 300.0, 3600.0, 86_400.0
MOST_SECONDS = 300.0
_JITTER = 0.25
_TRIPS = 3
"""So often in a row a subscription may die at once, before all is begun anew."""
_PUT_OFF = {
    Treatment.DENIED: (Status.DENIED, DENIED_SECONDS),
    Treatment.ABSENT: (Status.ABSENT, ABSENT_SECONDS),
    Treatment.USELESS: (Status.USELESS, NEVER),
}


class Means(NamedTuple):
    """What every server needs."""

    log: EventLog
    clock: Clock
    parse: Parse
    random: Callable[[], float]
    """From 0 to 1: servers that went away together do not come back in one instant."""
    from_start: bool


class Server:
    """The state machine."""

    def __init__(
        self,
        wanted: WindowsServer,
        means: Means,
        signal: Signal,
        sink: Sink,
        marks: Mapping[str, Mark],
        forwarded: Forwarded | None = None,
    ) -> None:
        """``marks``: by channel, how far each was read."""
        self._wanted = wanted
        self._means = means
        self._signal = signal
        self._sink = sink
        self._intake = Intake(wanted.label, means.parse, sink, forwarded)
        channels = sorted(wanted.follows(), key=turn)
        self._feeds = [
            Feed(name, marks.get(name), means.from_start, lambda: not self.stopping)
            for name in channels
        ]
        self._session: Session | None = None
        self._state = State.CONNECTING
        self._since_us = means.clock.now_us()
        self._error = ""
        self._retry_at = 0.0
        self._attempt = 0
        self._turn = 0
        """Which channel is the next."""
        self.stopping = False
        """Set from any thread: no further batch is begun."""
        self.held = False
        """There was more than there was room for."""
        self._show()

    def step(self) -> float:
        """Read what is there; the seconds to wait at most before it is worth while again."""
        self.held = False
        now = self._means.clock.monotonic()
        if self._state is State.REFUSED:
            return NEVER
        if now < self._retry_at:
            return self._retry_at - now
        try:
            self._round(now)
            self._attempt = 0
            self._be(state_of(self._feeds), worst_of(self._feeds))
        except EventLogError as error:
            if self.stopping:
                return NEVER
            self._fail(error)
        except Exception:  # a fault of ours must not end the thread: one server would be gone
            LOG.exception("reading %s failed", self._wanted.label)
            self._fail(EventLogError(0, "", ""))
        self._show()
        return self._patience()

    def close(self) -> None:
        """Give everything back; may be begun anew afterwards."""
        for feed in self._feeds:
            feed.drop()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # --- reading ----------------------------------------------------------------------------------

    def _round(self, now: float) -> None:
        if self._session is None:
            self._session = self._means.log.open(self._wanted.host, self._wanted.credentials)
        more = True
        while more and not (self.stopping or self.held):
            more = False
            for feed in self._feeds:
                if feed.events is None and now >= feed.retry_at:
                    more = self._guarded(feed, self._follow) or more
            more = self._one_each() or more

    def _one_each(self) -> bool:
        """A batch of each channel in turn, so that a busy one does not keep the others waiting.
        Where there is no room for one, it is the first the next time."""
        more = self._turn > 0  # else those before it would be left out
        while self._turn < len(self._feeds):
            more = self._guarded(self._feeds[self._turn], self._drain) or more
            if self.held:
                return False
            self._turn += 1
        self._turn = 0
        return more

    def _guarded(self, feed: Feed, act: Callable[[Feed, Session], bool]) -> bool:
        """True: there may be more to read at once.  Raises what concerns the whole server."""
        assert self._session is not None
        try:
            return act(feed, self._session)
        except EventLogError as error:
            return self._treat(feed, self._session, error)

    def _follow(self, feed: Feed, session: Session) -> bool:
        if feed.mark is None:
            self._sink.put(Taken(feed.channel, feed.begin(session), None))
        feed.follow(session, self._signal)
        feed.status, feed.said = Status.FOLLOWED, ""
        return True

    def _drain(self, feed: Feed, _session: Session) -> bool:
        """One batch; False when there is no more, or no room for it."""
        if feed.events is None or self.stopping:
            return False
        if self._sink.room() < feed.batch:
            self.held = True
            return False
        count = 0
        with closing(feed.events.read(feed.batch)) as found:
            for rendered in found:
                count += 1
                self._attempt = 0  # a host that gives something is not out of reach
                self._intake.take(feed, rendered, frozenset(followed(self._feeds)))
        feed.trips = 0
        return count > 0

    # --- what goes wrong --------------------------------------------------------------------------

    def _treat(self, feed: Feed, session: Session, error: EventLogError) -> bool:
        """One channel's trouble; raises what is the server's."""
        kind = treatment(error)
        if kind is Treatment.EMPTY and feed.events is not None and error.function == "EvtNext":
            return False  # of any other call, what it was asked for is still to come
        feed.drop()
        if kind in _PUT_OFF:
            return self._put_off(feed, *_PUT_OFF[kind], sentence(error))
        match kind:
            case Treatment.SMALLER | Treatment.DAMAGED if feed.batch > 1:
                feed.batch //= 2
                return True
            case Treatment.DAMAGED if feed.mark is not None:
                self._pass_by(feed, session, sentence(error))
            case Treatment.GAP if feed.resume:
                self._gap(feed, session)
            case Treatment.AGAIN:
                pass
            case _:
                raise error
        feed.trips += 1
        if feed.trips > _TRIPS:
            raise error
        return True

    def _gap(self, feed: Feed, session: Session) -> None:
        """The bookmark's event is gone, or Windows says so."""
        assert feed.mark is not None
        if feed.channel != FORWARDED and feed.is_there(session):
            feed.again_from_oldest(known=feed.mark.record_id)
            return
        feed.again_from_oldest(known=0)
        at = f" of {feed.mark.at}" if feed.mark.at else ""
        self._intake.say(
            feed,
            f"the log does not hold record {feed.mark.record_id}{at} any more, which was read "
            "last: cleared, or overwritten; what came after it may be lost, reading on with the "
            "oldest there is",
        )

    def _pass_by(self, feed: Feed, session: Session, said: str) -> None:
        """The same place of the log fails again and again: what stands there is lost."""
        if feed.trips >= _TRIPS:
            self._intake.say(feed, f"{said}; going on with what comes, records are lost")
            feed.jump(session)

    def _put_off(self, feed: Feed, status: Status, seconds: float, said: str) -> bool:
        if (feed.status, feed.said) != (status, said):
            self._intake.say(feed, said)
        feed.status, feed.said = status, said
        feed.retry_at = self._means.clock.monotonic() + seconds
        return False

    def _fail(self, error: EventLogError) -> None:
        """The whole server: nothing of it is kept."""
        self.close()
        now, kind, said = self._means.clock.monotonic(), treatment(error), sentence(error)
        for feed in self._feeds:
            feed.trips, feed.retry_at = 0, min(feed.retry_at, now)
        if kind is Treatment.REFUSED:
            state = State.REFUSED
        elif kind is Treatment.DENIED:
            state = State.DENIED
            self._retry_at = now + DENIED_SECONDS
        else:
            state = State.BACK_OFF
            seconds = min(MOST_SECONDS, 2.0 ** min(self._attempt, 16))
            self._retry_at = now + seconds * (1 + _JITTER * self._means.random())
            self._attempt += 1
        if said != self._error:
            self._sink.note(f"server {self._wanted.label}: {said}")
        self._be(state, said)

    # --- how it stands ----------------------------------------------------------------------------

    def _be(self, state: State, error: str) -> None:
        if state is not self._state:
            self._state, self._since_us = state, self._means.clock.now_us()
        self._error = error

    def _patience(self) -> float:
        now = self._means.clock.monotonic()
        if self._session is None:
            return NEVER if self._state is State.REFUSED else max(0.0, self._retry_at - now)
        due = [feed.retry_at - now for feed in self._feeds if feed.events is None]
        return max(0.0, min([POLL_SECONDS, *due]))

    def _show(self) -> None:
        reached = self._session is not None
        self._sink.show(
            ServerState(
                self._wanted.label,
                self._wanted.host,
                self._state,
                self._since_us,
                self._intake.last_us,
                self._error,
                tuple(feed.shown(reached) for feed in self._feeds),
            )
        )
