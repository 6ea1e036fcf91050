"""Facts of this host: names, address, distribution, boot, time zone.

Everything here is read from files of the host and tolerates that they are missing, strange or not
readable.  Nothing asks the network: a name server that does not answer must not delay a start.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import struct
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from usersessionmon.system import host as kernel
from usersessionmon.system.places import ETC, ROOT
from usersessionmon.system.zone import library_zone

from .alive import Host
from .files import text_of

_MOST = 64 * 1024
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_OWN_ID = rf"^(?:\S+ ){{4}}{_BOOT_ID} "
FIRST_SLACK_US = 50_000
"""What is known of a process's start and of the time that a host is up, in hundredths."""
BOOT_SLACK_US = 2_000_000
"""The boot time is in whole seconds and moves a little when the clock is set."""
_UNROUTED = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of documentation (RFC 5737, RFC 3849): nothing is ever sent to them."""


@dataclass(frozen=True, slots=True)
class OsRelease:
    """os-release(5): ``id`` such as ``debian``, ``id_like`` the families, ``version`` such as
    ``15.6``, ``name`` for people."""

    id: str = ""
    id_like: tuple[str, ...] = ()
    name: str = ""
    version: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What this distribution may be called, the most exact first: ``amzn-2023``, ``amzn``,
        ``fedora``; of a version with parts also its first (``sles-15.6``, ``sles-15``, ``sles``).
        """
        versions = dict.fromkeys((self.version, self.version.partition(".")[0]))
        exact = [f"{self.id}-{version}" for version in versions if version]
        return (*exact, self.id, *self.id_like)


def host_names(root: Path = ROOT) -> frozenset[str]:
    """The names by which this host may appear in its own log, each as it is and in small letters:
    the kernel's, /etc/hostname's, those that /etc/hosts knows for them, and their short forms."""
    names = set(kernel.nodes()) if root == ROOT else set()
    for line in _lines(root / "etc/hostname"):
        names.update(line.split()[:1])
    for line in _lines(root / "etc/hosts"):
        _, *known = line.split() or [""]
        if names.intersection(known):
            names.update(known)
    names.update({name.partition(".")[0] for name in names})
    names.update({name.lower() for name in names})
    return frozenset(name for name in names if name and not name.startswith("localhost"))


def primary_address(root: Path = ROOT) -> str | None:
    """The address that this host uses towards the world; no packet is sent.

    Without a route: the first address of the kernel's table that is not the loopback's, else None.
    """
    for family, goal in _UNROUTED:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((goal, 9))
            address = str(probe.getsockname()[0])
            if not address.startswith("127.") and address != "::1":
                return address
    return next(_local_addresses(root), None)


def boot_id(root: Path = ROOT) -> str | None:
    """This boot's id, 32 hex digits, as the journal writes it; None where the kernel tells none."""
    text = _text(root / _BOOT_ID[1:]).strip().replace("-", "").lower()
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else None


def boot_began_us(now_us: int, root: Path = ROOT) -> int | None:
    """Before this moment (microseconds UTC) nothing is of the boot that ``boot_id`` names;
    ``now_us`` is the present.

    A container that is a host of its own (systemd-nspawn, LXC) has a boot id put over the kernel's,
    and began with its first process, perhaps within a second after it went down; in others both are
    those of the machine below.
    """
    host = Host(root / "proc")
    if not re.search(_OWN_ID, _text(root / "proc/self/mountinfo"), re.MULTILINE):
        began = host.since_us(0)
        return None if began is None else began - BOOT_SLACK_US
    up_us, ticks = host.up_us(), host.start_ticks(1)
    if up_us is None or ticks is None:
        return None
    # Where /proc/uptime is the container's own (lxcfs), it is less than the machine's.
    since_us = host.uptime_us(ticks)
    return now_us - up_us + (since_us if since_us <= up_us else 0) - FIRST_SLACK_US


