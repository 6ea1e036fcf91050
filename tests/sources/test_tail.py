"""Following one file: beginning, lines, limits, and what a log may hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from usersessionmon.clock import SystemClock, Waker
from usersessionmon.sources.base import Source
from usersessionmon.sources.tail_part import LINE_MAX

from .tail_tools import Daemon, Follower, line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


@pytest.fixture
def daemon(log: Path) -> Iterator[Daemon]:
    made = Daemon(log)
    yield made
    made.close()


def test_begins_at_the_end_and_gives_a_position_at_once(log: Path, daemon: Daemon) -> None:
    daemon.write(3)
    follower = Follower(log)
    batch = follower.read()
    assert (list(batch.records), batch.at_end) == ([], True)
    assert batch.position is not None
    daemon.write(2)
    follower.restart()
    assert follower.drain() == [3, 4]
    follower.source.close()


def test_it_is_a_source(log: Path, daemon: Daemon) -> None:
    follower = Follower(log)
    source: Source = follower.source
    assert source.name == str(log)
    assert list(source.descriptors()) == []
    assert source.patience() <= 1.0
    source.close()
    source.close()


def test_from_start(log: Path, daemon: Daemon) -> None:
    daemon.write(3)
    follower = Follower(log, from_start=True)
    assert follower.drain() == [0, 1, 2]
    follower.source.close()


def test_nothing_new_moves_nothing(log: Path, daemon: Daemon) -> None:
    follower = Follower(log)
    follower.read()
    for _ in range(3):
        batch = follower.read()
        assert (batch.position, batch.at_end, batch.lines, batch.notes) == (None, True, 0, ())
    follower.source.close()


def test_a_line_counts_when_it_is_whole(log: Path, daemon: Daemon) -> None:
    follower = Follower(log)
    follower.read()
    daemon.begin()
    assert follower.drain() == []
    follower.restart()
    daemon.finish()
    assert follower.drain() == [0]
    follower.source.close()


def test_beginning_in_the_middle_of_a_line_gives_the_whole_line(log: Path, daemon: Daemon) -> None:
    daemon.write(2)
    daemon.begin()
    follower = Follower(log)
    follower.read()
    daemon.finish()
    assert follower.drain() == [2]
    follower.source.close()


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_position_stands_right_behind_the_last_record(
    log: Path, daemon: Daemon, limit: int
) -> None:
    daemon.write(7)
    follower = Follower(log, from_start=True)
    for _ in range(7):
        batch = follower.read(limit)
        assert len(batch.records) <= limit
        follower.restart()
    assert follower.numbers == list(range(7))
    follower.source.close()


def test_lines_of_other_programs_are_counted_and_passed(log: Path, daemon: Daemon) -> None:
    follower = Follower(log, from_start=True)
    daemon.raw(line(1).replace(b"sshd", b"CRON") * 5)
    batch = follower.read()
    assert (len(batch.records), batch.lines) == (0, 5)
    assert batch.position is not None
    follower.source.close()


def test_a_huge_line_is_cut_and_the_next_is_read(log: Path, daemon: Daemon) -> None:
    follower = Follower(log, from_start=True)
    daemon.write()
    daemon.raw(line(900).rstrip(b"\n"))
    for _ in range(10):
        daemon.raw(b"y" * 1_000_000)
        follower.drain()
        follower.restart()
    daemon.raw(b"\n")
    daemon.write()
    follower.drain()
    assert follower.numbers == [0, 900, 1]
    follower.source.close()


def test_a_huge_line_is_not_kept(log: Path, daemon: Daemon) -> None:
    follower = Follower(log, from_start=True)
    daemon.raw(line(5).rstrip(b"\n") + b"z" * (LINE_MAX * 3) + b"\n")
    batch = follower.read()
    assert [len(record.text) <= LINE_MAX for record in batch.records] == [True]
    follower.source.close()


def test_one_look_is_bounded(log: Path, daemon: Daemon) -> None:
    daemon.raw(b"".join(line(number, 200) for number in range(40_000)))
    follower = Follower(log, from_start=True)
    batch = follower.read(1_000_000)
    assert 0 < batch.lines <= 20_000
    assert not batch.at_end
    assert follower.drain(1_000_000)[-1] == 39_999
    assert follower.numbers == list(range(40_000))
    follower.source.close()


def test_blocks_of_nul_are_passed(log: Path, daemon: Daemon) -> None:
    follower = Follower(log, from_start=True)
    daemon.write()
    daemon.raw(b"\0" * 100)
    daemon.write()
    daemon.raw(b"\0" * 3_000_000)
    follower.drain()
    daemon.write()
    daemon.raw(b"\0\0\n\n")
    daemon.write()
    follower.drain()
    assert follower.numbers == [0, 1, 2, 3]
    follower.source.close()


def test_bytes_that_are_no_text(log: Path, daemon: Daemon) -> None:
    follower = Follower(log, from_start=True)
    daemon.raw(bytes(range(11, 256)) + b"\n" + line(0).replace(b"line", b"\xff\xfe\x1b[31m"))
    daemon.raw(b"\r\n\n \n")
    daemon.raw(line(1))
    assert follower.drain() == [0, 1]
    follower.source.close()


@pytest.mark.parametrize(
    "position",
    ["", "{}", "[]", "null", "nonsense", '{"form":1}', "[" * 100_000,
     '{"form":1,"marks":[[1]],"behind":null,"reader":{},"saved_us":0}',
     '{"form":1,"marks":[[1,2,-3,0,"",false]],"behind":null,"reader":{},"saved_us":0}'],
)  # fmt: skip
def test_a_position_that_is_none_begins_as_without(
    log: Path, daemon: Daemon, position: str
) -> None:
    daemon.write(2)
    follower = Follower(log, position=position)
    assert follower.drain() == []
    assert "position" in follower.notes[0]
    daemon.write()
    assert follower.drain() == [2]
    follower.source.close()


def test_a_position_is_json_and_small(log: Path, daemon: Daemon) -> None:
    daemon.write(50)
    follower = Follower(log, from_start=True)
    follower.drain()
    assert follower.position is not None
    assert len(follower.position) < 1000
    assert "line" not in json.dumps(json.loads(follower.position)["marks"])
    follower.source.close()


def test_a_missing_file_is_said_once_and_awaited(log: Path) -> None:
    follower = Follower(log)
    for _ in range(3):
        batch = follower.read()
        assert batch.at_end
        follower.clock.advance(5)
    assert len(follower.notes) == 1
    assert "waiting" in follower.notes[0]
    follower.restart()
    daemon = Daemon(log)
    daemon.write(2)
    assert follower.drain() == [0, 1]
    follower.source.close()
    daemon.close()


def test_a_missing_directory_is_awaited(tmp_path: Path) -> None:
    log = tmp_path / "not" / "yet" / "auth.log"
    follower = Follower(log)
    assert follower.drain() == []
    log.parent.mkdir(parents=True)
    daemon = Daemon(log)
    daemon.write(2)
    assert follower.drain() == [0, 1]
    follower.source.close()
    daemon.close()


@pytest.mark.parametrize("kind", ["directory", "fifo", "loop"])
def test_what_is_no_file_is_said_and_never_blocks(log: Path, kind: str) -> None:
    if kind == "directory":
        log.mkdir()
    elif kind == "fifo":
        os.mkfifo(log)
    else:
        log.symlink_to(log)
    follower = Follower(log)
    for _ in range(3):
        assert follower.read().at_end
    assert len(follower.notes) == 1
    assert "cannot be read" in follower.notes[0]
    follower.source.close()


def test_no_position_is_saved_over_one_while_the_disk_is_not_mounted(tmp_path: Path) -> None:
    log = tmp_path / "log" / "auth.log"
    log.parent.mkdir()
    daemon = Daemon(log)
    daemon.write(3)
    follower = Follower(log)
    follower.read()
    log.parent.rename(tmp_path / "unmounted")
    follower.restart()
    for _ in range(3):
        assert follower.read().position is None
    (tmp_path / "unmounted").rename(log.parent)
    daemon.write(2)
    assert follower.drain() == [3, 4]
    assert sum("waiting" in note for note in follower.notes) == 1
    follower.source.close()
    daemon.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop rights and take them back")
def test_lost_rights_are_said_once_and_mended(log: Path, daemon: Daemon) -> None:
    daemon.write(2)
    log.parent.chmod(0o755)
    for parent in log.parents:
        if parent == Path("/tmp"):
            break
        parent.chmod(0o755)
    log.chmod(0)
    os.seteuid(65534)
    try:
        follower = Follower(log)
        for _ in range(3):
            assert follower.read().at_end
        assert [("cannot be read" in note) for note in follower.notes] == [True]
        assert follower.source.trouble
        os.seteuid(0)
        log.chmod(0o644)
        os.seteuid(65534)
        assert follower.drain() == []
        assert "can be read again" in follower.notes[-1]
        assert not follower.source.trouble
    finally:
        os.seteuid(0)
    daemon.write()
    assert follower.drain() == [2]
    follower.source.close()


def test_polls_faster_without_inotify(log: Path, daemon: Daemon) -> None:
    follower = Follower(log)
    assert follower.source.patience() == 0.25
    follower.source.close()


def test_from_a_write_to_the_record_takes_no_time(log: Path, daemon: Daemon) -> None:
    """By inotify and a waker, as the main loop waits."""
    waker = Waker()
    follower = Follower(log)
    follower.wake = waker.wake
    follower.restart()
    follower.read()
    assert follower.source.patience() == 1.0
    clock = SystemClock()
    took = []
    for number in range(200):
        while waker.wait(0.003):
            follower.read()
        began = clock.monotonic()
        daemon.write()
        while len(follower.numbers) <= number:
            assert waker.wait(5.0)
            follower.read()
        took.append(clock.monotonic() - began)
    follower.source.close()
    waker.close()
    assert follower.numbers == list(range(200))
    assert sorted(took)[197] < 0.02, sorted(took)[-5:]
