"""What SQLite's errors mean for the state: will it pass, is the file damaged, and the way out."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from usersessionmon.errors import TroubleError
from usersessionmon.system import files

_ROOM = 128 * 1024
"""Less free space than this is a full disk: SQLite's files grow by so much at once."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,  # what a quota and a shared memory file that cannot grow lead to
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
)


class DamagedError(TroubleError):
    """The state's file does not hold what was written into it.  ``why``: in SQLite's words."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"{file}: the state is damaged ({why}): `run` sets it aside and rebuilds it from the "
            "log when it starts"
        )
        self.why = why


class RemovedError(TroubleError):
    """The state's file was removed or replaced while it was open."""


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 when the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    return primary_code(error) in _DAMAGE


def may_pass(error: sqlite3.Error) -> bool:
    """Whether the same change may succeed later: the disk is full, say, or read-only."""
    return primary_code(error) in _PASSING


def why_not(file: Path, error: sqlite3.Error) -> str:
    """Why the state cannot be used now, in a few words."""
    text = " ".join(str(error).split())
    if "full" in text or is_full(file):
        return "the disk is full"
    if is_read_only(file):
        return "the file system is read-only"
    return text


def trouble(file: Path, error: sqlite3.Error) -> TroubleError:
    """What went wrong with the state's file, and the way out, in one line."""
    if is_damage(error):
        return DamagedError(file, " ".join(str(error).split()))
    why = why_not(file, error)
    if why == "the disk is full":
        return TroubleError(
            f"{file}: {why}: free some space and start again; "
            "what was not saved is read from the log again"
        )
    return TroubleError(f"{file}: {why}; check the directory's owner, mode and free space")


def is_full(file: Path) -> bool:
    """SQLite says `disk I/O error` when its shared memory file cannot grow on a full disk."""
    try:
        return shutil.disk_usage(file.parent).free < _ROOM
    except OSError:
        return False


def is_read_only(file: Path) -> bool:
    try:
        return files.is_read_only(file.parent)
    except OSError:
        return False
