"""Facts of the host, from trees of files made for the purpose."""

from __future__ import annotations

import ipaddress
import os
import shutil
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.clock import SystemClock
from usersessionmon.host.facts import (
    BOOT_SLACK_US,
    FIRST_SLACK_US,
    OsRelease,
    boot_began_us,
    boot_id,
    boot_of,
    host_names,
    local_zone,
    os_release,
    primary_address,
)

ZONES = Path("/usr/share/zoneinfo")
NOW = 1_795_250_000_000_000


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def offsets(zone: tzinfo) -> list[float]:
    """Hours east of UTC in January and in July."""
    found = []
    for month in (1, 7):
        offset = datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(zone).utcoffset()
        assert offset is not None
        found.append(offset / timedelta(hours=1))
    return found


def test_the_real_host_answers() -> None:
    assert os.uname().nodename in host_names()
    began = boot_began_us(SystemClock().now_us())
    assert began is not None
    assert began > 1_000_000_000_000_000
    boot = boot_id()
    assert boot is not None
    assert len(boot) == 32


def test_nothing_there_is_no_error(tmp_path: Path) -> None:
    assert host_names(tmp_path) == frozenset()
    assert boot_id(tmp_path) is None
    assert boot_began_us(NOW, tmp_path) is None
    assert os_release(tmp_path / "os-release") == OsRelease()
    assert local_zone(tmp_path, "").utcoffset(None) is not None


def test_names(tmp_path: Path) -> None:
    put(tmp_path, "etc/hostname", "# the name\nWeb-1\n")
    put(
        tmp_path,
        "etc/hosts",
        "127.0.0.1 localhost localhost.localdomain\n127.0.1.1 web-1.example.org Web-1 # me\n"
        "192.0.2.7 db-1\n::1 ip6-localhost\n",
    )
    assert host_names(tmp_path) == {"Web-1", "web-1", "web-1.example.org"}


def test_the_address_is_one_of_ours_and_never_the_loopback(tmp_path: Path) -> None:
    address = primary_address()
    if address is not None:
        assert not ipaddress.ip_address(address).is_loopback


def test_the_address_without_a_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        tmp_path,
        "proc/net/fib_trie",
        "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n"
        "     |-- 192.0.2.0\n        /24 link UNICAST\n"
        "     |-- 192.0.2.10\n        /32 host LOCAL\n",
    )
    monkeypatch.setattr("usersessionmon.host.facts._UNROUTED", ())
    assert primary_address(tmp_path) == "192.0.2.10"
    assert primary_address(tmp_path / "missing") is None


def test_boot(tmp_path: Path) -> None:
    put(tmp_path, "proc/sys/kernel/random/boot_id", "0F3C2d1e-0000-4000-8000-00000000abcd\n")
    put(tmp_path, "proc/stat", "cpu  1 2 3\nbtime 1790000000\nprocesses 5\n")
    assert boot_id(tmp_path) == "0f3c2d1e00004000800000000000abcd"
    assert boot_began_us(NOW, tmp_path) == 1_790_000_000_000_000 - BOOT_SLACK_US
    put(tmp_path, "proc/sys/kernel/random/boot_id", "no id")
    assert boot_id(tmp_path) is None


def test_a_container_of_its_own_began_with_its_first_process(tmp_path: Path) -> None:
    ticks = 500 * os.sysconf("SC_CLK_TCK")
    put(tmp_path, "proc/stat", "btime 1790000000\n")
    put(tmp_path, "proc/1/stat", f"1 (systemd) S {'0 ' * 18}{ticks} 0\n")
    put(tmp_path, "proc/uptime", "600.25 1.00\n")
    root = "300 290 0:50 / / rw - overlay overlay rw\n"
    put(tmp_path, "proc/self/mountinfo", root)
    assert boot_began_us(NOW, tmp_path) == 1_790_000_000_000_000 - BOOT_SLACK_US
    own = "310 305 0:60 /id /proc/sys/kernel/random/boot_id ro,nosuid - tmpfs tmpfs rw\n"
    put(tmp_path, "proc/self/mountinfo", root + own)
    assert boot_began_us(NOW, tmp_path) == NOW - 100_250_000 - FIRST_SLACK_US
    put(tmp_path, "proc/uptime", "99.00 1.00\n")  # lxcfs: the container's own
    assert boot_began_us(NOW, tmp_path) == NOW - 99_000_000 - FIRST_SLACK_US


