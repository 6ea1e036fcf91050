"""What real programs write about one person's coming and going, several lines of several of them,
is told once; what nobody's login is, is never told."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from usersessionmon.cli.output import session_object
from usersessionmon.contract import event_object
from usersessionmon.envelope.text import LineReader
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import load_rules
from usersessionmon.sessions.engine import Engine

RULES = load_rules("generic")
ALICE = "alice from 198.51.100.7 port 50022"


def _run(*texts: str, seconds: int = 1) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The events and the sessions' rows of lines that come ``seconds`` apart."""
    reader = LineReader(wanted=RULES.wanted, zone=UTC, reference_us=1_795_300_000_000_000)
    pipeline = Pipeline(RULES, Engine())
    lines = [
        f"2026-11-21T08:{number * seconds // 60:02}:{number * seconds % 60:02}Z web-1 {text}"
        for number, text in enumerate(texts)
    ]
    changes = pipeline.process(reader.read_block([line.encode() for line in lines]))
    events = [event_object(change) for change in [*changes, *pipeline.engine.finish()]]
    return events, [session_object(row) for row in pipeline.engine.drain().sessions]


def _kinds(*texts: str) -> list[tuple[str, str, str | None]]:
    events, _ = _run(*texts)
    return [(event["event"], event["service"], event["user"]) for event in events]


LOGIN, LOGOUT, FAILED = "login", "logout", "login_failed"


# --- sshd: whatever a connection carries, it is one session ---------------------------------------

BEGIN = [
    'sshd[20]: Connection from 198.51.100.7 port 50022 on 192.0.2.1 port 22 rdomain ""',
    "sshd[20]: Accepted key ED25519 SHA256:abc found at /home/alice/.ssh/authorized_keys:1",
    f"sshd[20]: Postponed publickey for {ALICE} ssh2 [preauth]",
    f"sshd[20]: Accepted publickey for {ALICE} ssh2: ED25519 SHA256:abc",
    "sshd[20]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
    "sshd[20]: User child is on pid 26",
]
END = [
    "sshd[26]: Received disconnect from 198.51.100.7 port 50022:11: disconnected by user",
    "sshd[26]: Disconnected from user alice 198.51.100.7 port 50022",
    "sshd[20]: pam_unix(sshd:session): session closed for user alice",
]


@pytest.mark.parametrize(
    ("lines", "tty"),
    [
        ([], None),  # forwarding only, or LogLevel INFO
        (["sshd[26]: error: connect_to 127.0.0.1 port 1: failed."], None),
        ([f"sshd[26]: Starting session: subsystem 'sftp' for {ALICE} id 0"], None),
        (["sshd[26]: subsystem request for sftp by user alice"], None),
        ([f"sshd[26]: Starting session: shell on pts/3 for {ALICE} id 0"], "pts/3"),
        ([f"sshd[26]: Starting session: command on pts/3 for {ALICE} id 0"], "pts/3"),
        (
            [
                "sshd[26]: Starting session: forced-command (key-option) 'top -b' on pts/3 for "
                f"{ALICE} id 0"
            ],
            "pts/3",
        ),
        (
            [
                f"sshd[26]: Starting session: command for {ALICE} id 0",
                f"sshd[26]: Close session: user {ALICE} id 0",
                f"sshd[26]: Starting session: shell on pts/4 for {ALICE} id 1",
                f"sshd[26]: Starting session: shell on pts/5 for {ALICE} id 2",
                f"sshd[26]: Close session: user {ALICE} id 2",
            ],
            "pts/4",
        ),
    ],
)
def test_one_connection_is_one_session(lines: list[str], tty: str | None) -> None:
    events, rows = _run(*BEGIN, *lines, *END)
    assert [(event["event"], event["reason"]) for event in events[1:]] == [(LOGOUT, "user")]
    assert events[0]["event"] == LOGIN
    assert events[0]["session"] == events[1]["session"]
    assert [row["tty"] for row in rows] == [tty]
    assert all(RULES.match(record) is not None for record in _records([*BEGIN, *lines, *END]))


def _records(texts: list[str]) -> list[Any]:
    reader = LineReader(wanted=RULES.wanted, zone=UTC, reference_us=1_795_300_000_000_000)
    return list(
        reader.read_block([f"2026-11-21T08:00:00Z web-1 {text}".encode() for text in texts])
    )


# --- old tags -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pam", ["sshd(pam_unix)[20]: ", "sshd(pam_unix)[22]: ", "sshd[20]: (pam_unix) "]
)
def test_old_pam_is_the_same_login(pam: str) -> None:
    assert _kinds(
        f"sshd[20]: Accepted password for {ALICE} ssh2",
        f"{pam}session opened for user alice by (uid=0)",
        f"{pam}session closed for user alice",
    ) == [(LOGIN, "sshd", "alice"), (LOGOUT, "sshd", "alice")]


