"""Who left or came unseen, asked of a host of files whose processes come and go."""

from __future__ import annotations

import shutil
from datetime import UTC
from pathlib import Path

import pytest

from tests.host.test_alive import BOOT, Tree
from tests.host.test_utmp import record
from tests.sessions.logs import RULES, records
from usersessionmon import rollcall
from usersessionmon.clock import ManualClock
from usersessionmon.model import Change, ChangeKind, Reason, Record
from usersessionmon.pipeline import Pipeline
from usersessionmon.rollcall import RollCall
from usersessionmon.sessions.engine import Engine, Found
from usersessionmon.stock import moment_of, take_stock

DAY = "2026-11-21"
NOON_US = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z
BOOT_ID = "a" * 32


class Site:
    """A host of files, a log that is fed by hand, and the roll call over both."""

    def __init__(self, root: Path) -> None:
        self.tree = Tree(root)
        self.wtmp = root / "wtmp"
        self.clock = ManualClock(NOON_US)
        (self.tree.proc / "stat").write_text(f"btime {BOOT}\n")
        self.pipeline = Pipeline(RULES, Engine())
        self.start()

    def start(self) -> None:
        """A new roll call over the engine as it was saved."""
        delta = self.pipeline.engine.drain()
        self.saved = {**getattr(self, "saved", {}), **delta.connections}
        self.hosts = {**getattr(self, "hosts", {}), **delta.hosts}
        engine = Engine.load(
            [text for text in self.saved.values() if text is not None], self.hosts.values()
        )
        self.pipeline = Pipeline(RULES, engine)
        self.roll = RollCall(
            {"web-1"}, BOOT_ID, UTC, self.clock, self.tree.host, lambda _: "web-1", self.wtmp
        )

    def second(self, after: float = 0) -> int:
        """The boot's second that is ``after`` seconds from now."""
        return round(self.clock.us / 1_000_000 - BOOT + after)

    def log(self, *lines: str) -> list[Change]:
        def marked(record: Record) -> Record:
            return record._replace(boot=BOOT_ID)

        return self.pipeline.process(map(marked, records(lines, day=DAY)))

    def call(self, seconds: float = 30, *, gap: bool = False) -> list[Change]:
        """What is told at a look, and time goes on."""
        changes = self.roll.call(self.pipeline.engine, gap)
        changes += self.pipeline.engine.tick(self.clock.monotonic())
        self.clock.advance(seconds)
        return changes

    def enters(self, pid: int, user: str, *, begun: int | None = None) -> None:
        start = self.second() if begun is None else begun
        self.tree.add(pid, "sshd", f"sshd: {user} [priv]", start=start)
        self.tree.add(pid + 1, "sshd", f"sshd: {user}@pts/1", uid=1000, start=start, parent=pid)

    def leaves(self, *pids: int) -> None:
        for pid in pids:
            shutil.rmtree(self.tree.proc / str(pid))

    def open_users(self) -> list[str | None]:
        return [view.user for _, view in self.pipeline.engine.open_sessions()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def accepted(pid: int, user: str, at: str) -> str:
    return f"{at} sshd[{pid}]: Accepted publickey for {user} from 198.51.100.7 port 50022 ssh2"


def test_an_end_that_no_line_tells_of_is_told_at_the_last_sign_of_life(site: Site) -> None:
    site.enters(10, "alice")
    (login,) = site.log(accepted(10, "alice", "12:00:00"))
    for _ in range(3):
        assert site.call() == []  # last seen 60 s after noon
    site.leaves(10, 11)
    assert site.call() == []  # missing once: its last line may be on its way
    (logout,) = site.call()
    assert (logout.kind, logout.reason, logout.inferred) == (
        ChangeKind.LOGOUT, Reason.UNKNOWN, True,
    )  # fmt: skip
    assert (logout.session, logout.duration) == (login.session, 60)
    assert logout.time.text == "2026-11-21T12:01:00+00:00"
    assert (
        site.log("12:01:10 sshd[10]: pam_unix(sshd:session): session closed for user alice") == []
    )
    site.clock.advance(3600)
    late = "12:01:10 sshd[10]: pam_unix(sshd:session): session closed for user alice"
    assert site.call() == []
    assert site.log(late) == [], "its line came an hour late: nothing is told twice"


def test_wtmp_knows_the_end_better(site: Site) -> None:
    site.enters(10, "alice")
    site.log(accepted(10, "alice", "12:00:00"))
    site.call()
    site.call()
    site.leaves(10, 11)
    noon = NOON_US / 1_000_000 - 1_795_250_000
    site.wtmp.write_bytes(
        record(7, pid=11, tty="pts/1", user="alice", ip="198.51.100.7", at=noon + 1)
        + record(7, pid=31, tty="pts/2", user="alice", ip="198.51.100.8", at=noon + 1)
        + record(8, pid=31, tty="pts/2", at=noon + 40)
        + record(8, pid=11, tty="pts/1", at=noon + 44.5)
    )
    site.call()
    (logout,) = site.call()
    assert logout.duration == 44.5


def test_the_last_sign_of_life_outlives_the_program(site: Site) -> None:
    site.enters(10, "alice")
    site.log(accepted(10, "alice", "12:00:00"))
    for _ in range(4):
        site.call()  # the last look that is saved is the one of 12:01:00, or a later one
    site.start()
    site.leaves(10, 11)
    site.clock.advance(7200)
    site.call()
    (logout,) = site.call()
    assert logout.duration is not None
    assert 60 <= logout.duration <= 90


def test_who_stays_is_never_closed(site: Site) -> None:
    site.enters(10, "alice")
    site.log(accepted(10, "alice", "12:00:00"))
    site.call()
    (site.tree.proc / "stat").write_text(f"btime {BOOT + 7200}\n")  # the clock is set on
    for _ in range(3):
        assert site.call() == []
    site.leaves(10)  # somebody killed the monitor: the child goes on
    for _ in range(3):
        assert site.call() == []
    site.leaves(1)  # /proc hides what is not ours
    (site.tree.proc / "11" / "stat").unlink()
    for _ in range(3):
        assert site.call() == []
    assert site.open_users() == ["alice"]


def test_a_number_given_out_again_is_somebody_else(site: Site) -> None:
    site.enters(10, "alice")
    site.log(accepted(10, "alice", "12:00:00"))
    site.call()
    site.leaves(10, 11)
    site.enters(10, "bob", begun=site.second())
    told = [change for _ in range(12) for change in site.call()]
    assert [(change.kind, change.user) for change in told] == [
        (ChangeKind.LOGOUT, "alice"),
        (ChangeKind.LOGIN, "bob"),
    ]


def test_another_hosts_sessions_and_another_process_space_are_left_alone(site: Site) -> None:
    site.log(accepted(10, "alice", "12:00:00"))  # no such process was ever here
    other = records([accepted(12, "bob", "12:00:00")], host="db-1", day=DAY)
    site.pipeline.process(other)
    for _ in range(20):
        assert site.call() == []
    assert site.open_users() == ["alice", "bob"]
    site.enters(14, "carol")  # but once one was, the log speaks of our processes
    site.log(accepted(14, "carol", "12:10:00"))
    told = site.call() + site.call()
    assert [change.user for change in told] == ["alice"]


def test_who_came_unseen_is_told_once_and_completed_by_a_late_line(site: Site) -> None:
    site.call()
    site.enters(10, "alice")
    assert site.call(gap=True) == []  # just come: the line may be on its way
    told = site.call() + site.call() + site.call()
    assert [(change.kind, change.user, change.inferred) for change in told] == [
        (ChangeKind.LOGIN, "alice", True)
    ]
    assert site.log(accepted(10, "alice", "12:00:31")) == [], "the line comes minutes late"
    ((_, view),) = site.pipeline.engine.open_sessions()
    assert (view.ip, view.port, view.method, view.inferred) == (
        "198.51.100.7", 50022, "publickey", False,
    )  # fmt: skip
    site.leaves(10, 11)
    closed = "12:03:00 sshd[10]: pam_unix(sshd:session): session closed for user alice"
    told += site.log(closed) + site.call() + site.call()
    logout = told[-1]
    assert (len(told), logout.kind, logout.session) == (2, ChangeKind.LOGOUT, view.session)
    assert not logout.inferred


def test_who_was_there_before_the_first_start_is_told_only_if_the_line_comes(site: Site) -> None:
    site.enters(10, "alice")
    host = site.tree.host
    engine = site.pipeline.engine
    assert (
        take_stock(engine, {"web-1"}, "web-1", BOOT_ID, UTC, site.clock, new=True, host=host) == []
    )
    assert site.call() + site.call() + site.call() == []
    assert site.open_users() == ["alice"]
    (login,) = site.log(accepted(10, "alice", "12:00:01"))
    assert (login.kind, login.ip) == (ChangeKind.LOGIN, "198.51.100.7")


def test_whom_the_log_let_go_does_not_come_again_while_sshd_takes_its_time(site: Site) -> None:
    site.enters(10, "alice")
    site.log(accepted(10, "alice", "12:00:00"))
    site.call()
    (_logout,) = site.log(
        "12:00:20 sshd[11]: Disconnected from user alice 198.51.100.7 port 50022",
        "12:00:20 sshd[10]: pam_unix(sshd:session): session closed for user alice",
    )
    for _ in range(40):
        assert site.call(gap=True) == []


def test_a_connection_whose_last_line_alone_was_lost_is_found(site: Site) -> None:
    site.enters(10, "alice")
    site.log("12:00:00 sshd[10]: Connection from 198.51.100.7 port 50022 on 192.0.2.1 port 22")
    told = site.call() + site.call() + site.call() + site.call()
    assert [(change.kind, change.user) for change in told] == [(ChangeKind.LOGIN, "alice")]


def test_programs_that_log_from_processes_that_do_not_last_are_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path)
    engine = site.pipeline.engine
    site.tree.add(10, "login", "login")
    for pid, name in ((10, "alice"), (11, "bob")):
        since = moment_of(NOON_US, UTC)
        engine.adopt("web-1", None, Found(name, "login", pid, since, None, None, None, name, None))
    site.call()
    site.leaves(10)
    told = site.call() + site.call() + site.call()
    assert [change.user for change in told] == ["alice"], "bob's process never was there"


def test_many_are_looked_for_in_turns(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollcall, "CALL_MOST", 2)
    for pid in (10, 20, 30):
        site.enters(pid, f"u{pid}")
        site.log(accepted(pid, f"u{pid}", "12:00:00"))
    for _ in range(4):
        assert site.call() == []
    site.leaves(30, 31)
    told = [change for _ in range(6) for change in site.call()]
    assert [(change.user, change.duration) for change in told] == [("u30", 60)]
