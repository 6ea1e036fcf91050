"""Logouts: one for each session, at the right time, with its reason.

The line that ends a session (PAM's, from sshd's monitor) and the line that says why (from the
user's child, with another pid) race; whichever comes first waits a moment for the other.
"""

from __future__ import annotations

from usersessionmon.model import Change, ChangeKind, Event, Means, Moment, Proof, Reason

from . import failures
from .state import Connection, Phase, change_of, duration, is_abnormal, view
from .world import SECOND, World, name_key, new_connection, pid_key, session_id

REASON_WAIT = 2 * SECOND
"""How long an end waits for the line that says why."""
CLOSE_WAIT = 60 * SECOND
"""How long a client that left is waited for by PAM's closing line, where PAM opened a session."""
TOMBSTONE = 120 * SECOND
"""How long an ended session is remembered to absorb its late lines."""
UNSEEN_TOMBSTONE = 86_400 * SECOND
"""The same where the host said that it was over: the logger may be hours behind."""
SHUTDOWN_WAIT = 120 * SECOND
"""Sessions that end within this after a shutdown's announcement end by it."""
_FLOATING = 64

_REASONS = {
    Means.LEFT: Reason.USER,
    Means.DISCONNECTED: Reason.USER,
    Means.LOST: Reason.NETWORK,
    Means.TIMED_OUT: Reason.TIMEOUT,
    Means.KILLED: Reason.KILLED,
}


def closed(world: World, event: Event) -> None:
    """PAM closed a session: the end in every version of sshd."""
    record = event.record
    connection = world.of_pid(record) if record.pid is not None else _by_name(world, event)
    if connection is None:  # PAM was called by a child: see logins.opened
        connection = world.of_child(record.host, record.pid)
    if connection is not None and connection.phase is Phase.ENDED:
        return
    if connection is None or connection.phase is Phase.HALF:
        if connection is not None and connection.failures and event.service == "login":
            # shadow's login(1), when it gives up, closes a session that it never opened
            failures.conclude(world, connection)
            return
        connection = _orphan(world, event, connection)
    if connection.reason is None:
        connection.reason = _take_floating(world, event)
    _end(connection, event, "pam")
    if connection.reason is not None:
        conclude(world, connection)
    else:
        world.due_at(connection, record.time.us + REASON_WAIT)
        world.index(connection)


def _by_name(world: World, event: Event) -> Connection | None:
    """The session of a line without a pid: the user's newest open one of that service."""
    for connection in world.recent(event.record.host, event.got.get("user")):
        if connection.service == event.service and connection.phase is not Phase.ENDED:
            return connection
    return None


def _just_ended(world: World, event: Event) -> Connection | None:
    """The user's session of that service that another line has ended moments ago."""
    for connection in world.recent(event.record.host, event.got.get("user")):
        if connection.service == event.service:
            return connection
    return None


def _orphan(world: World, event: Event, half: Connection | None) -> Connection:
    """An end whose login was not seen; the client's own line may have come before."""
    record, user = event.record, event.got.get("user")
    if half is not None:
        world.forget(half)
    for earlier in world.recent(record.host, user):
        if earlier.phase is Phase.ENDING and earlier.login_us is None and earlier.end_by == "left":
            return earlier
    key = (
        name_key(record, event.service, user) if record.pid is None else pid_key(record, record.pid)
    )
    connection = new_connection(event, key, Phase.ENDING, record.pid)
    connection.user = user
    if half is not None:
        connection.ip, connection.port = half.ip, half.port
    connection.session = session_id(connection, record.time)
    world.add(connection)
    world.remember_recent(connection)
    return connection


def explained(world: World, event: Event) -> None:
    """A line that says why a connection ends."""
    connection = locate(world, event)
    if connection is None:
        _unknown_end(world, event)
        return
    if connection.phase is Phase.ENDED:
        return
    if connection.phase is Phase.HALF:
        if event.proof is not Proof.ANNOTATES:
            failures.conclude(world, connection)
        return
    if event.proof is Proof.ANNOTATES and not _own(connection, event):
        return
    connection.reason = _stronger(connection.reason, _REASONS[event.means])
    if connection.phase is Phase.ENDING:
        if connection.end_by == "pam":
            conclude(world, connection)
    elif event.proof is Proof.ANNOTATES:
        # It ends nothing; should the host say that the session is gone, it was about now.
        connection.end_us, connection.end_text = event.record.time
        connection.end_mono = event.record.mono_us
    else:
        _end(connection, event, "left")
        wait = CLOSE_WAIT if connection.pam else REASON_WAIT
        world.due_at(connection, event.record.time.us + wait)
    world.index(connection)


