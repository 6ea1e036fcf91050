"""Parts of the tests of live event logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.windows.fake_win32 import World, installed
from usersessionmon.clock import Clock, ManualClock
from usersessionmon.model import Record
from usersessionmon.windows.channels import LSM, SECURITY
from usersessionmon.windows.intake import Taken
from usersessionmon.windows.live import LiveEventLog
from usersessionmon.windows.marks import Mark
from usersessionmon.windows.servers import Line, WindowsSource
from usersessionmon.windows.settings import WindowsServer
from usersessionmon.windows.standing import ServerState, Status
from usersessionmon.windows.subscription import Means, Server
from usersessionmon.windows.xml import record_of

MINUTE, HOUR = 60.0, 3600.0
RDS = WindowsServer("rds-1", channels=("Security", "LSM"))
BOTH = (SECURITY, LSM)


@dataclass
class Basket:
    """A ``Sink`` that remembers."""

    size: int = 100_000
    taken: list[Taken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    states: list[ServerState] = field(default_factory=list)

    def room(self) -> int:
        return self.size - len(self.taken)

    def put(self, taken: Taken) -> None:
        self.taken.append(taken)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def show(self, state: ServerState) -> None:
        self.states.append(state)

    def records(self) -> list[tuple[str, int]]:
        return ids(one.record for one in self.taken if one.record is not None)

    def marks(self) -> dict[str, Mark]:
        return {one.channel: one.mark for one in self.taken}


def ids(records: Iterable[Record]) -> list[tuple[str, int]]:
    found = [one.windows for one in records]
    return [(one.channel, one.record_id) for one in found if one is not None]


def of(found: Sequence[tuple[str, int]], channel: str) -> list[int]:
    return [number for name, number in found if name == channel]


def means(clock: Clock, *, from_start: bool = False, random: float = 0.0) -> Means:
    return Means(LiveEventLog(), clock, record_of, lambda: random, from_start)


@contextmanager
def fake(
    patch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture | None = None
) -> Iterator[World]:
    """pywin32's doubles; at the end every handle was given back and nothing of ours failed."""
    with installed(World(), patch) as world:
        yield world
    if caplog is not None:
        assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


class Watched:
    """One server's state machine, stepped by hand."""

    def __init__(
        self,
        wanted: WindowsServer = RDS,
        *,
        marks: dict[str, Mark] | None = None,
        from_start: bool = False,
        random: float = 0.0,
    ) -> None:
        self.clock = ManualClock()
        self.basket = Basket()
        parts = means(self.clock, from_start=from_start, random=random)
        self._signal = parts.log.signal()
        self.server = Server(wanted, parts, self._signal, self.basket, marks or {})

    def step(self, seconds: float = 0.0) -> float:
        self.clock.advance(seconds)
        return self.server.step()

    def now(self) -> ServerState:
        """How it stands."""
        return self.basket.states[-1]

    def status(self, channel: str) -> Status:
        return {one.channel: one.status for one in self.now().channels}[channel]

    def held(self) -> bool:
        return self.server.held

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self._signal.close()


def by_hand(
    servers: Sequence[WindowsServer],
    clock: Clock,
    position: str | None = None,
    *,
    from_start: bool = False,
    once: bool = False,
) -> tuple[WindowsSource, list[Line]]:
    """A source whose servers have no threads: their ``step`` is called."""
    lines: list[Line] = []
    source = WindowsSource(
        servers,
        means(clock, from_start=from_start),
        position=position,
        wake=lambda: None,
        once=once,
        begin=lines.append,
    )
    return source, lines


def failing(code: int, function: str, *, times: int = 1, path: str = "", skip: int = 0) -> Trouble:
    """So many calls of a function fail, after ``skip`` that do not."""
    left = [skip, times]

    def trouble(called: str, _host: str, channel: str) -> int:
        if called != function or path not in {"", channel}:
            return 0
        if left[0]:
            left[0] -= 1
            return 0
        left[1] -= 1
        return code if left[1] >= 0 else 0

    return trouble


Trouble = Callable[[str, str, str], int]
