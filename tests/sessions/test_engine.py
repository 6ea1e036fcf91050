"""One login and one logout for each connection, whatever the lines and their order."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.model import Change, ChangeKind, Moment, Trusted
from usersessionmon.pipeline import Pipeline
from usersessionmon.sessions import world
from usersessionmon.sessions.engine import Engine, Found

from .logs import REFERENCE_US, RULES, brief, conclude, events, records


def login(time: str, pid: int, user: str, port: int, ip: str = "198.51.100.7") -> list[str]:
    return [
        f"{time} sshd[{pid}]: Accepted password for {user} from {ip} port {port} ssh2",
        f"{time} sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1000) "
        "by (uid=0)",
    ]


def logout(time: str, pid: int, user: str, port: int, ip: str = "198.51.100.7") -> list[str]:
    return [
        f"{time} sshd[{pid + 6}]: Received disconnect from {ip} port {port}:11: "
        "disconnected by user",
        f"{time} sshd[{pid + 6}]: Disconnected from user {user} {ip} port {port}",
        f"{time} sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}",
    ]


def test_a_login_and_its_logout_share_a_session() -> None:
    first, second = events(
        [*login("08:00:00", 10, "alice", 1), *logout("08:01:35", 10, "alice", 1)]
    )
    assert first["event"] == "login"
    assert first["method"] == "password"
    assert second["event"] == "logout"
    assert (second["reason"], second["abnormal"], second["duration"]) == ("user", False, 95)
    assert second["session"] == first["session"]
    assert second["ip"] == "198.51.100.7"
    assert second["port"] == 1


def test_twenty_sessions_of_one_user_closed_in_another_order() -> None:
    order = list(range(20))
    random.Random(5).shuffle(order)
    lines = list(
        itertools.chain(
            *(login(f"08:00:{n:02}", 100 + 10 * n, "alice", 4000 + n) for n in range(20)),
            *(logout(f"08:10:{n:02}", 100 + 10 * n, "alice", 4000 + n) for n in order),
        )
    )
    found = events(sorted(lines, key=lambda line: line[:8]))
    logins = {event["port"]: event["session"] for event in found if event["event"] == "login"}
    logouts = {event["port"]: event["session"] for event in found if event["event"] == "logout"}
    assert len(found) == 40
    assert len(logins) == 20
    assert logins == logouts


@pytest.mark.parametrize("close_first", [True, False])
@pytest.mark.parametrize(
    ("why", "reason", "abnormal"),
    [
        ("Disconnected from user alice 198.51.100.7 port 1", "user", False),
        ("Connection closed by user alice 198.51.100.7 port 1", "user", False),
        ("Connection reset by user alice 198.51.100.7 port 1", "network", True),
        ("Read error from remote host 198.51.100.7 port 1: Broken pipe", "network", True),
        ("Timeout, client not responding from user alice 198.51.100.7 port 1", "timeout", True),
        ("Exiting on signal 15", "killed", True),
        ("Disconnecting user alice 198.51.100.7 port 1: bad", "killed", True),
    ],
)
def test_the_reason_is_found_whichever_line_comes_first(
    close_first: bool, why: str, reason: str, abnormal: bool
) -> None:
    end = [
        "08:05:00 sshd[10]: pam_unix(sshd:session): session closed for user alice",
        f"08:05:00 sshd[16]: {why}",
    ]
    _, found = events([*login("08:00:00", 10, "alice", 1), *(end if close_first else end[::-1])])
    assert (found["event"], found["reason"], found["abnormal"]) == ("logout", reason, abnormal)
    assert found["duration"] == 300


def test_an_end_without_a_reason_waits_two_seconds_of_the_log() -> None:
    lines = [
        *login("08:00:00", 10, "alice", 1),
        "08:05:00 sshd[10]: pam_unix(sshd:session): session closed for user alice",
    ]
    pipeline = Pipeline(RULES, Engine())
    changes = pipeline.process(records(lines))
    assert [change.kind for change in changes] == [ChangeKind.LOGIN]
    end = records(lines)[-1].time.us
    assert pipeline.engine.tick(100.0) == []  # the log's end is reached
    assert pipeline.engine.patience(100.5) == pytest.approx(1.5)
    assert pipeline.engine.tick(101.9) == []
    (told,) = pipeline.engine.tick(102.0)
    assert told.time.us == end
    assert (told.kind, told.reason, told.abnormal) == (ChangeKind.LOGOUT, "unknown", False)


def test_late_and_double_lines_of_an_ended_session_are_absorbed() -> None:
    assert brief(
        [
            *login("08:00:00", 10, "alice", 1),
            *logout("08:00:10", 10, "alice", 1),
            *logout("08:00:11", 10, "alice", 1),
            "08:00:12 systemd-logind[5]: Session 7 logged out. Waiting for processes to exit.",
            "08:00:12 systemd-logind[5]: Removed session 7.",
        ]
    ) == ["login alice", "logout alice user 10"]


def test_a_reused_pid_ends_the_unseen_session_as_inferred() -> None:
    assert brief([*login("08:00:00", 10, "alice", 1), *login("09:00:00", 10, "bob", 2)]) == [
        "login alice",
        "logout alice unknown 3600 inferred",
        "login bob",
    ]


def test_a_logout_whose_login_was_not_seen() -> None:
    found = events(logout("08:00:00", 10, "alice", 77))
    assert len(found) == 1
    assert found[0]["event"] == "logout"
    assert (found[0]["user"], found[0]["port"], found[0]["duration"]) == ("alice", 77, None)


def test_without_pam_the_disconnect_line_ends_the_session() -> None:
    assert brief(
        [
            "08:00:00 sshd[10]: Accepted publickey for alice from 198.51.100.7 port 1 ssh2",
            "08:00:30 sshd[12]: Disconnected from user alice 198.51.100.7 port 1",
            "08:10:00 sshd[99]: Server listening on :: port 22.",
        ]
    ) == ["login alice", "logout alice user 30"]


def test_logind_ends_a_session_whose_monitor_was_killed() -> None:
    found = events(
        [
            *login("08:00:00", 10, "alice", 1),
            "08:00:00 systemd-logind[5]: New session 7 of user alice.",
            "08:00:20 systemd-logind[5]: Session 7 logged out. Waiting for processes to exit.",
            "08:00:20 systemd-logind[5]: Removed session 7.",
        ]
    )
    assert found[1]["event"] == "logout"
    assert (found[1]["reason"], found[1]["abnormal"], found[1]["duration"]) == ("killed", True, 20)


def test_a_session_that_ends_in_a_shutdown_ends_by_it() -> None:
    assert brief(
        [
            *login("08:00:00", 10, "alice", 1),
            "08:00:20 systemd-logind[5]: System is rebooting.",
            "08:00:21 sshd[16]: Exiting on signal 15",
            "08:00:21 sshd[10]: pam_unix(sshd:session): session closed for user alice",
        ]
    ) == ["login alice", "logout alice reboot 21"]


def test_a_boot_ends_what_was_open_orderly_or_not() -> None:
    before = [
        *login("08:00:00", 10, "alice", 1),
        "08:00:30 sshd[9]: Connection from 192.0.2.1 port 2",
    ]
    after = ["08:05:00 kernel: Linux version 6.1", *login("08:06:00", 10, "bob", 2)]
    assert brief([*before, *after]) == [
        "login alice",
        "logout alice reboot 30 abnormal inferred",
        "login bob",
    ]
    announced = [*before, "08:00:31 systemd-logind[5]: System is powering down."]
    assert brief([*announced, *after])[1] == "logout alice shutdown 31 inferred"


def test_a_restart_of_sshd_or_of_logind_alone_ends_nothing() -> None:
    for line in (
        "08:05:00 sshd[1]: Received signal 15; terminating.",
        "08:05:01 sshd[2]: Server listening on 0.0.0.0 port 22.",
        "08:15:00 systemd-logind[5]: New seat seat0.",
    ):
        assert brief([*login("08:00:00", 10, "alice", 1), line]) == ["login alice"]


def test_hosts_of_a_central_log_never_mix() -> None:
    one = records(login("08:00:00", 10, "alice", 1), host="web-1")
    two = records(logout("08:00:05", 10, "alice", 1), host="web-2")
    changes = conclude([*one, *two])
    assert [(change.kind, change.host) for change in changes] == [
        (ChangeKind.LOGIN, "web-1"),
        (ChangeKind.LOGOUT, "web-2"),
    ]
    assert changes[0].session != changes[1].session


# --- failures ---------------------------------------------------------------------------------


def test_one_wrong_password_is_one_failure_however_many_lines() -> None:
    assert brief(
        [
            "08:00:00 sshd[10]: Invalid user admin from 203.0.113.9 port 4",
            "08:00:00 sshd[10]: pam_unix(sshd:auth): check pass; user unknown",
            "08:00:00 sshd[10]: pam_unix(sshd:auth): authentication failure; logname= uid=0 "
            "euid=0 tty=ssh ruser= rhost=203.0.113.9 ",
            "08:00:02 sshd[10]: Failed password for invalid user admin from 203.0.113.9 port 4 "
            "ssh2",
            "08:00:03 sshd[10]: Connection closed by invalid user admin 203.0.113.9 port 4 "
            "[preauth]",
        ]
    ) == ["login_failed admin x1 False"]


def test_offered_keys_are_no_failure_when_the_login_follows() -> None:
    key = (
        "08:00:00 sshd[10]: Failed publickey for alice from 198.51.100.7 port 1 ssh2: RSA SHA256:x"
    )
    end = (
        "08:00:05 sshd[10]: Connection closed by authenticating user alice 198.51.100.7 port 1 "
        "[preauth]"
    )
    assert brief([key, key, *login("08:00:01", 10, "alice", 1)]) == ["login alice"]
    assert brief([key, key, end]) == ["login_failed alice x1 True"] * 2


def test_a_hint_of_pam_alone_is_told_after_a_while() -> None:
    hint = (
        "08:00:00 gdm-password][10]: pam_unix(gdm-password:auth): authentication failure; "
        "logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice"
    )
    pipeline = Pipeline(RULES, Engine())
    (record,) = records([hint])
    assert pipeline.process([record]) == []
    assert pipeline.engine.tick(5.0) == []
    (told,) = pipeline.engine.tick(20.0)
    assert (told.kind, told.service, told.user) == (ChangeKind.LOGIN_FAILED, "gdm", "alice")


def test_pam_unix_fails_and_pam_sss_lets_in() -> None:
    assert brief(
        [
            "08:00:00 sshd[10]: pam_unix(sshd:auth): authentication failure; logname= uid=0 "
            "euid=0 tty=ssh ruser= rhost=198.51.100.7  user=alice",
            "08:00:00 sshd[10]: pam_sss(sshd:auth): authentication success; logname= uid=0 "
            "euid=0 tty=ssh ruser= rhost=198.51.100.7 user=alice",
            *login("08:00:00", 10, "alice", 1),
        ]
    ) == ["login alice"]


def test_half_known_connections_are_bounded_and_none_is_lost() -> None:
    lines = [
        f"08:00:00 sshd[{pid}]: Invalid user u{pid} from 203.0.113.9 port {pid % 60000}"
        for pid in range(world.MAX_HALF + 500)
    ]
    pipeline = Pipeline(RULES, Engine())
    early = pipeline.process(records(lines))
    assert len(early) == 500
    assert len(pipeline.engine.finish()) == world.MAX_HALF


# --- saving -------------------------------------------------------------------------------------

_STORY = [
    *login("08:00:00", 10, "alice", 1),
    "08:00:00 systemd-logind[5]: New session 7 of user alice.",
    "08:00:01 sshd[20]: Invalid user admin from 203.0.113.9 port 4",
    "08:00:02 sshd[30]: Failed publickey for bob from 203.0.113.9 port 5 ssh2: RSA SHA256:x",
    *login("08:00:03", 30, "bob", 5, "203.0.113.9"),
    "08:00:04 sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
    "08:00:05 su[50]: Successful su for root by alice",
    "08:00:05 su[50]: + /dev/pts/0 alice:root",
    "08:00:06 sshd[20]: Failed password for invalid user admin from 203.0.113.9 port 4 ssh2",
    "08:00:07 web last message repeated 3 times",
    "08:00:08 sshd[10]: pam_unix(sshd:session): session closed for user alice",
    "08:00:09 sshd[16]: Connection reset by user alice 198.51.100.7 port 1",
    "08:00:10 sshd[44]: Exiting on signal 15",
    "08:00:10 sshd[30]: pam_unix(sshd:session): session closed for user bob",
    *login("08:00:20", 60, "carol", 9),
    "08:00:21 systemd-logind[5]: System is rebooting.",
    "08:02:00 kernel: Linux version 6.1",
    *login("08:03:00", 10, "alice", 1),
    *logout("08:03:30", 10, "alice", 1),
]


def _saved_between(cuts: set[int]) -> list[Change]:
    """The story with the engine saved and loaded anew at each cut."""
    store: dict[str, str] = {}
    hosts: dict[str, str] = {}
    pipeline = Pipeline(RULES, Engine())
    changes: list[Change] = []
    for index, record in enumerate(records(_STORY)):
        changes += pipeline.one(record)
        if index in cuts:
            delta = pipeline.engine.drain()
            for key, body in delta.connections.items():
                if body is None:
                    store.pop(key, None)
                else:
                    store[key] = body
            hosts.update(delta.hosts)
            pipeline = Pipeline(RULES, Engine.load(store.values(), hosts.values()))
    return [*changes, *pipeline.engine.finish()]


@given(st.sets(st.integers(0, len(_STORY) - 1)))
def test_a_log_cut_anywhere_gives_the_same_conclusions(cuts: set[int]) -> None:
    assert _saved_between(cuts) == conclude(records(_STORY))


def test_the_story_is_told_as_it_happened() -> None:
    assert brief(_STORY) == [
        "login alice",
        "login bob",
        "elevation alice to root",
        "elevation alice to root",
        "login_failed admin x1 False",
        "logout alice network 8 abnormal",
        "logout bob killed 7 abnormal",
        "login carol",
        "logout carol reboot 1 inferred",
        "login alice",
        "logout alice user 30",
    ]


def test_a_session_found_on_the_host_is_taken_up_once_and_ends_like_others() -> None:
    engine = Engine()
    since = records(["07:00:00 sshd[10]: x"])[0].time
    found = Found("alice", "sshd", 10, since, "198.51.100.7", None, "pts/0", "7", 1000)
    assert engine.adopt("web-1", None, found)
    assert not engine.adopt("web-1", None, found)
    ((_, row),) = engine.open_sessions()
    assert row.inferred
    assert row.login_time == since
    pipeline = Pipeline(RULES, engine)
    changes = pipeline.process(records(logout("08:00:00", 10, "alice", 1)))
    assert [change.kind for change in changes] == [ChangeKind.LOGOUT]
    assert changes[0].duration == 3600


def test_a_new_boot_id_ends_the_sessions_of_the_boots_before() -> None:
    engine = Engine()
    pipeline = Pipeline(RULES, engine)
    old = [record._replace(boot="a" * 32) for record in records(login("08:00:00", 10, "alice", 1))]
    new = [record._replace(boot="b" * 32) for record in records(login("09:00:00", 10, "bob", 2))]
    pipeline.process(old)
    changes = pipeline.process(new)
    assert [(change.kind, change.user) for change in changes] == [
        (ChangeKind.LOGOUT, "alice"),
        (ChangeKind.LOGIN, "bob"),
    ]
    assert (changes[0].reason, changes[0].inferred, changes[0].abnormal) == ("reboot", True, True)
    assert engine.booted("web-1", "b" * 32, Moment(0, "")) == []
    assert [row.user for _, row in engine.open_sessions()] == ["bob"]


def test_durations_come_from_the_monotonic_clock_where_there_is_one() -> None:
    lines = [*login("08:00:00", 10, "alice", 1), *logout("09:00:00", 10, "alice", 1)]
    clocked = [
        record._replace(boot="a" * 32, mono_us=5_000_000 + index * 1_000_000)
        for index, record in enumerate(records(lines))
    ]
    assert conclude(clocked)[-1].duration == 4.0


def test_a_clock_set_back_moves_what_waits() -> None:
    lines = [
        *login("08:00:00", 10, "alice", 1),
        "08:05:00 sshd[10]: pam_unix(sshd:session): session closed for user alice",
        *login("07:05:01", 20, "bob", 2),
        "07:05:30 sshd[1]: Server listening on :: port 22.",
    ]
    kinds = [change.kind for change in conclude(records(lines), finish=False)]
    assert kinds == [ChangeKind.LOGIN, ChangeKind.LOGIN, ChangeKind.LOGOUT]


def test_the_end_of_a_connection_that_nobody_logged_in_by_is_no_logout() -> None:
    client = "08:00:00 proftpd[10]: web-1 (192.0.2.61[192.0.2.61])"
    assert brief(
        [
            f"{client} - FTP session opened.",
            f"{client} - USER bob: no such user found from 192.0.2.61 [192.0.2.61] to 192.0.2.1:21",
            f"{client} - FTP session closed.",
        ]
    ) == ["login_failed bob x1 False"]
    assert brief([f"{client} - FTP session closed."]) == []


# --- found on real hosts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("power-off", "shutdown"), ("halt", "shutdown"), ("reboot", "reboot"), ("kexec", "reboot")],
)
def test_every_kind_of_shutdown_that_logind_names(kind: str, reason: str) -> None:
    pipeline = Pipeline(RULES, Engine())
    trusted = Trusted("journal", 0, "/usr/lib/systemd/systemd-logind", "systemd-logind")
    lines = [
        *login("08:00:00", 10, "alice", 1),
        "08:00:05 systemd-logind[5]: System is powering down.",
        "08:00:06 sshd[10]: pam_unix(sshd:session): session closed for user alice",
    ]
    found = [
        record._replace(trusted=trusted, fields={"SHUTDOWN": kind}) if record.pid == 5 else record
        for record in records(lines)
    ]
    changes = [*pipeline.process(found), *pipeline.engine.finish()]
    assert pipeline.faults == 0
    assert [change.reason for change in changes] == [None, reason]


def test_a_service_manager_is_not_taken_for_the_next_login() -> None:
    """systemd 256 and later: the user's service manager is a logind session of its own."""
    lines = [
        *login("08:00:00.000", 10, "bob", 1),
        "08:00:00.020 systemd-logind[5]: New session 1 of user bob.",
        "08:00:00.040 systemd-logind[5]: New session 2 of user bob.",
        *login("08:00:00.300", 20, "bob", 2),
        "08:00:00.320 systemd-logind[5]: New session 3 of user bob.",
        "08:05:00 systemd-logind[5]: Removed session 2.",
        "08:10:00 systemd-logind[5]: Session 3 logged out. Waiting for processes to exit.",
    ]
    assert brief(lines) == ["login bob", "login bob", "logout bob killed 599.7 abnormal"]


