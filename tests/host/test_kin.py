"""Whose a process is, by real processes on a real terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from usersessionmon.host import kin
from usersessionmon.host.alive import Host

_CHILD = """
import pty, sys
pty.spawn(["sh", "-c", "tty; sleep 60; true"])
"""


@pytest.fixture
def terminal() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds a new terminal, and the terminal's name."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=pipe, stdout=pipe, text=True
    ) as child:
        assert child.stdout is not None
        yield child, child.stdout.readline().strip().removeprefix("/dev/")
        child.kill()


def test_who_is_on_a_terminal_comes_from_its_holder(
    terminal: tuple[subprocess.Popen[str], str],
) -> None:
    child, tty = terminal
    host = Host()
    there = list(kin.on_tty(host, tty))
    assert there
    assert child.pid not in there  # it has the other end
    for pid in there:
        line = kin.line_of(host, pid)
        assert line[0] == pid
        assert line.index(child.pid) < line.index(os.getpid())


def test_no_name_of_a_terminal_leads_elsewhere() -> None:
    for tty in ("../proc/self/mem", "none", "pts/999999", "", "pts/0/../../null", "null"):
        assert list(kin.on_tty(Host(), tty)) == []


def test_a_line_ends_where_a_process_is_gone(tmp_path: Path) -> None:
    def add(pid: int, parent: int, ticks: int) -> None:
        folder = tmp_path / str(pid)
        folder.mkdir()
        fields = ["S", str(parent), *["0"] * 17, str(ticks), "0"]
        (folder / "stat").write_text(f"{pid} (x) y) {' '.join(fields)}\n")
        (folder / "status").write_text("Uid:\t0\t0\t0\t0\n")

    host = Host(tmp_path, tmp_path)
    for pid, parent, ticks in (
        (30, 20, 300),
        (20, 10, 200),
        (10, 1, 100),
        (40, 41, 1),
        (50, 30, 9),
    ):
        add(pid, parent, ticks)
    assert kin.line_of(host, 30) == [30, 20, 10]
    assert kin.line_of(host, 40) == [40]
    assert kin.line_of(host, 50) == [50]  # the number of its parent was given again
    assert kin.line_of(host, 99) == []
    add(60, 60, 5)
    assert kin.line_of(host, 60) == [60]


@pytest.mark.parametrize(
    ("audit", "cgroup", "found"),
    [
        ("7\n", "0::/user.slice/user-1000.slice/session-7.scope\n", ["7"]),
        ("4294967295", "0::/user.slice/user-1000.slice/session-c3.scope\n", ["c3"]),
        ("7", "0::/\n", ["7"]),
        (None, None, []),
        ("x", "0::/session-../../.scope", []),
    ],
)
def test_sessions(tmp_path: Path, audit: str | None, cgroup: str | None, found: list[str]) -> None:
    (tmp_path / "5").mkdir()
    for name, text in (("sessionid", audit), ("cgroup", cgroup)):
        if text is not None:
            (tmp_path / "5" / name).write_text(text)
    assert kin.sessions_of(Host(tmp_path, tmp_path), 5) == found
