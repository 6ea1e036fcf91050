"""A state whose file is taken away from under the running monitor is still whole in the process
that has it open: it is left where the next start finds it.

The unit's own directory cannot be made again from within (all around it is read-only there, and a
new one is not seen): so the way leads over ``RuntimeDirectory=``, kept over a restart alone.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from usersessionmon.system import files

from . import db
from .damage import READY

_BEGUN = "state.db.rescuing"


def leave(
    connection: sqlite3.Connection, folder: Path, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """Write the state that ``connection`` still holds for the next start; returns the file.

    None where another state is in its place already, or nothing can be written.
    """
    if _is_there(folder / db.FILE_NAME):
        return None
    for place in (folder, *_between(environment)):
        with suppress(OSError, sqlite3.Error):
            place.mkdir(mode=0o750, exist_ok=True)
            begun = place / _BEGUN
            begun.unlink(missing_ok=True)
            with closing(sqlite3.connect(begun)) as copy:
                connection.backup(copy)
            files.sync_file(begun)
            begun.replace(place / READY)
            return place / READY
    return None


def take_up(folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Bring what was left elsewhere into ``folder``, where the state begins; only where there is
    none.  Raises OSError."""
    for place in _between(environment):
        left = place / READY
        if not _is_there(left):
            continue
        if not _is_there(folder / db.FILE_NAME):
            begun = folder / _BEGUN
            begun.unlink(missing_ok=True)
            shutil.copyfile(left, begun)
            files.sync_file(begun)
            begun.replace(folder / READY)
        left.unlink()


def _between(environment: Mapping[str, str]) -> Iterator[Path]:
    """The service's runtime directory (systemd.exec(5)); none for who is no service."""
    first = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if first.startswith("/"):
        yield Path(first)


def _is_there(file: Path) -> bool:
    """Also where that cannot be known: what may be there is not put aside."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
