"""What records of Windows event logs mean, one rule after the other."""

from __future__ import annotations

import pytest

from usersessionmon.model import ChangeKind, Link, Reason

from .building import LSM, OPENSSH, RCM, RDP_CORE, SECURITY, START_US, SYSTEM, Host

ALL = (SECURITY, LSM, SYSTEM, RCM)


# --- Security alone -------------------------------------------------------------------------------


def test_twins_are_one_login_and_the_first_end_of_either_its_logout() -> None:
    host = Host(SECURITY)
    host.logon(0, "alice", "0x10", TargetLinkedLogonId="0x11", IpAddress="198.51.100.7", IpPort=5)
    host.logon(0, "alice", "0x11", TargetLinkedLogonId="0x10", IpAddress="198.51.100.7", IpPort=5)
    host.logoff(60, "alice", "0x11", 4647).logoff(60.1, "alice", "0x10").logoff(61, "alice", "0x11")
    host.finish()
    assert host.told() == [("login", "alice"), ("logout", "alice")]
    login, logout = host.changes
    assert (login.ip, login.port, login.method, login.domain) == ("198.51.100.7", 5, None, "CORP")
    assert login.session == logout.session == "win:srv:0:0x10"
    assert (logout.reason, logout.duration, logout.abnormal) == (Reason.USER, 60.0, False)


def test_twins_of_an_older_version_have_no_link() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10", 2).logon(0, "alice", "0x11", 2)
    host.logon(0, "bob", "0x20", 2).finish()
    assert host.told() == [("login", "alice"), ("login", "bob")]


@pytest.mark.parametrize("kind", [2, 11, 12])
def test_a_logon_that_ends_within_a_second_was_an_unlock(kind: int) -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10", kind).logoff(0.9, "alice", "0x10")
    assert host.finish().told() == []


def test_a_logon_of_more_than_a_second_was_none() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10", 2).logoff(1.2, "alice", "0x10")
    assert host.finish().told() == [("login", "alice"), ("logout", "alice")]
    assert host.logouts[0].reason is Reason.UNKNOWN


def test_a_remote_logon_is_none_however_short() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10", 10).logoff(0.5, "alice", "0x10")
    assert host.finish().told() == [("login", "alice"), ("logout", "alice")]


@pytest.mark.parametrize(
    "more",
    [
        *({"LogonType": kind} for kind in (0, 3, 4, 5, 7, 8, 9, 13)),
        *({"TargetUserName": name} for name in ("SYSTEM", "DWM-3", "UMFD-0", "SRV01$", "sshd_5")),
        *({"TargetUserName": name} for name in ("ANONYMOUS LOGON", "iusr", "Local Service")),
        *({"TargetUserSid": f"S-1-5-{tail}"} for tail in ("18", "19", "20", "7", "90-0-1", "96-0")),
        *({"LogonProcessName": name} for name in ("Advapi", "OOBE", "Chrome", "Negotiat", "")),
        {"ProcessName": r"C:\Program Files\OpenSSH\sshd.exe", "LogonType": 3},
        {"TargetUserName": None},
    ],
    ids=str,
)
def test_noise_is_no_login(more: dict[str, object]) -> None:
    for channels in ((SECURITY,), ALL):
        host = Host(*channels)
        host.logon(0, "alice", "0x10", **more)  # type: ignore[arg-type]
        host.logoff(100, "alice", "0x10").finish()
        assert host.told() == []


def test_nobody_is_on_any_more_after_a_boot() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10", 2).logon(50, "bob", "0x20")
    host.give(70, SECURITY, 4616, PreviousTime="x").give(1000, SECURITY, 4608)
    host.logoff(1001, "alice", "0x10").finish()
    assert [change.user for change in host.logouts] == ["alice", "bob"]
    for logout in host.logouts:
        assert (logout.reason, logout.abnormal, logout.inferred) == (Reason.REBOOT, True, True)
        assert logout.time.us == START_US + 70_000_000  # the last sign of life
    assert host.logouts[0].duration == 70.0


