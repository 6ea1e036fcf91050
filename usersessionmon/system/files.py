"""Opening, reading at a place, and making sure that what is written stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    BYTES = os.O_BINARY | os.O_NOINHERIT
    """For every ``os.open``: the file's bytes as they are, and for no child."""
    AT_ONCE = NO_LINK = 0
    """Without waiting for whoever has the other end of a pipe; not through a link."""

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Bytes from ``offset`` on, for the one thread that reads there: the descriptor moves."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

    def write_at(descriptor: int, data: bytes, offset: int) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

    def is_read_only(_folder: Path) -> bool:
        return False

else:
    BYTES = os.O_CLOEXEC
    AT_ONCE = os.O_NONBLOCK | os.O_NOCTTY
    NO_LINK = os.O_NOFOLLOW
    read_at, write_at = os.pread, os.pwrite

    def is_read_only(folder: Path) -> bool:
        """Whether its file system is.  Raises OSError."""
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


INOTIFY = sys.platform != "win32"
"""Whether single files can be watched."""


def make_folder(folder: Path) -> None:
    """Make it where it is missing, with what is missing above it.  Raises OSError.

    Under ProgramData everybody may put files into what others make: there all of it is for its
    owner and administrators alone (Python from 3.11.10 and 3.12.4 on), until the installation says
    who else.
    """
    if sys.platform == "win32":
        if not folder.parent.exists():
            make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    else:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Renamed is renamed, even if the power fails now.  (NTFS keeps a journal of its names.)"""
    if sys.platform != "win32":
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_file(file: Path) -> None:
    _sync(file, (os.O_RDWR if sys.platform == "win32" else os.O_RDONLY) | NO_LINK)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | BYTES)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