def test_restarts_of_two_daemons_are_no_boot() -> None:
    assert brief(
        [
            *login("08:00:00", 10, "alice", 1),
            "08:10:00 sshd[1]: Received signal 15; terminating.",
            "08:10:00 sshd[2]: Server listening on 0.0.0.0 port 22.",
            "08:10:00 sshd[2]: Server listening on :: port 22.",
            "08:10:20 systemd-logind[5]: New seat seat0.",
            *logout("08:30:00", 10, "alice", 1),
        ]
    ) == ["login alice", "logout alice user 1800"]


def test_a_boot_seen_by_its_daemons_ends_sessions_at_the_last_line_before() -> None:
    assert brief(
        [
            *login("08:00:00", 10, "alice", 1),
            "08:00:30 sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
            "09:00:00 sshd[2]: Server listening on 0.0.0.0 port 22.",
            "09:00:00 sshd[2]: Server listening on :: port 22.",
            "09:00:01 systemd-logind[5]: New seat seat0.",
        ]
    ) == ["login alice", "elevation alice to root", "logout alice reboot 30 abnormal inferred"]


def test_a_client_that_goes_after_its_monitor_was_killed_was_not_the_reason() -> None:
    assert brief(
        [
            *login("08:00:00", 10, "alice", 1),
            "08:00:00 systemd-logind[5]: New session 7 of user alice.",
            "08:00:20 systemd-logind[5]: Session 7 logged out. Waiting for processes to exit.",
            "08:00:20 sshd[16]: Connection closed by user alice 198.51.100.7 port 1",
        ]
    ) == ["login alice", "logout alice killed 20 abnormal"]


