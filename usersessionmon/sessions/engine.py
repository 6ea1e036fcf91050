"""The session engine: from what lines mean to what happened to people.

It has no clock, no I/O and no logger.  Time comes in with the events, and with ``tick``: the clock
when live, the last record's time in a replay; so ``scan`` and ``run`` conclude the same.  What it
remembers can be saved and loaded between any two records without changing what it concludes.

A connection goes HALF → OPEN → ENDING → ENDED.  Which line moves it stands in the ``KINDS`` tables
of ``logins``, ``failures``, ``endings``, ``boots`` and ``elevations``; nothing else moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from usersessionmon.model import (
    Change,
    Event,
    Means,
    Moment,
    NamedBy,
    Reason,
    Record,
    SessionView,
)

from . import boots, elevations, endings, failures, logins
from .state import Connection, HostState, Phase, dump, load_connection, load_host, view
from .world import STEP_BACK, Witness, World, pid_key, process_key, session_id

Handler = Callable[[World, Event], None]

HANDLERS: Mapping[Means, Handler] = {
    **logins.KINDS,
    **failures.KINDS,
    **endings.KINDS,
    **boots.KINDS,
    **elevations.KINDS,
}


_REPEATABLE = frozenset({Means.FAILED, Means.REPEATED})
"""A following ``last message repeated`` is about these."""


class Delta(NamedTuple):
    """What must be saved since the last time."""

    connections: Mapping[str, str | None]
    """Key → JSON; None: forget it."""
    hosts: Mapping[str, str]
    sessions: tuple[SessionView, ...]
    """Rows to insert or replace, the closed ones last."""


class Found(NamedTuple):
    """A session that the host says is on: what is known of it."""

    user: str
    service: str
    pid: int
    since: Moment
    ip: str | None
    client_host: str | None
    tty: str | None
    logind: str | None
    uid: int | None
    port: int | None = None
    ticks: int | None = None
    child: tuple[int, int] | None = None


class Engine:
    """See the module's text."""

    def __init__(self) -> None:
        self._world = World()
        self._heard: dict[str | None, float] = {}
        """When, by ``tick``'s clock, each host's last line was read; not saved."""
        self._fresh: set[str | None] = set()
        """The hosts that have had lines since the last ``tick``."""

    # --- feeding ----------------------------------------------------------------------------------

    def feed(self, event: Event) -> list[Change]:
        """What one event leads to, what had to wait for this moment included."""
        host = self._advance(event.record)
        handler = HANDLERS.get(event.means)
        if handler is not None:
            handler(self._world, event)
        if event.means not in _REPEATABLE:
            host.last_failure = None
        return self._take()

    def pass_by(self, record: Record) -> list[Change]:
        """A line that means nothing, or that no rule knows: time goes on all the same."""
        self._advance(record).last_failure = None
        return self._take()

    # --- for one who knows some conversations by heart (``byheart``) ------------------------------

    def knows(self, record: Record) -> bool:
        """Whether something is remembered of the process that wrote the record."""
        return self._world.of_pid(record) is not None

    def has_hint(self, host: str | None, service: str, peer: str) -> bool:
        """Whether a hint of PAM's about this client waits."""
        return bool(self._world.hinted(host, service, peer))

    def remembers_nothing(self) -> bool:
        """Whether no connection is remembered."""
        return not self._world.connections

    def due_us(self, host: str | None) -> int:
        """When something is due on a host, by its clock."""
        return self._world.due_us(host)

    def failed_last(self, change: Change) -> None:
        """The line that passed by last was this failure."""
        failures.keep_last(self._world.host(change.host), change)

    def relive(self, events: Iterable[Event], told: Sequence[Change]) -> None:
        """Hear late of events, each at its own time, of which ``told`` was told when they came.

        No other connection's hints are theirs: there were none of the same client then.
        """
        world, before = self._world, self._world.out
        world.out = []
        hints = world.hide_hints()
        for event in events:
            host = world.host(event.record.host)
            last_failure = host.last_failure
            handler = HANDLERS.get(event.means)
            if handler is not None:
                handler(world, event)
            host.last_failure = last_failure
        world.show_hints(hints)
        world.out = [*before, *(change for change in world.out if change not in told)]

    def rescue(self) -> list[Change]:
        """What had been concluded when a fault of the program broke off an event."""
        return self._take()

    def tick(self, monotonic: float) -> list[Change]:
        """Time has passed at the log's end: conclude what has waited long enough.

        ``monotonic``: seconds that never go back.  A host's own time goes on from its last line by
        what has passed since that line was read: its clock may be hours from ours (another zone in
        a central log, a clock that is wrong), and a line may have been read long after its time.
        """
        world = self._world
        for host in self._fresh:
            self._heard[host] = monotonic
        self._fresh.clear()
        for host in world.waiting_hosts():
            heard = self._heard.setdefault(host, monotonic)
            passed = round((monotonic - heard) * 1_000_000)
            self._expire(host, world.host(host).last.us + passed)
        return self._take()

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to conclude; None: nothing waits."""
        waits = [
            (due_us - self._world.host(host).last.us) / 1_000_000
            - (monotonic - self._heard.get(host, monotonic))
            for host, due_us in self._world.first_deadlines()
        ]
        return max(0.0, min(waits)) if waits else None

    def finish(self) -> list[Change]:
        """The log is at its end and nothing will follow: conclude all that waits.

        Sessions that are open stay open.
        """
        world = self._world
        waiting = sorted(world.connections.values(), key=lambda item: (item.last_us, item.key))
        for connection in waiting:
            if connection.phase is Phase.HALF:
                failures.conclude(world, connection)
            elif connection.phase is Phase.ENDING:
                endings.conclude(world, connection)
        return self._take()

    def _advance(self, record: Record) -> HostState:
        world, name, time = self._world, record.host, record.time
        host = world.hosts.get(name) or world.host(name)
        if time.us < host.last.us - STEP_BACK:
            world.shift(name, time.us - host.last.us)
        if world.is_due(name, time.us):
            self._expire(name, time.us)
        if record.boot is not None:
            boots.seen(world, record)
        host.previous = host.last
        host.last = time
        world.touched_hosts.add(name)
        self._fresh.add(name)
        return host

    def _expire(self, host: str | None, now_us: int) -> None:
        world = self._world
        for connection in world.due(host, now_us):
            if connection.phase is Phase.HALF:
                failures.due(world, connection, now_us)
            elif connection.phase is Phase.ENDING:
                endings.conclude(world, connection)
            elif connection.phase is Phase.ENDED:
                world.forget(connection)

    def _take(self) -> list[Change]:
        out = self._world.out
        if out:
            self._world.out = []
        return out

    # --- the live host ----------------------------------------------------------------------------

    def booted(self, host: str | None, boot: str, time: Moment) -> list[Change]:
        """The host is known to be on this boot: what an earlier boot left open is over."""
        boots.seen(self._world, Record(time, host, "", None, "", boot=boot))
        return self._take()

    def know(self, witness: Witness) -> None:
        """Take up what others than the log know of this host's boots; not saved."""
        self._world.witness = witness

    def adopt(
        self, host: str | None, boot: str | None, found: Found, *, tell: bool = False
    ) -> bool:
        """Take up a session that the log did not tell of; True when it was not known.

        With ``tell`` its login comes out of the next ``tick``.
        """
        record = Record(found.since, host, "", found.pid, "", boot=boot)
        known = self._world.of_pid(record)
        other = known is not None and known.ticks not in {None, found.ticks}
        if known is not None and (
            known.phase is Phase.HALF or (known.phase is Phase.ENDED and other)
        ):
            # The login's line alone was lost; or the number was given out again.
            self._world.forget(known)
        elif known is not None or self._is_known(host, boot, found):
            return False
        connection = Connection(
            key=pid_key(record, found.pid),
            host=host,
            boot=boot,
            service=found.service,
            pid=found.pid,
            phase=Phase.OPEN,
            began_us=found.since.us,
            began_text=found.since.text,
            last_us=found.since.us,
            user=found.user,
            ip=found.ip,
            client_host=found.client_host,
            tty=found.tty,
            uid=found.uid,
            port=found.port,
            logind=found.logind,
            login_us=found.since.us,
            login_text=found.since.text,
            by="adopted",
            pam=True,
            adopted=True,
            untold=not tell,
            ticks=found.ticks,
            child=None if found.child is None else list(found.child),
        )
        connection.session = session_id(connection, found.since)
        self._world.add(connection)
        self._world.remember_recent(connection)
        if tell:
            self._world.out.append(logins.login_change(connection))
        return True

    def _is_known(self, host: str | None, boot: str | None, found: Found) -> bool:
        """Whether the log told of it under another pid, as programs with many processes do."""
        world = self._world
        if found.logind is not None and world.of_logind(host, boot, found.logind) is not None:
            return True
        return found.service != "sshd" and any(
            connection.service == found.service
            and connection.login_us is not None
            and abs(connection.login_us - found.since.us) <= logins.SAME_LOGIN
            for connection in world.recent(host, found.user)
        )

    def confirm(
        self, key: str, ticks: int | None = None, child: tuple[int, int] | None = None
    ) -> None:
        """The host has the process of this open session, begun at ``ticks``, and its ``child``."""
        connection = self._world.get(key)
        if connection is None:
            return
        fresh = list(child) if child is not None else connection.child
        if not connection.confirmed or connection.ticks is None or connection.child != fresh:
            connection.confirmed = True
            connection.ticks = connection.ticks if ticks is None else ticks
            connection.child = fresh
            self._world.host(connection.host).ours = True
            self._world.touched_hosts.add(connection.host)
            self._world.index(connection)

    def called(self, host: str | None, time: Moment, *, save: bool) -> None:
        """The live host was looked at.  With ``save`` that is worth being saved for itself."""
        self._world.host(host).called = time
        if save:
            self._world.touched_hosts.add(host)

    def last_called(self, host: str | None) -> Moment:
        """When the live host was looked at last, by this program or the one before it."""
        return self._world.host(host).called

    def gone(self, key: str, time: Moment, mono_us: int | None = None) -> list[Change]:
        """The host says that the process of an open session is not there any more; ``time`` is its
        last sign of life, ``mono_us`` the same on the boot's monotonic clock.

        Believed only of a process that was there once: a text log may name any, and some programs
        log from one that does not last.  sshd's does: there it is enough that the log has named
        another one that was there, so that it is of this machine's processes.
        """
        connection = self._world.get(key)
        if connection is None or connection.phase is not Phase.OPEN:
            return []
        ours = connection.service == "sshd" and self._world.host(connection.host).ours
        if connection.confirmed or ours:
            if connection.login_time is not None and connection.login_time.us > time.us:
                time, mono_us = connection.login_time, connection.login_mono
            reason = connection.reason or Reason.UNKNOWN
            endings.end_unseen(self._world, connection, time, reason, "host", mono_us)
        return self._take()

    def belongs(
        self, change: Change, boot: str | None, pids: Sequence[int], logind: Sequence[str]
    ) -> Change:
        """As ``elevations.belongs``."""
        return elevations.belongs(self._world, change, boot, pids, logind)

    def lifted(self, host: str | None) -> list[tuple[str, int, int]]:
        """(key, pid, since when) of every su and sudo that goes on, where its process is known."""
        return [
            (connection.key, lift.pid, lift.us)
            for connection in self._world.lifted(host)
            for lift in connection.lifts
            if lift.pid is not None
        ]

    def sank(self, key: str, pid: int) -> None:
        """The host says that the process of a su or sudo is not there any more."""
        connection = self._world.get(key)
        if connection is not None:
            for lift in connection.lifts:
                if lift.pid == pid:
                    self._world.drop(connection, lift)

    def name_key(self, login: Change, boot: str | None, name: str, by: NamedBy) -> Change:
        """Remember what the key of a login is called."""
        for known in dict.fromkeys((boot, None)):
            key = process_key(login.host, known, login.pid)
            connection = self._world.get(key)
            if connection is not None and connection.session == login.session:
                connection.key_name, connection.key_named_by = name, by
                self._world.index(connection)
                break
        return login._replace(key_name=name, key_named_by=by)

    def host_names(self) -> tuple[str | None, ...]:
        """The hosts that the log has named."""
        return tuple(self._world.hosts)

    def boots_of(self, host: str) -> tuple[str, ...]:
        """The boots of a host by their ids, the latest last; a few only."""
        return tuple(self._world.host(host).boots)

    def open_sessions(self) -> Iterable[tuple[str, SessionView]]:
        """(key, row) of everybody who is on."""
        for connection in self._world.connections.values():
            if connection.phase is Phase.OPEN:
                yield connection.key, view(connection)

    # --- saving -----------------------------------------------------------------------------------

    def has_news(self) -> bool:
        """Whether ``drain`` has anything to give."""
        world = self._world
        return bool(world.touched or world.touched_hosts or world.closed)

    def drain(self) -> Delta:
        """What changed since the last call; the caller saves it in its transaction."""
        world = self._world
        sessions = [
            view(connection)
            for connection in world.touched.values()
            if connection is not None and connection.phase in {Phase.OPEN, Phase.ENDING}
        ]
        delta = Delta(
            {
                key: None if connection is None else dump(connection)
                for key, connection in world.touched.items()
            },
            {name or "": dump(world.hosts[name]) for name in world.touched_hosts},
            (*sessions, *world.closed),
        )
        world.touched.clear()
        world.touched_hosts.clear()
        world.closed.clear()
        return delta

    def skim(self) -> tuple[SessionView, ...]:
        """The sessions that ended since the last call, for one who saves nothing."""
        world = self._world
        closed = tuple(world.closed)
        world.closed.clear()
        world.touched.clear()
        world.touched_hosts.clear()
        return closed

    @classmethod
    def load(cls, connections: Iterable[str], hosts: Iterable[str]) -> Engine:
        """An engine that remembers what was saved.  Raises as ``state.load_connection``."""
        engine = cls()
        states: list[HostState] = [load_host(text) for text in hosts]
        engine._world.restore([load_connection(text) for text in connections], states)
        return engine