def test_ids_are_given_out_again_after_a_boot() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10").give(9, SECURITY, 4608)
    host.logon(20, "bob", "0x10").logoff(30, "bob", "0x10", 4647).finish()
    assert host.told() == [
        (kind, user) for user in ("alice", "bob") for kind in ("login", "logout")
    ]
    assert host.logins[0].session != host.logins[1].session


@pytest.mark.parametrize(
    ("facts", "reason", "abnormal"),
    [
        ([(1074, {"param5": "restart"}), (6006, {})], Reason.REBOOT, False),
        ([(1074, {"param5": "power off"}), (6006, {})], Reason.SHUTDOWN, False),
        ([(6006, {})], Reason.SHUTDOWN, False),
        ([], Reason.REBOOT, True),
    ],
)
def test_a_boot_after_an_orderly_end_is_no_crash(
    facts: list[tuple[int, dict[str, str]]], reason: Reason, abnormal: bool
) -> None:
    host = Host(SECURITY, SYSTEM)
    for number, (id, fields) in enumerate(facts):
        host.give(90 + number, SYSTEM, id, **fields)
    host.give(200, SYSTEM, 6005)
    host.logon(0, "alice", "0x10").give(200, SECURITY, 4608).finish()
    (logout,) = host.logouts
    assert (logout.reason, logout.abnormal, logout.inferred) == (reason, abnormal, True)


def test_a_crash_is_one_whatever_had_been_planned() -> None:
    host = Host(SECURITY, SYSTEM).give(90, SYSTEM, 6006).give(200, SYSTEM, 6008)
    host.logon(0, "alice", "0x10").give(200, SECURITY, 4608).finish()
    assert (host.logouts[0].reason, host.logouts[0].abnormal) == (Reason.REBOOT, True)


@pytest.mark.parametrize(
    ("kind", "reason"), [("restart", Reason.REBOOT), ("shutdown", Reason.SHUTDOWN)]
)
def test_who_leaves_because_of_a_restart(kind: str, reason: Reason) -> None:
    host = Host(SECURITY, SYSTEM).give(50, SYSTEM, 1074, param5=kind)
    host.logon(0, "alice", "0x10").logoff(55, "alice", "0x10", 4647)
    host.logon(200, "bob", "0x20").logoff(300, "bob", "0x20", 4647).finish()
    assert [change.reason for change in host.logouts] == [reason, Reason.USER]


def test_no_duration_across_a_clock_that_was_set() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10")
    host.give(
        5, SECURITY, 4616, PreviousTime="2026-11-21T08:00:10Z", NewTime="2026-11-21T12:00:10Z"
    )
    host.logoff(14_500, "alice", "0x10", 4647)
    host.logon(15_000, "bob", "0x20").logoff(15_010, "bob", "0x20", 4647).finish()
    assert [change.duration for change in host.logouts] == [None, 10.0]


def test_no_duration_below_nought() -> None:
    host = Host(SECURITY).logon(10_000, "alice", "0x10").logoff(5, "alice", "0x10", 4647).finish()
    assert [change.duration for change in host.logouts] == [None]


@pytest.mark.parametrize(
    ("fields", "user", "ip", "valid", "client"),
    [
        ({"TargetUserName": "x", "SubStatus": "0xC0000064"}, "x", None, False, "PC7"),
        ({"TargetUserName": "x", "SubStatus": "0xc000006a"}, "x", None, True, "PC7"),
        ({"TargetUserName": "x", "Status": "0xC000006D"}, "x", None, None, "PC7"),
        ({"TargetUserName": "x", "Status": "0xC0000234"}, "x", None, True, "PC7"),
        ({"TargetUserName": "x", "WorkstationName": "srv01"}, "x", None, None, None),
        ({"IpAddress": "::ffff:192.0.2.1"}, None, "192.0.2.1", None, None),
        ({"IpAddress": "fe80::1%12", "TargetUserName": "x"}, "x", "fe80::1%12", None, None),
    ],
)
def test_a_failure(
    fields: dict[str, str], user: str | None, ip: str | None, valid: bool | None, client: str | None
) -> None:
    more = {"LogonType": "3", "WorkstationName": "PC7"} | fields
    host = Host(SECURITY).give(0, SECURITY, 4625, **more)
    (change,) = host.changes
    assert (change.kind, change.times) == (ChangeKind.LOGIN_FAILED, 1)
    assert (change.user, change.ip, change.valid_user) == (user, ip, valid)
    assert change.client_host == client