@pytest.mark.parametrize("offset_hours", [-8, 0, 8])
def test_a_host_whose_clock_is_far_from_ours_is_told_the_same(offset_hours: int) -> None:
    """Only what has passed since its last line counts, never the difference of the clocks."""
    pipeline = Pipeline(RULES, Engine())
    lines = [
        *login("08:00:00", 10, "alice", 1),
        "08:00:00 sshd[20]: Invalid user admin from 203.0.113.9 port 4",
        "08:00:01 sshd[20]: Failed password for invalid user admin from 203.0.113.9 port 4 ssh2",
        "08:00:05 sshd[16]: Received disconnect from 198.51.100.7 port 1:11: disconnected by user",
        "08:00:05 sshd[10]: pam_unix(sshd:session): session closed for user alice",
    ]
    shift = offset_hours * 3_600_000_000
    changes: list[Change] = []
    for index, record in enumerate(records(lines)):
        moved = record._replace(time=Moment(record.time.us + shift, record.time.text))
        changes += pipeline.one(moved)
        changes += pipeline.engine.tick(1000.0 + index / 10)
        pipeline.engine.drain()
    assert [change.kind for change in changes] == [
        ChangeKind.LOGIN,
        ChangeKind.LOGIN_FAILED,
        ChangeKind.LOGOUT,
    ]


