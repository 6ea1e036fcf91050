"""The state directory under a running monitor, and what somebody may have put into it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble

from .running import append, command, end, login, logout, monitor, run, until, write_config


def _trouble(arguments: list[str]) -> str:
    result = run(*arguments)
    assert result.returncode == 1, result.stderr
    (line,) = [
        text
        for text in result.stderr.decode().splitlines()
        if text.startswith("user-session-monitor: ")
    ]
    return line


@pytest.mark.parametrize("name", ["run.lock", "state.db", "state.db-wal"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_link_or_a_pipe_in_the_state_is_never_followed(
    tmp_path: Path, name: str, kind: str
) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    state = tmp_path / "state"
    state.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    if kind == "link":
        (state / name).symlink_to(victim)
    else:
        os.mkfifo(state / name)
    assert name in _trouble(["run", "--once", "--config", str(config)])
    assert victim.read_text() == "precious"


def _take_away(state: Path, what: str) -> None:
    if what == "directory":
        shutil.rmtree(state)
    elif what == "files":
        shutil.rmtree(state)
        state.mkdir()
    elif what == "database":
        (state / "state.db").unlink()
    else:  # as in the unit: the directory is gone, and cannot be made again
        shutil.rmtree(state)
        state.write_text("in the way")


@pytest.mark.parametrize("what", ["directory", "files", "database", "for good"])
def test_a_state_that_is_taken_away_goes_on_with_the_next_start(tmp_path: Path, what: str) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    state, between = tmp_path / "state", tmp_path / "between"
    between.mkdir()
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(between)}
    with FeishuDouble() as group:
        config = write_config(tmp_path, log, url=group.url)
        with monitor(config, "--from-start", env=environment) as process:
            append(log, login(0, 10, "alice", 1))
            group.wait_for(1)
            _take_away(state, what)
            append(log, login(1, 20, "bob", 2))
            group.wait_for(2)
            assert process.wait(timeout=15) == 1
            assert process.stdout is not None
            said = process.stdout.read()
        assert b"was removed or replaced while the monitor was running" in said
        assert b"the next start goes on with it" in said
        append(
            log, logout(2, 10, "alice", 1) + login(3, 30, "carol", 3) + logout(4, 30, "carol", 3)
        )
        if what == "for good":
            state.unlink()
        with monitor(config, env=environment) as process:
            group.wait_for(5)
            assert end(process)[0] == 0
        assert [text.count("用户登录通知") for text in group.texts()] == [1, 1, 0, 1, 0]
        assert list(between.iterdir()) == []
        rows = run("history", "--json", "--config", str(config)).stdout.splitlines()
        assert len(rows) == 3


def test_back_to_a_log_of_before_nothing_is_told_again_and_nothing_lost(tmp_path: Path) -> None:
    """One log in two places: what the other one told of is known, what came since is not."""
    logs = [tmp_path / "auth.log", tmp_path / "messages"]

    def write(lines: list[str]) -> None:
        for log in logs:
            append(log, lines)

    def told(number: int) -> str:
        write_config(tmp_path, logs[number])
        return run("run", "--once", "--config", str(config)).stdout.decode()

    write([])
    config = write_config(tmp_path, logs[0])
    assert told(0) == ""
    write(login(0, 10, "alice", 1))
    assert told(0).count("用户登录通知") == 1
    assert "通知" not in told(1)
    write(login(10, 20, "bob", 2) + logout(20, 20, "bob", 2))
    assert told(1).count("通知") == 2
    write(login(30, 30, "carol", 3) + logout(40, 10, "alice", 1))
    last = told(0)
    assert "bob" not in last
    assert (last.count("用户登录通知"), last.count("用户登出通知")) == (1, 1)
    assert "通知" not in told(0) + told(1) + told(0)
    assert run("history", "--json", "--config", str(config)).stdout.count(b"\n") == 3


def test_a_reload_goes_on_with_a_state_that_was_taken_away(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    with monitor(config, "--from-start") as process:
        append(log, login(0, 10, "alice", 1))
        until(lambda: b"alice" in run("who", "--json", "--config", str(config)).stdout)
        shutil.rmtree(tmp_path / "state")
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=15) == 1
    assert (tmp_path / "state" / "state.db.new").exists()


def test_a_state_that_was_put_in_the_place_of_another_stays(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    state = tmp_path / "state"
    with monitor(config, "--from-start") as process:
        append(log, login(0, 10, "alice", 1))
        until(lambda: b"alice" in run("who", "--json", "--config", str(config)).stdout)
        shutil.copytree(state, tmp_path / "other")
        shutil.rmtree(state)
        (tmp_path / "other").rename(state)
        assert process.wait(timeout=15) == 1
    assert sorted(path.name for path in state.iterdir() if "new" in path.name) == []


def test_an_end_that_is_split_over_two_runs_is_one_logout(tmp_path: Path) -> None:
    """Read long after it was written, a line still waits for the one that follows it."""
    log = tmp_path / "auth.log"
    config = write_config(tmp_path, log)
    first, last = logout(95, 10, "alice", 1)
    told = b""
    for lines in (login(0, 10, "alice", 1), [first], [last]):
        append(log, lines)
        told += run("run", "--once", "--from-start", "--config", str(config)).stdout
    assert told.decode().count("用户登出通知") == 1
    assert run("history", "--json", "--config", str(config)).stdout.count(b"\n") == 1


def test_asked_to_end_while_it_starts_it_ends_in_order(tmp_path: Path) -> None:
    import subprocess
    import time

    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    for delay in (0.25, 0.3, 0.4, 0.5):
        process = subprocess.Popen(
            command("run", "--config", str(config)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert b"Traceback" not in errors
        assert process.returncode in {0, -signal.SIGTERM}  # before the program's own first line


def test_a_monitor_ends_with_0_when_it_is_asked_to(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    with monitor(config) as process:
        until(lambda: run("status", "--config", str(config)).returncode == 0)
        assert end(process)[0] == 0
