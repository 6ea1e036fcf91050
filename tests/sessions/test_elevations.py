"""su and sudo belong to whoever had logged in, for as long as they last."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.sessions.logs import RULES, records
from usersessionmon.model import Change, ChangeKind, Link, Record, Trusted
from usersessionmon.pipeline import Pipeline
from usersessionmon.sessions.engine import Engine
from usersessionmon.sessions.state import load_connection, load_host

SU = "pam_unix(su:session): session"
SUDO = "pam_unix(sudo:session): session"
TTY = "sshd[{}]: Starting session: shell on {} for {} from 198.51.100.7 port {} id 0"


def login(clock: str, pid: int, user: str, port: int = 5000) -> list[str]:
    return [
        f"{clock} sshd[{pid}]: Accepted password for {user} from 198.51.100.7 port {port} ssh2",
        f"{clock} sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1) by "
        "(uid=0)",
    ]


def logout(clock: str, pid: int, user: str) -> str:
    return f"{clock} sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}"


def su(clock: str, pid: int, caller: str, target: str, tty: str = "pts/0") -> list[str]:
    return [
        f"{clock} su[{pid}]: (to {target}) {caller} on {tty}",
        f"{clock} su[{pid}]: {SU} opened for user {target}(uid=0) by {caller}(uid=1)",
    ]


def sudo(
    clock: str, caller: str, command: str, target: str = "root", tag: str = "sudo"
) -> list[str]:
    return [
        f"{clock} {tag}:    {caller} : TTY=pts/0 ; PWD=/ ; USER={target} ; COMMAND={command}",
        f"{clock} {tag}: {SUDO} opened for user {target}(uid=0) by {caller}(uid=1)",
    ]


class Play:
    """A log that is read line by line; between any two lines the state is saved and loaded."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self.engine = Engine()
        self.told: list[Change] = []

    def read(self, given: Iterable[str] | Iterable[Record]) -> Play:
        lines = list(given)
        found = [line for line in lines if isinstance(line, Record)]
        for record in found or records([line for line in lines if isinstance(line, str)]):
            self.told += Pipeline(RULES, self.engine).one(record)
            delta = self.engine.drain()
            for key, body in delta.connections.items():
                if body is None:
                    self._bodies.pop(key, None)
                else:
                    self._bodies[key] = body
            self._hosts.update(delta.hosts)
            self.engine = Engine.load(self._bodies.values(), self._hosts.values())
        return self

    @property
    def on(self) -> dict[str, tuple[str, ...]]:
        return {view.user or "": view.elevated_to for _, view in self.engine.open_sessions()}

    @property
    def elevations(self) -> list[tuple[str | None, str | None, Link | None]]:
        return [
            (change.login_user, change.login_from, change.link)
            for change in self.told
            if change.kind is ChangeKind.ELEVATION
        ]


def test_su_is_its_callers_until_pam_closes_it() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), *su("08:01:00", 20, "alice", "root")])
    assert play.on == {"alice": ("root",)}
    assert play.elevations == [("alice", "198.51.100.7", Link.ONLY)]
    assert play.told[-1].inferred
    assert play.told[-1].session == play.told[0].session
    play.read([f"08:02:00 su[20]: {SU} closed for user root"])
    assert play.on == {"alice": ()}
    ((_, view),) = play.engine.open_sessions()
    assert view.became == ("root",)


def test_one_within_the_other() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), *su("08:01:00", 20, "alice", "root")])
    play.read(su("08:02:00", 21, "root", "postgres"))
    assert play.on == {"alice": ("root", "postgres")}
    assert play.elevations[1] == ("alice", "198.51.100.7", Link.TTY)
    play.read(sudo("08:02:30", "alice", "/bin/bash"))  # as root already within postgres
    assert play.on == {"alice": ("root", "postgres", "root")}
    play.read([f"08:03:00 su[21]: {SU} closed for user postgres"])
    assert play.on == {"alice": ("root",)}
    play.read(
        [logout("08:04:00", 10, "alice"), "08:04:05 sshd[9]: Server listening on :: port 22."]
    )
    assert play.on == {}
    assert play.told[-1].kind is ChangeKind.LOGOUT


