"""Streams that are closed or full, and hostile arguments: a clear line, never a traceback."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.program.running import append, command, login, logout, run, until, write_config


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    append(path, login(0, 10, "alice", 1) + logout(5, 10, "alice", 1))
    return path


def _shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    line = f"{shlex.join(command(*arguments))} {redirection}"
    return subprocess.run(["bash", "-c", line], capture_output=True, timeout=60, check=False)


def _commands(log: Path) -> list[list[str]]:
    return [
        ["scan", "--json", str(log)],
        ["scan", str(log)],
        ["rules", "list"],
        ["rules", "list", "--json"],
        ["rules", "explain", "sshd[1]: x"],
        ["--help"],
        ["scan", "--help"],
        ["--version"],
    ]


def test_a_full_output_is_one_line(log: Path) -> None:
    for arguments in _commands(log):
        result = _shell(">/dev/full", *arguments)
        assert result.returncode == 1, arguments
        assert result.stderr.decode().splitlines() == [
            "user-session-monitor: standard output: cannot be written: No space left on device"
        ], arguments


@pytest.mark.parametrize("redirection", [">&-", "<&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_closed_stream_is_no_trouble(log: Path, redirection: str) -> None:
    for arguments in _commands(log)[::3]:
        result = _shell(redirection, *arguments)
        assert (result.returncode, result.stderr) == (0, b""), arguments
    result = _shell(redirection, "scan", str(log.parent / "none"))
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr


def test_run_without_any_stream_keeps_its_state_and_ends_in_order(
    tmp_path: Path, log: Path
) -> None:
    config = write_config(tmp_path, log)
    line = shlex.join(command("run", "--from-start", "--config", str(config)))
    with subprocess.Popen(["bash", "-c", f"exec {line} <&- >&- 2>&-"]) as process:
        try:
            until(lambda: b"alice" in run("history", "--json", "--config", str(config)).stdout)
            process.terminate()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
    assert run("check", "--config", str(config)).returncode == 0


def test_no_message_holds_a_raw_escape(tmp_path: Path) -> None:
    for arguments in (
        ["scan", "/tmp/\x1b[31mx"],
        ["scan", b"/tmp/\xff\x9b".decode("utf-8", "surrogateescape")],
        ["\x1b[31mx"],
        ["history", "--since", "\x1b\u202e"],
        ["rules", "explain", "\x1b[31m"],
        ["--config", "/\x1b\nx", "who"],
    ):
        result = run(*arguments)
        text = (result.stdout + result.stderr).decode()
        assert all(line.isprintable() for line in text.split("\n")), text
        assert len(result.stderr.splitlines()) <= 1
    (tmp_path / "a\x1b[31m.yaml").write_text("nonsense: 1\n")
    config = tmp_path / "config.yaml"
    config.write_text(f"monitor: {{rules_dir: {tmp_path}}}\n")
    shown = run("rules", "list", "--config", str(config)).stderr.decode()
    assert r"a\x1b[31m.yaml:1: unknown key nonsense" in shown


def test_an_empty_path_is_called_one(log: Path) -> None:
    for arguments in (["scan"], ["rules", "coverage"]):
        result = run(*arguments, "", str(log))
        assert result.returncode == 1
        (line,) = result.stderr.decode().splitlines()
        assert "the path is empty" in line
        assert result.stdout


def test_a_secret_file_that_cannot_be_read_ends_check(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    for key in ("secret_file", "webhook_url_file", "ca_file"):
        config.write_text(f"feishu: {{{key}: {tmp_path / 'none'}}}\nstate: {{dir: {tmp_path}}}\n")
        for name in ("check", "test-notify", "run"):
            result = run(name, "--config", str(config))
            assert (result.returncode, result.stdout) == (2, b""), name
            (line,) = result.stderr.decode().splitlines()
            assert f"none: feishu.{key}: cannot be read" in line


def test_a_rule_that_sets_a_date_is_refused_by_every_command(tmp_path: Path, log: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "programs: [x]\nrules: {a: {means: accepted, lines: [x], sets: {user: 2026-01-01}}}\n"
    )
    config = write_config(tmp_path, log)
    config.write_text(
        config.read_text().replace("monitor: {", f"monitor: {{rules_dir: {tmp_path}, ")
    )
    (tmp_path / "config.yaml").rename(tmp_path / "config.yml")
    for arguments in (["run", "--once"], ["rules", "list"], ["scan", str(log)]):
        result = run(*arguments, "--config", str(tmp_path / "config.yml"))
        assert result.returncode == 2
        (line,) = result.stderr.decode().splitlines()
        assert "own.yaml: a: sets: user must be text" in line
