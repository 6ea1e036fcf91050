"""Comparing what is remembered with the live host.

Only sessions whose host is this machine are compared, and a comparison that fails marks: nothing
is suppressed by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from usersessionmon.clock import Clock
from usersessionmon.host.alive import START_SLACK_US, Host, LogindSession
from usersessionmon.model import Change, ChangeKind, Doubt, Moment, SessionView
from usersessionmon.rules.fields import is_ip, read_ip
from usersessionmon.sessions.engine import Engine, Found

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SSHD = frozenset({"sshd", "sshd-session"})
_PERSONS = frozenset({"user", "user-early", "user-light", "user-incomplete"})


class Presence(StrEnum):
    """What the live host says of a session that is open by the state."""

    THERE = "there"
    GONE = "gone"
    OVER = "over"  # of an earlier boot: certainly ended
    UNKNOWN = "unknown"


def presence(
    view: SessionView, names: Collection[str], boot: str | None, host: Host | None = None
) -> Presence:
    """Look whether a session's process is still there."""
    if view.host is None or view.host not in names or view.pid is None:
        return Presence.UNKNOWN
    if view.boot is not None and boot is not None and view.boot != boot:
        return Presence.OVER
    live = host or Host()
    login = view.login_time
    if view.service == "sshd" and login is not None:
        there = live.holds_session(view.pid, _SSHD, login.us)
    else:
        there = live.process_alive(view.pid)
    if there is None:
        return Presence.UNKNOWN
    return Presence.THERE if there else Presence.GONE


CALL_SECONDS = 20.0
"""How often the open sessions are looked for."""
CALL_MOST = 1000
"""How many are looked for at once; where more are on, the others' turn comes later."""
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
    if alive and live.process_is(change.pid, _SSHD) is False:
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


class RollCall:
    """The open sessions of this host, asked for again and again.

    A session whose process was there and is missing twice in a row has ended unseen: the log was
    cut, the logger dropped its line, or sshd runs without PAM.  Others are never touched.
    """

    def __init__(
        self,
        names: Collection[str],
        boot: str | None,
        zone: tzinfo,
        clock: Clock,
        host: Host | None = None,
    ) -> None:
        self._names = names
        self._boot = boot
        self._zone = zone
        self._clock = clock
        self._host = host or Host()
        self._next = 0.0
        self._at = 0
        self._missing: set[str] = set()

    def call(self, engine: Engine) -> list[Change]:
        """Look, if it is time to; what ended unseen is told."""
        now = self._clock.monotonic()
        if now < self._next:
            return []
        self._next = now + CALL_SECONDS
        views = list(engine.open_sessions())
        some = views[self._at : self._at + CALL_MOST]
        self._at = self._at + CALL_MOST if self._at + CALL_MOST < len(views) else 0
        missing: dict[str, SessionView] = {}
        for key, view in some:
            how = presence(view, self._names, self._boot, self._host)
            if how is Presence.THERE:
                engine.confirm(key)
            elif how is Presence.GONE:
                missing[key] = view
        gone = self._without_those_logind_has(missing)
        time = moment_of(self._clock.now_us(), self._zone)
        changes = [
            change for key in sorted(gone & self._missing) for change in engine.gone(key, time)
        ]
        self._missing = (self._missing - {key for key, _ in some}) | gone
        return changes

    def _without_those_logind_has(self, missing: Mapping[str, SessionView]) -> set[str]:
        """sshd's child outlives a monitor that was killed: then the person is still on."""
        if not missing:
            return set()
        active = {found.id for found in self._host.logind_sessions() if found.state != "closing"}
        return {key for key, view in missing.items() if view.logind not in active}


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

    What an earlier boot left open is ended; with ``new`` (nothing was followed before) the
    sessions that logind knows are taken up, so that their logout will be told with its duration.
    """
    changes: list[Change] = []
    now = moment_of(clock.now_us(), zone)
    if boot is not None:
        for known in engine.host_names():
            if known is not None and known in names:
                changes += engine.booted(known, boot, now)
    if new:
        for session in (host or Host()).logind_sessions():
            found = _found(session, zone)
            if found is not None:
                engine.adopt(name, boot, found)
    return changes


def _found(session: LogindSession, zone: tzinfo) -> Found | None:
    """A logind session as something that the engine can take up; None for nobody's."""
    if session.klass not in _PERSONS or session.leader is None or session.user is None:
        return None
    if session.state == "closing" or session.since_us is None:
        return None
    remote = session.remote_host or ""
    return Found(
        user=session.user,
        service=session.service or "login",
        pid=session.leader,
        since=moment_of(session.since_us, zone),
        ip=read_ip(remote) if is_ip(remote) else None,
        client_host=remote if remote and not is_ip(remote) else None,
        tty=session.tty,
        logind=session.id,
        uid=session.uid,
    )