@pytest.mark.parametrize(
    "fields",
    [{"LogonType": 5, "TargetUserName": "x"}, {"LogonType": 4, "TargetUserName": "x"},
     {"LogonType": 3}, {"LogonType": 3, "IpAddress": "127.0.0.1"}],
)  # fmt: skip
def test_a_failure_of_nobody(fields: dict[str, object]) -> None:
    assert Host(SECURITY).give(0, SECURITY, 4625, **fields).finish().changes == []


# --- becoming somebody else -----------------------------------------------------------------------

ALICE = {"SubjectUserSid": "S-1-5-21-1-2-3-1001", "SubjectUserName": "alice"}
MACHINE = {"SubjectUserSid": "S-1-5-18", "SubjectUserName": "SRV01$"}


def test_runas_is_one_elevation_of_whose_session_is_known() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10")
    host.give(50, SECURITY, 4648, TargetUserName="root", SubjectLogonId="0x10", **ALICE)
    for luid in ("0x20", "0x21"):
        more = {"LogonProcessName": "seclogo", "SubjectLogonId": "0x10", **ALICE}
        host.logon(50.1, "root", luid, 2, **more)
    host.finish()
    (change,) = host.of(ChangeKind.ELEVATION)
    assert (change.user, change.target_user, change.command) == ("alice", "root", None)
    assert (change.session, change.link) == (host.logins[0].session, Link.LOGON)
    assert host.told()[0] == ("login", "alice") and len(host.logins) == 1


def test_new_credentials_are_an_elevation_to_whom_they_are_of() -> None:
    more = {"LogonProcessName": "seclogo", "TargetOutboundUserName": "dba", **ALICE}
    host = Host(SECURITY).logon(0, "alice", "0x20", 9, **more).finish()
    assert [(change.user, change.target_user) for change in host.changes] == [("alice", "dba")]


def test_a_consent_with_other_credentials_is_one_of_who_alone_is_on() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10")
    more = {"LogonProcessName": "CredPro", **MACHINE}
    host.logon(50, "Administrator", "0x30", 11, **more).finish()
    (change,) = host.of(ChangeKind.ELEVATION)
    assert (change.user, change.target_user) == ("alice", "Administrator")
    assert (change.link, change.inferred) == (Link.ONLY, True)
    nobody = Host(SECURITY).logon(50, "Administrator", "0x30", 11, **more).finish()
    assert [change.user for change in nobody.changes] == [None]


@pytest.mark.parametrize(
    "fields",
    [{**MACHINE, "TargetUserName": "alice"}, {**ALICE, "TargetUserName": "Alice"},
     {**ALICE, "TargetUserName": "DWM-2"}, {**ALICE}],
)  # fmt: skip
def test_credentials_that_are_part_of_every_arrival(fields: dict[str, str]) -> None:
    assert Host(SECURITY).give(0, SECURITY, 4648, **fields).finish().changes == []


# --- sshd -----------------------------------------------------------------------------------------

SSHD = {"ProcessName": r"C:\Windows\System32\OpenSSH\sshd.exe", "LogonProcessName": "Advapi"}


def test_sshd_without_its_own_channel() -> None:
    host = Host(SECURITY).give(0, SECURITY, 4625, LogonType=8, TargetUserName="NOUSER", **SSHD)
    host.logon(5, "alice", "0x10", 8, **SSHD).logoff(9, "alice", "0x10").finish()
    failed, login, logout = host.changes
    assert (failed.service, failed.user, failed.valid_user) == ("sshd", None, False)
    assert (login.service, login.user, login.ip) == ("sshd", "alice", None)
    assert (logout.kind, logout.duration) == (ChangeKind.LOGOUT, 4.0)


