"""Failed attempts: each is told once, however many lines tell of it.

sshd writes up to five lines about one wrong password.  The best of them (``Failed …``) is told at
once; the others wait until it has come, or until it is clear that it will not.  An offered key that
is not taken is a failure only if nobody is logged in by the same connection in the end.
"""

from __future__ import annotations

from usersessionmon.model import Change, ChangeKind, Event, Means, Moment

from .state import MAX_ATTEMPTS, Attempt, Connection, HostState, Phase
from .world import SECOND, World, attempt_of, new_connection, pid_key

HINT_WAIT = 15 * SECOND
"""A better line of the same attempt comes within PAM's delay after a failure (about 2 s)."""
SAME_FAILURE = 2 * SECOND
"""Two lines of su about one wrong password come within this."""
_KEPT = 63
HALF_LIFE = 600 * SECOND
"""A connection without a login is given up after this (sshd's LoginGraceTime is 120 s)."""


def failed(world: World, event: Event) -> None:
    """The program says that an attempt failed."""
    attempt = attempt_of(event, "failed")
    connection = half_of(world, event)
    if connection is None:
        absorb_hints(world, event)
        tell(world, event.service, event.record.host, attempt, None)
    else:
        learn(world, connection, event)
        _take(connection, "hint")
        _take(connection, "invalid")
        absorb_hints(world, event)
        connection.failures += 1
        tell(world, event.service, event.record.host, attempt, connection)
    remember_last(world, event)


def remember_last(world: World, event: Event) -> None:
    """Keep a failure for a following ``last message repeated N times``."""
    change = next((c for c in reversed(world.out) if c.kind is ChangeKind.LOGIN_FAILED), None)
    if change is not None:
        keep_last(world.host(event.record.host), change)


def keep_last(host: HostState, change: Change) -> None:
    """See ``remember_last``."""
    host.last_failure = [
        change.service, change.user, change.ip, change.client_host, change.port,
        change.method, change.valid_user,
    ]  # fmt: skip


def repeated(world: World, event: Event) -> None:
    """``last message repeated N times``, when the last line was a failure."""
    host = world.host(event.record.host)
    if host.last_failure is None:
        return
    service, user, ip, client_host, port, method, valid_user = host.last_failure
    time = event.record.time
    count = event.got.get("count", 1)
    attempt = Attempt(
        time.us, time.text, "failed", user, ip, client_host, port, method, valid_user, count
    )
    tell(world, service, event.record.host, attempt, None)


def hint(world: World, event: Event) -> None:
    """A line about an attempt that may have a better one: PAM's, or the program's own."""
    if "pam_service" in event.got:
        _pam_hint(world, event)
        return
    connection = half_of(world, event)
    if connection is None:
        tell(world, event.service, event.record.host, attempt_of(event, "hint"), None)
        return
    learn(world, connection, event)
    absorb_hints(world, event)
    if "method" not in event.got and connection.failures:
        return  # the reason behind a failure that is told already
    for earlier in _take(connection, "hint"):
        tell(world, event.service, event.record.host, earlier, connection)
        connection.failures += 1
    if connection.valid_user is None and event.got.get("valid_user") is False:
        connection.valid_user = False
    _hold(world, connection, attempt_of(event, "hint"), HINT_WAIT)


def _pam_hint(world: World, event: Event) -> None:
    connection = half_of(world, event)
    attempt = attempt_of(event, "pam")
    if connection is None:
        if event.record.pid is None:
            connection = world.add(
                new_connection(
                    event, f"{event.record.host or ''}||{event.service}", Phase.HALF, None
                )
            )
        else:
            return  # somebody is on: a screen that is unlocked, a second factor
    if connection.failures or any(item.kind == "pam" for item in connection.attempts):
        return  # counted already, or another module about the same attempt
    _hold(world, connection, attempt, HINT_WAIT)
    world.hint(connection, attempt.peer)


def key_refused(world: World, event: Event) -> None:
    """A key was offered and not taken."""
    connection = half_of(world, event)
    attempt = attempt_of(event, "key")
    if connection is None:
        tell(world, event.service, event.record.host, attempt, None)
        return
    learn(world, connection, event)
    if any(item.kind == "hint" and item.method == attempt.method for item in connection.attempts):
        return  # the line before says why this key was refused
    _hold(world, connection, attempt, HALF_LIFE)