def test_old_pam_alone_tells_the_login() -> None:
    assert _kinds(
        "login(pam_unix)[7]: session opened for user alice by LOGIN(uid=0)",
        "login(pam_unix)[7]: session closed for user alice",
    ) == [(LOGIN, "login", "alice"), (LOGOUT, "login", "alice")]


def test_old_pam_failures_are_counted_once() -> None:
    where = "from 203.0.113.9 port 4242 ssh2"
    events, _ = _run(
        "sshd(pam_unix)[20]: check pass; user unknown",
        "sshd(pam_unix)[20]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= "
        "rhost=203.0.113.9 ",
        f"sshd[20]: Failed password for illegal user bob {where}",
        f"sshd[20]: Failed password for illegal user bob {where}",
        "sshd(pam_unix)[20]: 1 more authentication failure; logname= uid=0 euid=0 tty=NODEVssh "
        "ruser= rhost=203.0.113.9 ",
    )
    assert [(event["event"], event["count"]) for event in events] == [(FAILED, 1), (FAILED, 1)]


def test_old_su_is_an_elevation_once() -> None:
    rhel = ["su(pam_unix)[9]: session opened for user root by alice(uid=500)"]
    sarge = [
        "su[9]: + pts/4 alice-root",
        "su[9]: (pam_unix) session opened for user root by alice(uid=500)",
        "su[9]: (pam_unix) session closed for user root",
    ]
    for lines in (rhel, sarge):
        (event,), _ = _run(*lines)
        assert (event["event"], event["user"], event["target_user"]) == (
            "elevation",
            "alice",
            "root",
        )
    failed = "logname=alice uid=500 euid=0 tty= ruser=alice rhost=  user=root"
    assert _kinds(f"su(pam_unix)[9]: authentication failure; {failed}") == [(FAILED, "su", "root")]


# --- other programs -------------------------------------------------------------------------------


def test_vsftpd_and_pam_tell_of_one_login() -> None:
    events, _ = _run(
        "vsftpd[30]: pam_unix(vsftpd:session): session opened for user alice(uid=1000) by (uid=0)",
        'vsftpd[30]: [alice] OK LOGIN: Client "198.51.100.7"',
        'vsftpd[32]: [alice] OK UPLOAD: Client "198.51.100.7", "/zz", 49 bytes, 143.70Kbyte/sec',
        "vsftpd[30]: pam_unix(vsftpd:session): session closed for user alice",
        "vsftpd[40]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp "
        "ruser=alice rhost=198.51.100.7  user=alice",
        'vsftpd[40]: [alice] FAIL LOGIN: Client "198.51.100.7"',
    )
    assert [event["event"] for event in events] == [LOGIN, LOGOUT, FAILED]
    assert events[1]["ip"] == "198.51.100.7"
    assert events[0]["session"] == events[1]["session"]


def test_proftpd_and_pam_tell_of_one_login() -> None:
    who = "web-1 (198.51.100.7[198.51.100.7])"
    assert _kinds(
        f"proftpd[58]: {who} - FTP session opened.",
        "proftpd: pam_unix(proftpd:session): session opened for user alice(uid=1001) by (uid=0)",
        f"proftpd[58]: {who} - USER alice: Login successful.",
        "proftpd: pam_unix(proftpd:session): session closed for user alice",
        f"proftpd[58]: {who} - FTP session closed.",
    ) == [(LOGIN, "proftpd", "alice"), (LOGOUT, "proftpd", "alice")]


@pytest.mark.parametrize("pam", [True, False])
def test_xrdps_one_process_serves_everybody(pam: bool) -> None:
    lines = [
        "xrdp-sesman[9]: [INFO ] ++ created session: username alice, ip 192.0.2.62",
        "xrdp-sesman[40]: pam_unix(xrdp-sesman:session): session opened for user alice by (uid=0)",
        "xrdp-sesman[9]: [INFO ] ++ created session: username bob, ip 192.0.2.63",
        "xrdp-sesman[50]: pam_unix(xrdp-sesman:session): session opened for user bob by (uid=0)",
        "xrdp-sesman[40]: pam_unix(xrdp-sesman:session): session closed for user alice",
        "xrdp-sesman[9]: [INFO ] ++ terminated session:  username alice, display :10.0, "
        "session_pid 45, ip 192.0.2.62",
        "xrdp-sesman[9]: [INFO ] ++ terminated session:  username bob, display :11.0, "
        "session_pid 55, ip 192.0.2.63",
        "xrdp-sesman[50]: pam_unix(xrdp-sesman:session): session closed for user bob",
    ]
    events, _ = _run(*(line for line in lines if pam or "pam_unix" not in line))
    assert [(event["event"], event["user"], event["ip"]) for event in events] == [
        (LOGIN, "alice", "192.0.2.62"),
        (LOGIN, "bob", "192.0.2.63"),
        (LOGOUT, "alice", "192.0.2.62"),
        (LOGOUT, "bob", "192.0.2.63"),
    ]


