"""Who is on, asked of a real sshd on loopback, of real files, and of trees where root is needed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.test_alive import BOOT, TICKS, Tree
from tests.host.test_utmp import record
from tests.system.nspawn import free_port, wait_until
from usersessionmon.host.alive import Host
from usersessionmon.host.people import Person, people

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
needs_sshd = pytest.mark.skipif(
    os.geteuid() != 0 or SSHD is None or shutil.which("ssh") is None,
    reason="needs root, sshd and ssh",
)


class Sshd:
    """A real sshd of the test's own, in which root logs in by key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        for name in ("host", "id"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        (folder / "keys").write_bytes((folder / "id.pub").read_bytes())
        self.port = free_port()
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        assert SSHD is not None
        self.processes = [
            subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=subprocess.DEVNULL)
        ]
        wait_until("sshd listens", 10, self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ssh(self, user: str, *options: str, command: str = "") -> subprocess.Popen[bytes]:
        # fmt: off
        client = subprocess.Popen(
            ["ssh", "-F", "none", "-p", str(self.port), "-i", self.folder / "id",
             "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
             "-o", "UserKnownHostsFile=/dev/null", *options, f"{user}@127.0.0.1", *command.split()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        # fmt: on
        self.processes.append(client)
        return client

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(10)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    one = Sshd(tmp_path)
    yield one
    one.close()


def on(port: int) -> list[Person]:
    """Who is on through our own sshd (others may run here): its sockets tell."""
    host = Host()
    end = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {line[9] for line in lines if line[1].endswith(end)}
    return [one for one in people(host) if ours & set(host.sockets_of(one.pid))]


@needs_sshd
def test_whoever_is_on_by_ssh_is_found_with_the_address(sshd: Sshd) -> None:
    with socket.create_connection(("127.0.0.1", sshd.port)):  # nobody is logged in by it
        client = sshd.ssh("root", command="cat")
        sshd.ssh("nobody-at-all")
        wait_until("root is on", 20, lambda: len(on(sshd.port)) == 1)
        (person,) = on(sshd.port)
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        own = [line for line in lines if line[1] == f"0100007F:{person.port:04X}"]
        assert [line[2] for line in own] == [f"0100007F:{sshd.port:04X}"], "the client's end"
        assert (person.user, person.service, person.ip, person.uid) == (
            "root", "sshd", "127.0.0.1", 0,
        )  # fmt: skip
        assert client.stdin is not None
        client.stdin.close()
        client.wait(10)
        wait_until("root has gone", 20, lambda: on(sshd.port) == [])


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_who_is_logged_in_is_told_from_who_tries(tree: Tree) -> None:
    tree.add(10, "sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups")
    tree.add(11, "sshd", "sshd: alice [priv]", start=11, parent=10)
    tree.add(12, "sshd", "sshd: alice@pts/0", uid=1000, start=12, parent=11)
    tree.add(13, "sshd-session", "sshd-session: b o b [priv]", start=13, parent=10)
    tree.add(14, "sshd-session", "sshd-session: b o b", uid=1001, start=14, parent=13)
    tree.add(15, "sshd", "sshd: root@notty", start=15, parent=10)
    tree.add(16, "sshd-session", "sshd-session: root [priv]", start=16, parent=10)
    tree.add(17, "sshd-session", "sshd-session: root@pts/3,pts/4", start=17, parent=16)
    people_there = [
        Person("alice", "sshd", 11, 11 * TICKS, (BOOT + 12) * 1_000_000, (12, 12 * TICKS),
               tty="pts/0", uid=1000),
        Person("b o b", "sshd", 13, 13 * TICKS, (BOOT + 14) * 1_000_000, (14, 14 * TICKS),
               uid=1001),
        Person("root", "sshd", 15, 15 * TICKS, (BOOT + 15) * 1_000_000, uid=0),
        Person("root", "sshd", 16, 16 * TICKS, (BOOT + 17) * 1_000_000, (17, 17 * TICKS),
               tty="pts/3,pts/4", uid=0),
    ]  # fmt: skip
    assert people(tree.host) == people_there
    tree.add(20, "sshd", "sshd: carol [priv]", parent=10)  # nobody is on by these
    tree.add(21, "sshd", "sshd: carol [net]", uid=105, parent=20)
    tree.add(22, "sshd", "sshd: [accepted]", parent=10)
    tree.add(23, "sshd", "sshd: [net]", uid=105, parent=22)
    tree.add(24, "sshd", "sshd: root [priv]", parent=10)
    tree.add(25, "sshd", "sshd: root [net]", uid=105, parent=24)
    tree.add(26, "sshd", "sshd: root [pam]", parent=24)
    tree.add(30, "sshd", "sshd: mallory [priv]", uid=1000)  # a user's own, by its name alone
    tree.add(31, "sshd", "sshd: mallory@pts/9", uid=1000, parent=30)
    tree.add(40, "sshd", "sshd: dave [priv]", elsewhere=True)  # a container's
    tree.add(41, "sshd", "sshd: dave@pts/1", uid=1000, parent=40, elsewhere=True)
    assert people(tree.host) == people_there


def test_logind_and_utmp_complete_what_the_processes_show(tree: Tree, tmp_path: Path) -> None:
    tree.add(11, "sshd", "sshd: alice [priv]", start=11)
    tree.add(12, "sshd", "sshd: alice@pts/0", uid=1000, start=12, parent=11)
    tree.add(20, "sshd", "sshd: bob [priv]", start=20)
    tree.add(21, "sshd", "sshd: bob@pts/1", uid=1001, start=21, parent=20)
    tree.add(30, "login", "/bin/login -p --", start=30)
    (tree.sessions / "3").write_text(
        "UID=1000\nUSER=alice\nSTATE=active\nCLASS=user\nREMOTE_HOST=198.51.100.7\n"
        f"SERVICE=sshd\nLEADER=11\nREALTIME={(BOOT + 12) * 1_000_000 + 345}\n"
    )

    def entry(pid: int, tty: str, user: str, second: float, ip: str = "") -> bytes:
        at = BOOT + second - 1_795_250_000
        return record(7, pid=pid, tty=tty, user=user, at=at, host=ip, ip=ip)

    (tmp_path / "run/utmp").write_bytes(
        entry(21, "pts/1", "bob", 21.5, "198.51.100.8")
        + entry(30, "tty1", "carol", 31)
        + entry(12, "pts/8", "mallory", 13)  # whoever may write there claims what is not so
        + entry(99, "pts/9", "dave", 13)  # its process is gone
        + entry(30, "tty2", "erin", 5)  # a process of the same number had written it
    )
    found = people(tree.host)
    assert [(one.user, one.service, one.ip, one.tty, one.since_us) for one in found] == [
        ("alice", "sshd", "198.51.100.7", "pts/0", (BOOT + 12) * 1_000_000 + 345),
        ("bob", "sshd", "198.51.100.8", "pts/1", (BOOT + 21) * 1_000_000 + 500_000),
        ("carol", "login", None, "tty1", (BOOT + 31) * 1_000_000),
    ]
    assert [one.logind for one in found] == ["3", None, None]


def test_who_is_hidden_is_not_found(tmp_path: Path) -> None:
    assert people(Host(tmp_path, tmp_path)) == []


HIDDEN = """
from usersessionmon.host.alive import Host
from usersessionmon.host.people import people
host = Host()
print(host.process_is(1, ["sshd"]), host.is_same(1, 0), people(host))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None,
    reason="needs root, unshare and setpriv",
)
@pytest.mark.parametrize("hidepid", ["1", "2"])
def test_a_proc_that_hides_others_tells_nothing_of_them(hidepid: str) -> None:
    """Never that they are gone."""
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    inside = f"mount -t proc -o hidepid={hidepid} proc /proc && exec {nobody} "
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside + '"$0" -c "$1"',
         sys.executable, HIDDEN],
        capture_output=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"cannot be tried here: {done.stderr.decode(errors='replace')[-200:]}")
    assert done.stdout.decode().strip() == "None None []"