def test_sshd_with_its_own_channel_is_told_there() -> None:
    host = Host(SECURITY, OPENSSH)
    host.give(0, SECURITY, 4625, LogonType=8, TargetUserName="NOUSER", **SSHD)
    host.logon(5, "alice", "0x10", 8, **SSHD).finish()
    assert host.changes == []


# --- 4778 and 4779 --------------------------------------------------------------------------------


def station(user: str, luid: str, name: str = "RDP-Tcp#8") -> dict[str, str]:
    return {"AccountName": user, "AccountDomain": "CORP", "LogonID": luid, "SessionName": name,
            "ClientName": "PC7", "ClientAddress": "198.51.100.7"}  # fmt: skip


def test_a_disconnected_session_and_its_reconnection_are_one_session() -> None:
    host = Host(SECURITY).logon(0, "alice", "0x10")
    host.give(60, SECURITY, 4779, **station("alice", "0x10"))
    host.give(90, SECURITY, 4778, **station("alice", "0x10", "RDP-Tcp#9"))
    host.logoff(120, "alice", "0x10", 4647).finish()
    assert [kind for kind, _ in host.told()] == ["login", "logout", "login", "logout"]
    assert len({change.session for change in host.changes}) == 1
    assert [change.kept for change in host.logouts] == [True, False]
    assert [change.duration for change in host.logouts] == [60.0, 30.0]
    assert [change.again for change in host.logins] == [False, True]
    assert len({row.row for row in host.rows}) == 2


def test_a_connection_that_is_switched_to_somebody_elses_session() -> None:
    host = Host(SECURITY).give(0, SECURITY, 4779, **station("alice", "0x10"))
    host.give(0.5, SECURITY, 4778, **station("mallory", "0x20")).finish()
    logout, login = host.changes
    assert (logout.user, logout.reason, logout.abnormal) == ("alice", Reason.KILLED, True)
    assert (logout.by_user, logout.by_ip, logout.duration) == ("mallory", "198.51.100.7", None)
    assert (login.user, login.ip) == ("mallory", "198.51.100.7")


def test_a_disconnection_that_nobody_follows() -> None:
    host = Host(SECURITY).give(0, SECURITY, 4779, **station("alice", "0x10"))
    host.give(5, SECURITY, 4778, **station("mallory", "0x20", "RDP-Tcp#9")).finish()
    assert [(change.reason, change.by_user) for change in host.logouts] == [(Reason.UNKNOWN, None)]


# --- LSM ------------------------------------------------------------------------------------------


def test_a_desktop_by_lsm_alone() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 2, "198.51.100.7").desktop(60, 23, "alice", 2)
    host.why(60.1, 2, 12).desktop(60.2, 24, "alice", 2).finish()
    login, logout = host.changes
    assert (login.ip, login.user, login.domain, login.tty) == (
        "198.51.100.7",
        "alice",
        "CORP",
        "rdp",
    )
    assert (logout.reason, logout.duration, logout.kept) == (Reason.USER, 60.0, False)


@pytest.mark.parametrize(
    ("code", "reason", "abnormal"),
    [(0, Reason.UNKNOWN, False), (1, Reason.KILLED, True), (2, Reason.KILLED, True),
     (3, Reason.TIMEOUT, True), (4, Reason.TIMEOUT, True), (5, Reason.KILLED, True),
     (6, Reason.KILLED, True), (11, Reason.USER, False), (12, Reason.USER, False),
     (258, Reason.UNKNOWN, False), (4098, Reason.NETWORK, True)],
)  # fmt: skip
def test_why_a_desktop_is_disconnected(code: int, reason: Reason, abnormal: bool) -> None:
    host = Host(LSM).desktop(0, 21, "alice", 2).why(60, 2, code).desktop(60.1, 24, "alice", 2)
    (logout,) = host.finish().logouts
    assert (logout.reason, logout.abnormal, logout.kept) == (reason, abnormal, True)


