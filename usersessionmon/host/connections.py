"""Who is connected to this host's sshd right now, by /proc/net/tcp (proc(5)).

Only read.  Which ports are sshd's is asked of its own process where that may be looked into (root),
else of its command line and its configuration; what is not certain is None, "cannot be told".
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from usersessionmon.system.places import ETC, PROC

from .alive import Host
from .files import text_of

_MOST = 8 * 1024 * 1024
_SOME = 64 * 1024
_LISTENS, _ESTABLISHED = "0A", "01"
_DEFAULT_PORT = 22
_NAMES = frozenset({"sshd"})
_SESSION = re.compile(r"sshd: .+ \[(?:priv|net|accepted)\]|sshd: [^ ]+@[^ ]+|sshd: [^ ]+")
"""How the processes of connections call themselves: the listener's title goes on with its path."""
_PORT = re.compile(r"^[ \t]*Port[ \t=]+(\d{1,5})\b", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(
    r"^[ \t]*ListenAddress[ \t=]+(?:\[[^]\s]*\]|[^\s:]+):(\d{1,5})\b", re.IGNORECASE | re.MULTILINE
)
_GIVEN = re.compile(r"(?:^|[ \0])-(?:[46DdeiqtT]*p[ \0]?|o[ \0]?Port[ =\0])(\d{1,5})\b")
_FILE = re.compile(r"(?:^|[ \0])-[46DdeiqtT]*f[ \0]?([^ \0]+)")


class _Socket(NamedTuple):
    """A line of /proc/net/tcp: addresses as the kernel writes them, ``0100007F:0016``."""

    local: str
    remote: str
    state: str
    uid: str
    inode: str

    @property
    def port(self) -> int:
        return int(self.local.rpartition(":")[2], 16)


def sshd_ports(proc: Path = PROC, etc: Path = ETC) -> frozenset[int]:
    """The ports on which this host's own sshd listens; empty where there is none to be seen.

    Of another's namespace (a container's) is what has a number of its own there.
    """
    listening = [one for one in _sockets(proc) if one.state == _LISTENS and one.uid == "0"]
    if not listening:
        return frozenset()
    ports: set[int] = set()
    for pid in _listeners(proc):
        inodes = _inodes(proc / str(pid) / "fd")
        if inodes is None:
            claimed = _claimed(text_of(proc / str(pid) / "cmdline", _SOME), etc)
            ports |= {one.port for one in listening} & claimed
        else:
            ports |= {one.port for one in listening if one.inode in inodes}
    return frozenset(ports)


def connections(ports: frozenset[int], proc: Path = PROC) -> frozenset[str] | None:
    """The established connections to these ports, each by both its ends; None: not to be seen."""
    if not ports or not (proc / "net/tcp").exists():
        return None
    return frozenset(
        f"{one.local} {one.remote}"
        for one in _sockets(proc)
        if one.state == _ESTABLISHED and one.port in ports
    )


def established(proc: Path = PROC) -> dict[str, tuple[str, int]]:
    """Each connection's inode, with the other end's address and port."""
    found = {}
    for one in _sockets(proc):
        if one.state == _ESTABLISHED:
            with contextlib.suppress(ValueError):
                found[one.inode] = _end(one.remote)
    return found


def _end(text: str) -> tuple[str, int]:
    """An address as the kernel writes it: words of 32 bits in the machine's own byte order."""
    words, _, port = text.partition(":")
    raw = b"".join(
        int(words[place : place + 8], 16).to_bytes(4, sys.byteorder)
        for place in range(0, len(words), 8)
    )
    address = ipaddress.ip_address(raw)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), int(port, 16)


def _sockets(proc: Path) -> Iterator[_Socket]:
    for name in ("net/tcp", "net/tcp6"):
        for line in text_of(proc / name, _MOST).splitlines()[1:]:
            words = line.split(maxsplit=10)
            with contextlib.suppress(ValueError, IndexError):
                int(words[1].rpartition(":")[2], 16)
                yield _Socket(words[1], words[2], words[3], words[7], words[9])


def _listeners(proc: Path) -> Iterator[int]:
    """sshd's processes that are no connection's."""
    host = Host(proc)
    for pid in host.pids():
        if host.name_of(pid) not in _NAMES or not host.is_roots(pid) or host.is_elsewhere(pid):
            continue
        title = text_of(proc / str(pid) / "cmdline", _SOME).rstrip("\0")
        if _SESSION.fullmatch(title) is None:
            yield pid


def _inodes(folder: Path) -> frozenset[str] | None:
    """The sockets that a process has open; None when that may not be looked at."""
    found = set()
    try:
        for link in folder.iterdir():
            with contextlib.suppress(OSError):
                found.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    except OSError:
        return None
    return frozenset(found)


def _claimed(command: str, etc: Path) -> set[int]:
    """The ports that an sshd was told to listen on, by its command line, else by its file."""
    given = {int(port) for port in _GIVEN.findall(command)}
    if given:
        return given
    other = _FILE.search(command)
    files = [etc / "ssh/sshd_config"] if other is None else [Path(other[1])]
    with contextlib.suppress(OSError):
        files += sorted((etc / "ssh/sshd_config.d").glob("*.conf"))
    text = "\n".join(text_of(file, _SOME) for file in files)
    addressed = {int(port) for port in _ADDRESS.findall(text)}
    return {int(port) for port in _PORT.findall(text)} | addressed or {_DEFAULT_PORT}
