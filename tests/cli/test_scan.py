"""``scan`` and ``rules explain``: what they read, what they print, how they end."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.program.running import command, login, logout, run

LINES = "\n".join([*login(0, 10, "王芳", 4000), *logout(95, 10, "王芳", 4000)]) + "\n"
LOG = LINES.encode()
FIELDS = {
    "login": "event time host service user ip client_host port method key_fingerprint session",
    "logout": "event time host service user ip port session reason abnormal duration inferred",
    "login_failed": "event time host service user ip client_host port method valid_user count",
    "elevation": "event time host service user ip port target_user command session login_user "
    "login_from known_by inferred",
}
SESSION = (
    "session host service user ip port method key_fingerprint login_time logout_time duration "
    "reason abnormal inferred state tty elevated_to became person key_name key_named_by"
)


def _objects(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().splitlines()]


def _plain(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize("pack", [_plain, gzip.compress, bz2.compress, lzma.compress])
def test_a_log_is_read_packed_or_not(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "log"
    path.write_bytes(pack(LOG))
    result = run("scan", "--json", str(path))
    assert (result.returncode, result.stderr) == (0, b"")
    first, second = _objects(result.stdout)
    assert set(first) == set(FIELDS["login"].split())
    assert set(second) == set(FIELDS["logout"].split())
    assert (first["user"], second["duration"], second["reason"]) == ("王芳", 95, "user")
    assert first["time"] == "2026-11-21T08:00:00.000000+00:00"


def test_a_pipe_and_sessions() -> None:
    result = run("scan", "--sessions", "--json", "-", input=LOG)
    (row,) = _objects(result.stdout)
    assert set(row) == set(SESSION.split())
    assert (row["state"], row["user"]) == ("closed", "王芳")
    for_people = run("scan", "-", input=LOG).stdout.decode()
    assert "login        sshd    王芳 198.51.100.7" in for_people


def test_the_events_go_to_their_file_while_a_person_watches(tmp_path: Path) -> None:
    """Standard error is a terminal, on which a bar shows how far it is."""
    log, events = tmp_path / "log", tmp_path / "events"
    log.write_bytes(LOG)
    master, slave = os.openpty()
    with events.open("wb") as out:
        process = subprocess.Popen(
            command("scan", "--json", log.name), cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=out, stderr=slave, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        )  # fmt: skip
    os.close(slave)
    shown = b""
    with suppress(OSError):  # the other end is closed
        while data := os.read(master, 4096):
            shown += data
    os.close(master)
    assert process.wait(60) == 0, shown
    assert b"\xe2\x94\x81" in shown
    assert [one["event"] for one in _objects(events.read_bytes())] == ["login", "logout"]


def test_every_event_has_every_field() -> None:
    text = (
        "Nov 21 08:15:30 web-1 sshd[1]: Failed password for root from 203.0.113.9 port 4 ssh2\n"
        "Nov 21 08:15:31 web-1 sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id\n"
    )
    result = run("scan", "--json", "--year", "2024", "--timezone", "UTC", "-", input=text.encode())
    for event in _objects(result.stdout):
        assert set(event) == set(FIELDS[event["event"]].split())
        assert event["time"].startswith("2024-11-21T08:15:3")


def test_a_missing_path_is_one_line_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LOG)
    result = run("scan", "--json", str(tmp_path / "none"), str(path))
    assert result.returncode == 1
    assert len(_objects(result.stdout)) == 2
    (line,) = result.stderr.decode().splitlines()
    assert str(tmp_path / "none") in line


def test_explain_gives_one_object_for_each_line_in_order() -> None:
    lines = [
        b"sshd[3]: Invalid user bob from 203.0.113.9 port 3",
        b"",
        b"Nov 21 08:15:30 web-1 CRON[1]: (root) CMD (true)",
        b"sshd[3]: something that nobody knows \xff\x00",
        b"Accepted password for alice from 192.0.2.7 port 50022 ssh2",
        b"nothing at all\r",
    ]
    result = run("rules", "explain", "--json", "-", input=b"\n".join(lines))
    found = _objects(result.stdout)
    assert result.returncode == 0
    assert [row["understood"] for row in found] == [True, None, None, False, True, None]
    assert [row["program"] for row in found[:4]] == ["sshd", None, "CRON", "sshd"]
    assert found[0]["event"]["event"] == "login_failed"
    assert found[0]["rule"] == "sshd.invalid-user"
    assert found[4]["event"]["user"] == "alice"
    assert all(
        set(row) == {"line", "understood", "program", "rule", "means", "event"} for row in found
    )


def test_explain_says_where_the_nearest_rule_stopped() -> None:
    line = "sshd[1]: Accepted password for alice from nowhere port 1 ssh2"
    text = run("rules", "explain", line).stdout.decode()
    assert "nearest sshd.accepted" in text
    assert "stopped at {ip}" in text


def test_coverage_counts_and_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LOG + b"2026-11-21T08:00:00+00:00 web-1 sshd[1]: Frobnicated li.wei\n" * 3)
    summary, shape = _objects(run("rules", "coverage", "--json", str(path)).stdout)
    assert (summary["understood"], summary["not_understood"]) == (4, 3)
    assert shape == {"count": 3, "program": "sshd", "shape": "Frobnicated {word}"}


def test_scan_and_rules_go_on_without_a_right_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("nonsense: 1\n")
    result = run("scan", "--json", "-", input=LOG, cwd=tmp_path)
    assert result.returncode == 0
    assert len(_objects(result.stdout)) == 2
    assert b"going on with the defaults" in result.stderr


@pytest.mark.parametrize("command", [("scan", "--json"), ("rules", "coverage", "--json")])
def test_a_log_whose_headers_nobody_knows_is_told_and_its_text_is_not(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"[    6.000000] web-1 sshd[7]: Accepted password for li.wei\n" * 3)
    result = run(*command, str(path))
    assert result.returncode == 0
    (told,) = result.stderr.decode().splitlines()
    assert f"{path}: 3 lines have no header that is known" in told
    assert "line 1 looks like `[    0.000000] xxx-0 xxxx[0]: xxxxxxxx" in told
    assert "wei" not in told


@pytest.mark.parametrize("form", ["export", "json"])
def test_an_export_without_its_end_is_trouble(tmp_path: Path, form: str) -> None:
    fields = {
        "__REALTIME_TIMESTAMP": "1795248930000000",
        "_TRANSPORT": "syslog",
        "_UID": "0",
        "_PID": "7",
        "_EXE": "/usr/sbin/sshd",
        "SYSLOG_IDENTIFIER": "sshd",
        "MESSAGE": "Accepted password for alice from 192.0.2.7 port 50022 ssh2",
    }
    text = "".join(f"{key}={value}\n" for key, value in fields.items()) + "\n"
    data = (text if form == "export" else json.dumps(fields) + "\n").encode()
    path = tmp_path / "log"
    path.write_bytes(data * 2)
    assert run("scan", "--json", str(path)).returncode == 0
    path.write_bytes((data * 2)[:-9])
    result = run("scan", "--json", str(path))
    assert result.returncode == 1
    assert len(_objects(result.stdout)) == 1
    (told,) = result.stderr.decode().splitlines()
    assert "2, its last one, has no end" in told
