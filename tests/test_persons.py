"""What keys are called, and whose a su is, by real processes and a real state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sessions.logs import RULES, records
from usersessionmon.cli.main import main
from usersessionmon.clock import ManualClock, SystemClock
from usersessionmon.config import load
from usersessionmon.errors import UserError
from usersessionmon.model import Change, Link, NamedBy
from usersessionmon.persons import Persons
from usersessionmon.pipeline import Pipeline
from usersessionmon.sessions.engine import Engine
from usersessionmon.store import db, state
from usersessionmon.store.place import open_state

PRINT = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8"
ACCEPTED = "08:00:00 sshd[{}]: Accepted publickey for {} from 198.51.100.7 port 50000 ssh2: {}"
ID = f"ED25519-CERT {PRINT} ID alice's card (serial 5) CA ED25519 SHA256:{'x' * 43}"


class Live:
    """An engine that follows a log on this very machine, a second behind."""

    def __init__(self, keys: dict[str, str] | None = None, comment: str | None = None) -> None:
        self.engine = Engine()
        self.clock = ManualClock()
        self.asked: list[tuple[str, str]] = []

        def comment_of(user: str, fingerprint: str) -> str | None:
            self.asked.append((user, fingerprint))
            return comment

        self.persons = Persons(keys or {}, {"web-1"}, None, self.clock, comment=comment_of)

    def read(self, *lines: str, late: float = 1.0, host: str = "web-1") -> list[Change]:
        found = records(lines, host=host)
        self.clock.us = found[-1].time.us + round(late * 1_000_000)
        changes = Pipeline(RULES, self.engine).process(found)
        return [self.persons.know(self.engine, change) for change in changes]

    def views(self) -> list[Any]:
        return [view for _, view in self.engine.open_sessions()]


@pytest.mark.parametrize(
    ("keys", "comment", "key", "name", "by"),
    [
        ({PRINT: "laptop"}, "x", f"ED25519 {PRINT}", "laptop", NamedBy.CONFIG),
        ({}, "alice@home", f"ED25519 {PRINT}", "alice@home", NamedBy.COMMENT),
        ({}, None, f"ED25519 {PRINT}", None, None),
        ({}, "x", ID, "alice's card", NamedBy.CERTIFICATE),
        ({PRINT: "laptop"}, "x", ID, "laptop", NamedBy.CONFIG),
    ],
)
def test_the_configuration_goes_before_a_certificate_and_that_before_a_comment(
    keys: dict[str, str], comment: str | None, key: str, name: str | None, by: NamedBy | None
) -> None:
    live = Live(keys, comment)
    (login,) = live.read(ACCEPTED.format(10, "alice", key))
    assert (login.key_name, login.key_named_by) == (name, by)
    (view,) = live.views()
    assert (view.key_name, view.key_named_by) == (name, by)
    delta = live.engine.drain()
    again = Engine.load([body for body in delta.connections.values() if body], delta.hosts.values())
    ((_, view),) = again.open_sessions()
    assert (view.key_name, view.key_named_by) == (name, by)


def test_comments_are_looked_up_for_fresh_logins_of_this_host_alone() -> None:
    live = Live(comment="x")
    line = ACCEPTED.format(10, "alice", f"ED25519 {PRINT}")
    assert live.read(line, late=3600)[0].key_name is None
    assert live.read(line, host="other")[0].key_name is None
    assert live.asked == []
    assert live.read(line.replace("[10]", "[11]"))[0].key_name == "x"
    assert live.asked == [("alice", PRINT)]


@pytest.fixture
def su(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process by the name of su, which comes from this one."""
    shutil.copy("/bin/sleep", tmp_path / "su")
    with subprocess.Popen([tmp_path / "su", "60"]) as child:
        yield child
        child.kill()


