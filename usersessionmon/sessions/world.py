"""The engine's memory with its indexes: every look-up is one dictionary access.

The handlers change connections only through this object, so that what must be saved (``touched``)
and what must be concluded later (the deadlines) can never be forgotten.
"""

from __future__ import annotations

import hashlib
import heapq
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from usersessionmon.model import Change, Event, Moment, Reason, Record, SessionView

from .state import Attempt, Connection, HostState, Lift, Phase

SECOND = 1_000_000
MAX_HALF = 4096
"""Connections with nobody logged in that are remembered at once; the oldest is concluded first."""
MAX_RECENT = 32
MAX_STALE = 4096
"""Deadlines that do not hold any more and are remembered all the same."""
STEP_BACK = 5 * SECOND
"""A host's clock that goes back by more than this was set, and waiting ends are moved with it."""

K = TypeVar("K")
Address = tuple[str | None, str, int]
Peer = tuple[str | None, str, str]


class Down(NamedTuple):
    """The host was brought down in order, or came up, as wtmp has it."""

    time: Moment
    up: bool
    reason: Reason


class Witness(NamedTuple):
    """What others than the log know of this host's boots."""

    names: frozenset[str]
    """This host's."""
    downs: tuple[Down, ...]
    """In the order in which they were."""
    last: Mapping[str, Moment]
    """Of boots by their ids: the last sign of life."""


