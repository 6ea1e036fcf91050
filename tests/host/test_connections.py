"""Who is connected to sshd: a real process that is called so, and a tree of files for the rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.strangers import let_in
from usersessionmon.host.connections import connections, sshd_ports

PRETEND = """
import socket, sys
open("/proc/self/comm", "w").write("sshd")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
TITLE = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"


@pytest.fixture
def pretended() -> Iterator[int]:
    """The port of a process that is called sshd and runs as root."""
    if os.geteuid() != 0:
        pytest.skip("needs root to pretend to be sshd")
    with subprocess.Popen(
        [sys.executable, "-c", PRETEND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def test_connections_of_a_real_process(pretended: int) -> None:
    ports = sshd_ports()
    assert pretended in ports
    ours = frozenset({pretended})
    before = connections(ours)
    with socket.create_connection(("127.0.0.1", pretended)):
        assert before == frozenset()
        (one,) = connections(ours) or {""}
        assert one.startswith(f"0100007F:{pretended:04X} 0100007F:")
    assert connections(frozenset()) is None  # no sshd: cannot be told


def test_a_stranger_sees_them_too(pretended: int, tmp_path: Path) -> None:
    """The service has no rights to look into sshd's process, but may read its file."""
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh/sshd_config").write_text(f"Port {pretended}\n")
    let_in(tmp_path)
    code = (
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from pathlib import Path; from usersessionmon.host.connections import *\n"
        f"ports = sshd_ports(etc=Path({str(tmp_path)!r})); print({pretended} in ports)\n"
        f"print(len(connections(frozenset([{pretended}]))))"
    )
    with socket.create_connection(("127.0.0.1", pretended)):
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "True\n1\n", result.stderr


class Tree:
    """A /proc of which no process may be looked into, and an /etc."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.etc = root / "etc"
        (self.proc / "net").mkdir(parents=True)
        (self.etc / "ssh/sshd_config.d").mkdir(parents=True)
        self.lines = [HEAD]

    def socket(self, local: str, remote: str, state: str, uid: int = 0) -> None:
        number = len(self.lines)
        self.lines.append(
            f"   {number}: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 "
            f"{uid:5}        0 {1000 + number} 1 0000000000000000 100 0 0 10 0"
        )
        (self.proc / "net/tcp").write_text("\n".join(self.lines) + "\n")

    def listen(self, *ports: int, uid: int = 0) -> None:
        for port in ports:
            self.socket(f"00000000:{port:04X}", "00000000:0000", "0A", uid)

    def process(self, title: str, *, uid: int = 0, comm: str = "sshd", inside: str = "") -> None:
        pid = 100 + len(list(self.proc.iterdir()))
        folder = self.proc / str(pid)
        folder.mkdir()
        (folder / "comm").write_text(f"{comm}\n")
        (folder / "cmdline").write_bytes(title.encode() + b"\0")
        uids = "\t".join([str(uid)] * 4)
        (folder / "status").write_text(f"Name:\t{comm}\nUid:\t{uids}\nNSpid:\t{pid}{inside}\n")

    def ports(self) -> set[int]:
        return set(sshd_ports(self.proc, self.etc))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.listen(22, 80, 2222, 2022)
    return made


@pytest.mark.parametrize(
    ("title", "config", "ports"),
    [
        (TITLE, "", {22}),
        ("/usr/sbin/sshd\0-D", "", {22}),
        (TITLE, "#Port 80\nPort 2222\nport=2022\n", {2222, 2022}),
        (TITLE, "ListenAddress 0.0.0.0:2022\nListenAddress [::]:2222\n", {2022, 2222}),
        (TITLE, "ListenAddress ::\nListenAddress 192.0.2.1\n", {22}),
        (TITLE, "Port 9999\n", set()),  # nobody listens there
        ("sshd: /usr/sbin/sshd -D -p 2222 [listener] 0 of 10-100 startups", "Port 22", {2222}),
        ("/usr/sbin/sshd\0-Dp\0002222", "", {2222}),
        ("/usr/sbin/sshd\0-D\0-oPort=2022", "", {2022}),
        ("/usr/sbin/sshd\0-o\0Port 2022", "", {2022}),
    ],
)
def test_ports_are_those_that_it_was_told(
    tree: Tree, title: str, config: str, ports: set[int]
) -> None:
    tree.process(title)
    (tree.etc / "ssh/sshd_config").write_text(config)
    assert tree.ports() == ports


def test_ports_of_further_and_of_other_files(tree: Tree) -> None:
    tree.process(TITLE)
    (tree.etc / "ssh/sshd_config.d/10-port.conf").write_text("Port 2222\n")
    assert tree.ports() == {2222}
    other = tree.etc / "other"
    other.write_text("Port 2022\n")
    tree.process(f"/usr/sbin/sshd\0-f\0{other}")
    assert tree.ports() == {2222, 2022}


def test_what_is_no_listener_of_this_host_counts_for_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert tree.ports() == set()  # no /proc/net
    tree.listen(22, uid=1000)  # somebody's own, or a forwarded port
    tree.process(TITLE)
    assert tree.ports() == set()
    other = Tree(tmp_path / "other")
    other.listen(22)
    other.process("sshd: alice [priv]")
    other.process("sshd: root@pts/0")
    other.process("sshd: root@notty")
    other.process(TITLE, uid=1000)
    other.process("nginx: master process", comm="nginx")
    other.process(TITLE, inside="\t7")  # a container's
    assert other.ports() == set()
    other.process(TITLE)
    assert other.ports() == {22}


def test_only_established_connections_from_outside(tree: Tree) -> None:
    tree.socket("0100007F:0016", "0200007F:C001", "01")
    tree.socket("0100007F:0016", "0200007F:C002", "06")  # TIME_WAIT
    tree.socket("0100007F:C003", "0200007F:0016", "01")  # a client on this host, or a forwarding
    tree.lines.append("what is this")
    tree.socket("nonsense", "0", "01")
    found = connections(frozenset({22}), tree.proc)
    assert found == frozenset({"0100007F:0016 0200007F:C001"})
    assert connections(frozenset({22}), tree.proc / "none") is None
