"""Rotated files whose numbers or dates do not tell their age: nothing is told twice or passed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from usersessionmon.sources.tail import LINGER

from .tail_tools import (
    Daemon,
    Follower,
    Naming,
    copytruncate,
    dated,
    day_first,
    falling,
    line,
    pack,
    rising,
    rotate,
)

NAMINGS = [falling, rising, dated, day_first]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


@pytest.fixture
def daemon(log: Path) -> Iterator[Daemon]:
    made = Daemon(log)
    made.write(3)
    yield made
    made.close()


@pytest.fixture
def follower(log: Path, daemon: Daemon) -> Iterator[Follower]:
    made = Follower(log, from_start=True)
    assert made.drain() == [0, 1, 2]
    yield made
    made.source.close()


def turn(daemon: Daemon, naming: Naming) -> Path:
    """A rotation, and two lines in the new file."""
    old = rotate(daemon.path, naming=naming)
    daemon.reopen()
    daemon.write(2)
    return old


def settle(follower: Follower) -> list[int]:
    """The new lines, until the renamed file is let go of."""
    new: list[int] = []
    for _ in range(3):
        new += follower.drain()
        follower.clock.advance(LINGER + 1)
    return new


@pytest.mark.parametrize("naming", NAMINGS)
def test_many_rotations_live(daemon: Daemon, follower: Follower, naming: Naming) -> None:
    for _ in range(25):
        first = daemon.written
        turn(daemon, naming)
        assert settle(follower) == [first, first + 1]


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("missed", [1, 2, 5])
def test_rotated_while_away(
    daemon: Daemon, follower: Follower, naming: Naming, missed: int
) -> None:
    for _ in range(20):
        turn(daemon, naming)
        settle(follower)
    daemon.write(2)
    first = len(follower.numbers)
    for _ in range(missed):
        turn(daemon, naming)
    follower.restart()
    assert settle(follower) == list(range(first, daemon.written))


@pytest.mark.parametrize("naming", NAMINGS)
def test_rotated_while_away_for_the_first_time(
    daemon: Daemon, follower: Follower, naming: Naming
) -> None:
    for _ in range(3):
        turn(daemon, naming)
    follower.restart()
    assert settle(follower) == list(range(3, daemon.written))


@pytest.mark.parametrize("naming", NAMINGS)
def test_what_was_there_before_the_first_start(log: Path, naming: Naming) -> None:
    daemon = Daemon(log)
    for _ in range(6):
        turn(daemon, naming)
    follower = Follower(log)
    assert settle(follower) == []
    for _ in range(3):
        first = daemon.written
        turn(daemon, naming)
        assert settle(follower) == [first, first + 1]
    first = daemon.written
    for _ in range(3):
        turn(daemon, naming)
    follower.restart()
    assert settle(follower) == list(range(first, daemon.written))
    follower.source.close()
    daemon.close()


def test_packed_as_soon_as_it_is_let_go_of(daemon: Daemon, follower: Follower) -> None:
    for _ in range(6):
        first = daemon.written
        old = turn(daemon, rising)
        assert settle(follower) == [first, first + 1]
        os.utime(pack(old))  # not every packer keeps the time
    follower.restart()
    assert settle(follower) == []
    first = daemon.written
    for _ in range(2):
        turn(daemon, rising)
    follower.restart()
    assert settle(follower) == list(range(first, daemon.written))


def test_old_files_with_new_times(log: Path, daemon: Daemon, follower: Follower) -> None:
    for _ in range(5):
        turn(daemon, rising)
        settle(follower)
    for old in log.parent.glob("auth.log.*"):
        os.utime(old)
    first = daemon.written
    for _ in range(2):
        turn(daemon, rising)
    assert settle(follower) == list(range(first, daemon.written))


@pytest.mark.parametrize("naming", NAMINGS)
def test_copied_and_truncated(
    log: Path, daemon: Daemon, follower: Follower, naming: Naming
) -> None:
    for number in range(6):
        first = daemon.written
        daemon.write(2)
        copytruncate(log, naming=naming)
        daemon.write(3 + number)
        assert settle(follower) == list(range(first, daemon.written))


def test_a_late_line_in_an_old_copy(log: Path, daemon: Daemon, follower: Follower) -> None:
    for _ in range(3):
        old = turn(daemon, rising)
        settle(follower)
    with old.open("ab") as file:
        file.write(line(900))
    turn(daemon, rising)
    assert settle(follower) == [daemon.written - 2, daemon.written - 1]


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_position_of_an_earlier_version(
    log: Path, daemon: Daemon, follower: Follower, naming: Naming
) -> None:
    for number in range(4):
        old = turn(daemon, naming)
        os.utime(old, (1_000_000 + number, 1_000_000 + number))
        settle(follower)
    assert follower.position is not None
    saved = json.loads(follower.position)
    del saved["past"]
    follower.position = json.dumps(saved)
    daemon.write()
    first = len(follower.numbers)
    turn(daemon, naming)
    follower.restart()
    assert settle(follower) == list(range(first, daemon.written))


def test_what_is_remembered_is_bounded(daemon: Daemon, follower: Follower) -> None:
    sizes = []
    for _ in range(60):
        turn(daemon, rising)
        settle(follower)
        sizes.append(len(follower.position or ""))
    assert max(sizes) < 4000
