"""Logins: many lines, one of them told.

``Accepted`` is sshd's login; PAM's ``session opened`` of the same process is the same one, and is
the login of programs that have no line of their own.  logind's session is linked, never told.
"""

from __future__ import annotations

from usersessionmon.model import Change, ChangeKind, Event, Means, Reason

from . import endings
from .failures import absorb_hints, learn, settle_login
from .state import Connection, Phase, change_of
from .world import SECOND, World, name_key, new_connection, pid_key, session_id

LATE_LOGIN = 150 * SECOND
"""A session found on the host began this near to its line: sshd's processes wait for a login for
120 s, and the process alone may be all that is known."""
SAME_LOGIN = 10 * SECOND
"""Lines of one login by programs that do not share a pid come within this."""
RACE = SECOND // 10
"""logind's session begins behind the login's line; two processes' lines may swap by this much.
Since systemd 256 a user's service manager is a session too, and must not be taken for it."""
NO_PERSON = frozenset(
    {"manager", "manager-early", "greeter", "lock-screen", "background", "background-light", "none"}
)
"""logind's classes of sessions that are nobody's login (sd_session_get_class(3))."""


def accepted(world: World, event: Event) -> None:
    """The program let somebody in."""
    present = world.of_pid(event.record)
    if present is not None and _told_by_pam(present, event):
        _complete(world, present, event)
        return
    if present is not None and _was_found(present, event):
        _heard(world, present, event)
        return
    connection = _fresh(world, event)
    twin = _twin(world, event, "accepted")
    if twin is not None and (connection is None or twin.pid is None):
        _complete(world, twin, event)
        return
    begin(world, event, connection, "accepted")


def _told_by_pam(present: Connection, event: Event) -> bool:
    """vsftpd and its like write their own line behind PAM's, from the same process."""
    return (
        present.phase is Phase.OPEN
        and present.by == "opened"
        and present.ip in {None, event.got.get("ip")}
        and present.service == event.service
        and present.user == event.got.get("user")
        and present.login_us is not None
        and abs(event.record.time.us - present.login_us) <= SAME_LOGIN
    )


def _was_found(present: Connection, event: Event) -> bool:
    """Whether the host had shown this very session before its line came."""
    return (
        present.adopted
        and present.user == event.got.get("user")
        and present.login_us is not None
        and abs(event.record.time.us - present.login_us) <= LATE_LOGIN
    )


def _heard(world: World, present: Connection, event: Event) -> None:
    """The line of a login that was found on the host: exact at last, and told if it was not."""
    present.adopted = False
    present.method = event.got.get("method", present.method)
    present.key_fingerprint = event.got.get("key_fingerprint")
    present.key_id = event.got.get("key_id")
    _complete(world, present, event)
    if present.phase is Phase.OPEN:
        present.login_us, present.login_text = event.record.time
        present.login_mono = event.record.mono_us
        if present.untold:
            present.untold = False
            world.out.append(login_change(present))


def opened(world: World, event: Event) -> None:
    """PAM opened a session."""
    present = world.of_pid(event.record)
    if present is not None and event.service != "sshd" and _was_found(present, event):
        _heard(world, present, event)
        return
    if present is not None and present.phase in {Phase.OPEN, Phase.ENDING}:
        if present.by != "opened" or event.record.pid is None:
            present.pam = True
            present.uid = event.got.get("uid", present.uid)
            world.index(present)
            return
        if present.phase is Phase.OPEN and present.user == event.got.get("user"):
            return  # a second module's line of the same session
    twin = None if present else _twin(world, event, "opened")
    if twin is not None:
        twin.pam = True
        twin.uid = event.got.get("uid", twin.uid)
        if twin.child_pid is None and event.record.pid != twin.pid:
            twin.child_pid = event.record.pid
        world.index(twin)
        return
    connection = begin(world, event, _fresh(world, event), "opened")
    connection.pam = True
    connection.uid = event.got.get("uid")
    world.index(connection)


def logged_in(world: World, event: Event) -> None:
    """login(1) names account and terminal; PAM has mostly told of the session before."""
    present = world.of_pid(event.record)
    if present is None or present.phase is not Phase.OPEN:
        present = _twin(world, event, "logged_in")
    if present is not None:
        _complete(world, present, event)
    elif event.record.pid is None:
        begin(world, event, None, "logged_in")


def begin(world: World, event: Event, connection: Connection | None, by: str) -> Connection:
    """Somebody is on from now: told, and remembered."""
    record, got = event.record, event.got
    if connection is None:
        if record.pid is None:
            key = name_key(record, event.service, got.get("user"))
        else:
            key = pid_key(record, record.pid)
        connection = world.add(new_connection(event, key, Phase.HALF, record.pid))
    learn(world, connection, event)
    absorb_hints(world, event)
    settle_login(world, connection)
    connection.phase = Phase.OPEN
    connection.service = event.service
    connection.user = got.get("user")
    connection.method = got.get("method")
    connection.key_fingerprint = got.get("key_fingerprint")
    connection.key_id = got.get("key_id")
    connection.tty = got.get("tty", connection.tty)
    connection.login_us, connection.login_text = record.time
    connection.login_mono = record.mono_us
    connection.login_slept_us = world.host(record.host).slept_us
    connection.by = by
    connection.session = session_id(connection, record.time)
    world.due_at(connection, None)
    _link_waiting(world, connection)
    world.index(connection)
    world.remember_recent(connection)
    world.out.append(login_change(connection))
    return connection


