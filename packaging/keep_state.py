"""A copy of the state while a new version brings it to its own tables.

    keep_state.py save|restore|drop STATE_FOLDER MIGRATIONS_FOLDER

``save`` makes ``state.db.former`` when the program that is installed now would change the tables,
and only then; ``restore`` puts it back; ``drop`` removes it.  The service must not run.  Run it as
the service's user: the folder is theirs.  Nothing of the program is imported: it may be what does
not work.  Exit status 1, with one line, when there is no room for the copy.
"""

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SPARE = 32 * 1024 * 1024
"""Bytes that are left free beside the copy: the new version writes, too."""


def newest(migrations: Path) -> int:
    return max(int(file.name.split("_")[0]) for file in migrations.glob("*.sql"))


def save(state: Path, copy: Path, wanted: int) -> None:
    copy.unlink(missing_ok=True)  # of an upgrade long ago
    if not state.exists():
        return
    with closing(sqlite3.connect(state)) as old:
        ((version,),) = old.execute("PRAGMA user_version")
        if version in (0, wanted):
            return
        ((pages,),) = old.execute("PRAGMA page_count")
        ((size,),) = old.execute("PRAGMA page_size")
        needed = pages * size + SPARE
        if shutil.disk_usage(state.parent).free < needed:
            raise SystemExit(
                f"{state.parent}: no room for a copy of the state ({needed >> 20} MiB are needed); "
                "make room, then run this again"
            )
        try:
            with closing(sqlite3.connect(copy)) as new:
                old.backup(new)
            copy.chmod(0o640)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
    print(f"kept a copy of the state (schema {version}): {copy}")


def restore(state: Path, copy: Path) -> None:
    """In one transaction of SQLite: broken off, it can be done again."""
    if not copy.exists():
        return
    with closing(sqlite3.connect(copy)) as old, closing(sqlite3.connect(state)) as new:
        old.backup(new)
    copy.unlink()
    print(f"put the former state back: {state}")


def main() -> None:
    command, folder, migrations = sys.argv[1:]
    state = Path(folder) / "state.db"
    copy = state.with_name("state.db.former")
    if command == "save":
        save(state, copy, newest(Path(migrations)))
    elif command == "restore":
        restore(state, copy)
    elif command == "drop":
        copy.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
