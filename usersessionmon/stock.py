"""Comparing what is remembered with the live host.

Only sessions whose host is this machine are compared, and a comparison that fails marks: nothing
is suppressed by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from usersessionmon.clock import Clock
from usersessionmon.host.alive import START_SLACK_US, Host
from usersessionmon.host.people import SSHD, Person, people
from usersessionmon.host.utmp import REBOOTS, Down
from usersessionmon.model import Change, ChangeKind, Doubt, Moment, Reason, SessionView
from usersessionmon.sessions.engine import Engine, Found
from usersessionmon.sessions.world import Down as HostDown
from usersessionmon.sessions.world import Witness

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Presence(StrEnum):
    """What the live host says of a session that is open by the state."""

    THERE = "there"
    GONE = "gone"
    OVER = "over"  # of an earlier boot: certainly ended
    UNKNOWN = "unknown"


def presence(
    view: SessionView,
    names: Collection[str],
    boot: str | None,
    host: Host | None = None,
    suspended_us: int = 0,
) -> Presence:
    """Look whether a session's process is still there; ``suspended_us``: how long this boot has
    been suspended, which a session's monotonic time does not count and its process's does."""
    if view.host is None or view.host not in names or view.pid is None:
        return Presence.UNKNOWN
    if view.boot is not None and boot is not None and view.boot != boot:
        return Presence.OVER
    live = host or Host()
    if view.ticks is not None:
        there = live.is_same(view.pid, view.ticks)
    elif _is_younger(view, boot, live, suspended_us):
        there = False
    elif view.service == "sshd" and view.login_time is not None:
        there = live.holds_session(view.pid, SSHD, view.login_time.us)
    else:
        there = live.process_alive(view.pid)
    if there is None:
        return Presence.UNKNOWN
    return Presence.THERE if there else Presence.GONE


def _is_younger(view: SessionView, boot: str | None, live: Host, suspended_us: int) -> bool:
    """Whether the process began after the login that is said to be its, whatever was done to the
    wall clock."""
    if view.mono_us is None or view.pid is None or boot is None or view.boot != boot:
        return False
    ticks = live.start_ticks(view.pid)
    latest = view.mono_us + suspended_us + START_SLACK_US
    return ticks is not None and live.uptime_us(ticks) > latest


FRESH_US = 2_000_000
"""A login that is read this soon after it was logged can be compared with its process."""


def doubted(
    change: Change, names: Collection[str], now_us: int, host: Host | None = None
) -> Change:
    """A login of this host's text log, marked when the live host speaks against it.

    Anybody may write a line with any pid into a text log (logger(1)); sshd's process is there.
    """
    if (
        change.kind is not ChangeKind.LOGIN
        or change.service != "sshd"
        or change.pid is None
        or change.host not in names
        or not 0 <= now_us - change.time.us <= FRESH_US
    ):
        return change
    live = host or Host()
    alive = live.process_alive(change.pid)
    if alive is False:
        return change._replace(doubt=Doubt.NO_PROCESS)
    if alive and live.process_is(change.pid, SSHD) is False:
        return change._replace(doubt=Doubt.OTHER_PROCESS)
    # A line comes before logind has its session, so that none is no sign of anything; but whoever
    # is on by ssh may name the process of his own login.
    session = live.session_led_by(change.pid)
    since_us = None if session is None else session.since_us
    if since_us is not None and since_us < change.time.us - START_SLACK_US:
        return change._replace(doubt=Doubt.EARLIER_SESSION)
    return change


def moment_of(us: int, zone: tzinfo) -> Moment:
    """A moment in the host's zone, for times that no log line gave."""
    time = (_EPOCH + timedelta(microseconds=us)).astimezone(zone)
    return Moment(us, time.isoformat(timespec="microseconds" if us % 1_000_000 else "seconds"))


def witness(
    names: Collection[str], downs: Iterable[Down], last: Mapping[str, int], zone: tzinfo
) -> Witness:
    """What wtmp and the journal's last entries (boot id → microseconds UTC) say of this host's
    boots, for the engine."""
    return Witness(
        frozenset(names),
        tuple(
            HostDown(
                moment_of(down.time_us, zone),
                down.up,
                Reason.REBOOT if down.level == REBOOTS else Reason.SHUTDOWN,
            )
            for down in downs
        ),
        {boot: moment_of(us, zone) for boot, us in last.items()},
    )


def take_stock(
    engine: Engine,
    names: Collection[str],
    name: str,
    boot: str | None,
    zone: tzinfo,
    clock: Clock,
    *,
    new: bool,
    host: Host | None = None,
) -> list[Change]:
    """Bring the engine up to the live host, once, when the log's end is reached.

    What an earlier boot left open is ended; with ``new`` (nothing was followed before) whoever is
    on is taken up, so that their logout will be told with its duration.
    """
    changes: list[Change] = []
    now = moment_of(clock.now_us(), zone)
    if boot is not None:
        for known in engine.host_names():
            if known is not None and known in names:
                changes += engine.booted(known, boot, now)
    if new:
        for person in people(host or Host()):
            engine.adopt(name, boot, found(person, zone, now))
    return changes


def found(person: Person, zone: tzinfo, now: Moment) -> Found:
    """Somebody who is on, as the engine takes them up."""
    return Found(
        user=person.user,
        service=person.service,
        pid=person.pid,
        since=now if person.since_us is None else moment_of(person.since_us, zone),
        ip=person.ip,
        client_host=person.client_host,
        tty=person.tty,
        logind=person.logind,
        uid=person.uid,
        port=person.port,
        ticks=person.ticks,
        child=person.child,
    )
