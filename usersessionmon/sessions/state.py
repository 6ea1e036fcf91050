"""What the engine remembers, and how it is saved.

Everything here is plain data: it goes to the store as JSON and comes back the same, so that a log
cut at any record gives the same conclusions as one read in one go.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from usersessionmon.model import (
    ABNORMAL,
    Change,
    ChangeKind,
    Moment,
    NamedBy,
    Reason,
    SessionView,
    Term,
)

NEVER = Moment(0, "")
MAX_ATTEMPTS = 32
"""Failed attempts of one connection that are kept apart; sshd's MaxAuthTries is 6 by default."""


class Phase(Term):
    HALF = "half"  # a connection; nobody is logged in
    OPEN = "open"  # somebody is on
    ENDING = "ending"  # it is over; the line that says why may still come
    ENDED = "ended"  # told; kept a while to absorb late lines


class Attempt(NamedTuple):
    """A failed attempt that waits to be told, because a better line of it may follow."""

    us: int
    text: str
    """The attempt's time in RFC 3339."""
    kind: str
    """``pam``: PAM's hint · ``hint``: the program's own · ``key``: an offered key · ``invalid``"""
    user: str | None
    ip: str | None
    client_host: str | None
    port: int | None
    method: str | None
    valid_user: bool | None
    times: int

    @property
    def peer(self) -> str:
        """The client as the line names it; "" for a local one."""
        return self.ip or self.client_host or ""


class Lift(NamedTuple):
    """One su or sudo: told, and perhaps going on."""

    us: int
    pid: int | None
    service: str
    user: str | None
    """Who called it, as its line says."""
    target: str | None
    tty: str | None
    lasts: bool
    """A shell: who they are until it ends, and not only for one command."""
    opened: bool
    """PAM has opened its session, and will close it."""
    key: str | None
    """The connection that it belongs to, where that is known."""
    pam: str = ""
    """PAM's service, by which an end of ``sudo -i`` is none of ``sudo``."""


@dataclass(slots=True)
class Connection:
    """One process that serves one client: from its first line to some time after its end."""

    key: str
    host: str | None
    boot: str | None
    service: str
    pid: int | None
    phase: Phase
    began_us: int
    began_text: str = ""
    last_us: int = 0
    user: str | None = None
    ip: str | None = None
    client_host: str | None = None
    port: int | None = None
    method: str | None = None
    key_fingerprint: str | None = None
    key_id: str | None = None
    tty: str | None = None
    uid: int | None = None
    child_pid: int | None = None
    logind: str | None = None
    session: str | None = None
    login_us: int | None = None
    login_text: str = ""
    login_mono: int | None = None
    login_slept_us: int = 0
    """How long the host had been suspended in all, as far as its log tells; and how long between
    login and end: the monotonic clock stands still then."""
    slept_us: int = 0
    by: str = ""
    """Which kind of line the login came from: ``accepted``, ``opened``, ``logged_in``."""
    pam: bool = False
    """PAM opened a session: its closing line will come."""
    adopted: bool = False
    """Found on the host, not in the log."""
    untold: bool = False
    """Found on the host when it was looked at first, and told to nobody."""
    confirmed: bool = False
    """The host had its process at least once."""
    ticks: int | None = None
    """When that process began, in ticks since the boot; with the pid it is no other one."""
    child: list[int] | None = None
    """pid and ticks of the user's own process behind it."""
    valid_user: bool | None = None
    claimed: str | None = None
    failures: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    reason: Reason | None = None
    end_us: int | None = None
    end_text: str = ""
    end_mono: int | None = None
    end_by: str = ""
    """Which kind of line the end came from: ``pam``, ``left``, ``logind``, …"""
    inferred: bool = False
    deadline_us: int | None = None
    lifts: list[Lift] = field(default_factory=list)
    """Who they are by su or sudo at this moment, one within the other; a few only."""
    became: list[str] = field(default_factory=list)
    """Everybody they became, each once; a few only."""
    key_name: str | None = None
    """What the live host or the configuration calls the key."""
    key_named_by: NamedBy | None = None

    @property
    def login_time(self) -> Moment | None:
        return None if self.login_us is None else Moment(self.login_us, self.login_text)

    @property
    def end_time(self) -> Moment | None:
        return None if self.end_us is None else Moment(self.end_us, self.end_text)


@dataclass(slots=True)
class HostState:
    """What is remembered of one host."""

    name: str | None
    boots: list[str] = field(default_factory=list)
    """The boot ids seen last, the present one at the end; a few only."""
    last: Moment = NEVER
    """The last line's time, and that of the line before it: the last sign of a boot before."""
    previous: Moment = NEVER
    shutdown: str = ""
    shutdown_us: int = 0
    logger_stopped_us: int = 0
    hint_us: int = 0
    listening_us: int = 0
    listener_stopped_us: int = 0
    before: Moment = NEVER
    """The last line before the first of the two daemons that start at a boot."""
    called: Moment = NEVER
    """When the live host was looked at last: a sign of life of all who were on then."""
    ours: bool = False
    """The live host had one of the processes that its log names: these are our processes."""
    slept_us: int = 0
    """How long it was suspended, all times together."""
    asleep: list[int] | None = None
    """(us, monotonic us) of the line that says that it is about to be suspended."""
    floating: list[tuple[int, int | None, str]] = field(default_factory=list)
    """(us, pid, reason) of ends that name no connection; kept for seconds."""
    waiting_logind: list[tuple[int, str, str]] = field(default_factory=list)
    """(us, user, id) of logind sessions that no login is known for yet; kept for seconds."""
    elevations: list[tuple[int, int | None, str, str | None, str | None, bool]] = field(
        default_factory=list
    )
    """(us, pid, service, user, target, has a tty) of the last elevations; kept for seconds."""
    su_failures: list[tuple[int, int | None, str | None, bool]] = field(default_factory=list)
    """(us, pid, target, has a tty) of su's last failures; kept for seconds."""
    sudo: list[tuple[int, str, str | None, str | None, str | None, bool]] = field(
        default_factory=list
    )
    """(us, time, user, target, command, told) of sudo's last lines that PAM has opened no session
    for yet; kept for seconds."""
    lifts: list[Lift] = field(default_factory=list)
    """Elevations that are nobody's present identity: PAM has not opened them yet (kept for
    seconds), it is one command, or nobody knows whose they are; a few only."""
    last_failure: list[Any] | None = None
    """The last line's failure, for ``last message repeated N times``."""