def test_a_process_that_was_never_there_proves_nothing_by_its_absence() -> None:
    pipeline = Pipeline(RULES, Engine())
    pipeline.process(records(login("08:00:00", 10, "alice", 1)))
    ((key, _),) = pipeline.engine.open_sessions()
    now = Moment(REFERENCE_US, "now")
    assert pipeline.engine.gone(key, now) == []
    pipeline.engine.confirm(key)
    (told,) = pipeline.engine.gone(key, now)
    assert (told.kind, told.inferred, told.time) == (ChangeKind.LOGOUT, True, now)


def test_without_pam_the_host_says_when_and_the_childs_line_says_why() -> None:
    pipeline = Pipeline(RULES, Engine())
    root = Trusted("syslog", 0, "/usr/sbin/sshd", "sshd")
    lines = [
        "08:00:00 sshd[10]: Accepted publickey for alice from 198.51.100.7 port 1 ssh2",
        "08:00:30 sshd[12]: Disconnected from user alice 198.51.100.7 port 1",
    ]
    first, second = (record._replace(trusted=root) for record in records(lines))
    pipeline.one(first)
    ((key, _),) = pipeline.engine.open_sessions()
    pipeline.engine.confirm(key)
    assert pipeline.one(second._replace(trusted=root._replace(uid=1000))) == []
    (told,) = pipeline.engine.gone(key, Moment(REFERENCE_US, "later"))
    assert (told.reason, told.duration, told.inferred) == ("user", 30, True)


