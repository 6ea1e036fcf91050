"""Boots and shutdowns: what was open before a boot is over."""

from __future__ import annotations

from usersessionmon.model import Event, Means, Moment, Reason, Record

from . import endings, failures
from .state import Connection, HostState, Phase
from .world import SECOND, Down, World

ANNOUNCED = 600 * SECOND
"""A boot within this after a shutdown's announcement was orderly."""
HINTS = 60 * SECOND
"""logind's and sshd's starts belong to one boot when they come within this."""
SAME_START = 5 * SECOND
FALLING_ASLEEP = 60 * SECOND
"""Lines about one suspension come within this, by the clock that stands still meanwhile."""
_BOOTS = 8


def shutdown(world: World, event: Event) -> None:
    """The host is going down."""
    host = world.host(event.record.host)
    host.shutdown = event.got.get("shutdown", Reason.SHUTDOWN.value)
    host.shutdown_us = event.record.time.us


def logger_stopped(world: World, event: Event) -> None:
    """journald was stopped in order."""
    world.host(event.record.host).logger_stopped_us = event.record.time.us


def seen(world: World, record: Record) -> None:
    """Look at a record's boot id, where it has one: a new one ends all of the boots before."""
    if record.boot is None:
        return
    host = world.host(record.host)
    if record.boot in host.boots:
        return  # the present one, or a straggler of one before
    host.boots = [*host.boots[-_BOOTS + 1 :], record.boot]
    host.slept_us, host.asleep = 0, None
    world.named_boots = True
    world.touched_hosts.add(host.name)
    end_before(world, host, record.boot, None, host.last)


def boot(world: World, event: Event) -> None:
    """A text log says that the host has come up."""
    if event.record.boot is None:
        host = world.host(event.record.host)
        end_before(world, host, None, event.record.time, host.previous)


def sleeps(world: World, event: Event) -> None:
    """The host is about to be suspended; several programs say so, and the first is in time."""
    host, record = world.host(event.record.host), event.record
    if record.mono_us is not None and (
        host.asleep is None or record.mono_us - host.asleep[1] > FALLING_ASLEEP
    ):
        host.asleep = [record.time.us, record.mono_us]


def woke(world: World, event: Event) -> None:
    """It goes on.  What the wall clock has gone on and the monotonic one has not, it slept."""
    host, record = world.host(event.record.host), event.record
    if record.mono_us is not None and host.asleep is not None:
        us, mono_us = host.asleep
        host.asleep = None
        host.slept_us += max(0, record.time.us - us - (record.mono_us - mono_us))


def listener_stopped(world: World, event: Event) -> None:
    """sshd's listener was asked to end: a restart, unless the host goes down."""
    world.host(event.record.host).listener_stopped_us = event.record.time.us


def boot_hint(world: World, event: Event) -> None:
    """logind has started; with sshd's start beside it that is a boot."""
    host = world.host(event.record.host)
    host.hint_us = event.record.time.us
    _started_anew(world, event, host, host.listening_us)


def listening(world: World, event: Event) -> None:
    """sshd has started; sessions live on unless the host was down."""
    host = world.host(event.record.host)
    now = event.record.time.us
    if 0 <= now - host.listening_us <= SAME_START:
        return  # one line for each address that it listens on
    announced = bool(host.shutdown) and 0 <= now - host.shutdown_us <= ANNOUNCED
    if not announced and 0 <= now - host.listener_stopped_us <= HINTS:
        return  # a restart
    host.listening_us = now
    _started_anew(world, event, host, host.hint_us)


def _started_anew(world: World, event: Event, host: HostState, other_us: int) -> None:
    """One of two daemons that start at a boot has started; is the other's start beside it?"""
    record = event.record
    if record.boot is not None:
        return  # the boot id tells
    if abs(record.time.us - other_us) > HINTS:
        host.before = host.previous
        return
    began = Moment(min(other_us, record.time.us), "")
    end_before(world, host, None, began, host.before)
    host.hint_us = 0


def end_before(
    world: World, host: HostState, boot_id: str | None, began: Moment | None, last: Moment
) -> None:
    """End all sessions of a host's earlier boots, at ``last``: the time of their last line.

    ``boot_id``: the boot that is new, or None to go by ``began``, when the new boot was seen.
    """
    over = [
        connection
        for connection in world.on_host(host.name)
        if (
            connection.boot != boot_id
            if boot_id is not None
            else began is None or _started(connection) < began.us
        )
    ]
    for connection in sorted(over, key=_started):
        if connection.phase is Phase.HALF:
            failures.conclude(world, connection)
        elif connection.phase is Phase.ENDING:
            endings.conclude(world, connection)
        else:
            _end_by_boot(world, host, connection, last)
    host.shutdown = ""
    host.logger_stopped_us = 0
    host.lifts = []


def _started(connection: Connection) -> int:
    return connection.login_us if connection.login_us is not None else connection.began_us


def _last_sign(world: World, host: HostState, connection: Connection, last: Moment) -> Moment:
    """The last that is known of a boot that is over: a line, a look at the host, any entry of its
    journal."""
    if last.us < _started(connection) or not last.text:
        last = connection.login_time or Moment(connection.began_us, connection.began_text)
    if host.name not in world.witness.names:
        return last
    signs = [last, host.called]
    if connection.boot is not None:
        signs.append(world.witness.last.get(connection.boot, last))
    return max(signs)


def _brought_down(world: World, host: HostState, connection: Connection) -> Down | None:
    """The orderly end of a connection's boot by wtmp: what follows it first."""
    if host.name not in world.witness.names:
        return None
    started = _started(connection)
    first = next((down for down in world.witness.downs if down.time.us > started), None)
    return None if first is None or first.up else first


def _end_by_boot(world: World, host: HostState, connection: Connection, last: Moment) -> None:
    last = _last_sign(world, host, connection, last)
    down = _brought_down(world, host, connection)
    announced = bool(host.shutdown) and 0 <= last.us - host.shutdown_us <= ANNOUNCED
    if announced:
        reason, by = endings.shutdown_reason(host.shutdown), "boot"
    elif down is not None:
        last, reason, by = max(last, down.time), down.reason, "boot"
    elif host.logger_stopped_us and 0 <= last.us - host.logger_stopped_us <= 10 * SECOND:
        reason, by = Reason.REBOOT, "boot"
    else:
        reason, by = Reason.REBOOT, "crash"
    endings.end_unseen(world, connection, last, reason, by)


KINDS = {
    Means.SHUTDOWN: shutdown,
    Means.LOGGER_STOPPED: logger_stopped,
    Means.SLEEPS: sleeps,
    Means.WOKE: woke,
    Means.BOOT: boot,
    Means.BOOT_HINT: boot_hint,
    Means.LISTENING: listening,
    Means.LISTENER_STOPPED: listener_stopped,
}
