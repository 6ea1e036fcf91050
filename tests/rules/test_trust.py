"""Who may have written an entry, and what is believed of it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.model import Captures, Event, Means, Moment, Proof, Record, Trusted
from usersessionmon.rules.forgeries import Forgeries
from usersessionmon.rules.trust import Verdict, judge
from usersessionmon.sources.entry import record_of

EXAMPLES = Path(__file__).parents[3] / "shared/reference/messages-examples.jsonl"


def event(
    means: Means,
    *,
    uid: int | None = 0,
    exe: str | None = "/usr/sbin/sshd",
    program: str = "sshd",
    service: str = "sshd",
    got: Captures | None = None,
    transport: str = "syslog",
    comm: str | None = None,
    unit: str | None = None,
    pid: int = 77,
    fields: dict[str, str] | None = None,
) -> Event:
    trusted = Trusted(transport, uid, exe, comm, unit)
    time = Moment(0, "1970-01-01T00:00:00+00:00")
    record = Record(time, "web-1", program, pid, "text", trusted=trusted, fields=fields)
    return Event(record, means, service, "rule", got or {})


def verdict(what: Event) -> Verdict:
    verdicts: Counter[Verdict] = Counter()
    judged = judge(what, verdicts)
    (found,) = verdicts
    assert (judged is None) == (found in (Verdict.FORGED, Verdict.UNPROVEN))
    return found


SAYS: dict[int, tuple[Means, str, Captures]] = {
    250: (Means.ACCEPTED, "sshd", {"user": "alice"}),
    251: (Means.ACCEPTED, "sshd", {"user": "alice"}),
    252: (Means.ACCEPTED, "sshd", {"user": "alice"}),
    253: (Means.ACCEPTED, "sshd", {"user": "alice"}),
    254: (Means.ACCEPTED, "sshd", {"user": "alice"}),
    255: (Means.LEFT, "sshd", {"user": "alice"}),
    256: (Means.SESSION_NEW, "systemd-logind", {"user": "root"}),
    257: (Means.ELEVATED, "sudo", {"user": "alice", "target_user": "root"}),
    258: (Means.ELEVATED, "sudo", {"user": "alice", "target_user": "root"}),
    259: (Means.ELEVATED, "sudo", {"user": "alice", "target_user": "root"}),
    260: (Means.ELEVATED, "su", {"user": "alice", "target_user": "root"}),
    261: (Means.CLOSED, "sshd", {"user": "alice"}),
}


def examples() -> list[dict[str, Any]]:
    if not EXAMPLES.exists():
        return []
    rows = (json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines() if line)
    return [row for row in rows if row["id"] in SAYS]


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the shared examples are not here")
def test_the_examples_of_genuine_and_forged_entries() -> None:
    rows = examples()
    assert len(rows) == len(SAYS)
    for row in rows:
        means, service, got = SAYS[row["id"]]
        record = record_of(row["fields"], realtime_us=0, wanted=lambda _: True, zone=UTC)
        assert record is not None and record.pid == int(row["fields"]["_PID"])
        judged = judge(Event(record, means, service, "rule", got))
        if row["id"] == 255:
            assert judged is not None and judged.proof is Proof.ANNOTATES
            assert judged.got == {"user": "alice", "uid": 1000}
        elif row["expect"]["event"] is None:
            assert judged is None, row
        else:
            assert judged is not None and judged.proof is Proof.TRUSTED, row


def test_a_text_log_proves_nothing_and_passes() -> None:
    what = event(Means.ACCEPTED)
    text = what._replace(record=what.record._replace(trusted=None))
    assert judge(text) is text and text.proof is Proof.TEXT


ROOT_ONLY = sorted(
    set(Means)
    - {Means.LEFT, Means.DISCONNECTED, Means.LOST, Means.TIMED_OUT, Means.KILLED, Means.TTY}
    - {Means.NOTHING}
)


@pytest.mark.parametrize("means", ROOT_ONLY)
def test_what_opens_refuses_or_ends_must_come_from_root(means: Means) -> None:
    assert verdict(event(means, exe=None)) is Verdict.TRUSTED
    assert verdict(event(means, uid=1000)) is Verdict.FORGED
    assert verdict(event(means, uid=100_000, exe=None)) is Verdict.FORGED  # a user's namespace
    assert verdict(event(means, uid=None)) is Verdict.UNPROVEN


@pytest.mark.parametrize(
    ("exe", "believed"),
    [
        ("/usr/lib/openssh/sshd-session", True),
        ("/usr/local/sbin/sshd", True),
        ("/opt/ssh/sbin/sshd", True),
        ("/nix/store/x-openssh/bin/sshd", True),
        (None, True),
        ("/home/mallory/sshd", False),
        ("/tmp/sshd", False),
        ("/dev/shm/sshd", False),
        ("/memfd:sshd", False),
        ("/usr/../home/mallory/sshd", False),
        ("/usrlocal/sshd", False),
        ("", False),
    ],
)
def test_roots_programs_lie_where_only_root_can_put_them(exe: str | None, believed: bool) -> None:
    expected = Verdict.TRUSTED if believed else Verdict.UNPROVEN
    assert verdict(event(Means.ACCEPTED, exe=exe)) is expected


@pytest.mark.parametrize("means", sorted(set(Means) - set(ROOT_ONLY) - {Means.NOTHING}))
def test_reasons_of_a_users_own_process_only_explain(means: Means) -> None:
    judged = judge(event(means, uid=1000, got={"port": 2222}))
    assert judged is not None and judged.proof is Proof.ANNOTATES
    assert judged.got == {"port": 2222, "uid": 1000}
    assert verdict(event(means, uid=1000, exe="/home/mallory/sshd")) is Verdict.FORGED
    assert verdict(event(means, uid=0)) is Verdict.TRUSTED


@pytest.mark.parametrize(
    ("program", "service", "exe"),
    [
        ("sudo", "sudo", "/usr/bin/sudo"),
        ("sudo", "sudo", "/usr/lib/cargo/bin/sudo"),
        ("sudo", "sudo", "/usr/bin/sudo.ws"),
        ("su", "su", "/bin/su"),
        ("pkexec", "pkexec", "/usr/bin/pkexec"),
        ("polkit-agent-helper-1", "pkexec", "/usr/lib/polkit-1/polkit-agent-helper-1"),
        ("doas", "doas", "/usr/bin/doas"),
    ],
)
@pytest.mark.parametrize("means", [Means.ELEVATED, Means.ELEVATION_FAILED, Means.FAILED_HINT])
def test_a_callers_uid_needs_the_very_set_uid_program(
    program: str, service: str, exe: str, means: Means
) -> None:
    def by(path: str | None, by_uid: int | None = None) -> Verdict:
        got: Captures = {} if by_uid is None else {"by_uid": by_uid}
        return verdict(event(means, uid=1000, exe=path, program=program, service=service, got=got))

    assert by(exe) is Verdict.TRUSTED
    assert by(exe, by_uid=1000) is Verdict.TRUSTED
    assert by(exe, by_uid=0) is Verdict.FORGED
    assert by(exe + "x") is Verdict.FORGED
    assert by("/usr/bin/logger") is Verdict.FORGED
    assert by("/opt/x/bin/" + program) is Verdict.UNPROVEN
    assert by("/home/mallory" + exe) is Verdict.FORGED
    assert by(None) is Verdict.UNPROVEN


def test_a_set_uid_program_opens_and_ends_no_login() -> None:
    for means in (Means.OPENED, Means.CLOSED, Means.ACCEPTED):
        what = event(means, uid=1000, exe="/usr/bin/su", program="su", service="sshd")
        assert verdict(what) is Verdict.UNPROVEN


def test_one_set_uid_program_does_not_speak_for_another() -> None:
    what = event(Means.ELEVATED, uid=1000, exe="/usr/bin/su", program="sudo", service="sudo")
    assert verdict(what) is Verdict.FORGED


FIELDS = {
    "SESSION_ID": "c1",
    "USER_ID": "alice",
    "LEADER": "1234",
    "CLASS": "user",
    "SHUTDOWN": "reboot",
}


def logind(means: Means = Means.SESSION_NEW, **more: Any) -> Event:
    given: dict[str, Any] = {
        "exe": "/usr/lib/systemd/systemd-logind",
        "program": "systemd-logind",
        "service": "systemd-logind",
        "transport": "journal",
        "fields": FIELDS,
    }
    return event(means, **(given | more))


@pytest.mark.parametrize("means", [Means.SESSION_NEW, Means.SESSION_LEFT, Means.SHUTDOWN])
@pytest.mark.parametrize(
    "who", [{"comm": "systemd-logind"}, {"unit": "systemd-logind.service"}, {}, {"comm": "elogind"}]
)
def test_logind_says_the_rest_in_its_own_fields(means: Means, who: dict[str, str]) -> None:
    judged = judge(logind(means, got=Captures(user="a b"), **who))
    assert judged is not None and judged.proof is Proof.TRUSTED
    assert judged.got == {
        "user": "alice",
        "logind_session": "c1",
        "leader": 1234,
        "logind_class": "user",
        "shutdown": "reboot",
    }


def test_another_program_of_root_is_not_logind() -> None:
    what = logind(comm="cron", unit="cron.service")
    assert verdict(what) is Verdict.FORGED
    assert verdict(logind(uid=1000)) is Verdict.FORGED


def test_fields_are_taken_from_nobody_but_logind() -> None:
    judged = judge(event(Means.ACCEPTED, fields=FIELDS, got={"user": "bob"}))
    assert judged is not None and judged.got == {"user": "bob"}


@pytest.mark.parametrize("leader", ["", "x", "-1", "٣", "9" * 40])
def test_a_leader_that_is_no_pid_is_left_out(leader: str) -> None:
    judged = judge(logind(fields={"LEADER": leader}))
    assert judged is not None and judged.got == {}


def test_the_captures_given_are_not_changed() -> None:
    got: Captures = {"user": "a"}
    judge(logind(got=got))
    judge(event(Means.LOST, uid=1000, got=got))
    assert got == {"user": "a"}


def test_only_the_first_process_speaks_for_the_host() -> None:
    systemd = "/usr/lib/systemd/systemd"
    host = event(Means.SHUTDOWN, program="systemd", exe=systemd, pid=1)
    assert verdict(host) is Verdict.TRUSTED
    managers = event(Means.SHUTDOWN, program="systemd", exe=systemd, pid=900)
    assert verdict(managers) is Verdict.UNPROVEN


def test_the_kernel_has_no_uid_and_only_its_own_name() -> None:
    kernel = event(Means.BOOT, program="kernel", transport="kernel", uid=None, exe=None)
    assert verdict(kernel) is Verdict.TRUSTED
    # … and lets only root speak by it, which is no proof of being sshd and no forgery either
    assert verdict(event(Means.ACCEPTED, transport="kernel", uid=None)) is Verdict.UNPROVEN
    assert verdict(event(Means.BOOT, program="kernel", uid=1000)) is Verdict.FORGED


def test_what_means_nothing_is_nobodys_forgery() -> None:
    assert verdict(event(Means.NOTHING, uid=1000)) is Verdict.ANNOTATES
    assert verdict(event(Means.NOTHING)) is Verdict.TRUSTED


def test_who_forged_is_noted_and_nobody_else() -> None:
    forgeries = Forgeries()
    for what in (
        event(Means.ACCEPTED),
        event(Means.ACCEPTED, uid=1000, exe="/usr/bin/logger"),
        event(Means.LEFT, uid=1000),
        event(Means.LEFT, uid=1000, exe="/home/bob/vpnd", program="vpnd"),
        event(Means.FAILED_HINT, uid=1000, program="xscreensaver"),
    ):
        judge(what, forgeries=forgeries)
    (forger,) = forgeries.take().counts
    assert (forger.program, forger.uid, forger.exe) == ("sshd", 1000, "/usr/bin/logger")


def test_users_programs_with_lines_of_their_own_are_no_forgers() -> None:
    what = event(Means.FAILED_HINT, uid=1000, program="xscreensaver", service="xscreensaver")
    assert verdict(what) is Verdict.UNPROVEN