def test_a_fault_of_the_program_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(RULES, Engine())
    lines = [
        *login("08:00:00", 10, "alice", 1),
        "08:00:01 sshd[1]: Server listening on :: port 22.",
    ]
    broken, *_ = records(lines)
    monkeypatch.setattr(
        RULES, "match", lambda record, real=RULES.match: 1 / 0 if record == broken else real(record)
    )
    pipeline.process(records([*lines, *login("08:00:02", 20, "bob", 2)]))
    assert pipeline.faults == 1
    assert "bob" in [view.user for _, view in pipeline.engine.open_sessions()]


def test_logind_may_be_the_first_to_say_that_somebody_left() -> None:
    """Three processes race; only a close of PAM that never comes means that sshd was killed."""
    lines = [
        *login("08:00:00", 10, "alice", 1),
        "08:00:00 systemd-logind[5]: New session 7 of user alice.",
        "08:00:20 systemd-logind[5]: Session 7 logged out. Waiting for processes to exit.",
        *logout("08:00:20", 10, "alice", 1),
    ]
    assert brief(lines) == ["login alice", "logout alice user 20"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("Stopping session-3.scope - Session 3 of User alice...", "", "killed"),
        ("", "Stopping session-3.scope - Session 3 of User alice...", "unknown"),
        ("", "session-3.scope: Failed with result 'oom-kill'.", "killed"),
        ("Stopping session-4.scope - Session 4 of User bob...", "", "unknown"),
    ],
)
def test_the_service_manager_ends_a_session(before: str, after: str, reason: str) -> None:
    lines = [
        "08:00:00 sshd[10]: Accepted password for alice from 192.0.2.1 port 5 ssh2",
        "08:00:00 sshd[10]: pam_unix(sshd:session): session opened for user alice(uid=1) by "
        "(uid=0)",
        "08:00:00 systemd-logind[2]: New session 3 of user alice.",
        *([f"08:05:00 systemd[1]: {before}"] if before else []),
        "08:05:00 sshd[10]: pam_unix(sshd:session): session closed for user alice",
        *([f"08:05:00 systemd[1]: {after}"] if after else []),
        "08:06:00 CRON[1]: x",
    ]
    (_, logout) = events(lines)
    assert (logout["reason"], logout["abnormal"]) == (reason, reason == "killed")


def test_what_no_longer_waits_is_forgotten() -> None:
    """A stream of guesses sets a deadline each; they last ten minutes."""
    engine = Engine()
    pipeline = Pipeline(RULES, engine)
    for number in range(20_000):
        line = f"08:00:00 sshd[{number}]: Failed password for root from 192.0.2.1 port 5 ssh2"
        pipeline.process(records([line]))
    assert len(engine._world.connections) <= world.MAX_HALF
    assert len(engine._world._deadlines["web-1"]) <= world.MAX_STALE + 5 * world.MAX_HALF
