"""The live host: this very machine where it can be, a tree of files where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.clock import SystemClock
from usersessionmon.host.alive import Host, LogindSession

BOOT = 1_790_000_000
TICKS = os.sysconf("SC_CLK_TCK")


class Tree:
    """A /proc and a /run of its own."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.sessions = root / "run/systemd/sessions"
        self.sessions.mkdir(parents=True)
        self.proc.mkdir()
        (self.proc / "stat").write_text(f"cpu 1\nbtime {BOOT}\n")
        self.host = Host(self.proc, root / "run")
        self.add(1, "systemd", "/sbin/init")

    def add(
        self, pid: int, comm: str, title: str, *, uid: int = 0, start: int = 0, state: str = "S",
        parent: int = 1, elsewhere: bool = False,
    ) -> None:  # fmt: skip
        folder = self.proc / str(pid)
        folder.mkdir()
        fields = [state, str(parent), *["0"] * 17, str(start * TICKS), "0"]
        (folder / "stat").write_text(f"{pid} ({comm}) {' '.join(fields)}\n")
        (folder / "comm").write_text(comm + "\n")
        (folder / "cmdline").write_bytes(title.encode() + b"\0" * 5)
        numbers = f"{pid}\t7" if elsewhere else f"{pid}"
        (folder / "status").write_text(
            f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{numbers}\n"
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_this_process() -> None:
    host, pid = Host(), os.getpid()
    name = Path("/proc/self/exe").readlink().name
    assert host.process_alive(pid) is True
    assert host.process_is(pid, [name]) is True
    assert host.process_is(pid, ["sshd"]) is False
    began = host.since_us(host.start_ticks(pid))
    assert began is not None
    assert 0 < SystemClock().now_us() - began < 3_600_000_000
    assert host.holds_session(pid, [name], SystemClock().now_us()) is True
    assert host.holds_session(pid, [name], began - 60_000_000) is None, (
        "younger, or the clock was set"
    )


def test_a_process_that_ended_and_a_zombie() -> None:
    host = Host()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert host.process_alive(child.pid) is True
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert host.process_alive(child.pid) is False, "nobody has asked how it ended: a zombie"
    child.wait()
    assert host.process_alive(child.pid) is False
    assert host.process_is(child.pid, ["sshd"]) is False


def test_what_is_hidden_is_not_told(tmp_path: Path) -> None:
    host = Host(tmp_path, tmp_path)
    assert host.process_alive(77) is None
    assert host.process_is(77, ["sshd"]) is None
    assert host.holds_session(77, ["sshd"], 0) is None
    assert host.start_ticks(77) is None
    assert host.process(77) is None
    assert host.logind_sessions() == []


def test_names_with_anything_in_them(tree: Tree) -> None:
    tree.add(77, "a) R 1 (b", "x", start=50)
    assert tree.host.since_us(tree.host.start_ticks(77)) == (BOOT + 50) * 1_000_000
    assert tree.host.process_is(77, ["a) R 1 (b"]) is True


def test_a_number_that_was_given_out_again(tree: Tree) -> None:
    tree.add(77, "sshd-session", "sshd-session: alice [priv]", start=100)
    login = (BOOT + 101) * 1_000_000
    names = ["sshd", "sshd-session"]
    assert tree.host.holds_session(77, names, login) is True
    assert tree.host.holds_session(77, names, login - 60_000_000) is None
    assert tree.host.holds_session(1, names, login) is False
    assert tree.host.holds_session(78, names, login) is False


def test_logind_sessions(tree: Tree) -> None:
    (tree.sessions / "3").write_text(
        "# This is private data. Do not parse.\nUID=1000\nUSER=alice\nACTIVE=1\nSTATE=active\n"
        "REMOTE=1\nTYPE=tty\nCLASS=user\nSCOPE=session-3.scope\nREMOTE_HOST=198.51.100.7\n"
        'SERVICE="sshd"\nTTY=pts/0\nLEADER=1234\nREALTIME=1790000000123456\n'
    )
    (tree.sessions / "c1").write_text(
        "USER=a\\040b\\\\c\\x41\nUID=-1\nLEADER=99999999999999999999\n"
    )
    (tree.sessions / ".#4abc").write_text("USER=x\n")
    os.mkfifo(tree.sessions / "3.ref")
    os.mkfifo(tree.sessions / "5")
    assert tree.host.logind_sessions() == [
        LogindSession("3", "alice", 1000, 1234, "198.51.100.7", "pts/0", "sshd", "active", "user",
                      1_790_000_000_123_456),
        LogindSession("c1", "a b\\cA", None, None, None, None, None, None, None, None),
    ]  # fmt: skip


@given(st.binary(max_size=200))
def test_any_session_file_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    folder = root / "systemd/sessions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1").write_bytes(data)
    (session,) = Host(root, root).logind_sessions()
    assert session.id == "1"
