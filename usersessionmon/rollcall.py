"""The roll call: the open sessions against the live host, again and again.

A session whose process was there and is missing twice in a row has ended unseen: the log was cut,
the logger dropped its line, or sshd runs without PAM.  It ends at the last sign of life, or when
wtmp says.  Who is on and unknown twice in a row has come unseen: told, as concluded.  Whatever the
host hides, or may be another host's, is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from usersessionmon.clock import Clock
from usersessionmon.host import boots
from usersessionmon.host.alive import START_SLACK_US, Host
from usersessionmon.host.people import Person, people
from usersessionmon.host.utmp import Login
from usersessionmon.model import Change, Moment, SessionView
from usersessionmon.sessions.engine import Engine
from usersessionmon.stock import Presence, found, moment_of, presence

CALL_SECONDS = 20.0
"""How often the open sessions are looked for."""
CALL_MOST = 1000
"""How many are looked for at once; where more are on, the others' turn comes later."""
CENSUS_SECONDS = 60.0
"""How often it is looked who else is on; after a gap in the log at once."""
SAVE_SECONDS = 60.0
"""How often it is saved for itself that somebody is still on, for the case of a crash."""
SETTLED_US = 30_000_000
"""Who came this recently may be in a log that is a little late."""
_TOLD = frozenset({"sshd", "login"})
"""Others' logins may be in the log by processes that are not their session's."""


class _Sign(NamedTuple):
    """The last sign of life of who is missing; ``mono_us`` on the boot's monotonic clock."""

    time: Moment
    mono_us: int | None