def test_a_broken_line() -> None:
    host = Host(LSM, RDP_CORE).give(59, RDP_CORE, 143).desktop(0, 21, "alice", 2)
    host.why(60, 2, 0).desktop(60.1, 24, "alice", 2).finish()
    assert host.logouts[0].reason is Reason.NETWORK


def test_back_in_the_same_session() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 2).why(60, 2, 11).desktop(60.1, 24, "alice", 2)
    host.give(90, LSM, 41, User=r"CORP\alice", SessionID=3).desktop(91, 25, "alice", 2, "192.0.2.9")
    host.desktop(99, 23, "alice", 2).finish()
    assert [kind for kind, _ in host.told()] == ["login", "logout", "login", "logout"]
    assert len({change.session for change in host.changes}) == 1
    assert [(change.again, change.ip) for change in host.logins] == [
        (False, None),
        (True, "192.0.2.9"),
    ]
    assert [row.session for row in host.rows] == [host.logins[0].session] * 2
    assert len({row.row for row in host.rows}) == 2


def test_taken_over_by_oneself_from_elsewhere() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 2, "192.0.2.1").why(60, 2, 5)
    host.desktop(60.1, 24, "alice", 2).why(60.2, 3, 0).why(60.3, 2, 5)
    host.desktop(63, 25, "alice", 2, "192.0.2.9").finish()
    (logout,) = host.logouts
    assert (logout.reason, logout.abnormal) == (Reason.KILLED, True)
    assert (logout.by_user, logout.by_ip) == ("alice", "192.0.2.9")


@pytest.mark.parametrize("patient", [True, False])
def test_thrown_out_by_somebody_who_comes_in(patient: bool) -> None:
    host = Host(LSM, patient=patient).desktop(0, 21, "alice", 2, "192.0.2.1").why(60, 2, 5)
    host.desktop(60.1, 24, "alice", 2).wait(60.1, 3).desktop(63, 21, "bob", 3, "192.0.2.9").finish()
    (logout,) = host.logouts
    assert (logout.user, logout.by_user, logout.by_ip) == ("alice", "bob", "192.0.2.9")
    assert host.told()[-2:] in (
        [("logout", "alice"), ("login", "bob")], [("login", "bob"), ("logout", "alice")]
    )  # fmt: skip


def test_disconnected_by_another_session() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 6, "192.0.2.1").desktop(1, 21, "bob", 8, "192.0.2.9")
    host.give(60, LSM, 39, TargetSession=6, Source=8).why(60, 6, 11).desktop(60.1, 24, "alice", 6)
    (logout,) = host.finish().logouts
    assert (logout.reason, logout.by_user, logout.by_ip) == (Reason.KILLED, "bob", "192.0.2.9")


def test_an_own_disconnect_is_nobody_elses() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 6).give(60, LSM, 39, TargetSession=6, Source=6)
    host.why(60, 6, 11).desktop(60.1, 24, "alice", 6).finish()
    assert [(change.reason, change.by_user) for change in host.logouts] == [(Reason.USER, None)]


def test_logged_off_by_another_session() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 6).desktop(1, 21, "bob", 8).desktop(60, 23, "alice", 6)
    host.give(60.1, LSM, 39, TargetSession=6, Source=8).why(60.1, 6, 11).finish()
    (logout,) = host.logouts
    assert (logout.reason, logout.abnormal, logout.by_user) == (Reason.KILLED, True, "bob")


def test_disconnected_and_then_logged_off_lives_on_no_more() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 6).desktop(60, 24, "alice", 6)
    host.desktop(60.2, 23, "alice", 6).finish()
    assert [change.kept for change in host.logouts] == [False]


def test_live_who_leaves_is_told_before_who_comes_to_the_same_session() -> None:
    for channels in ((LSM,), ALL):
        host = Host(*channels, patient=False).desktop(0, 21, "alice", 2).wait(0, 5)
        host.why(60, 2, 11).desktop(60, 24, "alice", 2).desktop(60.5, 25, "alice", 2).wait(61, 15)
        assert [kind for kind, _ in host.told()] == ["login", "logout", "login"]