def _own(connection: Connection, event: Event) -> bool:
    """Whether a line written with a user's uid is about that user's session."""
    uid = event.got.get("uid")
    return connection.uid is None or uid is None or uid in {0, connection.uid}


def _stronger(old: Reason | None, new: Reason) -> Reason:
    """What went wrong explains more than that the client is gone."""
    return new if old is None or old is Reason.USER else old


def _unknown_end(world: World, event: Event) -> None:
    """A reason without a known session: it may float for a moment, or be a logout by itself."""
    record, got = event.record, event.got
    if "ip" not in got:
        _float(world, event)
    elif event.means is Means.LEFT and event.proof is not Proof.ANNOTATES:
        key = f"{name_key(record, event.service, got.get('user'))}|{got.get('port')}"
        connection = new_connection(event, key, Phase.ENDING, None)
        connection.user = got.get("user")
        connection.ip, connection.port = got.get("ip"), got.get("port")
        connection.reason = _REASONS[event.means]
        connection.session = session_id(connection, record.time)
        _end(connection, event, "left")
        world.add(connection)
        world.remember_recent(connection)
        world.due_at(connection, record.time.us + REASON_WAIT)


def _float(world: World, event: Event) -> None:
    """``Exiting on signal 15`` names nobody: give it to the session that ends beside it."""
    record = event.record
    reason = _REASONS[event.means]
    if event.proof is not Proof.ANNOTATES:
        for connection in world.on_host(record.host):
            if (
                connection.phase is Phase.ENDING
                and connection.reason is None
                and connection.end_by == "pam"
                and _beside(connection.pid, record.pid)
            ):
                connection.reason = reason
                conclude(world, connection)
                return
    host = world.host(record.host)
    fresh = [item for item in host.floating if record.time.us - item[0] <= REASON_WAIT]
    host.floating = [*fresh[-_FLOATING + 1 :], (record.time.us, record.pid, reason.value)]


def _take_floating(world: World, event: Event) -> Reason | None:
    """The floating reason whose process was forked soonest after this session's monitor."""
    host, record = world.host(event.record.host), event.record
    fitting = [
        item
        for item in host.floating
        if abs(record.time.us - item[0]) <= REASON_WAIT and _beside(record.pid, item[1])
    ]
    if not fitting:
        return None
    best = min(fitting, key=lambda item: (item[1] or 0) - (record.pid or 0))
    host.floating.remove(best)
    return Reason(best[2])


def _beside(monitor: int | None, child: int | None) -> bool:
    return monitor is None or child is None or child >= monitor


def locate(world: World, event: Event) -> Connection | None:
    """The session that a line of the user's child is about."""
    record, got = event.record, event.got
    host, ip, port = record.host, got.get("ip"), got.get("port")
    found = world.of_address(host, ip, port)
    if found is not None and _same_user(found, got.get("user")):
        if found.child_pid is None and record.pid not in {None, found.pid}:
            found.child_pid = record.pid
            world.index(found)
        return found
    found = world.of_pid(record) or world.of_child(host, record.pid)
    if found is not None and (ip is None or found.ip in {None, ip}):
        return found
    trusted = record.trusted
    if trusted is not None and trusted.audit_session is not None:
        found = world.of_logind(host, record.boot, trusted.audit_session)
        if found is not None and (ip is None or found.ip in {None, ip}):
            return found
    if ip is None:
        return None
    if port is None:
        return world.only_of_ip(host, ip)
    return world.portless(host, ip, got["user"]) if "user" in got else None


def _same_user(connection: Connection, user: str | None) -> bool:
    return user is None or connection.user is None or connection.user == user


def ended(world: World, event: Event) -> None:
    """The program itself says that the session is over, and why."""
    if event.record.pid is not None:
        connection = world.of_pid(event.record)
    else:
        connection = _by_name(world, event) or _just_ended(world, event)
    if connection is not None and connection.phase is Phase.ENDED:
        return
    if connection is None or connection.phase is Phase.HALF:
        if "user" not in event.got:  # nobody was logged in by it
            if connection is not None:
                failures.conclude(world, connection)
            return
        connection = _orphan(world, event, connection)
        connection.ip = event.got.get("ip", connection.ip)
        connection.port = event.got.get("port", connection.port)
    connection.reason = Reason(event.got.get("reason", Reason.UNKNOWN))
    _end(connection, event, "program")
    conclude(world, connection)


