"""What happened to the log while nobody followed it."""

from __future__ import annotations

import bz2
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .tail_tools import Daemon, Follower, copytruncate, line, pack, rotate


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


@pytest.fixture
def daemon(log: Path) -> Iterator[Daemon]:
    made = Daemon(log)
    yield made
    made.close()


@pytest.fixture
def follower(log: Path, daemon: Daemon) -> Iterator[Follower]:
    """Has read two of four lines, and is away."""
    daemon.write(4)
    made = Follower(log, from_start=True)
    made.read(2)
    made.source.close()
    yield made
    made.source.close()


def rest(follower: Follower) -> list[int]:
    follower.restart()
    follower.drain(3)
    return follower.numbers[2:]


def test_rotated_once(log: Path, daemon: Daemon, follower: Follower) -> None:
    rotate(log)
    daemon.write()
    daemon.reopen()
    daemon.write(2)
    assert rest(follower) == [2, 3, 4, 5, 6]


def test_rotated_and_no_new_file_yet(log: Path, daemon: Daemon, follower: Follower) -> None:
    rotate(log, create=False)
    assert rest(follower) == [2, 3]
    daemon.reopen()
    daemon.write()
    assert rest(follower) == [2, 3, 4]


def _xz(path: Path) -> None:
    path.with_name(path.name + ".xz").write_bytes(lzma.compress(path.read_bytes()))
    path.unlink()


def _bz2(path: Path) -> None:
    path.with_name(path.name + ".bz2").write_bytes(bz2.compress(path.read_bytes()))
    path.unlink()


def _gz(path: Path) -> None:
    pack(path)


@pytest.mark.parametrize("packer", [_gz, _xz, _bz2])
def test_rotated_often_and_packed(
    log: Path, daemon: Daemon, follower: Follower, packer: Callable[[Path], None]
) -> None:
    for _ in range(4):
        old = rotate(log)
        daemon.reopen()
        daemon.write(3)
        packer(old)
    rotate(log)
    daemon.reopen()
    daemon.write(2)
    assert rest(follower) == list(range(2, 18))


def test_killed_at_each_line_of_a_chain(log: Path, daemon: Daemon, follower: Follower) -> None:
    for _ in range(3):
        old = rotate(log)
        daemon.reopen()
        daemon.write(3)
    pack(old)
    for _ in range(100):
        follower.restart()
        follower.read(1)
    assert follower.numbers == list(range(13))


@pytest.mark.parametrize("extension", ["", ".log"])
def test_names_with_dates(tmp_path: Path, extension: str) -> None:
    log = tmp_path / f"secure{extension}"
    daemon = Daemon(log)
    daemon.write(4)
    follower = Follower(log, from_start=True)
    follower.read(2)
    for day in (19, 20, 21):
        log.rename(log.with_name(f"secure-202611{day}{extension}"))
        daemon.reopen()
        daemon.write(2)
    for day in (19, 20):
        pack(log.with_name(f"secure-202611{day}{extension}"))
    assert rest(follower) == list(range(2, 10))
    follower.source.close()
    daemon.close()


def test_copied_and_truncated(log: Path, daemon: Daemon, follower: Follower) -> None:
    copytruncate(log)
    daemon.write(40)
    assert rest(follower) == list(range(2, 44))


def test_copied_and_truncated_often(log: Path, daemon: Daemon, follower: Follower) -> None:
    for _ in range(3):
        pack(copytruncate(log))
        daemon.write(3)
    assert rest(follower) == list(range(2, 13))


def test_a_copy_made_by_hand_is_not_read_twice(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    rotate(log)
    daemon.reopen()
    daemon.write(3)
    log.with_name("auth.log.20261121").write_bytes(log.read_bytes())
    log.with_name("auth.log.bak").write_bytes(log.read_bytes())
    daemon.write(2)
    assert rest(follower) == list(range(2, 9))


def test_being_packed_at_this_moment(log: Path, daemon: Daemon, follower: Follower) -> None:
    first = rotate(log)
    daemon.reopen()
    daemon.write(3)
    whole = first.read_bytes()
    packed = pack(first)
    first.write_bytes(whole)
    packed.write_bytes(packed.read_bytes()[:-20])
    rotate(log)
    daemon.reopen()
    daemon.write(1)
    assert rest(follower) == list(range(2, 8))


def test_damaged_packed_files_are_passed(log: Path, daemon: Daemon, follower: Follower) -> None:
    rotate(log)
    daemon.reopen()
    daemon.write(2)
    packed = pack(rotate(log))
    daemon.reopen()
    daemon.write(2)
    data = packed.read_bytes()
    packed.write_bytes(data[:30] + os.urandom(20) + data[50:])
    follower.restart()
    follower.drain()
    assert follower.numbers[2:4] == [2, 3]
    assert follower.numbers[-2:] == [6, 7]


def test_gone_for_good_is_said_with_the_time(log: Path, daemon: Daemon, follower: Follower) -> None:
    rotate(log).unlink()
    daemon.reopen()
    daemon.write(2)
    assert rest(follower) == [4, 5]
    (note,) = [note for note in follower.notes if "missing" in note]
    assert "2026-09-21" in note


def test_an_older_files_inode_is_no_proof(log: Path, daemon: Daemon, follower: Follower) -> None:
    with log.open("r+b") as file:
        file.write(b"".join(line(number) for number in range(600, 640)))
    assert rest(follower)[0] == 600


def test_catching_up_is_bounded_in_open_files(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    for number in range(200, 0, -1):
        log.with_name(f"auth.log.{number}").write_bytes(line(1000 - number))
    log.rename(log.with_name("auth.log.201"))
    daemon.reopen()
    daemon.write()
    follower.restart()
    follower.drain()
    assert follower.numbers[-1] == 4
    assert follower.numbers[2:-1] == list(range(1000 - 64, 1000))
    assert any("too many" in note for note in follower.notes)


@pytest.mark.parametrize("from_start", [True, False])
def test_a_place_is_saved_before_anything_is_read(
    log: Path, daemon: Daemon, from_start: bool
) -> None:
    daemon.write(2)
    made = Follower(log, from_start=from_start)
    made.read(0)
    assert made.numbers == []
    daemon.write(2)
    rotate(log)
    daemon.reopen()
    daemon.write()
    made.restart()
    made.drain(3)
    made.source.close()
    assert made.numbers == ([0, 1, 2, 3, 4] if from_start else [2, 3, 4])


def test_a_log_that_came_and_was_rotated_while_away(tmp_path: Path) -> None:
    """At the saved place there was no log, but an old copy of it."""
    path = tmp_path / "auth.log"
    first = Daemon(path)
    first.write(3)
    rotate(path, create=False)
    made = Follower(path, from_start=True)
    made.read(0)
    assert made.position is not None
    first.reopen()
    first.write(2)
    rotate(path)
    first.reopen()
    first.write()
    made.restart()
    made.drain(3)
    made.source.close()
    assert made.numbers == [3, 4, 5]
