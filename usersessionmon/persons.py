"""Who is behind a change: what a key is called, and whose a su or sudo is by the live host.

Only changes of this machine are looked up on it, and only fresh ones: a number of a process is
soon another's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from usersessionmon.clock import Clock
from usersessionmon.host import kin
from usersessionmon.host.alive import START_SLACK_US, Host
from usersessionmon.host.authorized import comment_of
from usersessionmon.model import Change, ChangeKind, Link, NamedBy, SessionView
from usersessionmon.sessions.engine import Engine

FRESH_US = 10_000_000
CALL_SECONDS = 20.0
"""How often it is looked whether the processes of su and sudo are still there."""
_PROGRAMS = frozenset({"su", "sudo", "sudo.ws", "sudo-rs", "doas"})
_ON_TTY = 32
"""Processes of one terminal that are looked at."""


class Persons:
    """Completes changes by what the configuration and the live host know."""

    def __init__(
        self,
        keys: Mapping[str, str],
        names: Collection[str],
        boot: str | None,
        clock: Clock,
        host: Host | None = None,
        comment: Callable[[str, str], str | None] = comment_of,
    ) -> None:
        """``keys``: fingerprint → name.  ``names``: this machine's."""
        self._keys = keys
        self._names = names
        self._boot = boot
        self._clock = clock
        self._host = host or Host()
        self._comment = comment
        self._next = 0.0

    def know(self, engine: Engine, change: Change) -> Change:
        """The change with what is known of its person beside the log."""
        if change.kind is ChangeKind.LOGIN and change.key_fingerprint is not None:
            return self._name(engine, change, change.key_fingerprint)
        if change.kind is not ChangeKind.ELEVATION:
            return change
        if change.link in {None, Link.ONLY} and self._is_live(change):
            change = self._place(engine, change)
        name = self._keys.get(change.key_fingerprint or "")
        if name is None:
            return change
        return change._replace(key_name=name, key_named_by=NamedBy.CONFIG)

    def call(self, engine: Engine) -> None:
        """Now and then: whose su or sudo is gone, although no line said so, is themselves."""
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + CALL_SECONDS
        for name in engine.host_names():
            for key, pid, since_us in engine.lifted(name) if name in self._names else ():
                began = self._host.since_us(self._host.start_ticks(pid))
                another = began is not None and began > since_us + START_SLACK_US
                if another or self._host.process_alive(pid) is False:
                    engine.sank(key, pid)

    def _is_live(self, change: Change) -> bool:
        return change.host in self._names and 0 <= self._clock.now_us() - change.time.us <= FRESH_US

    def _name(self, engine: Engine, change: Change, fingerprint: str) -> Change:
        name, by = self._keys.get(fingerprint), NamedBy.CONFIG
        if name is None and change.key_name is None and self._is_live(change):
            name, by = self._comment(change.user or "", fingerprint), NamedBy.COMMENT
        return change if name is None else engine.name_key(change, self._boot, name, by)

    def _place(self, engine: Engine, change: Change) -> Change:
        host = self._host
        for pid in self._of_change(change):
            line = kin.line_of(host, pid)
            placed = engine.belongs(change, self._boot, line, kin.sessions_of(host, pid))
            if placed.link is Link.PROCESS:
                return placed
        return change

    def _of_change(self, change: Change) -> Iterator[int]:
        """The process of an elevation; where the line does not name it, those of its terminal."""
        if change.pid is not None:
            if self._host.process_is(change.pid, _PROGRAMS):
                yield change.pid
            return
        if change.tty is not None:
            for count, pid in enumerate(kin.on_tty(self._host, change.tty)):
                if count < _ON_TTY:
                    yield pid


def named(view: SessionView, keys: Mapping[str, str]) -> SessionView:
    """A saved session with the name that the configuration gives its key now."""
    name = None if view.key_fingerprint is None else keys.get(view.key_fingerprint)
    if name is None:
        return view
    return replace(view, key_name=name, key_named_by=NamedBy.CONFIG)