def invalid_user(world: World, event: Event) -> None:
    """The account does not exist; the attempt mostly has a ``Failed`` line of its own."""
    connection = half_of(world, event)
    attempt = attempt_of(event, "invalid")
    if connection is None:
        tell(world, event.service, event.record.host, attempt, None)
        return
    learn(world, connection, event)
    connection.valid_user = False
    if not any(item.kind == "invalid" for item in connection.attempts):
        _hold(world, connection, attempt, HALF_LIFE)


def refused_user(world: World, event: Event) -> None:
    """The account exists and may not log in; sshd goes on as if it did not exist."""
    connection = half_of(world, event)
    if connection is not None:
        learn(world, connection, event)
        connection.valid_user = True


def connected(world: World, event: Event) -> None:
    """A connection began."""
    connection = half_of(world, event)
    if connection is not None:
        learn(world, connection, event)


def preauth_end(world: World, event: Event) -> None:
    """A connection ended and nobody had been logged in."""
    connection = world.of_pid(event.record, event.got.get("monitor_pid"))
    if connection is None or connection.phase is not Phase.HALF:
        return
    ip, port = event.got.get("ip"), event.got.get("port")
    if ip is not None:
        # This line ends with the address: a name or a key's id cannot bend it (unlike those before)
        connection.ip, connection.port = ip, port if port is not None else connection.port
        connection.attempts = [
            item._replace(ip=ip, port=connection.port) if item.kind == "key" else item
            for item in connection.attempts
        ]
    conclude(world, connection)


def conclude(world: World, connection: Connection) -> None:
    """Tell what is left of a connection without a login, and forget it."""
    flush(world, connection)
    world.forget(connection)


def flush(world: World, connection: Connection) -> None:
    """Tell the attempts that wait: PAM's hint and ``Invalid user`` only where nothing better is."""
    attempts, connection.attempts = connection.attempts, []
    for item in attempts:
        if item.kind == "pam":
            world.unhint(connection, item.peer)
    better = [item for item in attempts if item.kind in {"hint", "key"}]
    if not better and not connection.failures:
        better = [item for item in attempts if item.kind == "invalid"] or attempts
    for item in better:
        tell(world, connection.service, connection.host, item, connection)
        connection.failures += 1


def settle_login(world: World, connection: Connection) -> None:
    """Somebody is in: keys that were not taken were no failures, failed rounds before were."""
    for item in connection.attempts:
        if item.kind == "hint" and item.method is not None:
            tell(world, connection.service, connection.host, item, connection)
        elif item.kind == "pam":
            world.unhint(connection, item.peer)
    connection.attempts = []


def due(world: World, connection: Connection, now_us: int) -> None:
    """The deadline of a connection without a login has passed."""
    waiting = [item for item in connection.attempts if item.kind in {"pam", "hint"}]
    if any(item.us + HINT_WAIT <= now_us for item in waiting):
        flush(world, connection)
        world.touched[connection.key] = connection
    if connection.last_us + HALF_LIFE <= now_us:
        conclude(world, connection)
    else:
        world.due_at(connection, connection.last_us + HALF_LIFE)


def absorb_hints(world: World, event: Event) -> None:
    """PAM's hint about the attempt in hand is told by it.

    It is the connection's own, or a helper's with a pid of its own; then one only: others of the
    same client are about attempts of other connections.
    """
    got, record = event.got, event.record
    peer = got.get("ip") or got.get("client_host") or ""
    user = got.get("user")
    hinted = world.hinted(record.host, event.service, peer)
    if event.means is Means.OPENED and event.service != "sshd" and record.pid is not None:
        # a desktop's login has a process for each attempt: another's failure was one
        hinted = [item for item in hinted if item.pid in {None, record.pid}]
    hinted.sort(key=lambda item: (item.pid != record.pid, item.began_us, item.key))
    for connection in hinted:
        for item in connection.attempts:
            if item.kind == "pam" and (item.user in {None, user} or user is None):
                connection.attempts.remove(item)
                world.unhint(connection, item.peer)
                world.touched[connection.key] = connection
                if not connection.attempts and connection.pid != record.pid:
                    world.forget(connection)
                return