def test_login_that_gives_up_is_no_logout() -> None:
    failure = "logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=192.0.2.7  user=alice"
    tell = "on '/dev/pts/0' from '192.0.2.7' FOR 'alice'"
    assert (
        _kinds(
            f"login[38]: pam_unix(login:auth): authentication failure; {failure}",
            f"login[38]: FAILED LOGIN (1) {tell}, Authentication failure",
            f"login[38]: FAILED LOGIN (2) {tell}, Authentication failure",
            f"login[38]: TOO MANY LOGIN TRIES (2) {tell}",
            "login[38]: pam_unix(login:session): session closed for user alice",
            f"login[38]: PAM 1 more authentication failure; {failure}",
        )
        == [(FAILED, "login", "alice")] * 2
    )


def test_roots_console_login_is_one_although_two_processes_tell() -> None:
    assert _kinds(
        "login[71]: pam_unix(login:session): session opened for user root(uid=0) by (uid=0)",
        "login[79]: ROOT LOGIN  on '/dev/tty1'",
        "login[71]: pam_unix(login:session): session closed for user root",
    ) == [(LOGIN, "login", "root"), (LOGOUT, "login", "root")]


def test_busybox_login_has_no_pam() -> None:
    assert _kinds("login[71]: root login on 'ttyS0'") == [(LOGIN, "login", "root")]
    assert _kinds("login[71]: invalid password for 'bob' on 'ttyS0'") == [(FAILED, "login", "bob")]


OPENED = "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1001)"
CLOSED = "sudo: pam_unix(sudo:session): session closed for user root"
SUDO = "sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND="


@pytest.mark.parametrize(
    ("lines", "commands"),
    [
        # as sudo 1.9.13 writes it, with log_exit_status
        ([f"{SUDO}/bin/x", OPENED, CLOSED, f"{SUDO}/bin/x ; EXIT=1"], ["/bin/x"]),
        # typed: sudo /bin/x ';' EXIT=1
        (
            [f"{SUDO}/bin/x ; EXIT=1", OPENED, CLOSED, f"{SUDO}/bin/x ; EXIT=1 ; EXIT=0"],
            ["/bin/x"],
        ),
        ([f"{SUDO}/bin/x ; SIGNAL=KILL ; EXIT=137", OPENED, CLOSED], ["/bin/x"]),
        # after the same command without it
        (
            [f"{SUDO}/bin/x", OPENED, CLOSED, f"{SUDO}/bin/x ; EXIT=1", OPENED, CLOSED],
            ["/bin/x", "/bin/x"],
        ),
        # an end between another command and its session
        ([f"{SUDO}/bin/y", f"{SUDO}/bin/x ; EXIT=0", OPENED], ["/bin/y"]),
        # an end whose beginning is not in the log
        ([f"{SUDO}/bin/x ; EXIT=1"], []),
        ([f"{SUDO}/bin/x ; EXIT=1", OPENED.replace("root(uid=0)", "bob(uid=5)")], []),
        ([f"{SUDO}/bin/x ; EXIT=1 "], ["/bin/x ; EXIT=1 "]),
    ],
)
def test_a_typed_exit_hides_no_elevation(lines: list[str], commands: list[str]) -> None:
    events, _ = _run(*lines, seconds=0)
    assert [(event["event"], event["command"]) for event in events] == [
        ("elevation", command) for command in commands
    ]


def test_sudo_and_doas_count_an_attempt_once() -> None:
    failure = "logname= uid=1001 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob"
    asked = "TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id"
    events, _ = _run(
        f"sudo: pam_unix(sudo:auth): authentication failure; {failure}",
        f"sudo:      bob : 3 incorrect password attempts ; {asked}",
        f"doas: pam_unix(doas:auth): authentication failure; {failure}",
        "doas: failed auth for bob",
    )
    assert [(e["event"], e["service"], e["count"]) for e in events] == [
        (FAILED, "sudo", 3),
        (FAILED, "doas", 1),
    ]