class World:
    """All that is remembered, of all hosts."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.hosts: dict[str | None, HostState] = {}
        self.named_boots = False
        """Some host's boots have names (a journal, or this host's own)."""
        self.witness = Witness(frozenset(), (), {})
        self.out: list[Change] = []
        """What the event in hand led to."""
        self.touched: dict[str, Connection | None] = {}
        """Connections to save since the last ``drain``; None: forget it."""
        self.touched_hosts: set[str | None] = set()
        self.closed: list[SessionView] = []
        """Sessions that ended since the last ``drain``."""
        self._hints: dict[Peer, dict[str, None]] = {}
        self._deadlines: dict[str | None, list[tuple[int, str]]] = {}
        self._by_address: dict[Address, str] = {}
        self._by_ip: dict[tuple[str | None, str], dict[str, None]] = {}
        self._by_child: dict[tuple[str | None, int], str] = {}
        self._by_logind: dict[tuple[str | None, str | None, str], str] = {}
        self._recent: dict[tuple[str | None, str], deque[str]] = {}
        self._lifted: dict[str | None, dict[str, None]] = {}
        self._by_lift: dict[tuple[str | None, int], str] = {}
        self._half: dict[str, None] = {}

    # --- hosts ------------------------------------------------------------------------------------

    def host(self, name: str | None) -> HostState:
        """The state of a host, made when it is seen first."""
        state = self.hosts.get(name)
        if state is None:
            state = self.hosts[name] = HostState(name)
        return state

    def on_host(self, name: str | None) -> list[Connection]:
        """Every connection of a host that is not over (rare: at a boot)."""
        return [
            connection
            for connection in self.connections.values()
            if connection.host == name and connection.phase is not Phase.ENDED
        ]

    # --- connections ------------------------------------------------------------------------------

    def get(self, key: str) -> Connection | None:
        return self.connections.get(key)

    def of_pid(self, record: Record, pid: int | None = None) -> Connection | None:
        """The connection of a process on the record's host and boot."""
        number = record.pid if pid is None else pid
        if number is None:
            return None
        found = self.connections.get(pid_key(record, number))
        if found is None and record.boot is None and self.named_boots:
            # A line of a text log from before the present boot: mostly of the boot before.
            boots = self.host(record.host).boots
            if boots:
                found = self.connections.get(pid_key(record._replace(boot=boots[-1]), number))
                if found is not None and found.began_us > record.time.us + STEP_BACK:
                    return None
        return found

    def of_address(self, host: str | None, ip: str | None, port: int | None) -> Connection | None:
        """The one that is open, or has just ended, for a client's address and port."""
        if ip is None or port is None:
            return None
        key = self._by_address.get((host, ip, port))
        return None if key is None else self.connections.get(key)

    def only_of_ip(self, host: str | None, ip: str | None) -> Connection | None:
        """The open one of an address, if there is exactly one (sshd before 7.2 logs no port)."""
        keys = self._by_ip.get((host, ip), {}) if ip is not None else {}
        return self.connections.get(next(iter(keys))) if len(keys) == 1 else None

    def portless(self, host: str | None, ip: str, user: str | None) -> Connection | None:
        """An open one of an address whose port is not known (found on the host, not in the log)."""
        for key in self._by_ip.get((host, ip), {}):
            connection = self.connections.get(key)
            if connection is not None and connection.port is None and connection.user == user:
                return connection
        return None

    def of_child(self, host: str | None, pid: int | None) -> Connection | None:
        key = None if pid is None else self._by_child.get((host, pid))
        return None if key is None else self.connections.get(key)

    def of_logind(self, host: str | None, boot: str | None, name: str) -> Connection | None:
        key = self._by_logind.get((host, boot, name))
        if key is None and boot is None and self.named_boots:
            boots = self.host(host).boots
            key = self._by_logind.get((host, boots[-1], name)) if boots else None
        return None if key is None else self.connections.get(key)

    def recent(self, host: str | None, user: str | None) -> Iterator[Connection]:
        """The last sessions of a user on a host, newest first; a few only."""
        for key in reversed(self._recent.get((host, user), ()) if user is not None else ()):
            connection = self.connections.get(key)
            if connection is not None:
                yield connection

    def only_recent(self, host: str | None, user: str | None) -> list[Connection] | None:
        """All sessions of a user on a host; None when there are more than are remembered."""
        found = list(self.recent(host, user))
        return found if len(found) < MAX_RECENT else None

    def of_lift(self, host: str | None, pid: int) -> Connection | None:
        """The connection of whoever is somebody else by this su or sudo."""
        key = self._by_lift.get((host, pid))
        return None if key is None else self.connections.get(key)

    def lifted(self, host: str | None) -> list[Connection]:
        """The connections of a host whose people are somebody else at this moment."""
        return [self.connections[key] for key in self._lifted.get(host, ())]

    def lift(self, connection: Connection, lift: Lift) -> None:
        """Somebody is somebody else from now on."""
        connection.lifts = [*connection.lifts, lift]
        self.index(connection)

    def drop(self, connection: Connection, lift: Lift) -> None:
        """… and is not any more."""
        self._unlift(connection)
        connection.lifts = [other for other in connection.lifts if other is not lift]
        self.index(connection)

    def _unlift(self, connection: Connection) -> None:
        host, key = connection.host, connection.key
        for lift in connection.lifts:
            if lift.pid is not None:
                _drop(self._by_lift, (host, lift.pid), key)
        keys = self._lifted.get(host)
        if keys is not None:
            keys.pop(key, None)
            if not keys:
                del self._lifted[host]

    def add(self, connection: Connection) -> Connection:
        """Remember a new connection under its key, with its indexes."""
        self.connections[connection.key] = connection
        if connection.phase is Phase.HALF:
            self._half[connection.key] = None
        self.index(connection)
        return connection

    def index(self, connection: Connection) -> None:
        """Bring the indexes up to what the connection now says, and mark it for saving."""
        self.touched[connection.key] = connection
        host, key = connection.host, connection.key
        if connection.phase is not Phase.HALF:
            self._half.pop(key, None)
            if connection.ip is not None:
                if connection.port is not None:
                    self._by_address[host, connection.ip, connection.port] = key
                if connection.phase is not Phase.ENDED:
                    self._by_ip.setdefault((host, connection.ip), {})[key] = None
        if connection.child_pid is not None:
            self._by_child[host, connection.child_pid] = key
        if connection.logind is not None:
            self._by_logind[host, connection.boot, connection.logind] = key
        if connection.lifts and connection.phase is not Phase.ENDED:
            self._lifted.setdefault(host, {})[key] = None
            for lift in connection.lifts:
                if lift.pid is not None:
                    self._by_lift[host, lift.pid] = key

    def remember_recent(self, connection: Connection) -> None:
        """Let ``recent`` find a session that has just begun."""
        if connection.user is not None:
            recent = self._recent.setdefault(
                (connection.host, connection.user), deque(maxlen=MAX_RECENT)
            )
            recent.append(connection.key)

    def unlist(self, connection: Connection) -> None:
        """An ended one no longer counts as the open one of its address, nor is anybody in it
        somebody else."""
        self._unlift(connection)
        if connection.ip is None:
            return
        place = (connection.host, connection.ip)
        keys = self._by_ip.get(place)
        if keys is not None:
            keys.pop(connection.key, None)
            if not keys:
                del self._by_ip[place]

    def forget(self, connection: Connection) -> None:
        """Drop a connection and every index to it."""
        key, host = connection.key, connection.host
        self.connections.pop(key, None)
        self.touched[key] = None
        self._half.pop(key, None)
        for attempt in connection.attempts:
            if attempt.kind == "pam":
                self.unhint(connection, attempt.peer)
        self.unlist(connection)
        self._unlift(connection)
        if connection.ip is not None and connection.port is not None:
            _drop(self._by_address, (host, connection.ip, connection.port), key)
        if connection.child_pid is not None:
            _drop(self._by_child, (host, connection.child_pid), key)
        if connection.logind is not None:
            _drop(self._by_logind, (host, connection.boot, connection.logind), key)
        if connection.user is not None:
            recent = self._recent.get((host, connection.user))
            if recent is not None and key in recent:
                recent.remove(key)
                if not recent:
                    del self._recent[host, connection.user]

    def oldest_half(self) -> Connection | None:
        """The connection to conclude when there are too many without a login."""
        if len(self._half) <= MAX_HALF:
            return None
        return self.connections.get(next(iter(self._half)))

    # --- PAM's hints, which may come from a helper process with a pid of its own ------------------

    def hint(self, connection: Connection, peer: str) -> None:
        """Remember that this connection holds a hint about a client (address, name or "")."""
        place = (connection.host, connection.service, peer)
        self._hints.setdefault(place, {})[connection.key] = None

    def hinted(self, host: str | None, service: str, peer: str) -> list[Connection]:
        """The connections that hold hints about a client."""
        keys = self._hints.get((host, service, peer))
        if keys is None:
            return []
        return [self.connections[key] for key in keys if key in self.connections]

    def hide_hints(self) -> dict[Peer, dict[str, None]]:
        """Forget the hints for a while."""
        hidden, self._hints = self._hints, {}
        return hidden

    def show_hints(self, hidden: dict[Peer, dict[str, None]]) -> None:
        """Remember them again, beside those of the meantime."""
        fresh, self._hints = self._hints, hidden
        for place, keys in fresh.items():
            self._hints.setdefault(place, {}).update(keys)

    def unhint(self, connection: Connection, peer: str) -> None:
        place = (connection.host, connection.service, peer)
        keys = self._hints.get(place)
        if keys is not None:
            keys.pop(connection.key, None)
            if not keys:
                del self._hints[place]

    # --- time -------------------------------------------------------------------------------------

    def due_at(self, connection: Connection, us: int | None) -> None:
        """Conclude something about the connection at ``us``; None: nothing is waiting any more."""
        connection.deadline_us = us
        self.touched[connection.key] = connection
        if us is None:
            return
        heap = self._deadlines.setdefault(connection.host, [])
        heapq.heappush(heap, (us, connection.key))
        if len(heap) > MAX_STALE + 4 * len(self.connections):
            self._tidy(heap)

    def _tidy(self, heap: list[tuple[int, str]]) -> None:
        """Drop the deadlines that do not hold any more."""
        heap[:] = {
            (us, key)
            for us, key in heap
            if (connection := self.connections.get(key)) and connection.deadline_us == us
        }
        heapq.heapify(heap)

    def due(self, host: str | None, now_us: int) -> Iterator[Connection]:
        """The connections of a host whose deadline has passed, in order."""
        heap = self._deadlines.get(host)
        while heap and heap[0][0] <= now_us:
            us, key = heapq.heappop(heap)
            connection = self.connections.get(key)
            if connection is not None and connection.deadline_us == us:
                connection.deadline_us = None
                yield connection

    def waiting_hosts(self) -> list[str | None]:
        """The hosts on which something waits for its deadline."""
        return [host for host, heap in self._deadlines.items() if heap]

    def is_due(self, host: str | None, now_us: int) -> bool:
        """Whether ``due`` may have anything to give."""
        heap = self._deadlines.get(host)
        return heap is not None and bool(heap) and heap[0][0] <= now_us

    def due_us(self, host: str | None) -> int:
        """When ``due`` may have something to give."""
        heap = self._deadlines.get(host)
        return heap[0][0] if heap else sys.maxsize

    def first_deadlines(self) -> list[tuple[str | None, int]]:
        """(host, its earliest deadline by its own clock)"""
        return [(host, heap[0][0]) for host, heap in self._deadlines.items() if heap]

    def shift(self, host: str | None, by_us: int) -> None:
        """The host's clock was set back: what waits is moved with it."""
        waiting = {
            key: connection
            for us, key in self._deadlines.pop(host, [])
            if (connection := self.connections.get(key)) and connection.deadline_us == us
        }
        for connection in waiting.values():  # each once: entries that are out of date stay behind
            if connection.deadline_us is not None:
                self.due_at(connection, connection.deadline_us + by_us)

    # --- saving -----------------------------------------------------------------------------------

    def restore(self, connections: Iterable[Connection], hosts: Iterable[HostState]) -> None:
        """Take up what was saved; call once, on an empty world."""
        for state in hosts:
            self.hosts[state.name] = state
            self.named_boots = self.named_boots or bool(state.boots)
        ordered = sorted(connections, key=lambda item: (item.login_us or item.began_us, item.key))
        for connection in ordered:
            self.add(connection)
            if connection.session is not None:
                self.remember_recent(connection)
            if connection.phase is Phase.ENDED:
                self.unlist(connection)
            for attempt in connection.attempts:
                if attempt.kind == "pam":
                    self.hint(connection, attempt.peer)
            if connection.deadline_us is not None:
                self.due_at(connection, connection.deadline_us)
        self.touched.clear()