def boot_of(boot: str | None, began_us: int | None) -> Callable[[int], str | None]:
    """A function from a moment (microseconds UTC) to the boot's id: ``boot`` for what happened
    since ``began_us``, None for anything older (or when either is not known)."""

    def of(time_us: int) -> str | None:
        return None if began_us is None or time_us < began_us else boot

    return of


def os_release(path: Path | None = None) -> OsRelease:
    """What distribution this is; all empty when the file is missing."""
    paths = (ETC / "os-release", ROOT / "usr/lib/os-release") if path is None else (path,)
    for candidate in paths:
        values = dict(_assignments(_lines(candidate)))
        if values:
            name = values.get("PRETTY_NAME") or values.get("NAME") or values.get("ID", "")
            like = tuple(values.get("ID_LIKE", "").lower().split())
            version = values.get("VERSION_ID", "").lower()
            return OsRelease(values.get("ID", "").lower(), like, name, version)
    return OsRelease()


def local_zone(root: Path = ROOT, environment: str | None = None) -> tzinfo:
    """The host's time zone, with its summer times past and to come.

    ``environment`` is TZ's value (None: that of this process); then /etc/localtime; without either
    what the C library has: a fixed offset, on Windows the zone of the control panel.
    """
    text = os.environ.get("TZ") if environment is None else environment
    if text:
        zone = _zone_of_text(text.removeprefix(":"))
        if zone is not None:
            return zone
    link = root / "etc/localtime"
    with contextlib.suppress(OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        _, found, key = os.path.realpath(link).partition("/zoneinfo/")
        if found:
            return zoneinfo.ZoneInfo(key.removeprefix("posix/").removeprefix("right/"))
    return _zone_of_file(link) or library_zone()


def _zone_of_text(text: str) -> tzinfo | None:
    """A zone by TZ's three forms: a file, a zone's name, a POSIX rule such as ``CET-1CEST,…``."""
    if text.startswith("/"):
        return _zone_of_file(Path(text))
    with contextlib.suppress(OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return zoneinfo.ZoneInfo(text)
    with contextlib.suppress(ValueError, struct.error):
        return _zone_of_rule(text)
    return None


def _zone_of_file(path: Path) -> tzinfo | None:
    with contextlib.suppress(OSError, ValueError, struct.error), path.open("rb") as file:
        return zoneinfo.ZoneInfo.from_file(file)
    return None


def _zone_of_rule(rule: str) -> tzinfo:
    """A POSIX rule as a zone: a zone file (RFC 8536) without transitions whose footer is the rule.

    Raises ValueError when it is no rule.
    """
    if not re.fullmatch(r"[A-Za-z<][!-~]{2,80}", rule):
        raise ValueError(f"no time zone: {rule!r}")
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block = struct.pack(">lbB4s", 0, 0, 0, b"UTC\0")
    return zoneinfo.ZoneInfo.from_file(
        io.BytesIO((header + block) * 2 + b"\n" + rule.encode("ascii") + b"\n"), key=rule
    )


def _local_addresses(root: Path) -> Iterator[str]:
    """This host's own IPv4 addresses by /proc/net/fib_trie: ``|-- ADDRESS`` and, below it,
    ``/32 host LOCAL``."""
    address = ""
    for line in _text(root / "proc/net/fib_trie").splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            address = words[-1]
        elif words == ["/32", "host", "LOCAL"] and not address.startswith("127."):
            yield address


def _assignments(lines: list[str]) -> list[tuple[str, str]]:
    """KEY=value lines in the shell's quoting, as os-release(5) allows it."""
    found = []
    for line in lines:
        key, equals, value = line.partition("=")
        value = value.strip()
        if not equals or not key.isidentifier():
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found.append((key, re.sub(r"\\(.)", r"\1", value)))
    return found


def _lines(path: Path) -> list[str]:
    """The lines of a small file that are no comments."""
    lines = (line.partition(" #")[0].strip() for line in _text(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _text(path: Path) -> str:
    return text_of(path, _MOST, "replace")