def test_who_comes_in_later_has_thrown_nobody_out() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 2).why(60, 2, 5).desktop(60.1, 24, "alice", 2)
    host.desktop(120, 21, "bob", 3).finish()
    assert [change.by_user for change in host.logouts] == [None]


def test_a_session_that_is_opened_again_was_over() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 1).desktop(500, 21, "bob", 1).finish()
    (logout,) = host.logouts
    assert (logout.user, logout.reason, logout.inferred) == ("alice", Reason.UNKNOWN, True)
    assert [row.user for row in host.engine.open_sessions()] == ["bob"]


def test_listeners_are_nobody() -> None:
    host = Host(LSM).why(0, 65536, 0).why(5, 4, 11).give(6, LSM, 24, SessionID=4).finish()
    assert host.changes == []


def test_an_address_that_only_the_connection_manager_knows() -> None:
    host = Host(LSM, RCM)
    host.give(0, RCM, 1149, Param1="Alice", Param2="CORP", Param3="192.0.2.9")
    host.desktop(5, 21, "alice", 2).desktop(90, 21, "alice", 3).finish()
    assert [change.ip for change in host.logins] == ["192.0.2.9", None]


def test_a_connection_that_was_let_through_is_no_login() -> None:
    host = Host(LSM, RCM, SECURITY)
    host.give(0, RCM, 1149, Param1="alice", Param3="192.0.2.9").finish()
    assert host.changes == []


# --- both -----------------------------------------------------------------------------------------


def both(patient: bool) -> Host:
    return Host(*ALL, patient=patient)


@pytest.mark.parametrize(("patient", "first"), [(True, LSM), (False, LSM), (False, SECURITY)])
def test_one_login_in_two_channels(patient: bool, first: str) -> None:
    host = both(patient)

    def security() -> None:
        host.logon(0, "Alice", "0x10", IpAddress="192.0.2.9", IpPort=50, TargetLinkedLogonId="0x11")
        host.logon(0, "Alice", "0x11", IpAddress="192.0.2.9", IpPort=50, TargetLinkedLogonId="0x10")

    if first == SECURITY:
        security()
    host.desktop(1, 21, "alice", 2, "192.0.2.9")
    if first == LSM:
        security()
    if patient:  # a replay gives the whole of LSM's log first
        host = both(patient).desktop(1, 21, "alice", 2, "192.0.2.9").desktop(60.1, 23, "alice", 2)
        security()
        host.logoff(60, "Alice", "0x10", 4647)
    else:
        host.logoff(60, "Alice", "0x10", 4647).desktop(60.1, 23, "alice", 2).wait(61, 20)
    host.finish()
    assert [kind for kind, _ in host.told()] == ["login", "logout"]
    login, logout = host.changes
    assert (login.ip, login.port) == ("192.0.2.9", 50)
    assert (logout.reason, logout.duration) == (Reason.USER, 59.1)


@pytest.mark.parametrize("patient", [True, False])
def test_back_in_an_older_session_whose_logon_is_over_at_once(patient: bool) -> None:
    """Security shows a logon that ends, LSM that the person is in."""
    host = both(patient).logon(0, "alice", "0x10").desktop(1, 21, "alice", 2)
    host.why(50, 2, 11).desktop(50.1, 24, "alice", 2)
    if not patient:
        host.wait(50, 15)
    host.logon(70, "alice", "0x20").logoff(71, "alice", "0x20").desktop(72, 25, "alice", 2)
    if not patient:
        host.wait(72, 15)
    host.desktop(90, 23, "alice", 2)
    if not patient:
        host.wait(90, 15)
    host.finish()
    assert [kind for kind, _ in host.told()] == ["login", "logout", "login", "logout"]
    assert len({change.session for change in host.changes}) == 1
    assert host.logouts[1].duration == 18.0


@pytest.mark.parametrize("patient", [True, False])
def test_a_logon_that_never_got_a_desktop(patient: bool) -> None:
    host = both(patient).logon(0, "alice", "0x10").desktop(1, 21, "bob", 2)
    if not patient:
        host.wait(1, 15)
    host.logoff(40, "alice", "0x10").finish()
    assert ("login", "alice") in host.told() and ("logout", "alice") in host.told()