@pytest.mark.parametrize(
    ("command", "lasts"),
    [
        ("/bin/bash", True),
        ("/usr/bin/zsh -l", True),
        ("/usr/bin/busybox sh", True),
        ("/bin/bash -c id", False),
        ("/bin/bash /tmp/x.sh", False),
        ("/usr/bin/id", False),
        ("/usr/bin/su -", False),  # su itself tells
        ("", False),
    ],
)
def test_a_shell_lasts_and_a_command_does_not(command: str, lasts: bool) -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), *sudo("08:01:00", "alice", command)])
    assert play.on == {"alice": ("root",) if lasts else ()}
    assert len(play.elevations) == 1
    play.read([f"08:02:00 sudo: {SUDO} closed for user root"])
    assert play.on == {"alice": ()}


def test_without_pids_a_command_ends_before_a_shell() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), *login("08:00:00", 11, "bob", 5001)])
    play.read([*sudo("08:01:00", "alice", "/bin/bash"), *sudo("08:01:01", "bob", "/usr/bin/id")])
    play.read([f"08:01:02 sudo: {SUDO} closed for user root"])
    assert play.on == {"alice": ("root",), "bob": ()}
    play.read([f"08:05:00 sudo: {SUDO} closed for user root"])
    assert play.on == {"alice": (), "bob": ()}


def test_without_pids_what_another_goes_on_in_is_not_over() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), *login("08:00:00", 11, "bob", 5001)])
    play.read(sudo("08:01:00", "alice", "/bin/bash"))
    play.read([*sudo("08:02:00", "bob", "/usr/bin/su -"), *su("08:02:00.2", 20, "bob", "root")])
    play.read([f"08:03:00 sudo: {SUDO} closed for user root"])
    assert play.on == {"alice": (), "bob": ("root",)}
    play.read([f"08:04:00 su[20]: {SU} closed for user root"])
    play.read(sudo("08:04:01", "alice", "/bin/bash"))
    play.read([f"08:04:02 sudo: {SUDO} closed for user root"])  # bob's, within which su was
    assert play.on == {"alice": ("root",), "bob": ()}


def test_what_sudo_calls_is_its_callers() -> None:
    """As of a host without audit sessions, where getlogin(3) says root."""
    play = Play().read([*login("08:00:00", 10, "alice"), *sudo("08:02:00", "alice", "/bin/su -")])
    play.read(su("08:02:00.2", 20, "root", "root", "pts/5"))
    assert play.on == {"alice": ("root",)}
    assert play.elevations[1] == ("alice", "198.51.100.7", Link.ONLY)


def test_an_end_of_sudo_i_is_none_of_sudo() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), *login("08:00:00", 11, "bob", 5001)])
    play.read(line.replace("(sudo:", "(sudo-i:") for line in sudo("08:01:00", "alice", "/bin/sh"))
    play.read(sudo("08:02:00", "bob", "/bin/bash"))
    play.read([f"08:03:00 sudo: {SUDO} closed for user root".replace("(sudo:", "(sudo-i:")])
    assert play.on == {"alice": (), "bob": ("root",)}


def test_of_two_sessions_none_is_taken_but_the_one_on_the_terminal() -> None:
    two = [*login("08:00:00", 10, "alice"), *login("08:00:05", 11, "alice", 5001)]
    play = Play().read([*two, *su("08:01:00", 20, "alice", "root")])
    assert play.elevations == [(None, None, None)]
    assert play.told[-1].session is None
    assert all(not view.elevated_to for _, view in play.engine.open_sessions())
    play = Play().read([*two, f"08:00:06 {TTY.format(11, 'pts/0', 'alice', 5001)}"])
    play.read(su("08:01:00", 20, "alice", "root"))
    assert play.elevations == [("alice", "198.51.100.7", Link.TTY)]
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [(), ("root",)]


@pytest.mark.parametrize(
    "lines",
    [
        su("08:01:00", 20, "root", "postgres", "none"),  # a timer, or a daemon
        su("08:01:00", 20, "bob", "root"),
        ["08:01:00 su[20]: (to root)  on none"],
    ],
)
def test_what_nobody_who_is_on_did_is_nobodys(lines: list[str]) -> None:
    play = Play().read([*login("08:00:00", 10, "root"), *lines])
    assert play.elevations == [(None, None, None)]
    assert play.on == {"root": ()}