def test_the_process_tree_tells_whose_a_su_is(su: subprocess.Popen[bytes]) -> None:
    live = Live()
    me = os.getpid()
    now = datetime.fromtimestamp(SystemClock().now_us() // 1_000_000 + 1, UTC)
    day, clock = f"{now:%Y-%m-%d}", f"{now:%H:%M:%S}"

    def at(line: str) -> str:
        return f"{day}T{clock}+00:00 web-1 {line.partition(' ')[2]}"

    plain = ACCEPTED.replace(" ssh2: {}", " ssh2")
    live.read(at(plain.format(4_194_303, "alice")))
    live.read(at(plain.format(me, "alice").replace("50000", "50001")))
    (change,) = live.read(
        at(f"- su[{su.pid}]: (to root) alice on pts/0"),
        at(f"- su[{su.pid}]: pam_unix(su:session): session opened for user root by alice(uid=1)"),
    )
    assert (change.link, change.login_from) == (Link.PROCESS, "198.51.100.7")
    assert [(view.pid, view.elevated_to) for view in live.views()] == [
        (4_194_303, ()),
        (me, ("root",)),
    ]
    live.clock.advance(60)
    live.persons.call(live.engine)
    assert live.views()[1].elevated_to == ("root",)
    su.kill()
    su.wait()
    live.persons.call(live.engine)
    assert live.views()[1].elevated_to == ("root",)  # not so soon again
    live.clock.advance(60)
    live.persons.call(live.engine)
    assert live.views()[1].elevated_to == ()


def test_a_process_that_is_no_su_proves_nothing(su: subprocess.Popen[bytes]) -> None:
    live = Live()
    me = os.getpid()
    live.read(ACCEPTED.format(me, "alice", "X").replace(": X", ""))
    for pid, late in ((me, 1.0), (4_194_303, 1.0), (su.pid, 60.0)):
        (change,) = live.read(f"08:00:01 su[{pid}]: (to root) bob on pts/0", late=late)
        assert change.link is None


def test_bad_names_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f'keys:\n  SHA256:short: a\n  {PRINT}: "a\\nb"\n')
    with pytest.raises(UserError) as caught:
        load(path)
    first, second = caught.value.lines
    assert "SHA256:short is no fingerprint" in first
    assert "must be 1 to 100 printable characters" in second
    path.write_text(f"keys: {{{PRINT}: 王芳 @ home}}\n")
    assert load(path).keys == {PRINT: "王芳 @ home"}


def test_who_and_history_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = Live(comment="alice@home")
    live.read(
        ACCEPTED.format(10, "alice", f"ED25519 {PRINT}"),
        "08:00:01 su[20]: (to root) alice on pts/0",
        "08:00:01 su[20]: pam_unix(su:session): session opened for user root by alice(uid=1)",
    )
    folder = tmp_path / "state"
    folder.mkdir()
    delta = live.engine.drain()
    with closing(open_state(folder)) as connection, db.transaction(connection):
        state.write_engine(connection, delta.connections, delta.hosts, delta.sessions)
    config = tmp_path / "config.yaml"

    def rows(command: str) -> list[dict[str, Any]]:
        assert main([command, "--json", "--config", str(config)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    config.write_text(f"state: {{dir: {folder}}}\n")
    for command in ("who", "history"):
        (row,) = rows(command)
        assert (row["elevated_to"], row["became"]) == ("root", "root")
        assert (row["key_name"], row["key_named_by"]) == ("alice@home", "comment")
        assert row["person"] == "alice"
    config.write_text(f"state: {{dir: {folder}}}\nkeys: {{{PRINT}: Alice's laptop}}\n")
    for command in ("who", "history"):
        (row,) = rows(command)
        assert (row["key_name"], row["key_named_by"]) == ("Alice's laptop", "config")
        assert row["person"] == "Alice's laptop"
    assert main(["who", "--config", str(config)]) == 0
    assert "alice → root" in capsys.readouterr().out
    assert main(["history", "--config", str(config)]) == 0
    assert "became root" in capsys.readouterr().out


def test_a_state_of_before_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    """As the version before wrote it: who only looks cannot change it."""
    file = tmp_path / db.FILE_NAME
    with closing(db.connect(file)) as connection:
        for number, sql in db.migrations():
            if number < 6:
                for statement in db._statements(sql):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={number:d}")
        connection.execute(
            "INSERT INTO session (id, service, user, abnormal, inferred, state, begun_us) "
            "VALUES ('a', 'sshd', 'alice', 0, 0, 'open', 1)"
        )
        (before,) = state.sessions(connection, state.Query())
        assert (before.user, before.became, before.key_name) == ("alice", (), None)
    with closing(open_state(tmp_path)) as connection:
        assert list(state.sessions(connection, state.Query())) == [before]
