"""Real journal files for tests, written by systemd-journal-remote from export text."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

_REMOTE = next(
    (
        path
        for folder in ("/lib/systemd", "/usr/lib/systemd")
        if (path := Path(folder, "systemd-journal-remote")).exists()
    ),
    None,
)
needs_systemd = pytest.mark.skipif(
    find_spec("systemd") is None, reason="systemd-python (python3-systemd) is not installed"
)
needs_journal = pytest.mark.skipif(
    _REMOTE is None or find_spec("systemd") is None,
    reason="needs systemd-python and the package systemd-journal-remote",
)

BOOT = "0123456789abcdef0123456789abcdef"
OTHER_BOOT = "fedcba9876543210fedcba9876543210"
MACHINE = "3d1219c7c4c5404aaa1f6d2a48adfda4"
START_US = 1_795_248_930_000_000  # 2026-11-21T08:15:30Z

Value = str | bytes | int | list[str]


def entry(number: int, message: Value, *, boot: str = BOOT, **more: Value) -> bytes:
    """One entry in the export format: ``number`` seconds after the start.  Fields of ``more``
    replace or follow the usual ones of an sshd of uid 0; an empty text leaves a field out."""
    fields: dict[str, Value] = {
        "__REALTIME_TIMESTAMP": START_US + number * 1_000_000,
        "__MONOTONIC_TIMESTAMP": 5_000_000 + number * 1_000_000,
        "_BOOT_ID": boot,
        "_MACHINE_ID": MACHINE,
        "_HOSTNAME": "web-1",
        "_TRANSPORT": "syslog",
        "_PID": 1000 + number,
        "_UID": 0,
        "_COMM": "sshd",
        "_EXE": "/usr/sbin/sshd",
        "SYSLOG_FACILITY": 10,
        "SYSLOG_IDENTIFIER": "sshd",
        "MESSAGE": message,
    }
    fields.update(more)
    return b"".join(_field(name, value) for name, value in fields.items() if value != "") + b"\n"


def _field(name: str, value: Value) -> bytes:
    if isinstance(value, list):
        return b"".join(_field(name, one) for one in value)
    data = value if isinstance(value, bytes) else str(value).encode()
    if b"\n" in data or not data.isascii():
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def write(path: Path, entries: Iterable[bytes]) -> None:
    """Make a journal file of these entries, or append them to one that is there."""
    assert _REMOTE is not None
    subprocess.run(
        [_REMOTE, "--output", path, "-"],
        input=b"".join(entries),
        check=True,
        capture_output=True,
        timeout=30,
    )
