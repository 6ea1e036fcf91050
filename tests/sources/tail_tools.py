"""What the tests of the tail share: a daemon that writes a log, and a loop that follows it."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, timedelta
from pathlib import Path

from usersessionmon.clock import ManualClock
from usersessionmon.model import Batch
from usersessionmon.sources.tail import TailSource

START_US = 1_790_000_000_000_000


def line(number: int, size: int = 0) -> bytes:
    text = f"2026-11-21T08:15:30.{number % 1_000_000:06}+00:00 web-1 sshd[{number}]: line {number}"
    return (text + "x" * size + "\n").encode()


class Daemon:
    """Writes numbered lines and keeps its file open until it is told to open the path again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.partial = b""
        self._descriptor = -1
        self.reopen()

    def reopen(self) -> None:
        self.close()
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def write(self, count: int = 1, size: int = 0) -> None:
        for _ in range(count):
            if self.partial:
                self.finish()
                continue
            os.write(self._descriptor, line(self.written, size))
            self.written += 1

    def begin(self, part: int = 20) -> None:
        """Write the beginning of a line only."""
        if not self.partial:
            whole = line(self.written)
            part = min(part, len(whole) - 1)
            os.write(self._descriptor, whole[:part])
            self.partial = whole[part:]

    def finish(self) -> None:
        if self.partial:
            os.write(self._descriptor, self.partial)
            self.partial = b""
            self.written += 1

    def raw(self, data: bytes) -> None:
        os.write(self._descriptor, data)

    def on_current(self) -> bool:
        there = self.path.stat() if self.path.exists() else None
        mine = os.fstat(self._descriptor)
        return there is not None and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Follower:
    """A source, and what a main loop would have saved."""

    def __init__(
        self, path: Path, *, position: str | None = None, from_start: bool = False
    ) -> None:
        self.path = path
        self.clock = ManualClock(START_US)
        self.position = position
        self.from_start = from_start
        self.numbers: list[int] = []
        self.notes: list[str] = []
        self.wake: Callable[[], None] | None = None
        self.source = self._source()

    def read(self, limit: int = 1000) -> Batch:
        """One look, saved."""
        batch = self.source.read(limit)
        self.numbers += [record.pid or 0 for record in batch.records]
        self.notes += batch.notes
        self.position = batch.position or self.position
        return batch

    def drain(self, limit: int = 1000) -> list[int]:
        """Look until there is no more; the numbers of the new lines."""
        before = len(self.numbers)
        for _ in range(100_000):
            if self.read(limit).at_end:
                return self.numbers[before:]
        raise AssertionError("no end")

    def restart(self) -> None:
        """As after kill -9: what was not saved is forgotten."""
        self.source.close()
        self.source = self._source()

    def _source(self) -> TailSource:
        return TailSource(
            self.path,
            wanted=lambda program: program == "sshd",
            zone=UTC,
            clock=self.clock,
            position=self.position,
            from_start=self.from_start,
            wake=self.wake,
        )


def shift(path: Path) -> None:
    """``.2`` → ``.3``, ``.1`` → ``.2``, packed ones too."""
    for number in range(60, 0, -1):  # nothing is ever deleted
        for suffix in ("", ".gz", ".xz", ".bz2"):
            old = path.with_name(f"{path.name}.{number}{suffix}")
            if old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}{suffix}"))


Naming = Callable[[Path], Path]
"""Gives the name that the log gets when it is rotated, and makes room for it."""


def falling(path: Path) -> Path:
    """As logrotate and newsyslog: the lowest number is the newest."""
    shift(path)
    return path.with_name(f"{path.name}.1")


def rising(path: Path) -> Path:
    """As by hand, or by ``mv --backup=numbered``: the highest number is the newest."""
    return path.with_name(f"{path.name}.{_rotations(path) + 1}")


def dated(path: Path) -> Path:
    day = date(2026, 11, 21) + timedelta(days=_rotations(path))
    return path.with_name(f"{path.name}-{day:%Y%m%d}")


def day_first(path: Path) -> Path:
    """Dates that do not sort by age: ``-30112026`` is before ``-01122026``."""
    day = date(2026, 11, 21) + timedelta(days=_rotations(path))
    return path.with_name(f"{path.name}-{day:%d%m%Y}")


def _rotations(path: Path) -> int:
    return sum(1 for other in path.parent.glob(f"{path.name}[.-]*"))


def rotate(path: Path, *, create: bool = True, naming: Naming = falling) -> Path:
    goal = naming(path)
    path.rename(goal)
    if create:
        path.touch()
    return goal


def copytruncate(path: Path, *, naming: Naming = falling) -> Path:
    goal = naming(path)
    shutil.copyfile(path, goal)
    os.truncate(path, 0)
    return goal


def pack(path: Path) -> Path:
    """As gzip(1): the packed file keeps the time, then the plain one goes."""
    goal = path.with_name(path.name + ".gz")
    goal.write_bytes(gzip.compress(path.read_bytes()))
    status = path.stat()
    os.utime(goal, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return goal
