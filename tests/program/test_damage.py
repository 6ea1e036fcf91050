"""A damaged state: set aside, said once everywhere, and made anew from the log."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble

from .running import START, append, login, logout, monitor, run, until, write_config

Harm = pytest.mark.parametrize("harm", ["text", "empty", "torn", "header", "tables"])


def _harm(file: Path, how: str) -> None:
    """What happens to files: overwritten, cut, written in half."""
    data = file.read_bytes()
    match how:
        case "text":
            file.write_bytes(b"not a database at all, just text" * 300)
        case "empty":
            file.write_bytes(b"")
        case "torn":
            file.write_bytes(data[: len(data) // 2])
        case "header":
            file.write_bytes(b"\0" * 100 + data[100:])
        case _:
            connection = sqlite3.connect(file)
            connection.executescript("DROP TABLE connection; DROP TABLE deliveries")
            connection.close()


def _people(config: Path) -> list[tuple[str, str, str]]:
    lines = run("history", "--json", "--config", str(config)).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["user"], row["state"], row["session"]) for row in rows]


def _titles(texts: list[str]) -> list[str]:
    return sorted(f"{text.splitlines()[0]} {_user(text)}" for text in texts)


def _user(text: str) -> str:
    return next((line[4:] for line in text.splitlines() if line.startswith("用户名：")), "")


@Harm
def test_it_is_set_aside_and_the_monitor_goes_on(tmp_path: Path, harm: str) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1) + login(1, 20, "bob", 2) + logout(5, 20, "bob", 2))
    state = tmp_path / "state" / "state.db"
    with FeishuDouble() as bot:
        config = write_config(tmp_path, log, url=bot.url)
        assert run("run", "--once", "--from-start", "--config", str(config)).returncode == 0
        before = _people(config)
        assert len(bot.texts()) == 3
        log.rename(tmp_path / "auth.log.1")
        packed = tmp_path / "auth.log.2.gz"
        packed.write_bytes(gzip.compress("\n".join(login(-99, 5, "carol", 5)).encode() + b"\n"))
        old = log.with_name("auth.log.1").stat().st_mtime - 1000
        os.utime(packed, (old, old))
        append(log, login(9, 30, "dave", 3))
        _harm(state, harm)
        damaged = state.read_bytes()
        for command in ("who", "history", "status", "check") if harm != "tables" else ():
            result = run(command, "--config", str(config))
            assert result.returncode == 1, command
            said = result.stderr + result.stdout
            assert b"the state is damaged" in said, command
            assert len(said.splitlines()) == 1 or command == "check", said
        assert state.read_bytes() == damaged
        result = run("run", "--once", "--config", str(config))
        assert result.returncode == 0, result.stderr
        (line,) = [text for text in result.stderr.decode().splitlines() if "damaged (" in text]
        assert "set aside as state.db.damaged-" in line
        (aside,) = (path for path in state.parent.iterdir() if path.name.endswith("Z"))
        assert aside.read_bytes() == damaged or harm == "tables"
        told = _titles(bot.texts()[3:])
        assert told[-1].startswith("监控异常通知")
        # How far the log was told of is known to the moment only where the state still says so.
        assert "用户登录通知 carol" not in told and "用户登录通知 alice" not in told
        assert ("用户登录通知 dave" in told) == (harm == "tables")
        people = _people(config)
        assert {user for user, _, _ in people} == {"alice", "bob", "carol", "dave"}
        assert set(before) <= set(people)
        status = json.loads(run("status", "--json", "--config", str(config)).stdout)
        assert status["damaged"]["file"] == str(aside)
        assert run("run", "--once", "--config", str(config)).returncode == 0
        append(log, logout(60, 10, "alice", 1) + login(70, 40, "erin", 4))
        assert run("run", "--once", "--config", str(config)).returncode == 0
        texts = bot.texts()
    assert [text.startswith("监控异常通知") for text in texts].count(True) == 1
    if harm == "tables":
        assert _titles(texts[-2:]) == ["用户登出通知 alice", "用户登录通知 erin"]


def test_what_waits_and_what_is_older_than_the_log_is_carried_over(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1) + logout(5, 10, "alice", 1))
    state = tmp_path / "state" / "state.db"
    with FeishuDouble(script=["500"] * 100) as bot:
        config = write_config(tmp_path, log, url=bot.url)
        assert run("run", "--once", "--from-start", "--config", str(config)).returncode == 0
    log.unlink()
    append(log, login(50, 20, "bob", 2))
    _harm(state, "tables")
    with sqlite3.connect(state) as connection:  # only what the engine remembers is lost
        connection.execute("CREATE TABLE deliveries AS SELECT 'feishu' AS channel, number,"
                           " 1 AS routine, queued_us, 1 AS attempts, 0 AS plain, NULL AS aside_us"
                           " FROM notices")  # fmt: skip
    connection.close()
    with FeishuDouble() as bot:
        write_config(tmp_path, log, url=bot.url)
        assert run("run", "--once", "--config", str(config)).returncode == 0
        told = _titles(bot.texts())
    assert {"用户登录通知 alice", "用户登出通知 alice", "用户登录通知 bob"} <= set(told), told
    assert {user for user, _, _ in _people(config)} == {"alice", "bob"}


def test_a_bounded_number_is_kept_and_none_is_overwritten(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1))
    config = write_config(tmp_path, log)
    state = tmp_path / "state" / "state.db"
    for number in range(5):
        assert run("run", "--once", "--config", str(config)).returncode == 0
        state.write_bytes(f"damage {number} ".encode() * 500)
    assert run("run", "--once", "--config", str(config)).returncode == 0
    kept = sorted(path for path in state.parent.glob("state.db.damaged-*") if path.stat().st_size)
    kept = [path for path in kept if not path.name.endswith(("-wal", "-shm"))]
    assert [path.read_bytes()[:8] for path in kept] == [b"damage 2", b"damage 3", b"damage 4"]


def test_damage_under_a_running_monitor(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1))
    state = tmp_path / "state" / "state.db"
    with (
        FeishuDouble() as bot,
        monitor(config := write_config(tmp_path, log, url=bot.url), "--from-start") as process,
    ):
        until(lambda: b"alice" in run("who", "--json", "--config", str(config)).stdout)
        connection = sqlite3.connect(state)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        with state.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (state.stat().st_size - 4096))
        later = time.time() + 5 - START.timestamp()
        append(log, login(later, 20, "bob", 2))
        until(lambda: b"bob" in run("who", "--json", "--config", str(config)).stdout)
        assert process.poll() is None
        people = _people(config)
        until(lambda: len(bot.texts()) == 3)
        process.terminate()
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert {user for user, _, _ in people} == {"alice", "bob"}
    assert output.decode().count("set aside as") == 1
    assert _titles(bot.texts())[0].startswith("用户登录通知 alice")
    assert sum("监控异常通知" in text for text in bot.texts()) == 1


@pytest.mark.parametrize(
    "harm", ["replace(fields, 'routine', 'xoutine')", "'[]'", "'{}'", "substr(fields, 1, 40)"]
)
def test_a_notice_that_means_nothing_holds_up_no_other(tmp_path: Path, harm: str) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1) + login(1, 20, "bob", 2))
    with FeishuDouble() as bot:
        bot.always = "status:503"
        config = write_config(tmp_path, log, url=bot.url)
        assert run("run", "--once", "--from-start", "--config", str(config)).returncode == 0
        connection = sqlite3.connect(tmp_path / "state" / "state.db")
        with connection:
            connection.execute(f"UPDATE notices SET fields = {harm} WHERE number = 1")
        connection.close()
        listed = run("outbox", "list", "--config", str(config))
        assert listed.returncode == 1 and b"Traceback" not in listed.stderr
        bot.always = ""
        with monitor(config):
            assert _titles(bot.wait_for(2)) == ["用户登录通知 bob", "监控异常通知 "]
