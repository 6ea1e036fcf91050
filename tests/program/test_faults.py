"""Bad input and a bad world: one clear line each, the right exit status, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble
from tests.strangers import let_in

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
    let_in(tmp_path)
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
    let_in(tmp_path)
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


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _on(disk: Path, config: Path) -> Path:
    """The configuration, with its state on the small disk."""
    text = config.read_text().replace(str(config.parent / "state"), str(disk / "state"))
    config.write_text(text)
    return config


@AS_ROOT
def test_a_full_disk_ends_a_single_run_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with _small_disk(tmp_path) as disk:
        config = _on(disk, write_config(tmp_path, log))
        assert run("run", "--once", "--config", str(config)).returncode == 0
        _fill(disk / "filler")
        for number in range(200):
            append(log, login(number, 100 + number, f"u{number}", 4000 + number))
        line = _line(run("run", "--once", "--config", str(config)), 1)
        assert "the disk is full" in line
        (disk / "filler").unlink()
        assert run("run", "--once", "--config", str(config)).returncode == 0
        assert (
            run("history", "--open", "--json", "--config", str(config)).stdout.count(b"\n") == 200
        )


def _full(disk: Path) -> Callable[[], None]:
    _fill(disk / "filler")
    return (disk / "filler").unlink


def _held(disk: Path) -> Callable[[], None]:
    """Somebody else's transaction on the state, for longer than anybody would wait."""
    other = sqlite3.connect(disk / "state" / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


@AS_ROOT
@pytest.mark.parametrize(("harm", "turns"), [(_full, 2), (_held, 1)])
def test_a_disk_that_cannot_be_written_holds_reading_until_it_can(
    tmp_path: Path, harm: Callable[[Path], Callable[[], None]], turns: int
) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with _small_disk(tmp_path) as disk, FeishuDouble() as bot:
        config = _on(disk, write_config(tmp_path, log, url=bot.url))

        def status() -> dict[str, Any]:
            said = run("status", "--json", "--config", str(config)).stdout
            return dict(json.loads(said)) if said else {}

        with monitor(config, "--from-start") as process:
            append(log, login(0, 10, "u0", 4000))
            bot.wait_for(1)
            for turn in range(1, turns + 1):
                mend = harm(disk)
                for number in range(turn * 100, turn * 100 + 60):
                    append(log, login(number, 2000 + 2 * number, f"u{number}", 4000 + number))
                    if number % 2:
                        append(log, logout(number, 2000 + 2 * number, f"u{number}", 4000 + number))
                until(lambda: bool(status().get("not_saving")), 30)
                log.rename(tmp_path / f"auth.log.{3 - turn}")
                log.touch()
                append(log, login(turn * 100 + 99, 90 + turn, f"v{turn}", 3 + turn))
                assert process.poll() is None
                mend()
                until(lambda: not status()["not_saving"])
                until(lambda t=turn: status()["open_sessions"] == 1 + 31 * t)  # type: ignore[misc]
            code, output = end(process)
        assert code == 0
        assert output.count("cannot be written: ") == turns, output
        assert output.count("can be written again") == turns
        assert (
            run("history", "--json", "--config", str(config)).stdout.count(b"\n") == 1 + 61 * turns
        )
        with monitor(config):
            until(lambda: all(not each["waiting"] for each in status()["channels"]), 60)
        told = "\n".join(bot.texts())
        for turn in range(1, turns + 1):
            for number in range(turn * 100, turn * 100 + 60):
                assert len(re.findall(rf"\bu{number}\b", told)) == 1 + number % 2, number


@AS_ROOT
def test_a_full_disk_is_trouble_before_the_state_needs_more_of_it(tmp_path: Path) -> None:
    """Delivery may find no room while the main loop still does."""
    log = tmp_path / "auth.log"
    log.touch()
    with _small_disk(tmp_path) as disk:
        config = _on(disk, write_config(tmp_path, log))
        assert run("run", "--once", "--config", str(config)).returncode == 0

        def trouble() -> list[str]:
            found = json.loads(run("status", "--json", "--config", str(config)).stdout)
            return [one for one in found["trouble"] if "the disk is full" in one]

        assert trouble() == []
        _fill(disk / "filler")
        assert trouble() == [
            f"{disk / 'state'}: the disk is full: notices wait, and soon nothing is read"
        ]
        (disk / "filler").unlink()
        assert trouble() == []


@AS_ROOT
def test_asked_to_end_while_the_disk_is_full_it_ends_with_0(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with _small_disk(tmp_path) as disk:
        config = _on(disk, write_config(tmp_path, log))
        with monitor(config, "--from-start") as process:
            append(log, login(0, 10, "alice", 1))
            until(
                lambda: (
                    b"alice" in run("history", "--open", "--json", "--config", str(config)).stdout
                )
            )
            _fill(disk / "filler")
            for number in range(100):
                append(log, login(number, 100 + number, f"u{number}", 4000 + number))
            until(lambda: b'"not_saving": null' not in _status(config))
            code, output = end(process)
        assert code == 0, output
        assert "is read again" in output
        (disk / "filler").unlink()
        assert run("run", "--once", "--config", str(config)).returncode == 0
        assert (
            run("history", "--open", "--json", "--config", str(config)).stdout.count(b"\n") == 101
        )


def _status(config: Path) -> bytes:
    return run("status", "--json", "--config", str(config)).stdout
