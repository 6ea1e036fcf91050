"""su, sudo and their kin: somebody became somebody else.  Each is told once."""

from __future__ import annotations

from usersessionmon.model import Change, ChangeKind, Event, Means

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


KINDS = {Means.ELEVATED: elevated}
