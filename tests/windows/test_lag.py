"""Channels that are read one after the other, logs that begin in the middle, and floods: nothing is
told twice, lost or unbounded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from usersessionmon.model import ChangeKind, Reason
from usersessionmon.windows.engine import MAX_ORIGINS, Desktops
from usersessionmon.windows.memory import Moments
from usersessionmon.windows.state import dump

from .building import LSM, RCM, RDP_CORE, SECURITY, SYSTEM, Host
from .test_engine import ALL, MACHINE, SSHD, both, station

KINDS = ["login", "logout"]


def kinds(host: Host) -> list[str]:
    return [kind for kind, _ in host.told()]


# --- one channel before the other -----------------------------------------------------------------


def test_security_is_caught_up_with_before_lsm() -> None:
    host = both(False).logon(0, "alice", "0x10").logoff(60, "alice", "0x10", 4647)
    host.logon(200, "bob", "0x20").logoff(300, "bob", "0x20", 4647).wait(300, 15)
    for at, user, ts in ((1, "alice", 2), (201, "bob", 3)):
        host.desktop(at, 21, user, ts).desktop(at + 59, 23, user, ts)
    host.wait(400, 15)
    assert host.told() == [(kind, user) for user in ("alice", "bob") for kind in KINDS]
    assert list(host.engine.open_sessions()) == []


@pytest.mark.parametrize("reload", [False, True])
def test_lsm_is_caught_up_with_before_security(reload: bool) -> None:
    host, many = both(False), 200
    for number in range(many):
        at = number * 100.0
        host.desktop(at + 1, 21, f"u{number}", 2).desktop(at + 60, 23, f"u{number}", 2)
    host.wait(many * 100, 15)
    host.reload = reload
    for number in range(many):
        at, luid = number * 100.0, hex(number + 16)
        host.logon(at, f"u{number}", luid).logoff(at + 60, f"u{number}", luid, 4647)
    host.wait(many * 100, 15)
    assert kinds(host).count("login") == kinds(host).count("logout") == many


def test_who_came_back_while_lsm_lagged_is_in() -> None:
    host = both(False).logon(0, "alice", "0x10").logoff(2, "alice", "0x10").wait(0, 15)
    host.desktop(3, 25, "alice", 2).wait(20, 5)
    assert [row.user for row in host.engine.open_sessions()] == ["alice"]


@pytest.mark.parametrize("patient", [True, False])
def test_lsm_s_log_ends_before_security_s(patient: bool) -> None:
    host = both(patient).desktop(1, 21, "alice", 2)
    host.logon(0, "alice", "0x10")
    if not patient:
        host.wait(1, 5)
        host.beside = frozenset({SECURITY})
    host.logoff(5000, "alice", "0x10", 4647)
    if not patient:
        host.wait(5000, 15)
    host.finish()
    assert kinds(host) == KINDS
    assert host.logouts[0].reason is Reason.USER


def test_an_end_that_only_a_late_channel_knows_is_told_once() -> None:
    host = both(False).logon(0, "alice", "0x10").desktop(1, 21, "alice", 1).wait(1, 5)
    host.give(500, SECURITY, 4608).desktop(400, 23, "alice", 1).desktop(600, 21, "bob", 1)
    host.wait(600, 20)
    assert host.told() == [("login", "alice"), ("logout", "alice"), ("login", "bob")]


def test_an_unlock_takes_no_other_logins_place() -> None:
    """A replay: LSM's reconnection stands there before Security's unlock is read."""
    host = both(True).desktop(1, 21, "alice", 2).why(106, 2, 5).desktop(106.1, 24, "alice", 2)
    host.desktop(108, 25, "alice", 2)
    host.logon(0, "alice", "0x10").logon(100, "alice", "0x20", 11).logoff(100.1, "alice", "0x20")
    host.logon(105, "alice", "0x30").logoff(108.5, "alice", "0x30").finish()
    assert kinds(host) == ["login", "logout", "login"]


# --- logs that begin in the middle ----------------------------------------------------------------


@pytest.mark.parametrize("id", [23, 24])
def test_who_leaves_a_desktop_without_having_been_seen(id: int) -> None:
    host = Host(LSM).why(0, 2, 5).desktop(0.1, id, "alice", 2, "192.0.2.1")
    host.desktop(0.2, 24, "alice", 2).finish()
    (logout,) = host.changes
    assert (logout.kind, logout.user, logout.duration) == (ChangeKind.LOGOUT, "alice", None)


def test_who_logs_off_without_having_been_seen() -> None:
    host = Host(SECURITY).logoff(0, "alice", "0x10", 4647).logoff(0.1, "alice", "0x11", 4647)
    host.logoff(1, "alice", "0x10").logoff(5, "SRV01$", "0x12", 4647).finish()
    assert host.told() == [("logout", "alice")]
    assert host.logouts[0].duration is None


def test_with_lsm_beside_it_is_lsm_that_tells_of_them() -> None:
    host = both(False).logoff(0, "alice", "0x10", 4647).desktop(0.1, 23, "alice", 2).wait(0, 5)
    assert host.told() == [("logout", "alice")]


# --- stations -------------------------------------------------------------------------------------


def test_a_reconnection_signs_in_by_a_logon_of_its_own() -> None:
    host = (
        Host(SECURITY)
        .logon(0, "alice", "0x10")
        .give(60, SECURITY, 4779, **station("alice", "0x10"))
    )
    host.logon(90, "alice", "0x20").give(91, SECURITY, 4778, **station("alice", "0x10"))
    host.logoff(92, "alice", "0x20").logoff(200, "alice", "0x10", 4647).finish()
    assert kinds(host) == [*KINDS, *KINDS]
    assert len({change.session for change in host.changes}) == 1
    assert host.logouts[1].duration == 110.0


@pytest.mark.parametrize("echo", [4779, 4647])
def test_an_end_that_is_told_again(echo: int) -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10")
    if echo == 4647:
        host.logoff(60, "alice", "0x10", 4647)
    else:
        host.give(60, SECURITY, 4779, **station("alice", "0x10"))
    host.give(60.3, SECURITY, 4779, **station("alice", "0x10")).finish()
    assert kinds(host) == KINDS


def test_users_who_take_turns_at_the_console_throw_nobody_out() -> None:
    host = Host(SECURITY).give(0, SECURITY, 4779, **station("bob", "0x10", "Console"))
    host.give(0.5, SECURITY, 4778, **station("alice", "0x20", "Console")).finish()
    assert [(one.reason, one.by_user) for one in host.logouts] == [(Reason.UNKNOWN, None)]


# --- why ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", [True, False])
def test_no_duration_across_a_clock_that_was_set_behind_a_twins_end(patient: bool) -> None:
    host = both(patient)
    clock = {"PreviousTime": "2026-11-21T09:08:20Z", "NewTime": "2026-11-21T10:08:20Z"}
    host.desktop(72, 25, "alice", 2)
    if patient:
        host.desktop(8600, 23, "alice", 2)
    host.logon(70, "alice", "0x20").logoff(73, "alice", "0x20").give(4100, SECURITY, 4616, **clock)
    if not patient:
        host.desktop(8600, 23, "alice", 2).wait(8600, 15)
    host.finish()
    assert [change.duration for change in host.logouts] == [None]


def test_the_last_sign_of_life_before_a_crash() -> None:
    host = both(False).desktop(1, 25, "alice", 2).wait(1, 5).give(60, SECURITY, 4672)
    host.give(100_001, SYSTEM, 12).give(100_002, SECURITY, 4608).give(100_003, LSM, 32)
    host.wait(100_003, 20)
    assert [change.duration for change in host.logouts] == [59.0]


def test_back_from_elsewhere_while_somebody_else_comes_in() -> None:
    host = Host(LSM, patient=False).desktop(0, 21, "alice", 2).desktop(1, 21, "carol", 9).wait(1, 3)
    host.why(60, 2, 5).desktop(60.1, 24, "alice", 2).desktop(61, 21, "bob", 5)
    host.desktop(62, 25, "alice", 2, "192.0.2.9").wait(62, 15)
    (logout,) = host.logouts
    assert (logout.by_user, logout.by_ip) == ("alice", "192.0.2.9")


def test_who_asked_for_it_is_in_only_afterwards() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 1).give(60, LSM, 39, TargetSession=1, Source=3)
    host.why(60, 1, 11).desktop(60.1, 24, "alice", 1).desktop(63, 21, "bob", 3, "192.0.2.9")
    (logout,) = host.finish().logouts
    assert (logout.reason, logout.by_user, logout.by_ip) == (Reason.KILLED, "bob", "192.0.2.9")


def test_a_reason_explains_one_end() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 6).desktop(1, 21, "bob", 8)
    host.give(60, LSM, 39, TargetSession=6, Source=8).why(60, 6, 11).desktop(60.1, 24, "alice", 6)
    host.desktop(70, 25, "alice", 6).why(85, 6, 0).desktop(85.1, 24, "alice", 6).finish()
    assert [one.reason for one in host.logouts] == [Reason.KILLED, Reason.UNKNOWN]


@pytest.mark.parametrize(
    ("code", "reason"), [(2, Reason.KILLED), (4, Reason.TIMEOUT), (12, Reason.USER)]
)
def test_a_reason_before_a_log_off(code: int, reason: Reason) -> None:
    host = Host(LSM).desktop(0, 21, "alice", 2).why(60, 2, code).desktop(60.1, 23, "alice", 2)
    assert [one.reason for one in host.finish().logouts] == [reason]


def test_a_line_that_is_known_to_be_broken_afterwards() -> None:
    host = Host(LSM, RDP_CORE, patient=False).desktop(0, 21, "alice", 2).why(60, 2, 0)
    host.desktop(60.1, 24, "alice", 2).give(60.3, RDP_CORE, 143).wait(60.3, 5)
    assert [(one.reason, one.abnormal) for one in host.logouts] == [(Reason.NETWORK, True)]


@pytest.mark.parametrize("address", ["LOCAL", "本地"])
def test_an_address_is_not_filled_in_for_the_console(address: str) -> None:
    host = Host(LSM, RCM).give(0, RCM, 1149, Param1="alice", Param3="203.0.113.9")
    host.desktop(20, 21, "alice", 1, address).desktop(25, 21, "alice", 2).desktop(
        30, 21, "alice", 3
    )
    host.finish()
    assert [(one.ip, one.tty) for one in host.logins] == [
        (None, "console"), ("203.0.113.9", "rdp"), (None, "rdp"),
    ]  # fmt: skip


def test_a_restart_that_was_asked_for_long_before() -> None:
    host = Host(SECURITY, SYSTEM).give(0, SYSTEM, 1074, param5="restart").give(301, SYSTEM, 6006)
    host.logon(-50, "alice", "0x10").logoff(300, "alice", "0x10", 4647).finish()
    assert [one.reason for one in host.logouts] == [Reason.REBOOT]


@pytest.mark.parametrize(("asked", "reason"), [(True, Reason.USER), (False, Reason.KILLED)])
@pytest.mark.parametrize("patient", [True, False])
def test_logged_off_without_having_asked(patient: bool, asked: bool, reason: Reason) -> None:
    host = both(patient)
    if patient:
        host.desktop(1, 21, "alice", 2).desktop(60.1, 23, "alice", 2)
    host.logon(0, "alice", "0x10")
    if not patient:
        host.desktop(1, 21, "alice", 2).wait(1, 5)
    host.logoff(60, "alice", "0x10", 4647 if asked else 4634)
    if not patient:
        host.desktop(60.1, 23, "alice", 2)
    host.give(61.5, SECURITY, 4672)
    if not patient:
        host.wait(61, 5)
    host.finish()
    (logout,) = host.logouts
    assert (logout.reason, logout.abnormal) == (reason, reason is Reason.KILLED)


@pytest.mark.parametrize("patient", [True, False])
def test_logging_off_a_session_that_was_come_back_to(patient: bool) -> None:
    """The user asks by the logon that the session began with."""
    host = both(patient)
    desktops = [(1, 21), (50, 24), (92, 25), (200, 23)]
    logons = [(0, "0x10", 4624), (90, "0x20", 4624), (91, "0x20", 4634), (199.9, "0x10", 4647),
              (200.2, "0x10", 4634)]  # fmt: skip
    told: list[tuple[float, Callable[[], object]]] = [
        (at, partial(host.desktop, at, id, "alice", 2)) for at, id in desktops
    ]
    for at, luid, id in logons:
        what = (host.logon, ()) if id == 4624 else (host.logoff, (id,))
        told.append((at, partial(what[0], at, "alice", luid, *what[1])))
    for at, tell in told if patient else sorted(told, key=lambda one: one[0]):
        tell()
        if not patient:
            host.wait(at, 0.5)
    host.give(300, SECURITY, 4672)
    if not patient:
        host.wait(300, 15)
    host.finish()
    assert [change.reason for change in host.logouts] == [Reason.UNKNOWN, Reason.USER]


def test_boots_between_records_of_a_filtered_log() -> None:
    host = Host(LSM, SYSTEM).give(90, SYSTEM, 1074, param5="power off").give(91, SYSTEM, 6006)
    host.give(200, SYSTEM, 6005).desktop(0, 21, "alice", 2).desktop(300, 21, "bob", 1).finish()
    assert host.told() == [("login", "alice"), ("logout", "alice"), ("login", "bob")]
    (logout,) = host.logouts
    assert (logout.reason, logout.inferred) == (Reason.SHUTDOWN, True)


@pytest.mark.parametrize(
    "user",
    [r"Window Manager\DWM-1", r"Font Driver Host\UMFD-0", r"CORP\PC$", r"NT AUTHORITY\SYSTEM"],
)
def test_lsm_s_own_accounts_are_nobody(user: str) -> None:
    host = Host(LSM)
    for at, id in ((0, 21), (9, 24), (10, 23)):
        host.give(at, LSM, id, User=user, SessionID=1)
    assert host.finish().changes == []


def test_ends_are_told_in_the_order_of_securitys_log_too() -> None:
    host = both(True).desktop(1, 21, "alice", 2).desktop(60.1, 23, "alice", 2)
    host.logon(0, "alice", "0x10").logoff(60, "alice", "0x10", 4647)
    host.logoff(60.3, "alice", "0x10")
    host.give(500, SECURITY, 4625, TargetUserName="x", LogonType=2).finish()
    assert kinds(host) == ["login", "logout", "login_failed"]


def test_no_name_holds_control_characters() -> None:
    host = Host(LSM).desktop(0, 21, "al\n\x1bice", 2)
    assert [change.user for change in host.logins] == [r"al\x0a\x1bice"]


# --- becoming somebody else -----------------------------------------------------------------------

ALICE = {"SubjectUserSid": "S-1-5-21-1-2-3-1001", "SubjectUserName": "alice",
         "SubjectDomainName": "CORP", "SubjectLogonId": "0x10"}  # fmt: skip


def test_one_elevation_however_it_is_told() -> None:
    host = Host(SECURITY).give(0, SECURITY, 4648, TargetUserName="Administrator", **ALICE)
    host.logon(0.1, "Administrator", "0x30", 11, LogonProcessName="CredPro", **MACHINE)
    host.logon(9, "alice", "0x31", 9, LogonProcessName="seclogo", **ALICE)  # an older version's
    host.give(20, SECURITY, 4648, TargetUserName="Alice@corp.example", **ALICE)
    host.finish()
    assert [change.target_user for change in host.of(ChangeKind.ELEVATION)] == ["Administrator"]


def test_an_account_of_the_same_name_elsewhere_is_another() -> None:
    other = {"TargetUserName": "alice", "TargetDomainName": "SRV01"}
    host = Host(SECURITY).give(0, SECURITY, 4648, **other, **ALICE).finish()
    assert [change.target_user for change in host.changes] == ["alice"]


def test_in_a_session_that_was_come_back_to() -> None:
    host = both(False).logon(0, "alice", "0x10").desktop(1, 21, "alice", 2).wait(1, 5)
    host.desktop(60, 24, "alice", 2).wait(60, 5).logon(90, "alice", "0x20")
    host.logoff(91, "alice", "0x20").desktop(92, 25, "alice", 2).wait(92, 5)
    host.give(100, SECURITY, 4648, TargetUserName="root", **ALICE)
    (change,) = host.of(ChangeKind.ELEVATION)
    assert change.session == host.logins[0].session


# --- hostile records ------------------------------------------------------------------------------


def test_nobody_is_swallowed_as_somebody_elses_twin() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10")
    host.logon(1, "bob", "0x20", TargetLinkedLogonId="0x10").finish()
    assert host.told() == [("login", "alice"), ("login", "bob")]


@pytest.mark.parametrize("odd", ["abc", "9" * 5000, "-1", "", "٣", "1e3", "0x" + "1" * 50])
def test_what_is_no_number_is_no_trouble(odd: str) -> None:
    host = Host(*ALL)
    host.give(0, SECURITY, 4624, TargetUserName="x", TargetLogonId=odd, LogonType=odd,
              LogonProcessName="User32", IpPort=odd, TargetLinkedLogonId=odd)  # fmt: skip
    host.logon(1, "alice", odd, TargetLinkedLogonId=odd, IpPort=odd).logoff(9, "alice", odd, 4647)
    host.give(2, SECURITY, 4625, TargetUserName="x", LogonType=odd, IpPort=odd, Status=odd)
    host.give(3, SECURITY, 4616, PreviousTime=odd, NewTime=odd)
    host.give(3, SECURITY, 4779, AccountName="x", LogonID=odd)
    for id in (21, 23, 24, 25):
        host.give(4, LSM, id, User="x", SessionID=odd)
    host.give(5, LSM, 40, Session=odd, Reason=odd).give(5, LSM, 39, TargetSession=odd, Source=odd)
    host.give(6, SYSTEM, 1074, param5=odd).give(6, RCM, 1149, Param1="x", Param3=odd).finish()
    assert ("login", "alice") in host.told()


@pytest.mark.parametrize("zone", ["%12", "%eth0"])
def test_a_zone_stays_and_a_text_is_none(zone: str) -> None:
    host = (
        Host(LSM)
        .desktop(0, 21, "alice", 1, f"fe80::1{zone}")
        .desktop(1, 21, "bob", 2, "fe80::1%\n")
    )
    assert [one.ip for one in host.finish().logins] == [f"fe80::1{zone}", None]


def test_a_flood_of_whatever_kind_leaves_little_behind() -> None:
    host, long = Host(*ALL, patient=False), "x" * 8000
    for number in range(3000):
        luid = hex(number + 16)
        host.logon(number / 1000, long + str(number), luid, TargetLinkedLogonId="0x10")
        host.logoff(number / 1000, long, luid)
        host.give(number / 1000, LSM, 40, Session=long + str(number), Reason=5)
        host.give(number / 1000, LSM, 39, TargetSession=number, Source=number + 1)
        host.give(number / 1000, SYSTEM, 1074, param5="restart")
        host.give(number / 1000, SECURITY, 4648, TargetUserName=f"t{number}", **ALICE)
    host.wait(5, 20)
    (book,) = host.engine._books.values()
    assert len(book.log.reasons) <= 512 and len(book.log.sources) <= 512
    assert len(dump(book.log)) < 4_000_000
    for number in range(3000):
        host.logoff(100, "", hex(number + 16), 4647)
    host.wait(100, 20)
    assert len(book.log.conns) == 0 and len(book._by_login) == 0
    assert len(dump(book.log)) < 4_000_000


def test_names_of_hosts_can_be_made_up_and_there_is_an_end_to_it() -> None:
    engine = Desktops(patient=False)
    told = []
    for number in range(MAX_ORIGINS + 5):
        host = Host(LSM, origin=f"h{number}")
        told += engine.take(host.record(0, LSM, 21, User="alice", SessionID=1))
    logs, _ = engine.drain()
    assert len(engine._books) == MAX_ORIGINS
    assert [origin for origin, text in logs.items() if text is None] == [f"h{n}" for n in range(5)]
    assert len(told) == MAX_ORIGINS + 5


def test_made_up_hosts_of_a_collector_make_no_room_of_a_server_s() -> None:
    engine = Desktops(patient=False)
    engine.take(Host(LSM, origin="dc-1").record(0, LSM, 21, User="boss", SessionID=1))
    for number in range(MAX_ORIGINS + 5):
        origin = f"collector/h{number}"
        engine.take(Host(LSM, origin=origin).record(0, LSM, 21, User="alice", SessionID=1))
    assert "boss" in {row.user for row in engine.open_sessions()}


def test_a_server_that_calls_itself_like_another_ends_nothing_there() -> None:
    engine = Desktops(patient=False)
    rows = {}
    for origin, user in (("a", "boss"), ("b", "evil")):
        host = Host(LSM, origin=origin)  # both say that they are SRV01
        for record in (host.record(0, LSM, 21, User=user, SessionID=2),):
            engine.take(record)
        if origin == "b":
            engine.take(host.record(9, LSM, 23, User=user, SessionID=2))
    engine.tick(0.0)
    engine.tick(5.0)
    for row in engine.drain()[1]:
        rows[row.key] = row
    assert {(row.user, row.state) for row in rows.values()} == {
        ("boss", "open"),
        ("evil", "closed"),
    }


def test_a_host_is_one_in_any_letters() -> None:
    engine = Desktops()
    for origin in ("SRV01", "srv01"):
        engine.take(Host(LSM, origin=origin).record(0, LSM, 32))
    assert len(engine._books) == 1


def test_sshd_waits_for_nobody() -> None:
    host = Host(SECURITY, LSM, patient=False).logon(0, "alice", "0x10", 8, **SSHD)
    assert host.told() == [("login", "alice")]


def test_moments_are_bounded_and_found_about_their_time() -> None:
    moments = Moments(most=3)
    for us in (0, 1, 25_000_000, 50_000_000):
        moments.add(us, "Alice")
    moments.add(50_000_000, "alice")
    assert list(moments) == [(1, "alice"), (25_000_000, "alice"), (50_000_000, "alice")]
    assert moments.has(34_000_000, "ALICE") and not moments.has(36_000_000, "alice")
    assert not moments.has(25_000_000, "bob")
    moments.forget_before(30_000_000)
    assert len(moments) == 1 and not moments.has(25_000_000, "alice")
