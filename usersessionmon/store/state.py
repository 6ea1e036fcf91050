"""The engine's memory, the log's position and the sessions' rows, in the state's database.

The writing functions are called inside the main loop's one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from usersessionmon.model import Moment, NamedBy, Reason, SessionView

_FIRST = (
    "id, host, service, user, ip, port, method, key_fingerprint, login_us, login_text, "
    "logout_us, logout_text, duration, reason, abnormal, inferred, state, tty, pid, boot"
)
_LATER = (
    *("elevated_to", "became", "key_name", "key_named_by"),
    *("desktop", "by_user", "by_ip", "kept"),
)
"""Columns that a state of an older version does not have."""
_COLUMNS = ", ".join((_FIRST, *_LATER))

ELSEWHERE = "elsewhere_us"
"""The fact that says what ``told_elsewhere_us`` does, until the source is up to its end."""
SAME_LINE_US = 1_000_000
"""One line may be this much later in one log than in another: some write whole seconds."""
_PORTION = 1000
"""Sessions that are read at once."""
_REPLACE = (
    f"REPLACE INTO session ({_COLUMNS}, begun_us) "  # noqa: S608 - only marks
    f"VALUES ({', '.join('?' * 29)})"
)


@dataclass(frozen=True, slots=True)
class Query:
    """What ``history`` asks for; times in microseconds UTC."""

    user: str | None = None
    """A Windows account in any letters."""
    host: str | None = None
    """In any letters, by its short or its full name."""
    ip: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    limit: int | None = None
    only_open: bool = False
    only_abnormal: bool = False


def read_position(connection: sqlite3.Connection, source: str) -> str | None:
    """The saved position of a source, as it gave it."""
    row = connection.execute("SELECT value FROM position WHERE source = ?", (source,)).fetchone()
    return None if row is None else str(row[0])


def write_position(connection: sqlite3.Connection, source: str, value: str, now_us: int) -> None:
    connection.execute("REPLACE INTO position VALUES (?, ?, ?)", (source, value, now_us))


def told_elsewhere_us(
    connection: sqlite3.Connection, source: str, facts: Mapping[str, str]
) -> int | None:
    """Up to when another source was followed since this one was; what this one has of that time is
    known.  None when nothing is.  ``facts``: as they were saved."""
    newest = connection.execute(
        "SELECT source, saved_us FROM position ORDER BY saved_us DESC LIMIT 1"
    ).fetchone()
    text = facts.get(ELSEWHERE, "")
    if newest is not None and newest[0] != source:
        last = facts.get("last_line_us", "")
        if last.isdecimal():  # a line from the future says nothing of the time until then
            text = str(min(int(last) + SAME_LINE_US, newest[1]))
    return int(text) if text.isdecimal() else None


def read_engine(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """(connections, hosts) as JSON texts, for ``Engine.load``."""
    connections = [row[0] for row in connection.execute("SELECT body FROM connection")]
    hosts = [row[0] for row in connection.execute("SELECT body FROM host")]
    return connections, hosts


def write_engine(
    connection: sqlite3.Connection,
    connections: Mapping[str, str | None],
    hosts: Mapping[str, str],
    sessions: Iterable[SessionView],
) -> None:
    """Save what changed in the engine."""
    connection.executemany(
        "DELETE FROM connection WHERE key = ?",
        [(key,) for key, body in connections.items() if body is None],
    )
    connection.executemany(
        "REPLACE INTO connection VALUES (?, ?)",
        [(key, body) for key, body in connections.items() if body is not None],
    )
    connection.executemany("REPLACE INTO host VALUES (?, ?)", list(hosts.items()))
    connection.executemany(_REPLACE, [_row(view) for view in sessions])


def read_windows(connection: sqlite3.Connection) -> list[str]:
    """What is remembered of each Windows host, as JSON texts, for ``Desktops.load``."""
    return [row[0] for row in connection.execute("SELECT body FROM windows")]


def write_windows(
    connection: sqlite3.Connection,
    logs: Mapping[str, str | None],
    sessions: Iterable[SessionView],
) -> None:
    """Save what changed in the engine for Windows; None: forget the host."""
    connection.executemany(
        "DELETE FROM windows WHERE origin = ?",
        [(origin,) for origin, body in logs.items() if body is None],
    )
    connection.executemany(
        "REPLACE INTO windows VALUES (?, ?)",
        [(origin, body) for origin, body in logs.items() if body is not None],
    )
    connection.executemany(_REPLACE, [_row(view) for view in sessions])


def _row(view: SessionView) -> tuple[object, ...]:
    login, logout = view.login_time, view.logout_time
    begun = login or logout
    return (
        view.key, view.host, view.service, view.user, view.ip, view.port,
        view.method, view.key_fingerprint,
        login.us if login else None, login.text if login else None,
        logout.us if logout else None, logout.text if logout else None,
        view.duration, view.reason.value if view.reason else None,
        view.abnormal, view.inferred, view.state, view.tty, view.pid, view.boot,
        _names_text(view.elevated_to), _names_text(view.became),
        view.key_name, view.key_named_by.value if view.key_named_by else None,
        view.session if view.row else None, view.by_user, view.by_ip, view.kept,
        begun.us if begun else 0,
    )  # fmt: skip


def _names_text(names: tuple[str, ...]) -> str | None:
    return json.dumps(names, ensure_ascii=False) if names else None


def _names(value: object) -> tuple[str, ...]:
    found = json.loads(value) if isinstance(value, str) else []
    if not isinstance(found, list):
        raise ValueError("no list of names")
    return tuple(map(str, found))


def _columns(connection: sqlite3.Connection) -> str:
    """The columns to ask for: who only looks may meet the state of an older version."""
    there = {name for _, name, *_ in connection.execute("PRAGMA table_info(session)")}
    return ", ".join((_FIRST, *(name if name in there else f"NULL AS {name}" for name in _LATER)))


def closed_sessions(connection: sqlite3.Connection, order: str) -> str:
    """SQL for the ended sessions, from one end (``ASC``) or the other (``DESC``)."""
    return (
        f"SELECT {_columns(connection)}, begun_us "  # noqa: S608 - fixed texts
        f"FROM session NOT INDEXED WHERE state = 'closed' ORDER BY rowid {order}"
    )


def copy_session(connection: sqlite3.Connection, row: tuple[object, ...]) -> None:
    """Keep a row that ``closed_sessions`` gave of another state.  Raises ValueError, TypeError or
    sqlite3.Error for what is no session."""
    view = _view(row)
    if view.login_time is None and view.logout_time is None:
        raise ValueError("a session of no time")
    connection.execute(_REPLACE, _row(view))


def sessions(connection: sqlite3.Connection, query: Query) -> Iterator[SessionView]:
    """Sessions that fit, oldest first; with a limit the newest ones.

    Read in portions: while somebody leafs through the answer no read stays open, which would keep
    SQLite's log from being emptied for as long.
    """
    conditions, values = _conditions(query, windows=_has_windows(connection))
    columns = _columns(connection)
    place: tuple[int, str] | None = _begin(connection, query.limit, conditions, values)
    while place is not None:
        rows = connection.execute(
            f"SELECT {columns}, begun_us FROM session "  # noqa: S608 - fixed texts
            f"WHERE {conditions} AND (begun_us, id) > (?, ?) ORDER BY begun_us, id LIMIT ?",
            (*values, *place, _PORTION),
        ).fetchall()
        for row in rows:
            yield _view(row)
        place = (rows[-1][-1], rows[-1][0]) if len(rows) == _PORTION else None


def newest_row(connection: sqlite3.Connection) -> int:
    """The number of the row that was written last; 0: there is none.  A session that changes gets a
    new one, so that these numbers are the order in which sessions were last touched."""
    return int(connection.execute("SELECT coalesce(max(rowid), 0) FROM session").fetchone()[0])


def touched_before(
    connection: sqlite3.Connection, row: int, most: int
) -> list[tuple[int, SessionView]]:
    """(row, session) of rows before that one, the last touched first."""
    return _touched(connection, "rowid < ? ORDER BY rowid DESC", row, most)


def touched_after(connection: sqlite3.Connection, row: int, most: int) -> list[SessionView]:
    """Sessions that were touched since that row was the newest."""
    return [view for _, view in _touched(connection, "rowid > ? ORDER BY rowid", row, most)]


def _touched(
    connection: sqlite3.Connection, condition: str, row: int, most: int
) -> list[tuple[int, SessionView]]:
    rows = connection.execute(
        f"SELECT rowid, {_columns(connection)}, begun_us "  # noqa: S608 - fixed texts
        f"FROM session NOT INDEXED WHERE {condition} LIMIT ?",
        (row, most),
    )
    return [(number, _view(tuple(values))) for number, *values in rows.fetchall()]


def session(connection: sqlite3.Connection, number: str) -> SessionView | None:
    """One row by its ``key``."""
    row = connection.execute(
        f"SELECT {_columns(connection)}, begun_us "  # noqa: S608 - fixed texts
        "FROM session WHERE id = ?",
        (number,),
    ).fetchone()
    return None if row is None else _view(row)


_OF_WINDOWS_TOO = "(user = ? OR (service = 'windows' AND user = ? COLLATE NOCASE))"
"""No index serves the second part: where no Windows is followed it is not asked for."""
_OF_HOST = "(host = ? COLLATE NOCASE OR substr(host, 1, length(?)) = ? COLLATE NOCASE)"


def _has_windows(connection: sqlite3.Connection) -> bool:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'windows'").fetchone()
    if there is None:
        return False
    return connection.execute("SELECT 1 FROM windows LIMIT 1").fetchone() is not None


def _conditions(query: Query, *, windows: bool) -> tuple[str, list[object]]:
    """SQL and its values."""
    conditions: list[str] = ["1"]
    values: list[object] = []
    if query.user is not None:
        conditions.append(_OF_WINDOWS_TOO if windows else "user = ?")
        values += [query.user, query.user] if windows else [query.user]
    if query.host is not None:
        conditions.append(_OF_HOST)
        values += [query.host, f"{query.host}.", f"{query.host}."]
    for condition, value in (
        ("ip = ?", query.ip),
        ("(state = 'open' OR logout_us >= ?)", query.since_us),
        ("begun_us < ?", query.until_us),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if query.only_open:
        conditions.append("state = 'open'")
    if query.only_abnormal:
        conditions.append("abnormal = 1")
    return " AND ".join(conditions), values


def _begin(
    connection: sqlite3.Connection, limit: int | None, conditions: str, values: list[object]
) -> tuple[int, str]:
    """(begun, id) behind which the newest ``limit`` sessions stand."""
    first = (-(2**63), "")
    if limit is None:
        return first
    found = connection.execute(
        f"SELECT begun_us, id FROM session WHERE {conditions} "  # noqa: S608 - fixed texts
        "ORDER BY begun_us DESC, id DESC LIMIT 1 OFFSET ?",
        (*values, limit),
    ).fetchone()
    return first if found is None else (int(found[0]), str(found[1]))


def _view(row: tuple[object, ...]) -> SessionView:
    (
        session, host, service, user, ip, port, method, key_fingerprint,
        login_us, login_text, logout_us, logout_text,
        duration, reason, abnormal, inferred, state, tty, pid, boot,
        elevated_to, became, key_name, key_named_by, desktop, by_user, by_ip, kept, _,
    ) = row  # fmt: skip
    return SessionView(
        session=str(session if desktop is None else desktop),
        host=_text(host),
        service=str(service),
        user=_text(user),
        ip=_text(ip),
        port=port if isinstance(port, int) else None,
        method=_text(method),
        key_fingerprint=_text(key_fingerprint),
        login_time=_moment(login_us, login_text),
        logout_time=_moment(logout_us, logout_text),
        duration=float(duration) if isinstance(duration, float | int) else None,
        reason=Reason(str(reason)) if reason is not None else None,
        abnormal=bool(abnormal),
        inferred=bool(inferred),
        state=str(state),
        tty=_text(tty),
        pid=pid if isinstance(pid, int) else None,
        boot=_text(boot),
        elevated_to=_names(elevated_to),
        became=_names(became),
        key_name=_text(key_name),
        key_named_by=NamedBy(str(key_named_by)) if key_named_by is not None else None,
        row="" if desktop is None else str(session),
        by_user=_text(by_user),
        by_ip=_text(by_ip),
        kept=bool(kept),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(us: object, text: object) -> Moment | None:
    return Moment(us, str(text)) if isinstance(us, int) else None


def write_facts(connection: sqlite3.Connection, facts: Mapping[str, str]) -> None:
    """Save values for ``status``."""
    connection.executemany("REPLACE INTO fact VALUES (?, ?)", list(facts.items()))


def read_facts(connection: sqlite3.Connection) -> dict[str, str]:
    """What ``write_facts`` saved."""
    return dict(connection.execute("SELECT name, value FROM fact"))


def add_coverage(
    connection: sqlite3.Connection, understood: Mapping[str, int], not_understood: Mapping[str, int]
) -> None:
    """Add to the counts of lines by program."""
    connection.executemany(
        "INSERT INTO coverage VALUES (?, ?, ?) ON CONFLICT (program) DO UPDATE SET "
        "understood = understood + excluded.understood, "
        "not_understood = not_understood + excluded.not_understood",
        [
            (program, understood.get(program, 0), not_understood.get(program, 0))
            for program in {**understood, **not_understood}
        ],
    )


def read_coverage(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Program → (understood, not understood)."""
    return {
        program: (understood, missed)
        for program, understood, missed in connection.execute(
            "SELECT program, understood, not_understood FROM coverage ORDER BY program"
        )
    }