def test_a_session_that_is_over_did_nothing() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), logout("08:00:10", 10, "alice")])
    play.read(su("08:01:00", 20, "alice", "root"))
    assert play.elevations == [(None, None, None)]


def test_what_was_never_opened_does_not_last() -> None:
    play = Play().read([*login("08:00:00", 10, "alice"), su("08:01:00", 20, "alice", "root")[0]])
    assert play.on == {"alice": ()}
    play.read([su("08:02:00", 20, "alice", "root")[1]])  # another's
    assert play.on == {"alice": ()}


def journal(record: Record, session: str, *, pid: int | None = None) -> Record:
    exe = f"/usr/{'sbin' if record.program.startswith('sshd') else 'bin'}/{record.program}"
    trusted = Trusted("syslog", 0, exe, record.program, audit_session=session)
    return record._replace(trusted=trusted, boot="b" * 32, pid=pid or record.pid)


def test_the_journal_knows_the_session() -> None:
    lines = [
        *login("08:00:00", 10, "alice"),
        "08:00:00 systemd-logind[5]: New session 7 of user alice.",
        *login("08:00:20", 11, "alice", 5001),
        "08:00:20 systemd-logind[5]: New session 8 of user alice.",
    ]
    logind = Trusted("syslog", 0, "/usr/lib/systemd/systemd-logind", "systemd-logind")
    found = [
        record._replace(trusted=logind, boot="b" * 32)
        if record.program == "systemd-logind"
        else journal(record, "4294967295")
        for record in records(lines)
    ]
    play = Play().read(found)
    steps = [*sudo("08:01:00", "alice", "/bin/bash"), *sudo("08:01:01", "alice", "/bin/bash")]
    ids = ("8", "8", "9", "9")
    pids = (30, 30, 31, 31)
    wanted = zip(records(steps), ids, pids, strict=True)
    play.read([journal(record, name, pid=pid) for record, name, pid in wanted])
    assert play.elevations == [("alice", "198.51.100.7", Link.AUDIT), (None, None, None)]
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [(), ("root",)]
    (close,) = records([f"08:02:00 sudo: {SUDO} closed for user root"])
    play.read([journal(close, "9", pid=31)])
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [(), ("root",)]
    play.read([journal(close, "8", pid=30)])
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [(), ()]


def test_the_live_host_corrects_what_was_concluded() -> None:
    two = [*login("08:00:00", 10, "alice"), *login("08:00:05", 11, "alice", 5001)]
    play = Play().read([*two, *su("08:01:00", 20, "alice", "root")])
    change = play.engine.belongs(play.told[-1], None, [19, 12, 11, 1], [])
    assert (change.login_user, change.link) == ("alice", Link.PROCESS)
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [(), ("root",)]
    assert play.engine.belongs(change, None, [10], []).link is Link.PROCESS
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [("root",), ()]
    ((key, pid, _),) = play.engine.lifted("web-1")
    assert pid == 20
    play.engine.sank(key, pid)
    assert [view.elevated_to for _, view in play.engine.open_sessions()] == [(), ()]
    assert play.engine.belongs(change, None, [99], ["5"]) is change


def test_a_flood_is_bounded() -> None:
    lines = login("08:00:00", 10, "alice")
    for number in range(200):
        clock = f"08:{10 + number // 60}:{number % 60:02}"
        lines += su(clock, 1000 + number, "alice", f"u{number}")
    play = Play().read(lines)
    ((_, view),) = play.engine.open_sessions()
    assert len(view.elevated_to) == len(view.became) == 16
    ((text,),) = (tuple(play.engine._world.hosts.values()),)
    assert len(text.lifts) <= 64


def test_a_state_of_before_is_loaded() -> None:
    connection = load_connection(
        '{"key":"web-1||10","host":"web-1","boot":null,"service":"sshd","pid":10,"phase":"open",'
        '"began_us":1,"user":"alice","login_us":1,"login_text":"x","session":"s"}'
    )
    assert (connection.lifts, connection.became, connection.key_name) == ([], [], None)
    host = load_host('{"name":"web-1","sudo":[],"elevations":[[1,2,"su","alice","root",true]]}')
    assert host.lifts == []