def half_of(world: World, event: Event) -> Connection | None:
    """The connection without a login that the event belongs to, made when it is new.

    None when there is no pid to go by, or when somebody is on by this process.
    """
    record = event.record
    if record.pid is None:
        return None
    connection = world.of_pid(record)
    if connection is not None and connection.phase is Phase.ENDED:
        world.forget(connection)  # the pid is used again
        connection = None
    if connection is None:
        key = pid_key(record, record.pid)
        connection = world.add(new_connection(event, key, Phase.HALF, record.pid))
        world.due_at(connection, record.time.us + HALF_LIFE)
        oldest = world.oldest_half()
        if oldest is not None:
            conclude(world, oldest)
    return connection if connection.phase is Phase.HALF else None


def learn(world: World, connection: Connection, event: Event) -> None:
    """Take over what the event says of the client."""
    got = event.got
    connection.last_us = event.record.time.us
    if got.get("ip") is not None:
        connection.ip = got["ip"]
    if got.get("port") is not None:
        connection.port = got["port"]
    if got.get("client_host") is not None:
        connection.client_host = got["client_host"]
    if "user" in got:
        connection.claimed = got["user"]
    world.touched[connection.key] = connection


def _hold(world: World, connection: Connection, attempt: Attempt, wait_us: int) -> None:
    if len(connection.attempts) >= MAX_ATTEMPTS:
        last = connection.attempts[-1]
        connection.attempts[-1] = last._replace(times=last.times + attempt.times)
    else:
        connection.attempts.append(attempt)
    deadline = attempt.us + wait_us
    if connection.deadline_us is None or deadline < connection.deadline_us:
        world.due_at(connection, deadline)
    world.touched[connection.key] = connection


def _take(connection: Connection, kind: str) -> list[Attempt]:
    taken = [item for item in connection.attempts if item.kind == kind]
    if taken:
        connection.attempts = [item for item in connection.attempts if item.kind != kind]
    return taken


def tell(
    world: World, service: str, host: str | None, attempt: Attempt, connection: Connection | None
) -> None:
    """One ``login_failed``, with what the connection knows besides."""
    valid_user, ip, port, client_host = (
        attempt.valid_user, attempt.ip, attempt.port, attempt.client_host,
    )  # fmt: skip
    if connection is not None:
        valid_user = connection.valid_user if valid_user is None else valid_user
        if ip is None and (attempt.client_host is None or connection.ip is not None):
            ip = connection.ip
        port = connection.port if port is None and ip == connection.ip else port
        client_host = connection.client_host if client_host is None else client_host
    world.out.append(
        Change(
            kind=ChangeKind.LOGIN_FAILED,
            time=Moment(attempt.us, attempt.text),
            host=host,
            service=service,
            user=attempt.user,
            ip=ip,
            client_host=client_host,
            port=port,
            method=attempt.method,
            valid_user=valid_user,
            times=attempt.times,
        )
    )


def elevation_failed(world: World, event: Event) -> None:
    """su or sudo: a wrong password, told by the program itself; shadow's su says it twice."""
    record, got = event.record, event.got
    host = world.host(record.host)
    now, has_tty = record.time.us, "tty" in got
    twin = (record.pid, got.get("user"), not has_tty)
    fresh = [item for item in host.su_failures if abs(now - item[0]) <= SAME_FAILURE]
    known = next((item for item in fresh if event.service == "su" and item[1:] == twin), None)
    if known is not None:
        fresh.remove(known)
        host.su_failures = fresh
        return
    if event.service == "su":
        host.su_failures = [*fresh[-_KEPT:], (now, record.pid, got.get("user"), has_tty)]
    world.out.append(
        Change(
            kind=ChangeKind.LOGIN_FAILED,
            time=record.time,
            host=record.host,
            service=event.service,
            user=got.get("user"),
            times=got.get("count", 1) * event.repeat,
            target_user=got.get("target_user"),
            tty=got.get("tty"),
        )
    )


KINDS = {
    Means.FAILED: failed,
    Means.FAILED_HINT: hint,
    Means.KEY_REFUSED: key_refused,
    Means.INVALID_USER: invalid_user,
    Means.REFUSED_USER: refused_user,
    Means.CONNECTED: connected,
    Means.PREAUTH_END: preauth_end,
    Means.ELEVATION_FAILED: elevation_failed,
    Means.REPEATED: repeated,
}