class RollCall:
    """``name`` gives what the log calls this host, None if it has not named it: then nobody has
    come unseen.  Belongs to the main loop."""

    def __init__(
        self,
        names: Collection[str],
        boot: str | None,
        zone: tzinfo,
        clock: Clock,
        host: Host | None = None,
        name: Callable[[Engine], str | None] = lambda _engine: None,
        wtmp: Path = boots.WTMP,
    ) -> None:
        self._names = names
        self._boot = boot
        self._zone = zone
        self._clock = clock
        self._host = host or Host()
        self._name = name
        self._wtmp = wtmp
        self._next = self._next_census = 0.0
        self._next_save = 0.0
        self._at = 0
        self._round: _Sign | None = None
        """When the round that goes on was begun."""
        self._mono_us: int | None = None
        """As the engine's ``called``, on the monotonic clock; None before the first round."""
        self._missing: dict[str, _Sign] = {}
        self._strangers: set[tuple[int, int | None]] = set()
        self._known: dict[int, int | None] = {}
        """The processes of sessions that the log told of, ended ones too while they run."""

    def call(self, engine: Engine, gap: bool = False) -> list[Change]:
        """Look, if it is time to; what ended unseen is told.  ``gap``: the log has lost lines."""
        now = self._clock.monotonic()
        if gap:
            self._next_census = 0.0
        if now < self._next:
            return []
        self._next = now + CALL_SECONDS
        views = list(engine.open_sessions())
        changes = self._roll(engine, views)
        name = self._name(engine) if now >= self._next_census else None
        if name is not None:
            self._next_census = now + CENSUS_SECONDS
            self._census(engine, name)
        return changes

    # --- who has left -----------------------------------------------------------------------------

    def _roll(self, engine: Engine, views: Sequence[tuple[str, SessionView]]) -> list[Change]:
        sign = self._now()
        if self._at == 0 or self._round is None:
            self._round = sign
        some = views[self._at : self._at + CALL_MOST]
        self._at = self._at + CALL_MOST if self._at + CALL_MOST < len(views) else 0
        suspended_us = max(0, (self._host.up_us() or 0) - (sign.mono_us or 0))
        missing: dict[str, SessionView] = {}
        for key, view in some:
            how = presence(view, self._names, self._boot, self._host, suspended_us)
            if how is Presence.THERE and view.pid is not None:
                ticks = view.ticks if view.ticks is not None else self._host.start_ticks(view.pid)
                self._known[view.pid] = ticks
                engine.confirm(key, ticks)
            elif how is Presence.GONE:
                missing[key] = view
        gone = self._without_those_who_stay(missing)
        changes = []
        again = sorted(gone.keys() & self._missing.keys())
        over = boots.ends(self._wtmp) if again else []
        for key in again:
            last = self._last_sign(gone[key], self._missing[key], sign, over)
            changes += engine.gone(key, *last)
        signs = {key: self._missing.get(key) or self._sign_of(engine, gone[key]) for key in gone}
        looked_at = {key for key, _ in some}
        self._missing = {
            **{key: one for key, one in self._missing.items() if key not in looked_at},
            **signs,
        }
        if self._at == 0:
            self._called(engine, views, self._round)
        return changes

    def _now(self) -> _Sign:
        time = moment_of(self._clock.now_us(), self._zone)
        return _Sign(time, round(self._clock.monotonic() * 1_000_000))

    def _sign_of(self, engine: Engine, view: SessionView) -> _Sign:
        """When somebody who is missing was there for the last time."""
        called = engine.last_called(view.host)
        if view.login_time is not None and called.us < view.login_time.us:
            return _Sign(view.login_time, view.mono_us)
        own = view.boot is not None and view.boot == self._boot
        return _Sign(called, self._mono_us if own else None)

    def _last_sign(
        self, view: SessionView, seen: _Sign, now: _Sign, over: Sequence[Login]
    ) -> _Sign:
        """What wtmp says of the end, if it does and that can be; else when it was seen last."""
        if view.login_time is None:
            return seen
        end = boots.end_of(over, view.user, view.login_time.us, view.ip, view.tty)
        if end is None or not seen.time.us - START_SLACK_US <= end <= now.time.us:
            return seen
        return _Sign(moment_of(end, self._zone), None)

    def _called(
        self, engine: Engine, views: Sequence[tuple[str, SessionView]], sign: _Sign
    ) -> None:
        now = self._clock.monotonic()
        save = now >= self._next_save
        if save:
            self._next_save = now + SAVE_SECONDS
        self._mono_us = sign.mono_us
        for name in {view.host for _, view in views if view.host in self._names}:
            engine.called(name, sign.time, save=save)

    def _without_those_who_stay(self, missing: Mapping[str, SessionView]) -> dict[str, SessionView]:
        """sshd's child outlives a monitor that was killed: then the person is still on."""
        if not missing:
            return {}
        active = {one.id for one in self._host.logind_sessions() if one.state != "closing"}
        return {
            key: view
            for key, view in missing.items()
            if view.logind not in active
            and (view.child is None or self._host.is_same(*view.child) is False)
        }

    # --- who has come -----------------------------------------------------------------------------

    def _census(self, engine: Engine, name: str) -> None:
        """Take up who is on and unknown; their logins come out of the engine's next ``tick``."""
        here = people(self._host)
        known = {
            view.pid: (key, view)
            for key, view in engine.open_sessions()
            if view.host in self._names and view.boot in {None, self._boot}
        }
        strangers = set()
        now = self._now()
        for person in here:
            if person.pid in known:
                key, view = known[person.pid]
                if view.ticks == person.ticks:
                    engine.confirm(key, person.ticks, person.child)
            elif person.pid in self._known and self._known[person.pid] == person.ticks:
                continue  # the log said that they left, and sshd takes its time
            elif (person.pid, person.ticks) not in self._strangers or _has_just_come(person, now):
                strangers.add((person.pid, person.ticks))
            else:
                tell = person.service in _TOLD
                engine.adopt(name, self._boot, found(person, self._zone, now.time), tell=tell)
        running = {person.pid for person in here}
        self._known = {
            pid: ticks
            for pid, ticks in self._known.items()
            if pid in running or self._host.process_alive(pid)
        }
        self._strangers = strangers
        if strangers:
            self._next_census = 0.0  # at the next call they are looked at again


def _has_just_come(person: Person, now: _Sign) -> bool:
    return person.since_us is not None and 0 <= now.time.us - person.since_us < SETTLED_US
