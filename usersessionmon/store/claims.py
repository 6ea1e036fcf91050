"""Claims: who asks to have a host for themselves, and until when.

Everything here raises sqlite3.Error; what changes something is called in the transaction that the
caller has open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from types import NoneType

from usersessionmon.errors import TroubleError
from usersessionmon.model import Claim

MOST = 1000
"""Claims that are kept, ended ones included."""
_COLUMNS = "host, user, made_by, note, made_us, until_us, released_us, released_by"
_NUMBER, _TEXT = (int, NoneType), (str, NoneType)
_KINDS: Sequence[type | tuple[type, ...]] = (*(str,) * 4, int, int, _NUMBER, _TEXT, int)
_CURRENT = "released_us IS NULL AND until_us > ?"
QUERY = f"SELECT {_COLUMNS}, number FROM claim ORDER BY number"  # noqa: S608 - fixed text
"""All that there are, for ``copy``."""


# --- names ----------------------------------------------------------------------------------------


def short_of(host: str) -> str:
    """What the names of one host have in common: the first label, in small letters.  An address has
    no labels."""
    name = host.casefold()
    is_address = ":" in name or name.replace(".", "").isdigit()
    return name if is_address else name.partition(".")[0]


def same_host(one: str, other: str) -> bool:
    """``web-1`` is ``WEB-1`` and any ``web-1.…``; two full names are one host only when they are
    the same."""
    first, second = one.casefold(), other.casefold()
    if first == second:
        return True
    return short_of(first) == short_of(second) and ("." in first) != ("." in second)


def known_as(host: str | None, local: Collection[str]) -> Collection[str]:
    """All names of a host: this machine has several (``local``), and is meant where a log names
    none."""
    if host is None or any(same_host(host, name) for name in local):
        return local if host is None else {host, *local}
    return (host,)


def is_of(claim: Claim, names: Iterable[str]) -> bool:
    return any(same_host(claim.host, name) for name in names)


def same_person(one: str, other: str) -> bool:
    r"""``alice`` is ``Alice``, ``CORP\alice`` and ``alice@corp.example``."""
    return _bare(one) == _bare(other)


def _bare(user: str) -> str:
    name = user.rpartition("\\")[2]
    return (name.partition("@")[0] or name or user).casefold()


# --- the table ------------------------------------------------------------------------------------


def are_kept(connection: sqlite3.Connection) -> bool:
    """False for the state of an older version, which has no room for claims yet."""
    return bool(connection.execute("PRAGMA table_info(claim)").fetchone())


def current(connection: sqlite3.Connection, now_us: int) -> list[Claim]:
    """Those that hold at this moment, by host; none in the state of an older version."""
    if not are_kept(connection):
        return []
    rows = connection.execute(
        f"SELECT {_COLUMNS}, number FROM claim WHERE {_CURRENT} ORDER BY host, number",  # noqa: S608
        (now_us,),
    )
    return [Claim(*row) for row in rows]


def of_host(connection: sqlite3.Connection, names: Collection[str], now_us: int) -> list[Claim]:
    """Those that hold at this moment for a host of these names (``known_as``)."""
    shorts = {short_of(name) for name in names}
    rows = connection.execute(
        f"SELECT {_COLUMNS}, number FROM claim WHERE {_CURRENT}"  # noqa: S608 - only marks
        f" AND short IN ({', '.join('?' * len(shorts))}) ORDER BY number",
        (now_us, *sorted(shorts)),
    )
    return [claim for claim in (Claim(*row) for row in rows) if is_of(claim, names)]


def every(connection: sqlite3.Connection) -> list[Claim]:
    """All that are kept, the oldest first."""
    if not are_kept(connection):
        return []
    return [Claim(*row) for row in connection.execute(QUERY)]


def numbered(connection: sqlite3.Connection, numbers: Collection[int]) -> list[Claim]:
    """Those of these numbers, ended or not."""
    rows = connection.execute(
        f"SELECT {_COLUMNS}, number FROM claim"  # noqa: S608 - only marks
        f" WHERE number IN ({', '.join('?' * len(numbers))}) ORDER BY number",
        sorted(numbers),
    )
    return [Claim(*row) for row in rows]


def seen_hosts(connection: sqlite3.Connection) -> list[str]:
    """The hosts of all sessions that are kept."""
    rows = connection.execute("SELECT DISTINCT host FROM session WHERE host IS NOT NULL")
    return [str(host) for (host,) in rows]


def add(connection: sqlite3.Connection, claim: Claim) -> None:
    """Keep a new one; the oldest that have ended make room for it.

    Raises TroubleError when there is none because all hold.
    """
    _insert(connection, claim)
    surplus = connection.execute("SELECT count(*) FROM claim").fetchone()[0] - MOST
    if surplus <= 0:
        return
    gone = connection.execute(
        "DELETE FROM claim WHERE number IN (SELECT number FROM claim"
        " WHERE released_us IS NOT NULL OR until_us <= ? ORDER BY number LIMIT ?)",
        (claim.made_us, surplus),
    ).rowcount
    if gone < surplus:
        raise TroubleError(f"{MOST} claims hold already: release some first")


def end(connection: sqlite3.Connection, ended: Iterable[Claim], by: str, now_us: int) -> None:
    """End claims before their time."""
    connection.executemany(
        "UPDATE claim SET released_us = ?, released_by = ? WHERE number = ?",
        [(now_us, by, claim.number) for claim in ended],
    )


def forget_old(connection: sqlite3.Connection, before_us: int) -> None:
    """Forget those that had ended before."""
    connection.execute(
        "DELETE FROM claim WHERE min(coalesce(released_us, until_us), until_us) < ?", (before_us,)
    )


def copy(rows: Iterable[tuple[object, ...]], to: sqlite3.Connection) -> None:
    """Keep what ``QUERY`` gave of another state, under the same numbers; what is no claim is left
    out."""
    for row in islice(rows, MOST):
        if all(isinstance(value, kind) for value, kind in zip(row, _KINDS, strict=True)):
            _insert(to, Claim(*row))  # type: ignore[arg-type]


def _insert(connection: sqlite3.Connection, claim: Claim) -> None:
    connection.execute(
        f"INSERT OR IGNORE INTO claim ({_COLUMNS}, number, short)"  # noqa: S608 - only marks
        f" VALUES ({', '.join('?' * 10)})",
        (*claim[:8], claim.number or None, short_of(claim.host)),
    )
