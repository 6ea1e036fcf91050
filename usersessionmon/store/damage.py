"""A damaged state is set aside, and a new one takes its place with what could still be read.

At every moment either the damaged file or a whole new one is there: the new one is finished under
another name first, so that whoever is killed in between goes on where it was left.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from usersessionmon.system import files

from . import claims, db, outbox, state

KEPT = 3
"""Damaged states that are kept; older ones go."""
SUFFIXES = ("", "-wal", "-shm")
REBUILD = "rebuild_us"
"""The fact that says up to when (microseconds UTC) the log was told of before the damage."""
UNTOLD = "damaged_untold"
"""The fact that says that nobody was told of the damage yet."""
_BUILT, READY = "state.db.building", "state.db.new"
"""A state under way, and a whole one that takes its place when the next monitor starts."""
_ASIDE = re.compile(r"state\.db\.damaged-(\d{8}T\d{6}Z(?:-\d+)?)")
_FACTS = (
    *("claims_told", "forged_told_us", "forged_waiting", "report_us", "chat_us"),
    *("alive_us", "boot"),
)
"""What is carried over of the facts: of which claims people know, when they were last told of
forged lines, of the day and that all is well, and when the monitor was last alive."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What was done about a damaged state, for the log, ``status`` and the notice."""

    file: Path
    """Where the damaged one is now."""
    at_us: int
    why: str
    told_us: int
    """What happened until then was told before, as far as is known."""
    sessions: int
    notices: int
    """How many ended sessions and waiting notices could be read from the damaged one."""

    def facts(self) -> dict[str, str]:
        return {
            "damaged_file": str(self.file),
            "damaged_us": str(self.at_us),
            "damaged_why": self.why,
            "damaged_sessions": str(self.sessions),
            "damaged_notices": str(self.notices),
            UNTOLD: "1",
            REBUILD: str(self.told_us),
        }

    @classmethod
    def load(cls, facts: dict[str, str]) -> Damage | None:
        """The inverse of ``facts``; None when this state took no damaged one's place."""
        try:
            return cls(
                Path(facts["damaged_file"]),
                int(facts["damaged_us"]),
                facts["damaged_why"],
                int(facts.get(REBUILD) or 0),
                int(facts["damaged_sessions"]),
                int(facts["damaged_notices"]),
            )
        except (KeyError, ValueError):
            return None


def begin(folder: Path) -> None:
    """Make the state's file when there is none: all of it or nothing, so that an empty one is
    always a damaged one.  Raises sqlite3.Error and OSError."""
    file, ready = folder / db.FILE_NAME, folder / READY
    if file.exists():
        return
    if not ready.exists():
        with closing(_build(folder)):
            pass
        (folder / _BUILT).replace(file)
        return
    for suffix in SUFFIXES[1:]:  # killed in the middle of ``set_aside``
        left = folder / f"{db.FILE_NAME}{suffix}"
        if left.exists():
            left.replace(folder / f"{_newest(folder)}{suffix}")
    ready.replace(file)
    files.sync_folder(folder)


def set_aside(folder: Path, why: str, now_us: int) -> Damage:
    """Put a new state in the place of the damaged one, which nobody may have open.

    Raises sqlite3.Error and OSError when the new one cannot be made (disk full); the damaged one is
    then where it was.
    """
    file = folder / db.FILE_NAME
    aside = _free_name(folder, now_us)
    with closing(_build(folder)) as new:
        damage = _save_what_is_left(file, new, Damage(aside, now_us, why, now_us, 0, 0))
    (folder / _BUILT).replace(folder / READY)
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            file.with_name(file.name + suffix).replace(aside.with_name(aside.name + suffix))
    (folder / READY).replace(file)
    files.sync_folder(folder)
    for old in asides(folder)[:-KEPT]:
        for suffix in SUFFIXES:
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return damage


def asides(folder: Path) -> list[Path]:
    """The damaged states that are kept, oldest first."""
    return sorted(path for path in folder.iterdir() if _ASIDE.fullmatch(path.name))


def _newest(folder: Path) -> str:
    kept = asides(folder)
    return kept[-1].name if kept else f"{db.FILE_NAME}.left"


def _free_name(folder: Path, now_us: int) -> Path:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
    name = f"{db.FILE_NAME}.damaged-{time:%Y%m%dT%H%M%SZ}"
    number = 0
    while any((folder / f"{name}{suffix}").exists() for suffix in SUFFIXES):
        number += 1
        name = f"{name.partition('Z')[0]}Z-{number:03}"
    return folder / name


def _build(folder: Path) -> sqlite3.Connection:
    """A new state under a name of its own; closed by the caller, it is one file."""
    built = folder / _BUILT
    for suffix in SUFFIXES:
        built.with_name(built.name + suffix).unlink(missing_ok=True)
    connection = db.connect(built)
    db.migrate(connection)
    return connection


# --- what can still be read -----------------------------------------------------------------------


def _save_what_is_left(file: Path, new: sqlite3.Connection, damage: Damage) -> Damage:
    """Notices that nobody had yet, ended sessions, and how far the log was told of."""
    told_us = _last_change_us(file, damage.at_us)
    sessions = notices = 0
    with db.transaction(new):
        old, whole = _open_damaged(file)
        if old is not None:
            with closing(old):
                kept = _facts(old)
                sessions = _copy_sessions(old, new)
                notices = outbox.copy_waiting(_waiting(old), new)
                claims.copy(_rows(old, claims.QUERY), new)
                state.write_facts(new, {name: kept[name] for name in _FACTS if name in kept})
                last_line = kept.get("last_line_us", "")
                if whole and last_line.isdecimal():
                    told_us = min(int(last_line), damage.at_us)
        damage = Damage(damage.file, damage.at_us, damage.why, told_us, sessions, notices)
        state.write_facts(new, damage.facts())
    return damage


def _last_change_us(file: Path, now_us: int) -> int:
    """When the state was saved last, by its files' times: the best bound when it cannot be read."""
    times = [0]
    for suffix in SUFFIXES[:2]:
        with suppress(OSError):
            times.append(file.with_name(file.name + suffix).stat().st_mtime_ns // 1000)
    return min(max(times), now_us)


def _open_damaged(file: Path) -> tuple[sqlite3.Connection | None, bool]:
    """The damaged state for reading, never changed by it; False: without its newest changes."""
    try:
        return db.connect(file, read_only=True), True
    except sqlite3.Error:
        pass
    try:
        uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        return sqlite3.connect(uri, uri=True, isolation_level=None), False
    except sqlite3.Error:
        return None, False


def _rows(old: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    """Rows up to the first that cannot be read."""
    with suppress(sqlite3.Error, UnicodeDecodeError):
        yield from old.execute(query)


def _waiting(old: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    with suppress(sqlite3.Error):
        yield from _rows(old, outbox.waiting_query(old))


def _facts(old: sqlite3.Connection) -> dict[str, str]:
    return {
        str(name): value
        for name, value in _rows(old, "SELECT name, value FROM fact")
        if isinstance(value, str)
    }


def _copy_sessions(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """Ended sessions, from both ends up to the damage; those who are on come from the log."""
    for order in ("ASC", "DESC"):
        try:
            query = state.closed_sessions(old, order)
        except sqlite3.Error:
            continue
        for row in _rows(old, query):
            with suppress(sqlite3.Error, ValueError, TypeError):
                state.copy_session(new, row)
    return int(new.execute("SELECT count(*) FROM session").fetchone()[0])
