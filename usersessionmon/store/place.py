"""The state directory: where it is, that it is ours alone, and that its file can be used."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from usersessionmon.errors import TroubleError
from usersessionmon.system import files, locks, places, users

from . import damage, db, rescue
from .faults import DamagedError, primary_code, trouble

DEFAULT_DIR = places.STATE
LOCK_NAME = "run.lock"
_LOCK_BYTES = 512


def state_dir(configured: str, environment: dict[str, str] | os._Environ[str] = os.environ) -> Path:
    """The state's directory.

    The default is the system's; a user who may not write there has one of their own, so that
    ``make run`` needs no rights.
    The service (``$STATE_DIRECTORY``) has the system's, even while that is read-only.
    """
    path = Path(configured)
    if configured != DEFAULT_DIR or users.is_root() or environment.get("STATE_DIRECTORY"):
        return path
    if os.access(path / db.FILE_NAME, os.R_OK) or os.access(path, os.W_OK):
        return path
    try:
        return places.own_state(environment)
    except RuntimeError:  # an account without an entry in passwd and without $HOME
        return path


def make_dir(path: Path) -> None:
    """Make the directory when it is missing.  Raises TroubleError naming it."""
    try:
        files.make_folder(path)
    except OSError as error:
        raise TroubleError(
            f"{path}: the state directory cannot be made: {error.strerror}; "
            "make it yourself or set state.dir to another"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise TroubleError(
            f"{path}: the state directory cannot be written by this user; "
            "give it to them (chown) or set state.dir to another"
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the state directory for this process.

    Raises TroubleError with the other one's pid when somebody else holds it.  The kernel lets go
    of the lock when the process ends, however it ends.
    """
    descriptor = _open_lock(path / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    try:
        if not locks.take(descriptor):
            pid = _first_line(descriptor) or "unknown"
            raise TroubleError(
                f"{path}: another monitor runs on this state (pid {pid}); "
                "stop it first, or set state.dir to another directory"
            )
        _write_pid(descriptor, path)
        yield
    finally:
        locks.let_go(descriptor)
        os.close(descriptor)


def _open_lock(file: Path, flags: int) -> int:
    """Open the lock, and nothing that only has its name: whoever owns the directory may have put
    a link there for root to follow.  Raises FileNotFoundError and TroubleError."""
    safe = files.NO_LINK | files.AT_ONCE | files.BYTES
    try:
        descriptor = os.open(file, flags | safe, 0o640)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TroubleError(f"{file}: cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TroubleError(f"{file}: is no regular file; remove it")
    return descriptor


def _check_regular(file: Path) -> None:
    """Raise TroubleError when the database or one of its files is a link or no file at all."""
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        try:
            mode = os.lstat(part).st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            raise TroubleError(f"{part}: is no regular file; remove it")


def note_trouble(path: Path, text: str) -> None:
    """Leave word for ``status`` why the state cannot be written: in the lock, whose room is there
    already.  Empty: it can.  Where not even that can be written, nobody is told."""
    try:
        descriptor = _open_lock(path / LOCK_NAME, os.O_RDWR)
    except (OSError, TroubleError):
        return
    try:
        files.write_at(descriptor, _lock_text(text), 0)
    except OSError:
        pass
    finally:
        os.close(descriptor)


@contextmanager
def _looked_at(path: Path) -> Iterator[int | None]:
    """The lock for one who only looks; None where there is none.  Raises TroubleError."""
    try:
        descriptor = _open_lock(path / LOCK_NAME, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def noted_trouble(path: Path) -> tuple[int, str] | None:
    """(since when, why) the running monitor cannot write its state; None when it can.

    Raises TroubleError when the caller may not look.
    """
    with _looked_at(path) as descriptor:
        if descriptor is None:
            return None
        lines = files.read_at(descriptor, _LOCK_BYTES, 0).decode("utf-8", "replace").splitlines()
    since, _, why = (lines[1] if len(lines) > 1 else "").partition(" ")
    return (int(since), why) if since.isdecimal() else None


def _lock_text(text: str) -> bytes:
    """Always of one length, so that it is written over and never needs new room."""
    line = " ".join(text.split())
    return f"{os.getpid()}\n{line}\n".encode()[:_LOCK_BYTES].ljust(_LOCK_BYTES, b"\n")


def _first_line(descriptor: int) -> str:
    return files.read_at(descriptor, 32, 0).decode("ascii", "replace").partition("\n")[0].strip()


def _write_pid(descriptor: int, path: Path) -> None:
    try:
        files.write_at(descriptor, _lock_text(""), 0)
    except OSError as error:
        raise TroubleError(f"{path / LOCK_NAME}: cannot be written: {error.strerror}") from error


def holder(path: Path) -> int | None:
    """The pid of the monitor that runs on this state; None when none does.

    Raises TroubleError when the caller may not look.
    """
    with _looked_at(path) as descriptor:
        if descriptor is None:
            return None
        if not locks.is_taken(descriptor):
            return None
        text = _first_line(descriptor)
        return int(text) if text.isdigit() else 0


def open_state(path: Path) -> sqlite3.Connection:
    """The state's database for the one who writes it, brought up to date.

    Raises DamagedError when it is damaged, and TroubleError when it cannot be opened or is of a
    newer program.
    """
    file = path / db.FILE_NAME
    _check_regular(file)
    try:
        rescue.take_up(path)
        damage.begin(path)
        if file.stat().st_size == 0:
            raise DamagedError(file, "it is empty")
        connection = db.connect(file)
        try:
            check_whole(connection, file)
            db.migrate(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_ERROR:  # tables that are missing, or there already
            raise DamagedError(file, str(error)) from error
        raise trouble(file, error) from error
    except OSError as error:
        raise TroubleError(f"{file}: cannot be used: {error.strerror}") from error
    return connection


def check_whole(connection: sqlite3.Connection, file: Path) -> None:
    """Raise DamagedError unless SQLite finds all in order."""
    verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        raise DamagedError(file, " ".join(verdict.split()))
    missing = db.missing_tables(connection)
    if missing:
        raise DamagedError(file, f"no such table: {', '.join(sorted(missing))}")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """The state's database for one who only looks; None when there is no state yet.

    Raises TroubleError when it cannot be read.
    """
    file = path / db.FILE_NAME
    try:
        if not file.exists():
            yield None
            return
    except PermissionError as error:
        raise TroubleError(f"{file}: may not be read by this user: {users.MORE_RIGHTS}") from error
    _check_regular(file)
    try:
        if file.stat().st_size == 0:
            raise DamagedError(file, "it is empty")
        connection = db.connect(file, read_only=True)
        try:
            if db.schema_version(connection) == 0:
                yield None
            else:
                yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise trouble(file, error) from error


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection | None]:
    """The state's database for one who changes a little of it beside the monitor; None when there
    is no state yet.

    Raises TroubleError when it cannot be written.
    """
    with reading(path) as looked_at:
        there = looked_at is not None
    if not there:
        yield None
        return
    file = path / db.FILE_NAME
    try:
        with closing(db.connect(file)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise trouble(file, error) from error