def dump(value: Connection | HostState) -> str:
    """As JSON text; fields at their defaults are left out."""
    kept: dict[str, Any] = {}
    for item in dataclasses.fields(value):
        content = getattr(value, item.name)
        if item.default is not dataclasses.MISSING and content == item.default:
            continue
        if content == [] and item.default_factory is not dataclasses.MISSING:
            continue
        kept[item.name] = content
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def load_connection(text: str) -> Connection:
    """The inverse of ``dump``.  Raises ValueError, TypeError or KeyError for other text."""
    data = json.loads(text)
    data["phase"] = Phase(data["phase"])
    if data.get("reason") is not None:
        data["reason"] = Reason(data["reason"])
    if data.get("key_named_by") is not None:
        data["key_named_by"] = NamedBy(data["key_named_by"])
    data["attempts"] = [Attempt(*item) for item in data.get("attempts", [])]
    data["lifts"] = [Lift(*item) for item in data.get("lifts", [])]
    return Connection(**data)


def load_host(text: str) -> HostState:
    """The inverse of ``dump``.  Raises as ``load_connection``."""
    data = json.loads(text)
    for name in ("floating", "waiting_logind", "elevations", "su_failures", "sudo"):
        data[name] = [tuple(item) for item in data.get(name, [])]
    data["lifts"] = [Lift(*item) for item in data.get("lifts", [])]
    for name in ("last", "previous", "before", "called"):
        data[name] = Moment(*data.get(name, NEVER))
    return HostState(**data)


def change_of(connection: Connection, kind: ChangeKind, time: Moment) -> Change:
    """A login or logout of this connection, with what both tell."""
    name, by = key_name(connection)
    return Change(
        kind=kind,
        time=time,
        host=connection.host,
        service=connection.service,
        user=connection.user,
        ip=connection.ip,
        client_host=connection.client_host,
        port=connection.port,
        method=connection.method,
        key_fingerprint=connection.key_fingerprint,
        session=connection.session,
        tty=connection.tty,
        key_name=name,
        key_named_by=by,
    )


def key_name(connection: Connection) -> tuple[str | None, NamedBy | None]:
    """(what the key is called, who says so); a certificate carries its own name."""
    if connection.key_name is None and connection.key_id:
        return connection.key_id, NamedBy.CERTIFICATE
    return connection.key_name, connection.key_named_by


def view(connection: Connection) -> SessionView:
    """The row that people see; only for connections that carry a session."""
    closed = connection.phase is Phase.ENDED
    reason = (connection.reason or Reason.UNKNOWN) if closed else None
    name, by = key_name(connection)
    return SessionView(
        session=connection.session or "",
        host=connection.host,
        service=connection.service,
        user=connection.user,
        ip=connection.ip,
        port=connection.port,
        method=connection.method,
        key_fingerprint=connection.key_fingerprint,
        login_time=connection.login_time,
        logout_time=connection.end_time if closed else None,
        duration=duration(connection) if closed else None,
        reason=reason,
        abnormal=closed and is_abnormal(connection),
        inferred=connection.adopted or (closed and connection.inferred),
        state="closed" if closed else "open",
        tty=connection.tty,
        pid=connection.pid,
        boot=connection.boot,
        logind=None if closed else connection.logind,
        ticks=connection.ticks,
        mono_us=connection.login_mono,
        child=None if connection.child is None else (connection.child[0], connection.child[1]),
        elevated_to=() if closed else elevated_to(connection),
        became=tuple(connection.became),
        key_name=name,
        key_named_by=by,
    )


def elevated_to(connection: Connection) -> tuple[str, ...]:
    """Who they are, the innermost last; `sudo -i` of who is root already changes nothing."""
    names = [lift.target or "?" for lift in connection.lifts]
    return tuple(name for name, before in zip(names, ["", *names], strict=False) if name != before)


def duration(connection: Connection) -> float | None:
    """Seconds from login to end, a host's sleep included: by the monotonic clock where the source
    gives it for both (they are of one boot then), with the sleep that the log tells of; so that
    a clock that is set changes nothing."""
    if connection.login_us is None or connection.end_us is None:
        return None
    if connection.login_mono is not None and connection.end_mono is not None:
        micros = connection.end_mono - connection.login_mono + connection.slept_us
    else:
        micros = connection.end_us - connection.login_us
    return max(0, micros) / 1_000_000


def is_abnormal(connection: Connection) -> bool:
    """The contract's ``abnormal`` of an ended connection."""
    if connection.reason in ABNORMAL:
        return True
    return connection.reason is Reason.REBOOT and connection.end_by == "crash"
