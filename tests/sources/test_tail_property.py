"""Whatever happens to the log and whenever the program is killed: every line once, in order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from usersessionmon.sources.tail import LINGER

from .tail_tools import (
    Daemon,
    Follower,
    Naming,
    copytruncate,
    dated,
    day_first,
    falling,
    pack,
    rising,
    rotate,
)


class LogMachine(RuleBasedStateMachine):
    """One daemon, one rotator, one follower; the daemon may write to a renamed file for long.

    Left out, because no follower could know better: a file of which nothing was read when it is
    truncated, packed or deleted, and cutting a file within a line.
    """

    naming: Naming = staticmethod(falling)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "auth.log"
        self.daemon = Daemon(self.path)
        self.daemon.write()
        self.follower = Follower(self.path, from_start=True)
        self.follower.drain()

    @rule(count=st.integers(1, 12), size=st.sampled_from([0, 0, 200, 3000]))
    def write(self, count: int, size: int) -> None:
        self.daemon.write(count, size)

    @rule(part=st.integers(1, 60))
    def begin_line(self, part: int) -> None:
        self.daemon.begin(part)

    @rule()
    def hang_up(self) -> None:
        self.daemon.finish()
        self.daemon.reopen()

    @rule(create=st.booleans())
    @precondition(lambda self: self.path.exists())
    def rename(self, create: bool) -> None:
        rotate(self.path, create=create, naming=self.naming)

    @rule()
    @precondition(lambda self: self.daemon.on_current())
    def copy_and_truncate(self) -> None:
        self.daemon.finish()
        if self.path.stat().st_size:
            self.follower.drain()
            self.daemon.write(2)
            copytruncate(self.path, naming=self.naming)

    @rule(number=st.integers(0, 3))
    @precondition(lambda self: self.daemon.on_current())
    def pack_an_old_one(self, number: int) -> None:
        plain = [old for old in self.path.parent.glob("auth.log[.-]*") if old.suffix != ".gz"]
        if number < len(plain):
            pack(sorted(plain)[number])

    @rule()
    @precondition(lambda self: self.daemon.on_current())
    def delete_and_make_again(self) -> None:
        self.daemon.finish()
        self.follower.drain()
        self.path.unlink()
        self.daemon.reopen()
        self.daemon.write()
        self.follower.drain()

    @rule()
    @precondition(lambda self: self.daemon.on_current())
    def write_anew(self) -> None:
        self.daemon.finish()
        if self.path.stat().st_size:
            self.follower.drain()
            copy = self.path.with_name("new")
            copy.write_bytes(self.path.read_bytes())
            copy.rename(self.path)
            self.daemon.reopen()

    @rule(limit=st.integers(1, 9))
    def look(self, limit: int) -> None:
        self.follower.read(limit)

    @rule()
    def look_at_all(self) -> None:
        self.follower.drain()

    @rule()
    def time_passes(self) -> None:
        self.follower.clock.advance(LINGER + 1)

    @rule()
    def kill(self) -> None:
        self.follower.restart()

    @rule(limit=st.integers(1, 9))
    def kill_before_saving(self, limit: int) -> None:
        self.follower.source.read(limit)
        self.follower.restart()

    @invariant()
    def in_order_and_once(self) -> None:
        numbers = self.follower.numbers
        assert numbers == list(range(len(numbers)))
        assert len(numbers) <= self.daemon.written

    def teardown(self) -> None:
        try:
            self.daemon.finish()
            self.daemon.reopen()
            self.daemon.write()
            for _ in range(3):
                self.follower.drain(50)
                self.follower.clock.advance(LINGER + 1)
            assert self.follower.numbers == list(range(self.daemon.written))
        finally:
            self.follower.source.close()
            self.daemon.close()
            self.folder.cleanup()


class RisingMachine(LogMachine):
    naming: Naming = staticmethod(rising)


class DatedMachine(LogMachine):
    naming: Naming = staticmethod(dated)


class DayFirstMachine(LogMachine):
    naming: Naming = staticmethod(day_first)


for _machine in (LogMachine, RisingMachine, DatedMachine, DayFirstMachine):
    _machine.TestCase.settings = settings(deadline=None, stateful_step_count=40)
TestLog = LogMachine.TestCase
TestRising = RisingMachine.TestCase
TestDated = DatedMachine.TestCase
TestDayFirst = DayFirstMachine.TestCase
