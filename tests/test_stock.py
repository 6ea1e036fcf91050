"""What is remembered, compared with the live host: it marks, and suppresses nothing."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

from tests.host.test_alive import BOOT, TICKS, Tree
from usersessionmon.clock import ManualClock
from usersessionmon.host.alive import Host
from usersessionmon.model import Change, ChangeKind, Doubt, Moment, SessionView
from usersessionmon.sessions.engine import Engine
from usersessionmon.stock import Presence, doubted, moment_of, presence, take_stock

NAMES = {"web-1"}
NOW = 1_795_250_000_000_000
LOGIN = Change(
    ChangeKind.LOGIN, Moment(NOW, ""), "web-1", "sshd", user="alice", pid=os.getpid(), session="s"
)


def test_a_login_in_the_name_of_another_process_is_doubted() -> None:
    assert doubted(LOGIN, NAMES, NOW).doubt is Doubt.OTHER_PROCESS  # we are no sshd
    gone = LOGIN._replace(pid=4_194_303)
    assert doubted(gone, NAMES, NOW).doubt is Doubt.NO_PROCESS


def test_a_process_that_logged_somebody_in_before_is_doubted(tmp_path: Path) -> None:
    """Whoever is on by ssh can write a line with the pid of the sshd that serves him."""
    proc, sessions = tmp_path / "proc", tmp_path / "systemd/sessions"
    sessions.mkdir(parents=True)
    for pid in ("1", "10"):
        (proc / pid).mkdir(parents=True)
        (proc / pid / "stat").write_text(f"{pid} (sshd) S 1 1 1 0 -1 " + "0 " * 40)
        (proc / pid / "comm").write_text("sshd\n")
    cgroup, session = proc / "10" / "cgroup", sessions / "7"
    change = LOGIN._replace(pid=10)

    def found() -> Doubt | None:
        return doubted(change, NAMES, NOW, Host(proc=proc, run=tmp_path)).doubt

    def begun(us: int, leader: int = 10) -> None:
        session.write_text(f"UID=1000\nUSER=mallory\nLEADER={leader}\nREALTIME={us}\n")

    assert found() is None  # no cgroup can be read
    cgroup.write_text("0::/system.slice/ssh.service\n")
    assert found() is None  # not yet a session of logind's, or never one
    cgroup.write_text("0::/user.slice/user-1000.slice/session-7.scope\n")
    assert found() is None  # logind's file is not there
    begun(NOW + 100_000)
    assert found() is None  # the login that the line tells of
    begun(NOW - 60_000_000, leader=9)
    assert found() is None  # sshd itself was started by hand within somebody's session
    begun(NOW - 60_000_000)
    assert found() is Doubt.EARLIER_SESSION
    cgroup.write_text("1:name=systemd:/user.slice/user-1000.slice/session-7.scope\n0::/\n")
    assert found() is Doubt.EARLIER_SESSION


def test_what_cannot_be_compared_is_not_doubted() -> None:
    for change, now in (
        (LOGIN._replace(host="web-2"), NOW),
        (LOGIN._replace(pid=None), NOW),
        (LOGIN._replace(service="login"), NOW),
        (LOGIN._replace(kind=ChangeKind.LOGOUT), NOW),
        (LOGIN, NOW + 60_000_000),
    ):
        assert doubted(change, NAMES, now).doubt is None


def _view(**more: object) -> SessionView:
    values: dict[str, object] = {
        "session": "s", "host": "web-1", "service": "login", "user": "alice", "ip": None,
        "port": None, "method": None, "key_fingerprint": None, "login_time": Moment(NOW, ""),
        "logout_time": None, "duration": None, "reason": None, "abnormal": False,
        "inferred": False, "state": "open", "tty": None, "pid": os.getpid(), "boot": "a" * 32,
    }  # fmt: skip
    return SessionView(**{**values, **more})  # type: ignore[arg-type]


def test_presence_is_what_the_host_can_say() -> None:
    assert presence(_view(), NAMES, "a" * 32) is Presence.THERE
    assert presence(_view(pid=4_194_303), NAMES, "a" * 32) is Presence.GONE
    assert presence(_view(), NAMES, "b" * 32) is Presence.OVER
    assert presence(_view(host="web-2"), NAMES, "b" * 32) is Presence.UNKNOWN
    assert presence(_view(pid=None), NAMES, "a" * 32) is Presence.UNKNOWN


def test_stock_is_taken_of_persons_alone(tmp_path: Path) -> None:
    sessions = tmp_path / "systemd" / "sessions"
    sessions.mkdir(parents=True)
    person = (
        "UID=1000\nUSER=alice\nACTIVE=1\nSTATE=active\nREMOTE=1\nREMOTE_HOST=198.51.100.7\n"
        f"SERVICE=sshd\nCLASS=user\nTTY=pts/0\nLEADER=10\nREALTIME={NOW}\n"
    )
    (sessions / "7").write_text(person)
    (sessions / "8").write_text(person.replace("CLASS=user", "CLASS=manager"))
    (sessions / "9").write_text(person.replace("STATE=active", "STATE=closing"))
    engine = Engine()
    host = Host(proc=tmp_path / "proc", run=tmp_path)
    changes = take_stock(
        engine, NAMES, "web-1", "a" * 32, UTC, ManualClock(NOW), new=True, host=host
    )
    assert changes == []
    ((_, row),) = engine.open_sessions()
    assert (row.user, row.ip, row.tty, row.service) == ("alice", "198.51.100.7", "pts/0", "sshd")
    assert row.inferred
    assert row.login_time == moment_of(NOW, UTC)


def test_whose_process_it_is_does_not_hang_on_the_wall_clock(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.add(10, "sshd", "sshd: alice [priv]", start=100)
    login = Moment((BOOT + 101) * 1_000_000, "")

    def look(suspended_us: int = 0, **more: object) -> Presence:
        view = _view(service="sshd", pid=10, login_time=login, **more)
        return presence(view, NAMES, "a" * 32, tree.host, suspended_us)

    assert look() is Presence.THERE
    (tree.proc / "stat").write_text(f"btime {BOOT + 3600}\n")  # the clock was set an hour on
    assert look() is Presence.UNKNOWN
    assert look(ticks=100 * TICKS) is Presence.THERE
    assert look(ticks=99 * TICKS) is Presence.GONE, "another process of the same number"
    assert look(mono_us=101_000_000) is Presence.UNKNOWN
    assert look(mono_us=50_000_000) is Presence.GONE, "it began after that login"
    assert look(mono_us=50_000_000, suspended_us=60_000_000) is Presence.UNKNOWN