def test_which_boot() -> None:
    of = boot_of("a" * 32, 10_000_000)
    assert of(10_000_000) == "a" * 32
    assert of(9_999_999) is None
    assert boot_of("a" * 32, None)(99) is None
    assert boot_of(None, 0)(99) is None


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\n',
         OsRelease("debian", (), "Debian GNU/Linux 12 (bookworm)", "12")),
        ("NAME='Pop!_OS'\nID=pop\nID_LIKE=\"ubuntu debian\"",
         OsRelease("pop", ("ubuntu", "debian"), "Pop!_OS")),
        ('ID="openEuler"\nID_LIKE="RHEL"', OsRelease("openeuler", ("rhel",), "openEuler")),
        ('# a comment\n\n  ID = x\nID="a\\"b\\$c"\nbroken\n=\nNAME=\n',
         OsRelease('a"b$c', (), 'a"b$c')),
    ],
)  # fmt: skip
def test_distributions(tmp_path: Path, text: str, release: OsRelease) -> None:
    assert os_release(put(tmp_path, "os-release", text)) == release


def test_the_most_exact_name_of_a_distribution_is_the_first() -> None:
    leap = OsRelease("opensuse-leap", ("suse", "opensuse"), "", "15.6")
    assert leap.names == (
        "opensuse-leap-15.6", "opensuse-leap-15", "opensuse-leap", "suse", "opensuse",
    )  # fmt: skip
    assert OsRelease("amzn", ("fedora",), "", "2023").names == ("amzn-2023", "amzn", "fedora")
    assert OsRelease("arch").names == ("arch",)


@given(st.binary(max_size=300))
def test_any_os_release_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "os-release"
    path.write_bytes(data)
    assert isinstance(os_release(path).id, str)


@pytest.mark.skipif(not ZONES.is_dir(), reason="this host has no zone files")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Asia/Shanghai", [8, 8]),
        (":Europe/Berlin", [1, 2]),
        ("CET-1CEST,M3.5.0,M10.5.0/3", [1, 2]),
        ("<+0330>-3:30", [3.5, 3.5]),
        ("UTC0", [0, 0]),
        (str(ZONES / "Europe/Berlin"), [1, 2]),
    ],
)
def test_zones_of_the_environment(tmp_path: Path, text: str, expected: list[float]) -> None:
    assert offsets(local_zone(tmp_path, text)) == expected


@pytest.mark.skipif(not ZONES.is_dir(), reason="this host has no zone files")
@pytest.mark.parametrize("text", ["", "nonsense", "No/Where", "../../etc/passwd", "\0", "管理"])
@pytest.mark.parametrize("link", [True, False])
def test_the_zone_of_the_host(tmp_path: Path, text: str, link: bool) -> None:
    place = tmp_path / "etc/localtime"
    place.parent.mkdir()
    if link:
        place.symlink_to(ZONES / "Europe/Berlin")
    else:
        shutil.copyfile(ZONES / "Europe/Berlin", place)
    zone = local_zone(tmp_path, text)
    assert offsets(zone) == [1, 2]
    if link:
        assert str(zone) == "Europe/Berlin"


def test_a_damaged_zone_file_is_passed(tmp_path: Path) -> None:
    put(tmp_path, "etc/localtime", "TZif nonsense")
    assert local_zone(tmp_path, "").utcoffset(None) is not None


@given(st.text(max_size=40))
def test_any_zone_text_gives_a_zone(text: str) -> None:
    assert isinstance(local_zone(environment=text), tzinfo)
