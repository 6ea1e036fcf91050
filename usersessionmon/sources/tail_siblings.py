"""The rotated copies of a log that lie beside it: ``auth.log.1``, ``secure-20261121.xz``, …"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from .tail_part import HEAD_MAX, PACKED, Mark, Part

MOST = 400
"""How many copies are looked at, the newest first."""
_ROTATED = re.compile(r"[.\-_](\d[\d.\-_T:+]*)")
_NUMBER_DIGITS = 3
"""A longer number in a name is a date: nobody keeps a thousand copies."""


class Sibling(NamedTuple):
    path: Path
    identity: tuple[int, int]
    modified_ns: int
    number: int | None
    """``1`` for ``.1``; None when copies are not numbered."""
    date: str | None
    """The digits of ``-20261121``; None when copies are not dated."""

    def newer_than(self, other: Sibling) -> bool:
        """By the names where both follow one scheme: a late line changes an old copy's time."""
        if self.number is not None and other.number is not None:
            return self.number < other.number
        if self.date is not None and other.date is not None:
            return self.date > other.date
        return self.modified_ns > other.modified_ns

    def is_rotated(self) -> bool:
        """True when the name is one that rotation makes."""
        return self.number is not None or self.date is not None


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


def newer(than: Sibling, others: list[Sibling], known: list[bytes]) -> list[Part]:
    """The rotated copies that came after one, oldest first, opened at their beginnings.

    A text that lies there twice is taken once (packed just now, or copied by hand).  With one that
    begins like a ``known`` one the caller's own file is reached: it and what is newer is left out.
    """
    chosen = [other for other in others if other.newer_than(than) and other.is_rotated()]
    chosen.sort(key=lambda sibling: sibling.modified_ns)
    if all(sibling.number is not None for sibling in chosen):
        chosen.sort(key=lambda sibling: -(sibling.number or 0))
    elif all(sibling.date is not None for sibling in chosen):
        chosen.sort(key=lambda sibling: sibling.date or "")
    heads: list[bytes] = []
    plain = {sibling.path.name for sibling in [than, *chosen]}
    parts: list[Part] = []
    for sibling in chosen:
        if sibling.path.suffix in PACKED and sibling.path.stem in plain:
            continue  # being packed at this moment
        part = opened(sibling.path)
        if part is None:
            continue
        head = part.peek()
        if any(_same_text(head, other) for other in known):
            part.close()
            break
        if any(_same_text(head, other) for other in heads):
            part.close()
            continue
        heads.append(head)
        parts.append(part)
    return parts


def _same_text(one: bytes, other: bytes) -> bool:
    """One begins like the other, for a whole line at least."""
    shorter, longer = sorted((one, other), key=len)
    return (b"\n" in shorter or len(shorter) == HEAD_MAX) and longer.startswith(shorter)


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
    number, date = _scheme(tail)
    identity = (status.st_dev, status.st_ino)
    return Sibling(path.with_name(name), identity, status.st_mtime_ns, number, date)


def _scheme(tail: str) -> tuple[int | None, str | None]:
    match = _ROTATED.fullmatch(_unpacked_name(Path("log" + tail)).removeprefix("log"))
    if match is None:
        return None, None
    digits = match[1]
    if digits.isdecimal() and len(digits) <= _NUMBER_DIGITS:
        return int(digits), None
    return None, digits


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