def test_an_unlock_while_lsm_is_read_too() -> None:
    host = both(False).logon(0, "alice", "0x10", 2).desktop(1, 21, "alice", 1, "LOCAL").wait(1, 5)
    host.logon(900, "alice", "0x20", 11).logoff(900.2, "alice", "0x20").wait(900, 15).finish()
    assert host.told() == [("login", "alice")]


def test_an_orderly_end_that_lsm_tells_late_is_no_crash() -> None:
    """After a boot the channels are caught up with one after the other."""
    host = both(False).logon(0, "alice", "0x10").desktop(1, 21, "alice", 1).wait(1, 5)
    host.logoff(399.9, "alice", "0x10", 4647).give(500, SECURITY, 4608)
    host.desktop(400, 23, "alice", 1).wait(500, 20).finish()
    (logout,) = host.logouts
    assert (logout.inferred, logout.reason, logout.duration) == (False, Reason.USER, 399.0)


@pytest.mark.parametrize("patient", [True, False])
def test_a_crash_in_both_channels(patient: bool) -> None:
    host = both(patient)
    if patient:
        host.give(200, SYSTEM, 6008).give(200, SYSTEM, 6005)
        host.desktop(1, 21, "alice", 1).give(201, LSM, 32).desktop(230, 21, "bob", 1)
        host.logon(0, "alice", "0x10").give(100, SECURITY, 4672).give(199, SECURITY, 4608)
        host.logon(229, "bob", "0x10")
    else:
        host.logon(0, "alice", "0x10").desktop(1, 21, "alice", 1).wait(1, 5)
        host.give(100, SECURITY, 4672).give(199, SECURITY, 4608).give(200, SYSTEM, 6008)
        host.give(200, SYSTEM, 6005).give(201, LSM, 32).wait(201, 16)
        host.logon(229, "bob", "0x10").desktop(230, 21, "bob", 1).wait(230, 5)
    host.finish()
    assert host.told() == [("login", "alice"), ("logout", "alice"), ("login", "bob")]
    (logout,) = host.logouts
    assert (logout.reason, logout.abnormal, logout.inferred) == (Reason.REBOOT, True, True)
    assert logout.duration == 99.0


def test_a_start_of_lsm_alone_is_no_boot() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 1).give(100, LSM, 32).desktop(200, 23, "alice", 1)
    (logout,) = host.finish().logouts
    assert (logout.reason, logout.inferred, logout.duration) == (Reason.USER, False, 200.0)


def test_live_a_login_is_told_as_soon_as_both_have_told_of_it() -> None:
    host = both(False).logon(0, "alice", "0x10").wait(0, 0.5)
    assert host.changes == []
    assert host.desktop(1, 21, "alice", 2).told() == [("login", "alice")]


def test_live_a_login_without_the_other_channel_is_told_after_a_while() -> None:
    assert Host(SECURITY, patient=False).logon(0, "alice", "0x10").wait(0, 1.4).told() == []
    assert Host(SECURITY, patient=False).logon(0, "alice", "0x10").wait(0, 1.6).logins != []
    assert Host(LSM, patient=False).desktop(0, 21, "alice", 2).told() == [("login", "alice")]


def test_the_end_of_the_wait_is_told_before_it_is_waited_for() -> None:
    host = Host(SECURITY, patient=False)
    assert host.engine.patience(0) is None
    host.logon(0, "alice", "0x10").wait(5, 0)
    assert host.engine.patience(5.5) == pytest.approx(1.0)
    assert host.engine.patience(9) == 0.0


def test_hosts_are_kept_apart() -> None:
    one, two = Host(SECURITY, origin="one"), Host(SECURITY, origin="two")
    for host in (one, two):
        host.logon(0, "alice", "0x10")
    one.engine.take(two.record(5, SECURITY, 4608))
    one.changes += one.engine.finish()
    assert [change.kind for change in one.changes] == [ChangeKind.LOGIN]
