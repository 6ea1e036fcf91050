"""From records of Windows event logs to notices, by the way of the running program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.config import Settings
from usersessionmon.detect.fold_settings import FoldSettings
from usersessionmon.model import Change, ChangeKind, Notice, Record, Severity
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import load_rules
from usersessionmon.sessions.engine import Engine
from usersessionmon.telling import Telling
from usersessionmon.windows.engine import Desktops
from usersessionmon.wiring.here import Here
from usersessionmon.wiring.notices import telling_of

from .building import LSM, RCM, SECURITY, SYSTEM, Host

HERE, THERE = "198.51.100.7", "203.0.113.9"
RULES = load_rules("generic")


class Monitor:
    """The pipeline of ``run``, and what it tells."""

    def __init__(self, settings: Settings | None = None) -> None:
        here = Here(frozenset({"monitor-1"}), "monitor-1", "192.0.2.10", None, UTC, ())
        self.pipeline = Pipeline(RULES, Engine(), desktops=Desktops(patient=False))
        self.telling: Telling = telling_of(settings or Settings(), here)
        self.changes: list[Change] = []
        self.notices: list[Notice] = []
        self._now = 0.0

    def read(self, *records: Record) -> Monitor:
        self._tell(self.pipeline.process(records))
        return self

    def rest(self, seconds: float = 20.0) -> Monitor:
        """So long nothing is logged."""
        for _ in range(round(seconds * 2)):
            self._tell(self.pipeline.tick(self._now))
            self._now += 0.5
        return self

    def _tell(self, changes: Iterable[Change]) -> None:
        found = list(changes)
        self.changes += found
        self.notices += self.telling.of(found, None)

    def titles(self) -> list[tuple[str, str | None]]:
        return [(notice.kind, notice.user) for notice in self.notices]


def lines(notice: Notice) -> dict[str, str]:
    return dict(notice.pairs)


def test_being_displaced_is_one_notice_and_coming_in_by_it_another() -> None:
    log, monitor = Host(LSM, SECURITY, RCM, SYSTEM), Monitor()
    monitor.read(
        log.record(0, SECURITY, 4624, **logon("alice", "0x10", HERE)),
        log.record(1, LSM, 21, User=r"CORP\alice", SessionID=2, Address=HERE),
    ).rest()
    monitor.read(
        log.record(600, SECURITY, 4624, **logon("bob", "0x20", THERE)),
        log.record(600.1, LSM, 40, Session=2, Reason=5),
        log.record(600.2, LSM, 24, User=r"CORP\alice", SessionID=2, Address=HERE),
        log.record(601, LSM, 21, User=r"CORP\bob", SessionID=3, Address=THERE),
    ).rest()
    assert monitor.titles() == [("login", "alice"), ("logout", "alice"), ("login", "bob")]
    first, out, into = monitor.notices
    assert out.severity is Severity.ABNORMAL
    assert lines(out) == {
        "服务器": "SRV01",
        "用户名": "alice",
        "IP地址": HERE,
        "登出时间": "2026-11-21 08:10:00",
        "会话时长": "9分59秒",
        "登录时间": "2026-11-21 08:00:01",
        "结束方式": "被终止",
        "异常": "是",
        "结束者": f"bob（{THERE}）",
        "会话": "已断开，程序仍在运行",
        "域": "CORP",
        "服务": "windows",
        "终端": "rdp",
    }
    for login in (first, into):
        assert login.severity is Severity.ROUTINE
        assert not {"结束者", "会话", "登录方式", "注意"} & set(lines(login))


def logon(user: str, luid: str, address: str) -> dict[str, object]:
    return {
        "TargetUserSid": "S-1-5-21-1-2-3-1001", "TargetUserName": user,
        "TargetDomainName": "CORP", "TargetLogonId": luid, "LogonType": 10,
        "LogonProcessName": "User32", "IpAddress": address, "IpPort": 50_022,
    }  # fmt: skip


def test_going_away_and_coming_back_are_two_notices_of_one_session() -> None:
    log, monitor = Host(LSM), Monitor()
    monitor.read(log.record(0, LSM, 21, User=r"SRV01\alice", SessionID=2, Address=HERE)).rest()
    monitor.read(
        log.record(60, LSM, 40, Session=2, Reason=11),
        log.record(60, LSM, 24, User=r"SRV01\alice", SessionID=2, Address=HERE),
    ).rest()
    monitor.read(log.record(900, LSM, 25, User=r"SRV01\alice", SessionID=2, Address=THERE)).rest()
    assert monitor.titles() == [("login", "alice"), ("logout", "alice"), ("login", "alice")]
    _, away, back = map(lines, monitor.notices)
    assert (away["会话"], away["结束方式"]) == ("已断开，程序仍在运行", "主动退出")
    assert back["会话"] == "重新连接，程序一直在运行"
    assert "域" not in away, "the account is the host's own"
    assert "异常" not in away
    sessions = {change.session for change in monitor.changes}
    assert len(sessions) == 1


def test_signed_out_by_an_administrator_at_the_console() -> None:
    log, monitor = Host(LSM), Monitor()
    monitor.read(
        log.record(0, LSM, 21, User=r"SRV01\root", SessionID=1, Address="LOCAL"),
        log.record(1, LSM, 21, User=r"CORP\alice", SessionID=2, Address=HERE),
        log.record(300, LSM, 39, TargetSession=2, Source=1),
        log.record(300, LSM, 40, Session=2, Reason=11),
        log.record(300, LSM, 24, User=r"CORP\alice", SessionID=2, Address=HERE),
    ).rest()
    out = monitor.notices[-1]
    assert (out.user, out.severity) == ("alice", Severity.ABNORMAL)
    assert lines(out)["结束者"] == "root"


def test_whoever_lingers_at_a_folded_presence_is_told_once() -> None:
    settings = Settings(fold=FoldSettings(presence=True))
    log, monitor = Host(LSM), Monitor(settings)
    for turn in range(3):
        begin, id = turn * 120, 21 if turn == 0 else 25
        monitor.read(
            log.record(begin, LSM, id, User=r"CORP\alice", SessionID=2, Address=HERE),
            log.record(begin + 60, LSM, 40, Session=2, Reason=11),
            log.record(begin + 60, LSM, 24, User=r"CORP\alice", SessionID=2, Address=HERE),
        ).rest()
    assert monitor.titles() == [("login", "alice")]
    monitor.telling.tick(0.0, None)
    (left,) = monitor.telling.tick(1e6, None)
    assert lines(left)["连接数"] == "3"


# --- whatever the log says ------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([21, 23, 24, 25, 39, 40, 40, 4624, 4634, 4647]),
        st.sampled_from(["alice", "Alice", "bob"]),
        st.integers(1, 3),
        st.integers(1, 3),
        st.sampled_from([0, 2, 5, 11, 12]),
        st.sampled_from([HERE, THERE, "LOCAL", None]),
        st.sampled_from([0.1, 5.0, 600.0]),
        st.booleans(),
    ),
    max_size=40,
)


@given(st.sampled_from([(LSM,), (LSM, SECURITY), (SECURITY,)]), STEPS)
def test_each_login_and_each_logout_is_one_notice(
    channels: tuple[str, ...],
    steps: list[tuple[int, str, int, int, int, str | None, float, bool]],
) -> None:
    log, monitor, at = Host(*channels), Monitor(), 0.0
    for id, user, ts, other, reason, address, passed, quiet in steps:
        at += passed
        fields: dict[str, object] = {
            "User": rf"CORP\{user}", "SessionID": ts, "Address": address,
            "TargetSession": ts, "Source": other, "Session": ts, "Reason": reason,
            **logon(user, f"0x{ts}{other}", address or "-"),
        }  # fmt: skip
        channel = SECURITY if id > 1000 else LSM
        if channel in channels:
            monitor.read(log.record(at, channel, id, **fields))
        if quiet:
            monitor.rest(12)
    monitor.rest()
    assert Counter(notice.kind for notice in monitor.notices) == Counter(
        change.kind.value for change in monitor.changes
    )
    logins = [one for one in monitor.changes if one.kind is ChangeKind.LOGIN]
    logouts = [one for one in monitor.changes if one.kind is ChangeKind.LOGOUT]
    seen = [one for one in logouts if one.login_time is not None]
    ended = Counter((one.session, one.login_time) for one in seen)
    assert max(ended.values(), default=1) == 1, "one connection, one logout"
    assert set(ended) <= {(one.session, one.time) for one in logins}
    on = list(monitor.pipeline.open_sessions())
    assert len(on) == len(logins) - len(seen)
    assert len({row.key for row in on}) == len(on)
