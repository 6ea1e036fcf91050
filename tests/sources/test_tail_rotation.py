"""What happens to a log while it is followed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from usersessionmon.clock import SystemClock, Waker
from usersessionmon.sources.tail import LINGER

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
    made = Follower(log)
    daemon.write(2)
    made.from_start = True
    made.restart()
    assert made.drain() == [0, 1]
    yield made
    made.source.close()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_renamed_and_made_anew(log: Path, daemon: Daemon, follower: Follower) -> None:
    daemon.write(2)
    rotate(log)
    daemon.write(1)  # it has not heard of it yet
    daemon.reopen()
    daemon.write(2)
    assert follower.drain() == [2, 3, 4, 5, 6]
    assert any("rotated" in note for note in follower.notes)


def test_lines_written_to_the_renamed_file_come_first(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    rotate(log)
    for number in range(2, 6):
        daemon.write()
        assert follower.drain() == [number]
        follower.clock.advance(LINGER * 10)
    daemon.begin()
    assert follower.drain() == []
    daemon.finish()
    daemon.reopen()
    daemon.write()
    assert follower.drain() == [6, 7]


def test_late_lines_of_a_second_process(log: Path, daemon: Daemon, follower: Follower) -> None:
    other = os.open(log, os.O_WRONLY | os.O_APPEND)
    rotate(log)
    daemon.reopen()
    daemon.write()
    assert follower.drain() == [2]
    assert follower.source.patience() == 0.25
    os.write(other, line(700))
    follower.restart()
    assert follower.drain() == [700]
    os.write(other, line(701) + line(702)[:-1])
    os.close(other)
    follower.clock.advance(LINGER + 1)
    assert follower.drain() == [701]
    follower.clock.advance(LINGER + 1)
    assert follower.drain() == [702], "an unfinished line of a file that gets no more"
    assert follower.drain() == []


def test_an_old_file_is_let_go_of(log: Path, daemon: Daemon, follower: Follower) -> None:
    before = open_files()
    for _ in range(5):
        rotate(log)
        daemon.reopen()
        daemon.write()
        follower.drain()
        follower.clock.advance(LINGER + 1)
        follower.drain()
    assert open_files() <= before + 1


def test_many_rotations_of_an_empty_file(log: Path, daemon: Daemon, follower: Follower) -> None:
    before = open_files()
    for _ in range(50):
        rotate(log)
        daemon.reopen()
        follower.drain()
        follower.clock.advance(LINGER + 1)
    assert open_files() <= before + 17
    follower.restart()
    daemon.write()
    assert follower.drain() == [2]
    follower.clock.advance(LINGER + 1)
    follower.drain()
    follower.clock.advance(LINGER + 1)
    follower.drain()
    assert open_files() <= before


def test_an_empty_file_is_written_to_long_after_its_rotation(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    rotate(log)
    daemon.reopen()
    for _ in range(3):
        follower.drain()
        rotate(log)
        follower.clock.advance(LINGER + 1)
    daemon.write()
    assert follower.drain() == [2]


def test_copied_and_truncated(log: Path, daemon: Daemon, follower: Follower) -> None:
    daemon.write(3)
    copytruncate(log)
    daemon.write(2)
    assert follower.drain() == [2, 3, 4, 5, 6]
    assert follower.drain() == []


def test_copied_and_truncated_and_grown_beyond_the_old_place(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    daemon.write(3)
    copytruncate(log)
    daemon.write(50)
    assert follower.drain() == list(range(2, 55))


def test_copied_and_truncated_twice(log: Path, daemon: Daemon, follower: Follower) -> None:
    daemon.write(3)
    copytruncate(log)
    daemon.write(4)
    pack(copytruncate(log))
    daemon.write(50)
    assert follower.drain() == list(range(2, 59))


def test_truncated_without_a_copy(log: Path, daemon: Daemon, follower: Follower) -> None:
    os.truncate(log, 0)
    assert follower.drain() == []
    daemon.write(2)
    assert follower.drain() == [2, 3]
    assert any("truncated" in note for note in follower.notes)


def test_its_end_cut_off_brings_nothing_back(log: Path, daemon: Daemon, follower: Follower) -> None:
    daemon.write(100)
    follower.drain()
    os.truncate(log, 5000)
    assert follower.drain() == []
    daemon.raw(b"\n")
    daemon.write(2)
    assert follower.drain() == [102, 103]


def test_deleted_and_made_again(log: Path, daemon: Daemon, follower: Follower) -> None:
    log.unlink()
    daemon.write()
    assert follower.drain() == [2], "the daemon still has the deleted file"
    assert follower.notes == []
    follower.clock.advance(3)
    follower.drain()
    follower.clock.advance(3)
    follower.drain()
    assert len(follower.notes) == 1
    assert "waiting" in follower.notes[0]
    daemon.reopen()
    daemon.write(2)
    assert follower.drain() == [3, 4]


def test_deleted_and_made_again_while_away_with_the_same_inode(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    follower.source.close()
    daemon.close()
    log.unlink()
    daemon.reopen()  # ext4 gives the inode out again
    daemon.write(10)
    follower.restart()
    assert follower.drain() == list(range(2, 12))


def test_replaced_by_another_file(log: Path, daemon: Daemon, follower: Follower) -> None:
    other = log.with_name("other")
    other.write_bytes(line(50) + line(51))
    other.rename(log)
    assert follower.drain() == [50, 51]


def test_written_anew_by_an_editor(log: Path, daemon: Daemon, follower: Follower) -> None:
    daemon.write(60)
    follower.drain()
    copy = log.with_name("sedAbC")
    shutil.copyfile(log, copy)
    copy.rename(log)
    daemon.reopen()
    daemon.write(2)
    assert follower.drain() == [62, 63]
    follower.restart()
    assert follower.drain() == []


def test_a_new_file_may_begin_with_the_same_line(
    log: Path, daemon: Daemon, follower: Follower
) -> None:
    rotate(log)
    daemon.reopen()
    daemon.written = 0
    daemon.write(3)
    assert follower.drain() == [0, 1, 2]


def test_a_symbolic_link_is_turned_to_another_file(tmp_path: Path) -> None:
    link = tmp_path / "current"
    first, second = tmp_path / "log.a", tmp_path / "log.b"
    first.write_bytes(line(0))
    second.write_bytes(line(1))
    link.symlink_to(first)
    follower = Follower(link, from_start=True)
    assert follower.drain() == [0]
    with first.open("ab") as file:
        file.write(line(2))
    new = tmp_path / "new"
    new.symlink_to(second)
    new.rename(link)
    assert follower.drain() == [2, 1]
    follower.restart()
    with second.open("ab") as file:
        file.write(line(3))
    assert follower.drain() == [3]
    follower.source.close()


def test_renamed_back(log: Path, daemon: Daemon, follower: Follower) -> None:
    daemon.write()
    old = rotate(log)
    assert follower.drain() == [2]
    old.rename(log)
    daemon.write()
    assert follower.drain() == [3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop rights and take them back")
def test_the_new_file_may_not_be_read(log: Path, daemon: Daemon, follower: Follower) -> None:
    for parent in log.parents:
        if parent == Path("/tmp"):
            break
        parent.chmod(0o755)
    rotate(log)
    log.chmod(0)
    os.seteuid(65534)
    try:
        for _ in range(3):
            daemon.write()
            follower.drain()
        assert follower.numbers == [0, 1, 2, 3, 4]
        assert len(follower.notes) == 1
    finally:
        os.seteuid(0)
    daemon.reopen()
    daemon.write()
    assert follower.drain() == [5]
    assert any("can be read again" in note for note in follower.notes)


def test_a_rotation_delays_no_line(log: Path, daemon: Daemon, follower: Follower) -> None:
    waker = Waker()
    follower.wake = waker.wake
    follower.restart()
    follower.drain()
    clock = SystemClock()
    for number in range(2, 12):
        rotate(log)
        daemon.reopen()
        while waker.wait(0.05):
            follower.drain()
        began = clock.monotonic()
        daemon.write()
        while len(follower.numbers) <= number:
            assert waker.wait(5.0)
            follower.drain()
        assert clock.monotonic() - began < 0.2
    follower.source.close()
    waker.close()