def session_left(world: World, event: Event) -> None:
    """logind says that a session is over."""
    record = event.record
    connection = world.of_logind(record.host, record.boot, event.got.get("logind_session", ""))
    if connection is None:
        host = world.host(record.host)
        name = event.got.get("logind_session")
        host.waiting_logind = [item for item in host.waiting_logind if item[2] != name]
        return
    if connection.phase is Phase.OPEN:
        _end(connection, event, "logind")
        world.index(connection)
    elif connection.phase is not Phase.ENDING or connection.end_by != "left":
        return
    world.due_at(connection, record.time.us + REASON_WAIT)


def session_idle(world: World, event: Event) -> None:
    """logind ends an idle session."""
    record = event.record
    connection = world.of_logind(record.host, record.boot, event.got.get("logind_session", ""))
    if connection is not None and connection.phase is Phase.OPEN:
        connection.reason = Reason.TIMEOUT
        world.index(connection)


def session_stopped(world: World, event: Event) -> None:
    """The service manager ends a session's processes: at somebody's command, or for want of memory.

    Before its end this is why.  What is left of one that is over is only cleared away, unless the
    line itself says that the session ended by it.
    """
    record = event.record
    connection = world.of_logind(record.host, record.boot, event.got.get("logind_session", ""))
    if connection is None or connection.reason is not None:
        return
    if connection.phase is Phase.OPEN:
        connection.reason = Reason.KILLED
        world.index(connection)
    elif connection.phase is Phase.ENDING and "reason" in event.got:
        connection.reason = Reason(event.got["reason"])
        conclude(world, connection)


def _end(connection: Connection, event: Event, by: str) -> None:
    """Note when and by which line it ended; PAM's time is the better one."""
    connection.phase = Phase.ENDING
    connection.end_us, connection.end_text = event.record.time
    connection.end_mono = event.record.mono_us
    connection.end_by = by
    connection.last_us = event.record.time.us


def conclude(world: World, connection: Connection) -> None:
    """Tell a logout whose time and reason are as good as they will get."""
    host = world.host(connection.host)
    assert connection.end_us is not None
    going_down = bool(host.shutdown) and 0 <= connection.end_us - host.shutdown_us <= SHUTDOWN_WAIT
    if going_down and connection.reason in {None, Reason.KILLED, Reason.UNKNOWN}:
        connection.reason = shutdown_reason(host.shutdown)
    elif connection.reason in {None, Reason.USER} and _monitor_died(connection):
        connection.reason = Reason.KILLED
    elif connection.reason is None:
        connection.reason = Reason.UNKNOWN
    connection.phase = Phase.ENDED
    world.unlist(connection)
    world.index(connection)
    connection.slept_us = max(0, host.slept_us - connection.login_slept_us)
    late = UNSEEN_TOMBSTONE if connection.end_by == "host" else TOMBSTONE
    world.due_at(connection, connection.last_us + late)
    world.out.append(logout_change(connection))
    world.closed.append(view(connection))


def _monitor_died(connection: Connection) -> bool:
    """PAM opened a session and its monitor never closed it, although logind says that it is over:
    it was killed, and that the client goes then is no reason."""
    return connection.end_by == "logind" and connection.pam


def shutdown_reason(kind: str) -> Reason:
    """How a shutdown of this kind (logind's SHUTDOWN field: reboot, kexec, soft-reboot, power-off,
    halt) ends sessions."""
    return Reason.REBOOT if kind in {"reboot", "kexec", "soft-reboot"} else Reason.SHUTDOWN


def end_unseen(
    world: World,
    connection: Connection,
    time: Moment,
    reason: Reason,
    by: str = "unseen",
    mono_us: int | None = None,
) -> None:
    """Conclude an end that no line tells of, or that a line only annotated; ``mono_us`` is the
    time on the boot's monotonic clock."""
    connection.phase = Phase.ENDING
    if connection.end_us is None:
        connection.end_us, connection.end_text = time
        connection.end_mono = mono_us
    connection.end_by = by
    connection.last_us = max(connection.last_us, time.us)
    connection.inferred = True
    connection.reason = reason
    conclude(world, connection)


def logout_change(connection: Connection) -> Change:
    """The contract's ``logout`` of a connection that has ended."""
    assert connection.end_time is not None
    return change_of(connection, ChangeKind.LOGOUT, connection.end_time)._replace(
        reason=connection.reason,
        abnormal=is_abnormal(connection),
        duration=duration(connection),
        inferred=connection.inferred,
        login_time=connection.login_time,
    )


KINDS = {
    Means.CLOSED: closed,
    Means.LEFT: explained,
    Means.DISCONNECTED: explained,
    Means.LOST: explained,
    Means.TIMED_OUT: explained,
    Means.KILLED: explained,
    Means.ENDED: ended,
    Means.SESSION_LEFT: session_left,
    Means.SESSION_IDLE: session_idle,
    Means.SESSION_STOPPED: session_stopped,
}
