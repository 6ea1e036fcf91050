"""The one SQLite file: opening it, migrating it, and the one way to change it.

WAL with ``synchronous=FULL``: what a commit has said is on the disk.  No STRICT tables and no
RETURNING: RHEL 9 ships SQLite 3.34.  All times are integer microseconds since the epoch, UTC.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usersessionmon.errors import TroubleError

BUSY_SECONDS = 10.0
FILE_NAME = "state.db"
WAL_BYTES = 8 * 1024 * 1024
"""A log that a long transaction made larger is cut to this when it is written anew."""
CACHE_KIB = 512
"""SQLite would keep 2 MiB of pages for each connection; what a batch touches is far less."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the state's database; transactions are begun by ``transaction`` alone.

    A read-only connection never writes and never waits for the writer.  Raises sqlite3.Error;
    callers that face people use ``TroubleError``.
    """
    if read_only:
        return _connect_read_only(path)
    new = not path.exists() or path.stat().st_size == 0
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        if new:  # see retention; in a file that is there it would only wait for who writes
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    except BaseException:
        connection.close()  # Windows sets no file aside that is open
        raise
    return connection


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """WAL needs its log and its shared memory file even for reading, and SQLite would make both:
    the next monitor could not use them where they are somebody else's.  Where nobody has the file
    open there is no log to look into either, and the file itself is all."""
    if not _has_log(path):
        return _open_read_only(path, "&immutable=1")
    connection = _open_read_only(path, "")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if _has_log(path):
            raise
        connection = _open_read_only(path, "&immutable=1")  # the monitor ended in this moment
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _has_log(path: Path) -> bool:
    return any(path.with_name(path.name + end).exists() for end in ("-wal", "-shm"))


def _open_read_only(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{how}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
    )
    connection.execute("PRAGMA query_only=ON")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing: BEGIN IMMEDIATE, then COMMIT, or ROLLBACK when anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def schema_version(connection: sqlite3.Connection) -> int:
    """The number of the last migration that this file has had; 0 for an empty file."""
    row = connection.execute("PRAGMA user_version").fetchone()
    return int(row[0])


def migrations() -> list[tuple[int, str]]:
    """(number, SQL) of every migration that this program knows, in order."""
    folder = Path(__file__).with_name("migrations")
    return sorted(
        (int(path.name.split("_", 1)[0]), path.read_text(encoding="utf-8"))
        for path in folder.glob("*.sql")
    )


def missing_tables(connection: sqlite3.Connection) -> set[str]:
    """The tables that a file of this version should have and has not."""
    have = schema_version(connection)
    made = {
        name
        for number, sql in migrations()
        if number <= have
        for name in re.findall(r"^CREATE TABLE (\w+)", sql, re.MULTILINE)
    }
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return made - there


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file up to this program's schema, each step in a transaction with its record.

    Raises TroubleError when the file was written by a newer program.
    """
    known = migrations()
    have = schema_version(connection)
    newest = known[-1][0]
    if have > newest:
        raise TroubleError(
            f"the state was written by a newer version (schema {have}, this program knows "
            f"{newest}): install that version again, or move the state directory away"
        )
    for number, sql in known:
        if number <= have:
            continue
        with transaction(connection):
            for statement in _statements(sql):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number:d}")


def _statements(sql: str) -> Iterator[str]:
    """The single statements of a script: ``executescript`` would commit behind our back."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        raise ValueError(f"unfinished SQL: {pending!r}")
