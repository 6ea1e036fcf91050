"""utmp and wtmp, the C library's records of who is on and who was (utmp(5)).

A record has 384 bytes on x86 and where 64-bit systems share files with 32-bit programs, and 400
elsewhere (64-bit ARM): which of the two is seen by the records themselves.  Whoever is in the group
utmp may write there, and after a crash a half record may stand at the end: nothing is believed
beyond its own fields, and of a file only the end is read.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from usersessionmon.system.files import AT_ONCE, BYTES

MOST = 2 * 1024 * 1024
"""Bytes that are read of a file: the last 5,000 records."""
_LAYOUTS = (
    struct.Struct("=h2xi32s4s32s256shhiii16s20s"),  # 384: seconds of 32 bits
    struct.Struct("=h2xi32s4s32s256shhqqq16s20s4x"),  # 400: of 64
)
_PROBED = 16
_KINDS = 10
REBOOTS = "6"
"""sysvinit's run level of a reboot."""
_RUN_LEVEL, _BOOT, _LOGIN, _DEAD = 1, 2, 7, 8


class Login(NamedTuple):
    """Somebody's login on a terminal."""

    user: str
    tty: str
    pid: int
    time_us: int
    host: str
    """As the program was told: a name or an address, and a display for graphical ones."""
    ip: str | None
    ended_us: int | None = None
    """When the terminal was free again, in a wtmp file."""


class Down(NamedTuple):
    """The host was brought down in order, or came up."""

    time_us: int
    up: bool
    level: str = ""
    """The run level that it went to (``0`` halt, ``6`` reboot) where init names one."""


class _Entry(NamedTuple):
    kind: int
    pid: int
    tty: str
    user: str
    host: str
    ip: str | None
    time_us: int


def who(path: Path) -> list[Login]:
    """Who is on by a utmp file; empty where there is none.  The host must be asked whether the
    processes are still there: entries of the dead stay behind a crash."""
    return [_login(entry) for entry in _entries(path) if entry.kind == _LOGIN and entry.user]


def history(path: Path) -> tuple[list[Login], list[Down]]:
    """The logins of a wtmp file, each with its end where one follows, and the host's ups and
    downs, both in the file's order."""
    logins: list[Login] = []
    downs: list[Down] = []
    on: dict[str, int] = {}
    for entry in _entries(path):
        if entry.kind == _LOGIN and entry.user:
            on[entry.tty] = len(logins)
            logins.append(_login(entry))
        elif entry.kind == _DEAD and entry.tty in on:
            place = on.pop(entry.tty)
            if logins[place].time_us <= entry.time_us:
                logins[place] = logins[place]._replace(ended_us=entry.time_us)
        elif entry.kind == _BOOT:
            on.clear()
            downs.append(Down(entry.time_us, True))
        elif entry.kind == _RUN_LEVEL:
            downs += _run_level(entry)
    return logins, downs


def _run_level(entry: _Entry) -> Sequence[Down]:
    """systemd writes ``shutdown`` for every kind; sysvinit the level it goes to, as a character."""
    level = chr(entry.pid & 0xFF)
    if entry.user == "shutdown" or level in "06":
        return (Down(entry.time_us, False, level if level in "06" else ""),)
    return ()


def _login(entry: _Entry) -> Login:
    return Login(entry.user, entry.tty, entry.pid, entry.time_us, entry.host, entry.ip)


def _entries(path: Path) -> Iterator[_Entry]:
    data, before = _tail(path)
    layout = max(_LAYOUTS, key=lambda one: _sense(one, data, before))
    for place in _places(layout, data, before):
        entry = _entry(layout.unpack_from(data, place))
        if entry is not None:
            yield entry


def _places(layout: struct.Struct, data: bytes, before: int) -> range:
    """Where whole records begin."""
    return range(-before % layout.size, len(data) - layout.size + 1, layout.size)


def _sense(layout: struct.Struct, data: bytes, before: int) -> int:
    """How many of the first records make sense by a layout."""
    places = _places(layout, data, before)[:_PROBED]
    return sum(_entry(layout.unpack_from(data, place)) is not None for place in places)


def _tail(path: Path) -> tuple[bytes, int]:
    """The end of a file, and how many bytes are before it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | AT_ONCE | BYTES)
        with os.fdopen(descriptor, "rb") as file:
            before = max(0, os.fstat(descriptor).st_size - MOST)
            file.seek(before)
            return file.read(MOST), before
    return b"", 0


def _entry(values: Sequence[int | bytes]) -> _Entry | None:
    """None for what is no record."""
    kind, pid, tty, _, user, host, _, _, _, seconds, micros, address, _ = values
    assert isinstance(kind, int)
    assert isinstance(pid, int)
    assert isinstance(seconds, int)
    assert isinstance(micros, int)
    if not 0 < kind < _KINDS or not 0 <= micros < 1_000_000 or pid < 0:
        return None
    # An unsigned number of seconds lasts until 2106; the C library's signed one until 2038.
    time_us = (seconds & 0xFFFFFFFF if -(2**31) <= seconds < 0 else seconds) * 1_000_000 + micros
    if not 0 < time_us < 2**62:
        return None
    return _Entry(kind, pid, _text(tty), _text(user), _text(host), _ip(address), time_us)


def _text(value: int | bytes) -> str:
    """Up to the first NUL; a field that is full has none."""
    assert isinstance(value, bytes)
    return value.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _ip(value: int | bytes) -> str | None:
    """IPv4 stands in the first of four words, with the others empty."""
    assert isinstance(value, bytes)
    if not any(value):
        return None
    if not any(value[4:]):
        return str(ipaddress.IPv4Address(value[:4]))
    address = ipaddress.IPv6Address(value)
    return str(address.ipv4_mapped or address)
