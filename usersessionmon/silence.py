"""A log that says nothing while people come and go on sshd: rotated away, its daemon dead, or
simply the wrong one.

Every connection to sshd leaves a line, at its login or at its end.  So connections that began after
sshd's last line, and stay, speak against the log when minutes later it still says nothing.  Those
from before never do: on an idle host sessions are long and the log is rightly silent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from usersessionmon.clock import Clock
from usersessionmon.host import connections
from usersessionmon.model import Batch, Notice, Record
from usersessionmon.system.places import ETC, PROC

LOOK_SECONDS = 30.0
"""How often the connections are looked at.  One that is seen twice was no mere probe."""
SILENT_SECONDS = 300.0
"""How long the log may say nothing of a connection: longer than sshd waits for a login (120 s)."""
PORTS_SECONDS = 600.0
"""How often it is found out on which ports sshd listens."""
SINCE, LAST = "silent_us", "sshd_line_us"
"""Names of what is kept among the state's facts."""
_PROGRAMS = frozenset({"sshd", "sshd-session", "sshd-auth"})


class Silent(NamedTuple):
    """What people are told.  Moments are microseconds UTC."""

    over: bool
    """The log speaks again."""
    since_us: int
    """When it was noticed."""
    last_us: int | None
    """When sshd's last line before it was read; None: never."""
    connections: int
    """Connections that it had said nothing of."""


class Connected:
    """The connections to this host's sshd, asked for often and cheaply."""

    def __init__(self, clock: Clock, proc: Path = PROC, etc: Path = ETC) -> None:
        self._clock = clock
        self._proc = proc
        self._etc = etc
        self._ports: frozenset[int] = frozenset()
        self._due = 0.0

    def __call__(self) -> frozenset[str] | None:
        now = self._clock.monotonic()
        if now >= self._due:
            self._due = now + PORTS_SECONDS
            self._ports = connections.sshd_ports(self._proc, self._etc)
        return connections.connections(self._ports, self._proc)


class Silence:
    """Compares what is connected with what the log has said."""

    def __init__(
        self,
        names: Collection[str],
        clock: Clock,
        connected: Callable[[], frozenset[str] | None],
        word: Callable[[Silent, int], Notice],
    ) -> None:
        """``names`` are this host's; ``word`` makes the notice, its second argument is the present
        (microseconds UTC)."""
        self._names = names
        self._clock = clock
        self._connected = connected
        self._word = word
        self._heard = False
        self._own_name = False
        self._next = 0.0
        self._known: frozenset[str] | None = None
        """Connections that the log had its chance to tell of; None before the first look."""
        self._new: dict[str, float] = {}
        """Connections since sshd's last line, with the time they were seen first."""
        self._stayed: set[str] = set()
        """Those of them that were seen again."""
        self._told = 0
        self._since_us: int | None = None
        self._last_us: int | None = None

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off: a restart neither repeats nor forgets what was told."""
        self._since_us = _number(facts.get(SINCE, ""))
        self._last_us = _number(facts.get(LAST, ""))

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        moments = {SINCE: self._since_us, LAST: self._last_us}
        return {name: "" if us is None else str(us) for name, us in moments.items()}

    def turn(self, batch: Batch, _now_us: int) -> list[Notice]:
        """Both of the following, as the main loop asks for it."""
        return [*self.listen(batch.records), *(self.look() if batch.at_end else ())]

    def wrongs(self) -> Iterator[str]:
        """What is wrong at this moment."""
        if self._since_us is not None:
            yield "people come and go on sshd and the log says nothing"

    def patience(self, _now_us: int) -> float | None:
        """The source is looked at often enough."""
        return None

    def listen(self, records: Iterable[Record]) -> list[Notice]:
        """Take note of sshd's lines; the notice that the log speaks again."""
        if not any(self._is_ours(record) for record in records):
            return []
        self._heard = True
        self._new, self._stayed = {}, set()
        now_us, last_us, since_us = self._clock.now_us(), self._last_us, self._since_us
        self._last_us, self._since_us = now_us, None
        if since_us is None:
            return []
        return [self._word(Silent(True, since_us, last_us, self._told), now_us)]

    def look(self) -> list[Notice]:
        """Look at the connections, if it is time to; to be called when the log has no more."""
        now = self._clock.monotonic()
        if now < self._next:
            return []
        self._next = now + LOOK_SECONDS
        current = self._connected()
        if current is None or self._known is None or self._heard:
            # A line since the last look may have been of any connection that is new since then.
            self._known, self._heard = current, False
            self._new, self._stayed = {}, set()
            return []
        self._known &= current
        self._stayed |= self._new.keys() & current
        here = current - self._known
        self._new = {one: self._new.get(one, now) for one in here | self._stayed}
        return self._judged(now)

    def _judged(self, now: float) -> list[Notice]:
        late = sum(now - self._new[one] >= SILENT_SECONDS for one in self._stayed)
        if not late or self._since_us is not None:
            return []
        self._told = late
        self._since_us = self._clock.now_us()
        return [self._word(Silent(False, self._since_us, self._last_us, late), self._since_us)]

    def _is_ours(self, record: Record) -> bool:
        """A line of this host's sshd, by root where the journal says so.  What the log calls this
        host is known once it has used one of its names; until then any host's will do."""
        if record.program not in _PROGRAMS:
            return False
        if record.trusted is not None and record.trusted.uid not in {0, None}:
            return False
        own = record.host in self._names
        self._own_name = self._own_name or own
        return own or record.host is None or not self._own_name


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
