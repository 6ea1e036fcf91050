"""The rotated copies of a log that lie beside it: ``auth.log.1``, ``secure-20261121.xz``, …"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from .tail_part import PACKED, Mark, Part

MOST = 400
"""How many copies are looked at, the newest first."""
_ROTATED = re.compile(r"[.\-_](\d[\d.\-_T:+]*)")
_NUMBER_DIGITS = 3
"""A longer number in a name is a date: nobody keeps a thousand copies."""
NUMBERED, DATED = "numbered", "dated"


class Sibling(NamedTuple):
    path: Path
    identity: tuple[int, int]
    modified_ns: int
    size: int
    scheme: str
    """``NUMBERED``, ``DATED``, or empty for a name that rotation does not make."""
    rank: str
    """The order of the names of one scheme; what it means is for ``tail_order`` to find out."""


def siblings(path: Path) -> list[Sibling]:
    """The copies, newest first by their times; empty when the directory cannot be read.

    Of a symbolic link, those of its goal too.
    """
    found: dict[Path, Sibling] = {}
    for place in dict.fromkeys((path, Path(os.path.realpath(path)))):
        with contextlib.suppress(OSError), os.scandir(place.parent) as entries:
            for entry in entries:
                sibling = _sibling(place, entry)
                if sibling is not None:
                    found[sibling.path] = sibling
    ranked = sorted(found.values(), key=lambda sibling: sibling.modified_ns, reverse=True)
    return ranked[:MOST]


def find(mark: Mark, path: Path, others: list[Sibling]) -> tuple[Part, Sibling | None] | None:
    """The file that the mark was made in, opened and moved to the mark.

    Looks at ``path`` (the sibling is then None), then at the copies; those with the marked inode
    come first, and none is believed whose first bytes differ: inodes are used again.
    """
    identity = (mark.device, mark.inode)
    ranked: list[Sibling | None] = [None, *others]
    ranked.sort(key=lambda sibling: _identity(path, sibling) != identity)
    for sibling in ranked:
        if mark.head_size == 0 and _identity(path, sibling) != identity:
            continue  # nothing but the inode is known of a file that was empty
        part = opened(sibling.path if sibling else path)
        if part is None:
            continue
        if part.go_to(mark):
            return part, sibling
        part.close()
    return None


def peek(path: Path) -> bytes:
    """A file's first bytes; none when it cannot be opened."""
    part = opened(path)
    if part is None:
        return b""
    head = part.peek()
    part.close()
    return head


def opened(path: Path) -> Part | None:
    """The file, or None when it cannot be opened."""
    try:
        return Part(path)
    except OSError:
        return None


def _sibling(path: Path, entry: os.DirEntry[str]) -> Sibling | None:
    name = entry.name
    stem, _, extension = path.name.rpartition(".")
    tail = None
    if name.startswith(path.name) and name != path.name:
        tail = name.removeprefix(path.name)
    elif stem and name.startswith(stem):  # logrotate's `extension`: auth-20261121.log
        bare = _unpacked_name(Path(name))
        if bare.endswith(f".{extension}") and bare != path.name:
            tail = bare.removeprefix(stem).removesuffix(f".{extension}")
    if tail is None:
        return None
    try:
        if not entry.is_file(follow_symlinks=False):
            return None
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    identity = (status.st_dev, status.st_ino)
    times = (status.st_mtime_ns, status.st_size)
    return Sibling(path.with_name(name), identity, *times, *_scheme(tail))


def _scheme(tail: str) -> tuple[str, str]:
    """The scheme and the rank of what a name has behind the log's."""
    match = _ROTATED.fullmatch(_unpacked_name(Path("log" + tail)).removeprefix("log"))
    if match is None:
        return "", ""
    digits = match[1]
    if digits.isdecimal() and len(digits) <= _NUMBER_DIGITS:
        return NUMBERED, str(int(digits)).zfill(_NUMBER_DIGITS)
    return DATED, digits


def _unpacked_name(path: Path) -> str:
    return path.stem if path.suffix in PACKED else path.name


def _identity(path: Path, sibling: Sibling | None) -> tuple[int, int] | None:
    if sibling is not None:
        return sibling.identity
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