@pytest.mark.parametrize(
    "service",
    [
        *("gdm-launch-environment", "lightdm-greeter", "sddm-greeter", "systemd-user", "cron"),
        *("crond", "atd", "anacron", "runuser", "runuser-l", "polkit-1", "kde", "kscreensaver"),
        *("gnome-screensaver", "xscreensaver", "i3lock", "swaylock", "vlock", "unheard-of"),
    ],
)
@pytest.mark.parametrize("program", ["gdm-x", "sddm-helper", "sshd", "login", "su", "lightdm"])
def test_what_is_nobodys_login_is_told_by_no_program(program: str, service: str) -> None:
    failure = "logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=alice"
    assert (
        _kinds(
            f"{program}[5]: pam_unix({service}:auth): authentication failure; {failure}",
            f"{program}[5]: pam_unix({service}:session): session opened for user alice(uid=1000) "
            "by (uid=0)",
            f"{program}[5]: pam_unix({service}:session): session closed for user alice",
        )
        == []
    )


# --- one attempt, one failure ---------------------------------------------------------------------


def test_su_that_tells_of_a_wrong_password_twice() -> None:
    """shadow's su writes a sentence and a line in the form of its own log."""
    lines = ["su[7]: FAILED su for root by bob", "su[7]: - /dev/pts/0 bob:root"]
    assert _kinds("su[7]: pam_authenticate: Authentication failure", *lines, *lines) == [
        (FAILED, "su", "root"),
        (FAILED, "su", "root"),
    ]


@pytest.mark.parametrize(
    ("tag", "service"),
    [("sddm-helper", "sddm"), ("gdm-password]", "gdm-password"), ("lightdm", "lightdm")],
)
def test_a_wrong_password_at_a_screen_before_the_right_one(tag: str, service: str) -> None:
    """Each attempt has a process; one that failed by pam_unix and was let in by another module has
    not failed."""
    pam = "authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=alice"
    failed = f"pam_unix({service}:auth): {pam}"
    opened = f"pam_unix({service}:session): session opened for user alice(uid=1000) by (uid=0)"
    name = service.removesuffix("-password")
    found = _kinds(f"{tag}[6]: {failed}", f"{tag}[7]: {opened}")
    assert sorted(found) == [(LOGIN, name, "alice"), (FAILED, name, "alice")]
    assert _kinds(f"{tag}[6]: {failed}", f"{tag}[6]: {opened}") == [(LOGIN, name, "alice")]


def test_a_remote_name_that_makes_up_a_client() -> None:
    """vsftpd hands PAM the name that the client gave, blanks and all, before the address."""
    name = "x rhost=192.0.2.1  user=root"
    text = (
        "vsftpd[5]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp "
        f"ruser={name} rhost=203.0.113.9  user={name}"
    )
    events, _ = _run(text)
    assert [(event["user"], event["ip"]) for event in events] == [(None, None)]
    events, _ = _run(text, f'vsftpd[5]: [{name}] FAIL LOGIN: Client "203.0.113.9"')
    assert [(event["user"], event["ip"]) for event in events] == [(name, "203.0.113.9")]


# --- programs in several processes ----------------------------------------------------------------


def test_xrdp_since_0_10() -> None:
    """PAM is called by xrdp-sesexec, one for each session."""
    pam = "xrdp-sesexec[9]: pam_unix(xrdp-sesman:session): session"
    events, _ = _run(
        "xrdp-sesman[5]: [INFO ] ++ created session: username alice, ip ::ffff:192.0.2.62",
        f"{pam} opened for user alice(uid=1000) by (uid=0)",
        f"{pam} closed for user alice",
    )
    assert [(event["event"], event["ip"]) for event in events] == [
        (LOGIN, "192.0.2.62"),
        (LOGOUT, "192.0.2.62"),
    ]


def test_proftpd_names_its_client_first() -> None:
    client = "proftpd[5]: web-1 (192.0.2.61[192.0.2.61])"
    events, _ = _run(
        f"{client} - FTP session opened.",
        "proftpd[5]: pam_unix(proftpd:session): session opened for user alice by (uid=0)",
        f"{client} - USER alice: Login successful.",
        "proftpd[5]: pam_unix(proftpd:session): session closed for user alice",
        f"{client} - FTP session closed.",
    )
    assert [(event["event"], event["ip"]) for event in events] == [
        (LOGIN, "192.0.2.61"),
        (LOGOUT, "192.0.2.61"),
    ]


def test_a_session_that_cannot_be_locked_into_its_folder() -> None:
    events, _ = _run(
        f"sshd[70]: Accepted password for {ALICE} ssh2",
        "sshd[70]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
        'sshd[72]: fatal: bad ownership or modes for chroot directory component "/srv/"',
        "sshd[70]: pam_unix(sshd:session): session closed for user alice",
    )
    assert [(event["event"], event.get("reason")) for event in events] == [
        (LOGIN, None),
        (LOGOUT, "killed"),
    ]
