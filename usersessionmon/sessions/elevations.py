"""su, sudo and their kin: somebody became somebody else.  Each is told once."""

from __future__ import annotations

from usersessionmon.model import Change, ChangeKind, Event, Means, Moment

from .world import SECOND, World

SAME = 2 * SECOND
_KEPT = 64


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
    world.out.append(
        Change(
            kind=ChangeKind.ELEVATION,
            time=record.time,
            host=record.host,
            service=event.service,
            user=user,
            target_user=target,
            command=got.get("command"),
            tty=got.get("tty"),
        )
    )


def ended(world: World, event: Event) -> None:
    """sudo's second line of a command, which ends in `` ; EXIT=1``; or its first, where the caller
    typed this behind the command.  PAM opens a session for a command that begins."""
    _await_pam(world, event, told=False)


def opened(world: World, event: Event) -> None:
    """PAM opened a session for sudo: if no line before told of an elevation, one hid it."""
    host = world.host(event.record.host)
    if event.service != "sudo" or not host.sudo:
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
        world.out.append(
            Change(
                kind=ChangeKind.ELEVATION,
                time=Moment(us, text),
                host=event.record.host,
                service=event.service,
                user=user,
                target_user=target,
                command=command,
            )
        )


def _await_pam(world: World, event: Event, *, told: bool) -> None:
    record, got = event.record, event.got
    host = world.host(record.host)
    fresh = [item for item in host.sudo if abs(record.time.us - item[0]) <= SAME]
    user, target, command = got.get("user"), got.get("target_user"), got.get("command")
    host.sudo = [*fresh[-_KEPT + 1 :], (*record.time, user, target, command, told)]


KINDS = {
    Means.ELEVATED: elevated,
    Means.ELEVATION_ENDED: ended,
    Means.ELEVATION_OPENED: opened,
}