def login_change(connection: Connection) -> Change:
    """The contract's ``login`` of a connection that has just begun."""
    assert connection.login_time is not None
    change = change_of(connection, ChangeKind.LOGIN, connection.login_time)
    return change._replace(pid=connection.pid, inferred=connection.adopted)


def child(world: World, event: Event) -> None:
    """sshd names the process that serves the session."""
    connection = world.of_pid(event.record)
    if connection is not None and connection.phase is Phase.OPEN:
        connection.child_pid = event.got["child_pid"]
        world.index(connection)


def tty(world: World, event: Event) -> None:
    """A session got a terminal."""
    connection = endings.locate(world, event)
    if connection is not None and connection.phase is Phase.OPEN and connection.tty is None:
        connection.tty = event.got.get("tty")
        world.index(connection)


def session_new(world: World, event: Event) -> None:
    """logind has a session: link it, by its leader or else by user and time."""
    got, record = event.got, event.record
    name = got.get("logind_session")
    if name is None or got.get("logind_class", "user") in NO_PERSON:
        return
    leader = got.get("leader")
    if leader is not None:
        connection = world.of_pid(record, leader)
        if connection is not None and connection.phase is not Phase.ENDED:
            connection.logind = name
            world.index(connection)
        return
    user = got.get("user")
    for connection in world.recent(record.host, user):
        if _unlinked(connection, record.time.us):
            connection.logind = name
            world.index(connection)
            return
    host = world.host(record.host)
    now = record.time.us
    fresh = [item for item in host.waiting_logind if abs(now - item[0]) <= SAME_LOGIN]
    host.waiting_logind = [*fresh[-31:], (now, user or "", name)]


def _unlinked(connection: Connection, us: int) -> bool:
    return (
        connection.phase is Phase.OPEN
        and connection.logind is None
        and connection.login_us is not None
        and abs(us - connection.login_us) <= SAME_LOGIN
    )


def _link_waiting(world: World, connection: Connection) -> None:
    """A logind session that came before its login's line."""
    host = world.host(connection.host)
    for item in host.waiting_logind:
        us, user, name = item
        login_us = connection.login_us or 0
        same_second = us % SECOND == 0 and us == login_us
        if user == connection.user and (same_second or abs(login_us - us) <= RACE):
            connection.logind = name
            host.waiting_logind.remove(item)
            return


def _fresh(world: World, event: Event) -> Connection | None:
    """The connection without a login that this login belongs to; what was there before is over."""
    present = world.of_pid(event.record)
    if present is None or present.phase is Phase.HALF:
        return present
    if present.phase is Phase.OPEN:
        # The process's id is used again: the end of the old session was not seen.
        endings.end_unseen(world, present, event.record.time, Reason.UNKNOWN)
    elif present.phase is Phase.ENDING:
        endings.conclude(world, present)
    world.forget(present)
    return None


def _twin(world: World, event: Event, by: str) -> Connection | None:
    """A session that another program's line has just told of.

    Never for sshd, whose pid is exact; but of old (OpenSSH 3, tag ``sshd(pam_unix)``) PAM's lines
    had the pid of the user's child.
    """
    of_child = "(" in event.record.program
    if event.service == "sshd" and event.record.pid is not None and not of_child:
        return None
    record = event.record
    user = event.got.get("user")
    candidates = (
        world.recent(record.host, user)
        if user is not None
        else (c for c in world.on_host(record.host) if c.user is not None)
    )
    for connection in candidates:
        if (
            connection.phase is Phase.OPEN
            and connection.service == event.service
            and connection.by != by
            and not (by == "opened" and connection.pam)
            and connection.login_us is not None
            and abs(record.time.us - connection.login_us) <= SAME_LOGIN
        ):
            return connection
    return None


def _complete(world: World, connection: Connection, event: Event) -> None:
    """Add what a second line of one login says."""
    got = event.got
    connection.tty = connection.tty or got.get("tty")
    connection.method = connection.method or got.get("method")
    connection.ip = connection.ip or got.get("ip")
    connection.port = connection.port or got.get("port")
    connection.client_host = connection.client_host or got.get("client_host")
    world.index(connection)


KINDS = {
    Means.ACCEPTED: accepted,
    Means.OPENED: opened,
    Means.LOGGED_IN: logged_in,
    Means.CHILD: child,
    Means.TTY: tty,
    Means.SESSION_NEW: session_new,
}
