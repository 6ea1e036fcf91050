"""Opening, migrating, changing and reading the state's file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.strangers import let_in
from usersessionmon.errors import TroubleError
from usersessionmon.model import Moment, Reason, SessionView
from usersessionmon.store import db, state
from usersessionmon.store.place import holder, locked, open_state, reading, state_dir


def test_migrations_are_numbered_without_a_gap_and_recorded(tmp_path: Path) -> None:
    numbers = [number for number, _ in db.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    with closing(db.connect(tmp_path / "state.db")) as connection:
        assert db.schema_version(connection) == 0
        db.migrate(connection)
        assert db.schema_version(connection) == numbers[-1]
        db.migrate(connection)  # nothing to do


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with closing(open_state(tmp_path)) as connection:
        with pytest.raises(sqlite3.OperationalError), db.transaction(connection):
            _write_then_fail(connection)
        assert state.read_position(connection, "journal") is None
        with db.transaction(connection):
            state.write_position(connection, "journal", "two", 2)
        assert state.read_position(connection, "journal") == "two"


def _view(name: str, login: int, logout: int | None, **more: object) -> SessionView:
    values: dict[str, object] = {
        "session": name, "host": "web-1", "service": "sshd", "user": "alice", "ip": "192.0.2.7",
        "port": 1, "method": "password", "key_fingerprint": None,
        "login_time": Moment(login, f"login {login}"),
        "logout_time": None if logout is None else Moment(logout, f"logout {logout}"),
        "duration": None if logout is None else (logout - login) / 1e6,
        "reason": None if logout is None else Reason.USER, "abnormal": False, "inferred": False,
        "state": "open" if logout is None else "closed", "tty": None, "pid": 5, "boot": None,
    }  # fmt: skip
    return SessionView(**{**values, **more})  # type: ignore[arg-type]


def test_sessions_come_back_as_they_were_and_as_they_are_asked_for(tmp_path: Path) -> None:
    rows = [
        _view("a", 1_000_000, 2_500_000),
        _view("b", 2_000_000, 9_000_000, user="bob", abnormal=True, reason=Reason.NETWORK),
        _view("c", 3_000_000, None, ip="2001:db8::1"),
        _view("d", 4_000_000, None, user=None, login_time=None),
    ]
    with closing(open_state(tmp_path)) as connection:
        with db.transaction(connection):
            state.write_engine(connection, {}, {}, rows)

        def ask(**query: object) -> list[str]:
            found = state.sessions(connection, state.Query(**query))  # type: ignore[arg-type]
            return [view.session for view in found]

        assert [view for view in state.sessions(connection, state.Query()) if view.session != "d"] \
            == rows[:3]  # fmt: skip
        assert ask(user="bob") == ["b"]
        assert ask(ip="2001:db8::1") == ["c"]
        assert ask(only_open=True) == ["d", "c"]
        assert ask(only_abnormal=True) == ["b"]
        assert ask(limit=2) == ["b", "c"]
        assert ask(since_us=2_600_000) == ["d", "b", "c"]
        assert ask(since_us=2_600_000, until_us=3_000_000) == ["d", "b"]
        assert state.session(connection, "b") == rows[1]
        assert state.session(connection, "none") is None


def test_many_sessions_are_read_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leafs through them holds no read open: SQLite's log could not be emptied meanwhile."""
    monkeypatch.setattr(state, "_PORTION", 7)
    rows = [_view(f"{number:02}", 1_000_000 * (number // 3 + 1), None) for number in range(50)]
    with closing(open_state(tmp_path)) as connection:
        with db.transaction(connection):
            state.write_engine(connection, {}, {}, rows)

        def ask(**query: object) -> list[SessionView]:
            return list(state.sessions(connection, state.Query(**query)))  # type: ignore[arg-type]

        assert ask() == rows
        assert ask(only_open=True, user=rows[0].user) == rows
        for limit in (1, 6, 7, 8, 49, 50, 51):
            assert ask(limit=limit) == rows[-limit:]
        with reading(tmp_path) as reader:
            assert reader is not None
            found = state.sessions(reader, state.Query())
            next(found)
            with db.transaction(connection):
                connection.execute("DELETE FROM session WHERE id = '49'")
            busy, left, done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert (busy, left, done) == (0, 0, 0)
            assert [view.session for view in found][-1] == "48"


def test_one_holds_the_state_and_is_named(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()
        code = (
            "import sys; from pathlib import Path; from usersessionmon.store.place import locked\n"
            f"with locked(Path({str(tmp_path)!r})): pass"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert f"(pid {os.getpid()})" in other.stderr
    assert holder(tmp_path) is None


def test_who_only_looks_keeps_no_monitor_from_starting(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    code = (
        "from pathlib import Path; from usersessionmon.store.place import holder\n"
        f"print(flush=True)\nwhile True: holder(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            for _ in range(3000):
                with locked(tmp_path):
                    pass
        finally:
            other.kill()


_PLAY = """
import os, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1])); os.umask(0o027)
from contextlib import closing
from pathlib import Path
from usersessionmon.store import db, state
from usersessionmon.store.place import holder, locked, open_state, reading
path = Path(sys.argv[3])
def told(number):
    print(number, flush=True)
    return input()
def write(number, connection):
    with db.transaction(connection):
        state.write_facts(connection, {"number": str(number)})
def read():
    with reading(path) as connection:
        return state.read_facts(connection)["number"]
"""
_WRITER = """
with locked(path), closing(open_state(path)) as connection:
    for number in range(1000):
        write(number, connection)
        if told(number):
            break
"""
_READER = "print(read(), holder(path))"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play other users")
@pytest.mark.parametrize(
    ("user", "group", "mode", "how"),
    [(2002, 2001, 0o750, "ends"), (2002, 2001, 0o770, "is killed"), (0, 0, 0o750, "ends")],
)
def test_a_reader_of_the_services_group_reads_and_leaves_nothing(
    tmp_path: Path, user: int, group: int, mode: int, how: str
) -> None:
    """While the service runs, after its end, and after it was killed."""
    let_in(tmp_path)
    path = tmp_path / "state"
    path.mkdir()
    os.chown(path, 2000, 2001)
    path.chmod(mode)

    def play(what: str, uid: int, gid: int) -> list[str]:
        return [sys.executable, "-c", _PLAY + what, str(uid), str(gid), str(path)]

    def look() -> str:
        done = subprocess.run(play(_READER, user, group), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        owners = {(found.stat().st_uid, found.stat().st_mode & 0o777) for found in path.iterdir()}
        assert owners == {(2000, 0o640)}
        return done.stdout.strip()

    with subprocess.Popen(
        play(_WRITER, 2000, 2001), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None and writer.stdout is not None
        for number in range(3):
            assert writer.stdout.readline() == f"{number}\n"
            assert look() == f"{number} {writer.pid}"
            print(file=writer.stdin, flush=True)
        assert writer.stdout.readline() == "3\n"
        if how == "ends":
            print("end", file=writer.stdin, flush=True)
        else:
            writer.kill()
        writer.wait(30)
    before = sorted(path.iterdir())
    assert look() == "3 None"
    assert sorted(path.iterdir()) == before
    again = subprocess.run(play(_WRITER, 2000, 2001), input="end\n", capture_output=True, text=True)
    assert again.returncode == 0, again.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play a user without rights")
def test_a_reader_without_write_access_reads_while_nobody_writes(tmp_path: Path) -> None:
    open_state(tmp_path).close()
    let_in(tmp_path)
    code = (
        "import os; os.setgid(65534); os.setuid(65534)\n"
        "from pathlib import Path; from usersessionmon.store.place import reading\n"
        f"with reading(Path({str(tmp_path)!r})) as c: print(c is not None)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"x" * 9000)
    with pytest.raises(TroubleError, match="damaged"):
        open_state(tmp_path)
    with pytest.raises(TroubleError, match="damaged"), reading(tmp_path):
        raise AssertionError
    with reading(tmp_path / "none") as connection:
        assert connection is None


def test_a_user_without_rights_has_a_state_of_his_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_dir("/srv/x") == Path("/srv/x")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda *_: False)
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    own = state_dir("/var/lib/user-session-monitor", environment)
    assert own == tmp_path / "user-session-monitor"
    service = {**environment, "STATE_DIRECTORY": "/var/lib/user-session-monitor"}
    assert state_dir("/var/lib/user-session-monitor", service) == Path(service["STATE_DIRECTORY"])
    assert state_dir("/srv/x", environment) == Path("/srv/x")


def test_the_sqlite_of_rhel_9_would_do() -> None:
    """No STRICT tables and no RETURNING: 3.34 has neither."""
    for _, sql in db.migrations():
        assert "STRICT" not in sql
        assert "RETURNING" not in sql
    assert sqlite3.sqlite_version_info >= (3, 34)


def _write_then_fail(connection: sqlite3.Connection) -> None:
    state.write_position(connection, "journal", "one", 1)
    connection.execute("oops")
