"""su, sudo and their kin: somebody became somebody else.  Each is told once, with the session that
it belongs to; while it lasts, that session's person is known by both names.
"""

from __future__ import annotations

from collections.abc import Iterable

from usersessionmon.model import Change, ChangeKind, Event, Link, Means, Moment

from . import whose
from .state import Connection, HostState, Lift, Phase, key_name
from .world import SECOND, World

SAME = 2 * SECOND
_KEPT = 64
_DEEP = 16
"""Elevations within each other, and names of a session, that are remembered."""
_SHELLS = frozenset(
    {"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "rbash", "busybox"}
)
_LOGIN_SHELL = frozenset({"-", "-l", "-i", "--login", "sh"})
"""What may follow a shell's name without being a command (``busybox sh``)."""


def elevated(world: World, event: Event) -> None:
    """One elevation; shadow's su writes two lines of different form about it."""
    record, got = event.record, event.got
    user, target = got.get("user"), got.get("target_user")
    if "by_user" in got:  # PAM's line: the account is the target, the caller stands behind
        user, target = got["by_user"] or None, got.get("user")
    host = world.host(record.host)
    now = record.time.us
    fresh = [item for item in host.elevations if abs(now - item[0]) <= SAME]
    has_tty = "tty" in got
    twin = next(
        (
            item
            for item in fresh
            if event.service == "su"
            and item[1:5] == (record.pid, event.service, user, target)
            and item[5] != has_tty
        ),
        None,
    )
    if twin is not None:
        fresh.remove(twin)
        host.elevations = fresh
        return
    host.elevations = [
        *fresh[-_KEPT + 1 :],
        (now, record.pid, event.service, user, target, has_tty),
    ]
    if event.service == "sudo":
        _await_pam(world, event, told=True)
    lasts = event.service == "su" or _is_shell(got.get("command"))
    world.out.append(_begun(world, event, record.time, user, target, got.get("command"), lasts))


def ended(world: World, event: Event) -> None:
    """sudo's second line of a command, which ends in `` ; EXIT=1``; or its first, where the caller
    typed this behind the command.  PAM opens a session for a command that begins."""
    _await_pam(world, event, told=False)


def opened(world: World, event: Event) -> None:
    """PAM opened a session for su or sudo; if no line before told of sudo's, one hid it."""
    if event.service == "sudo":
        _tell_hidden(world, event)
    host = world.host(event.record.host)
    now, target = event.record.time.us, event.got.get("user")
    waiting = next(
        (
            lift
            for lift in reversed(host.lifts)
            if not lift.opened
            and (lift.service, lift.pid, lift.target) == (event.service, event.record.pid, target)
            and abs(now - lift.us) <= SAME
        ),
        None,
    )
    if waiting is None:
        return
    host.lifts = [lift for lift in host.lifts if lift is not waiting]
    pam = event.got.get("pam_service", "")
    _settle(world, host, waiting._replace(opened=True, pam=pam))


def closed(world: World, event: Event) -> None:
    """PAM closed the session of a su or sudo: they are who they were before."""
    host, record = world.host(event.record.host), event.record
    target = event.got.get("user")
    if record.pid is not None:
        connection = world.of_lift(host.name, record.pid)
        if connection is not None:
            for lift in connection.lifts:
                if lift.pid == record.pid:
                    world.drop(connection, lift)
        host.lifts = [lift for lift in host.lifts if lift.pid != record.pid or not lift.opened]
        return
    _close_likeliest(world, host, event.got.get("pam_service", ""), target, record.time.us)


def _close_likeliest(world: World, host: HostState, pam: str, target: str | None, now: int) -> None:
    """A text log's sudo has no pid.  What another goes on in is not over; a command is mostly over
    before a shell; and what began last ends first."""
    going_on = list(_all_open(world, host))
    innermost: dict[str | None, int] = {}
    for lift, _ in going_on:
        innermost[lift.key] = max(innermost.get(lift.key, 0), lift.us)

    def likely(item: tuple[Lift, Connection | None]) -> tuple[bool, bool, int]:
        lift = item[0]
        inner = lift.key is None or lift.us == innermost[lift.key]
        return inner, not lift.lasts and now - lift.us <= whose.BRIEF, lift.us

    fitting = [
        (lift, connection)
        for lift, connection in going_on
        if lift.pid is None and (lift.pam, lift.target) == (pam, target)
    ]
    if fitting:
        _forget(world, host, *max(fitting, key=likely))


def belongs(
    world: World, change: Change, boot: str | None, pids: Iterable[int], logind: Iterable[str]
) -> Change:
    """The live host shows from which processes and logind sessions an elevation comes, nearest
    first: the same change, with the session that it belongs to."""
    host = world.host(change.host)
    connection = whose.by_host(world, change.host, boot, pids, logind)
    if connection is None:
        return change
    for lift, holder in _all(world, host):
        if (lift.us, lift.pid, lift.service) == (change.time.us, change.pid, change.service):
            if holder is not connection:
                _forget(world, host, lift, holder)
                _settle(world, host, lift._replace(key=connection.key))
            break
    _note(world, connection, change.target_user)
    return _marked(change, connection, Link.PROCESS)


def _tell_hidden(world: World, event: Event) -> None:
    host = world.host(event.record.host)
    if not host.sudo:
        return
    now = event.record.time.us
    fresh = [item for item in host.sudo if abs(now - item[0]) <= SAME]
    fitting = [item for item in fresh if item[3] == event.got.get("user")]
    item = next((item for item in fitting if item[5]), fitting[-1] if fitting else None)
    host.sudo = [other for other in fresh if other is not item]
    if item is None:
        return
    us, text, user, target, command, told = item
    if not told:
        time = Moment(us, text)
        lasts = _is_shell(command)
        world.out.append(_begun(world, event, time, user, target, command, lasts))


def _await_pam(world: World, event: Event, *, told: bool) -> None:
    record, got = event.record, event.got
    host = world.host(record.host)
    fresh = [item for item in host.sudo if abs(record.time.us - item[0]) <= SAME]
    user, target, command = got.get("user"), got.get("target_user"), got.get("command")
    host.sudo = [*fresh[-_KEPT + 1 :], (*record.time, user, target, command, told)]


def _begun(
    world: World,
    event: Event,
    time: Moment,
    user: str | None,
    target: str | None,
    command: str | None,
    lasts: bool,
) -> Change:
    """Remember an elevation that PAM may open, and tell of it."""
    record, tty = event.record, event.got.get("tty")
    change = Change(
        kind=ChangeKind.ELEVATION,
        time=time,
        host=record.host,
        service=event.service,
        user=user,
        target_user=target,
        command=command,
        tty=tty,
        pid=record.pid,
    )
    connection, link = whose.found(world, event, user)
    key = None if connection is None else connection.key
    lift = Lift(time.us, record.pid, event.service, user, target, tty, lasts, False, key)
    host = world.host(record.host)
    fresh = [item for item in host.lifts if item.opened or abs(record.time.us - item.us) <= SAME]
    host.lifts = [*fresh[-_KEPT + 1 :], lift]
    if connection is None or link is None:
        return change
    _note(world, connection, target)
    return _marked(change, connection, link)


def _marked(change: Change, connection: Connection, link: Link) -> Change:
    name, by = key_name(connection)
    return change._replace(
        key_fingerprint=connection.key_fingerprint,
        session=connection.session,
        login_user=connection.user,
        login_from=connection.ip or connection.client_host,
        link=link,
        inferred=link is Link.ONLY,
        key_name=name,
        key_named_by=by,
    )


def _note(world: World, connection: Connection, target: str | None) -> None:
    """The session remembers whom its person became."""
    known = connection.became
    if target is not None and target not in known and len(known) < _DEEP:
        connection.became = [*known, target]
        world.index(connection)


def _settle(world: World, host: HostState, lift: Lift) -> None:
    """An elevation that has begun: its session's, if that is known and it lasts."""
    connection = None if lift.key is None else world.get(lift.key)
    if (
        connection is not None
        and connection.phase is Phase.OPEN
        and lift.opened
        and lift.lasts
        and len(connection.lifts) < _DEEP
    ):
        world.lift(connection, lift)
    else:
        host.lifts = [*host.lifts[-_KEPT + 1 :], lift]


def _all(world: World, host: HostState) -> Iterable[tuple[Lift, Connection | None]]:
    for connection in world.lifted(host.name):
        for lift in connection.lifts:
            yield lift, connection
    for lift in host.lifts:
        yield lift, None


def _all_open(world: World, host: HostState) -> Iterable[tuple[Lift, Connection | None]]:
    return (item for item in _all(world, host) if item[0].opened)


def _forget(world: World, host: HostState, lift: Lift, connection: Connection | None) -> None:
    if connection is not None:
        world.drop(connection, lift)
    else:
        host.lifts = [other for other in host.lifts if other is not lift]


def _is_shell(command: str | None) -> bool:
    """Whether a command is a shell to work in, as ``sudo -i`` and ``sudo -s`` run it."""
    words = (command or "").split()
    if not words:
        return False
    name = words[0].rpartition("/")[2]
    return name in _SHELLS and all(word in _LOGIN_SHELL for word in words[1:])


KINDS = {
    Means.ELEVATED: elevated,
    Means.ELEVATION_ENDED: ended,
    Means.ELEVATION_OPENED: opened,
    Means.ELEVATION_CLOSED: closed,
}