def _drop(index: dict[K, str], place: K, key: str) -> None:
    """Remove an index entry, unless it already points to a younger connection."""
    if index.get(place) == key:
        del index[place]


def pid_key(record: Record, pid: int) -> str:
    """A connection's key by its process: pids begin anew with each boot."""
    return process_key(record.host, record.boot, pid)


def process_key(host: str | None, boot: str | None, pid: int | None) -> str:
    """As ``pid_key``, where there is no record."""
    return f"{host or ''}|{boot or ''}|{pid}"


def name_key(record: Record, service: str, user: str | None) -> str:
    """A connection's key where the log gives no pid."""
    return f"{record.host or ''}|{record.boot or ''}|{service}|{user or ''}|{record.time.us}"


def session_id(connection: Connection, time: Moment) -> str:
    """The session's stable id: the same log gives the same one, whoever reads it."""
    text = "\x1f".join(
        (
            connection.host or "",
            connection.service,
            str(connection.pid or ""),
            str(time.us),
            connection.user or "",
            connection.ip or "",
            str(connection.port or ""),
        )
    )
    return hashlib.blake2s(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def new_connection(event: Event, key: str, phase: Phase, pid: int | None) -> Connection:
    """A connection that begins with this event."""
    record = event.record
    return Connection(
        key=key,
        host=record.host,
        boot=record.boot,
        service=event.service,
        pid=pid,
        phase=phase,
        began_us=record.time.us,
        began_text=record.time.text,
        last_us=record.time.us,
    )


def attempt_of(event: Event, kind: str) -> Attempt:
    """The failed attempt that an event tells of."""
    got = event.got
    return Attempt(
        event.record.time.us,
        event.record.time.text,
        kind,
        got.get("user"),
        got.get("ip"),
        got.get("client_host"),
        got.get("port"),
        got.get("method"),
        got.get("valid_user"),
        event.repeat,
    )
