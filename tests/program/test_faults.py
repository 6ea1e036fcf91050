"""Bad input and a bad world: one clear line each, the right exit status, nothing lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .running import append, end, login, logout, monitor, run, until, write_config

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play a user without rights")
NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}


def _line(result: subprocess.CompletedProcess[bytes], status: int) -> str:
    """The one line of trouble."""
    assert result.returncode == status, result.stderr.decode()
    text = result.stderr.decode()
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("user-session-monitor: ")]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("monitor: {sorce: file}", ":1: unknown key monitor.sorce (did you mean source?)"),
        ("monitor:\n  source: files", ":2: monitor.source must be one of auto, journal, file"),
        ("feishu:\n  webhook_url: 5", ":2: feishu.webhook_url must be text (put it in quotes)"),
        ("server: {name: 5}", ":1: server.name must be text, not '5'"),
        ("feishu:\n  webhook_url: http://example.org/x", ":2: feishu.webhook_url: must begin"),
        ("monitor: [", ": not valid YAML"),
        ("- 1", ":1: the file must be a mapping"),
        ("language: fr", ":1: language must be one of zh, en"),
        ("timezone: Mars/Phobos", ":1: timezone: must be a time zone's name"),
        ("state: {dir: /a}\nstate: {dir: /b}", ":2: state is given twice"),
        ("monitor: {log_file: auth.log}", ":1: monitor.log_file: must be an absolute path"),
        ("notices: {events: [login, logon]}", ":1: notices.events[1] must be one of login"),
    ],
)
def test_a_bad_configuration_names_file_line_and_key(
    tmp_path: Path, text: str, expected: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    for command in (["run"], ["check"], ["who"], ["test-notify"]):
        assert expected in _line(run(*command, "--config", str(config)), 2)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("monitr: {}\nfeishu: {style: html}\nlanguage: 7\n")
    result = run("check", "--config", str(config))
    assert result.returncode == 2
    assert [line.split(":")[2] for line in result.stderr.decode().splitlines()] == ["1", "2", "3"]


def test_a_configuration_or_secret_that_is_not_there(tmp_path: Path) -> None:
    line = _line(run("run", "--config", str(tmp_path / "none.yaml")), 2)
    assert "none.yaml: there is no such configuration file" in line
    config = tmp_path / "config.yaml"
    config.write_text(
        f"feishu: {{webhook_url_file: {tmp_path / 'hook'}}}\nstate: {{dir: {tmp_path}}}"
    )
    assert "feishu.webhook_url_file: cannot be read" in _line(
        run("run", "--config", str(config)), 2
    )


def test_wrong_use_is_one_line_and_status_2() -> None:
    for arguments in (
        ["frobnicate"],
        ["scan"],
        ["history", "--since", "soon"],
        ["scan", "--year", "5", "-"],
    ):
        result = run(*arguments)
        assert result.returncode == 2, arguments
        assert len(result.stderr.decode().splitlines()) == 1, result.stderr


def test_a_second_monitor_names_the_first(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    with monitor(config) as process:
        until(lambda: run("status", "--config", str(config)).returncode == 0)
        assert f"(pid {process.pid})" in _line(run("run", "--config", str(config)), 1)
        assert end(process)[0] == 0
    assert run("status", "--config", str(config)).returncode == 1


@AS_ROOT
def test_a_state_directory_that_cannot_be_written(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)
    config = write_config(tmp_path, log)
    config.chmod(0o644)
    result = run("run", "--config", str(config), **NOBODY)
    assert str(tmp_path / "state") in _line(result, 1)


@AS_ROOT
def test_a_log_that_may_not_be_read_is_told_and_recovers(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch(mode=0o600)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    config = write_config(tmp_path, log)
    config.chmod(0o644)
    check = run("check", "--config", str(config), **NOBODY)
    assert check.returncode == 1
    assert f"{log}: may not be read by this user".encode() in check.stdout
    process = subprocess.Popen(
        [*_python(), "run", "--from-start", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=65534,
        group=65534,
        extra_groups=[],
    )
    try:
        append(log, login(0, 10, "alice", 1))
        until(lambda: run("status", "--json", "--config", str(config)).returncode == 0)
        log.chmod(0o644)
        until(lambda: b"alice" in run("who", "--json", "--config", str(config)).stdout)
        status, output = end(process)
    finally:
        process.kill()
        process.communicate()
    assert status == 0
    assert str(log) in output
    assert "用户名：alice" in output


def _python() -> list[str]:
    from .running import command

    return command()


def test_hostile_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    with log.open("wb") as file:
        file.write(b"\0" * 4096 + b"\n")
        file.write(b"2026-11-21T08:00:00+00:00 web-1 sshd[1]: \xff\xfe\x1b[2J\n")
        file.write(b"x" * 10_000_000 + b"\n")
        file.write(b"2026-11-21T08:00:00+00:00 web-1 sshd[1]: " + b"A" * 100_000 + b"\n")
        file.write("\n".join(login(1, 10, "alice", 1)).encode() + b"\n")
    config = write_config(tmp_path, log)
    result = run("run", "--once", "--from-start", "--config", str(config))
    assert result.returncode == 0, result.stderr
    assert "用户名：alice".encode() in result.stdout
    assert b"\x1b" not in result.stdout + result.stderr
    scanned = run("scan", "--json", str(log))
    assert scanned.returncode == 0
    assert scanned.stdout.count(b"\n") == 1


def test_a_name_from_an_attacker_is_harmless_everywhere(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    name = '<at user_id="all"></at>\u202e\u200b' + "😀" * 300
    append(log, login(0, 10, "alice", 1) + logout(5, 10, "alice", 1))
    append(
        log,
        [
            "2026-11-21T08:01:00+00:00 web-1 gdm-password]: pam_unix(gdm-password:session): "
            f"session opened for user {name}(uid=1) by (uid=0)"
        ],
    )
    config = write_config(tmp_path, log)
    result = run("run", "--once", "--from-start", "--config", str(config))
    text = result.stdout.decode()
    assert "＜at user_id=" in text
    assert "<at" not in text
    assert "\u202e" not in text
    table = run("who", "--config", str(config)).stdout.decode()
    assert "\u202e" not in table


def test_a_state_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    import sqlite3

    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    assert run("run", "--once", "--config", str(config)).returncode == 0
    with sqlite3.connect(tmp_path / "state" / "state.db") as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    assert "newer version" in _line(run("run", "--config", str(config)), 1)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@AS_ROOT
def test_a_full_disk_stops_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        log = tmp_path / "auth.log"
        log.touch()
        config = write_config(tmp_path, log)
        config.write_text(config.read_text().replace(str(tmp_path / "state"), str(disk / "state")))
        assert run("run", "--once", "--config", str(config)).returncode == 0
        filler = disk / "filler"
        _fill(filler)
        for number in range(200):
            append(log, login(number, 100 + number, f"u{number}", 4000 + number))
        line = _line(run("run", "--once", "--config", str(config)), 1)
        assert "the disk is full" in line
        filler.unlink()
        config.write_text(config.read_text().replace(str(disk / "state"), str(tmp_path / "big")))
        subprocess.run(["cp", "-a", str(disk / "state"), str(tmp_path / "big")], check=True)
        assert run("run", "--once", "--config", str(config)).returncode == 0
        assert run("who", "--json", "--config", str(config)).stdout.count(b"\n") == 200
    finally:
        subprocess.run(["umount", str(disk)], check=True)
