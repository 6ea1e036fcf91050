"""utmp and wtmp files as the C library writes them (utmp(5)), and broken ones."""

from __future__ import annotations

import ipaddress
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.host import utmp
from usersessionmon.host.utmp import Down, Login

NOW = 1_795_250_000
X86, ARM = "=h2xi32s4s32s256shhiii16s20s", "=h2xi32s4s32s256shhqqq16s20s4x"
BOTH = pytest.mark.parametrize("layout", [X86, ARM])


def record(
    kind: int, *, layout: str = X86, pid: int = 0, tty: str = "", user: str = "", host: str = "",
    ip: str = "", at: float = 0,
) -> bytes:  # fmt: skip
    """``at``: seconds behind NOW."""
    address = ipaddress.ip_address(ip).packed if ip else b""
    seconds, micros = divmod(round((NOW + at) * 1_000_000), 1_000_000)
    return struct.pack(
        layout, kind, pid, tty.encode(), tty[-4:].encode(), user.encode(), host.encode(), 0, 0, 0,
        seconds, micros, address, b"",
    )  # fmt: skip


@BOTH
def test_who_is_on(tmp_path: Path, layout: str) -> None:
    file = tmp_path / "utmp"
    file.write_bytes(
        record(2, layout=layout, user="reboot", tty="~")
        + record(6, layout=layout, pid=70, tty="tty1", user="LOGIN")
        + record(7, layout=layout, pid=71, tty="pts/0", user="alice", host="198.51.100.7",
                 ip="198.51.100.7", at=1.5)
        + record(7, layout=layout, pid=72, tty="pts/1", user="b" * 32, host="2001:db8::7",
                 ip="2001:db8::7", at=2)
        + record(8, layout=layout, pid=73, tty="pts/2", at=3)
    )  # fmt: skip
    assert utmp.who(file) == [
        Login("alice", "pts/0", 71, NOW * 1_000_000 + 1_500_000, "198.51.100.7", "198.51.100.7"),
        Login("b" * 32, "pts/1", 72, (NOW + 2) * 1_000_000, "2001:db8::7", "2001:db8::7"),
    ]


@BOTH
def test_logins_with_their_ends_and_the_hosts_ups_and_downs(tmp_path: Path, layout: str) -> None:
    file = tmp_path / "wtmp"
    file.write_bytes(
        record(2, layout=layout, user="reboot", tty="~", at=0)
        + record(1, layout=layout, user="runlevel", tty="~", pid=ord("5"), at=1)
        + record(7, layout=layout, pid=71, tty="pts/0", user="alice", at=10)
        + record(7, layout=layout, pid=72, tty="pts/1", user="bob", at=11)
        + record(8, layout=layout, pid=71, tty="pts/0", at=20)
        + record(1, layout=layout, user="shutdown", tty="~", at=30)
        + record(2, layout=layout, user="reboot", tty="~", at=40)
        + record(8, layout=layout, tty="pts/1", at=41)
        + record(1, layout=layout, user="runlevel", tty="~", pid=ord("6") + 256 * ord("5"), at=50)
    )
    logins, downs = utmp.history(file)
    assert [(one.user, one.ended_us) for one in logins] == [
        ("alice", (NOW + 20) * 1_000_000),
        ("bob", None),  # the host went down before
    ]
    assert downs == [
        Down(NOW * 1_000_000, True),
        Down((NOW + 30) * 1_000_000, False),
        Down((NOW + 40) * 1_000_000, True),
        Down((NOW + 50) * 1_000_000, False, "6"),
    ]


def test_only_the_end_of_a_big_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utmp, "MOST", 1000)  # no whole number of records
    file = tmp_path / "wtmp"
    file.write_bytes(
        b"".join(record(7, pid=n, tty=f"pts/{n}", user=f"u{n}", at=n) for n in range(99))
    )
    assert [one.user for one in utmp.history(file)[0]] == ["u97", "u98"]


def test_a_file_that_is_not_there_and_a_pipe(tmp_path: Path) -> None:
    assert utmp.who(tmp_path / "none") == []
    os.mkfifo(tmp_path / "pipe")
    assert utmp.who(tmp_path / "pipe") == []


def test_a_half_record_at_the_end_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "utmp"
    file.write_bytes(record(7, pid=1, tty="tty1", user="alice") + b"\7\0\0\0")
    assert [one.user for one in utmp.who(file)] == ["alice"]


@given(st.binary(max_size=3000))
def test_any_file_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any-utmp"
    file.write_bytes(data)
    utmp.who(file)
    utmp.history(file)


@pytest.mark.skipif(shutil.which("utmpdump") is None, reason="needs utmpdump (util-linux)")
def test_the_tool_of_the_system_reads_the_same(tmp_path: Path) -> None:
    """The test's own records are what the C library of this machine means, or both are wrong."""
    file = tmp_path / "utmp"
    file.write_bytes(
        record(7, pid=71, tty="pts/0", user="alice", host="h", ip="198.51.100.7", at=1.5)
    )
    if struct.calcsize("P") != 8 or struct.calcsize(X86) != 384:
        pytest.skip("another layout")
    said = subprocess.run(
        ["utmpdump", file], capture_output=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"}
    ).stdout.decode()
    assert "[7] [00071] [ts/0] [alice" in said, said
    assert "[198.51.100.7" in said
    assert utmp.who(file)[0].time_us % 1_000_000 == 500_000
