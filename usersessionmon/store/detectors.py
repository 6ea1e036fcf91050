"""What the detectors remember, in the state's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping


def write_detectors(connection: sqlite3.Connection, rows: Mapping[str, str | None]) -> None:
    """Save what changed, in the order in which it was touched; None: forget it.  Called inside the
    main loop's transaction."""
    connection.executemany(
        "DELETE FROM detector WHERE name = ?",
        [(name,) for name, body in rows.items() if body is None],
    )
    connection.executemany(
        "REPLACE INTO detector (name, body) VALUES (?, ?)",
        [(name, body) for name, body in rows.items() if body is not None],
    )


def read_detectors(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """(name, body) of every row, the longest untouched first."""
    return connection.execute("SELECT name, body FROM detector ORDER BY number").fetchall()
