"""Real Windows event logs through the whole of ``scan``; what is expected was read from the events.

The logs have licences of their own and stay where they are: without them these tests are skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.program.running import run

pytest.importorskip("evtx", reason="reading .evtx files needs the package evtx")
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "windows"
if not SAMPLES.is_dir():
    pytest.skip(f"no sample logs at {SAMPLES}", allow_module_level=True)

SHARED = [f"win10-shared-{part}.evtx" for part in ("Security", "LSM", "RCM", "System")]


def scan(*names: str, sessions: bool = False) -> list[dict[str, Any]]:
    more = ["--sessions"] if sessions else []
    done = run("scan", "--json", *more, *(str(SAMPLES / name) for name in names))
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("names", "logins", "logouts", "failures", "elevations"),
    [
        (["win10-shared-LSM.evtx"], 21, 20, 0, 0),
        (["win10-shared-Security.evtx"], 21, 20, 40, 35),
        (SHARED[:2], 21, 20, 40, 35),
        (SHARED[1::-1], 21, 20, 40, 35),  # in whatever order they are named
        (SHARED, 21, 20, 40, 35),
        (["win10-shared-LSM.evtx", "win10-shared-System.evtx"], 21, 20, 0, 0),
        (["win10-shared-RCM.evtx"], 0, 0, 0, 0),
        (["win10-shared-System.evtx"], 0, 0, 0, 0),
        (["win10-second-LSM.evtx"], 4, 3, 0, 0),
        (["win7-Security.evtx"], 8, 7, 15, 0),
        (["openssh-invalid-user.evtx"], 0, 0, 5, 0),
        (["security-sshd-invalid-user.evtx"], 0, 0, 5, 0),
        (["openssh-invalid-user.evtx", "security-sshd-invalid-user.evtx"], 0, 0, 5, 0),
        (["openssh-listening.evtx"], 0, 0, 0, 0),
        (["rcm-1149-many-hosts.evtx"], 0, 0, 0, 0),
        (["security-runas.evtx"], 0, 0, 0, 1),
        (["security-4625-local-bruteforce.evtx"], 0, 0, 16, 0),
        (["security-4625-rdp-denied.evtx"], 0, 0, 2, 0),
        (["security-4778-4779-hijack.evtx"], 1, 1, 0, 0),
        (["."], 34, 31, 78, 36),
    ],
    ids=str,
)
def test_what_each_counts_as(
    names: list[str], logins: int, logouts: int, failures: int, elevations: int
) -> None:
    found = Counter(event["event"] for event in scan(*names))
    assert found["login"] == logins
    assert found["logout"] == logouts
    assert found["login_failed"] == failures
    assert found["elevation"] == elevations


def test_logins_and_logouts_are_in_the_order_of_the_log() -> None:
    """The clock was set from 2020 to 2021 and back: no order by time holds."""
    alone = [(one["event"], one["time"]) for one in scan("win10-shared-LSM.evtx")]
    kinds = {"login", "logout"}
    both = [(one["event"], one["time"]) for one in scan(*SHARED) if one["event"] in kinds]
    # nobody logged that session's end; LSM alone sees it at the next login, Security at the boot
    inferred = {one["time"] for one in scan("win10-shared-LSM.evtx") if one.get("inferred")}
    assert len(inferred) == 1
    told = [one for one in alone if one[0] == "login" or one[1] not in inferred]
    assert [one for one in both if one in told] == told
    assert len(both) == len(alone)


def test_why_they_left() -> None:
    """By LSM alone; a ``reason`` by the record that ends the connection."""
    logouts = [one for one in scan("win10-shared-LSM.evtx") if one["event"] == "logout"]
    assert Counter(one["reason"] for one in logouts) == {"user": 16, "killed": 2, "unknown": 2}
    by_time = {one["time"][:19]: one for one in logouts}
    for time in ("2021-02-13T19:52:47", "2021-02-13T19:56:50"):
        taken = by_time[time]
        assert (taken["reason"], taken["abnormal"], taken["disconnected"]) == ("killed", True, True)
        assert taken["by_user"] == "User"
    lost = by_time["2020-08-01T21:17:09"]
    assert (lost["reason"], lost["abnormal"], lost["inferred"]) == ("unknown", False, False)
    assert lost["duration"] is None  # the clock was set back meanwhile
    assert [one["inferred"] for one in logouts].count(True) == 1


def test_a_session_that_only_a_boot_ended() -> None:
    (one,) = [
        event for event in scan(*SHARED) if event.get("inferred") and event["event"] == "logout"
    ]
    assert (one["reason"], one["abnormal"]) == ("reboot", True)
    assert one["time"].startswith("2021-02-14T02:19:05")  # the host's last sign of life


def test_who_left_because_the_host_was_shut_down() -> None:
    reasons = Counter(one["reason"] for one in scan(*SHARED) if one["event"] == "logout")
    assert reasons["shutdown"] >= 9 and reasons["reboot"] >= 3
    assert sum(reasons.values()) == 20


def test_a_reconnection_is_a_login_of_the_same_session() -> None:
    rows = scan(*SHARED, sessions=True)
    assert len(rows) == 21
    again = [
        row for row in rows if row["session"] == "win:desktop-23ps6es.praivacymatrix.com:2:ts1:55"
    ]
    assert [row["state"] for row in again] == ["closed"] * 3
    events = [one for one in scan(*SHARED) if one.get("session") == again[0]["session"]]
    logins = [one for one in events if one["event"] == "login"]
    assert [one["reconnected"] for one in logins] == [False, True, True]


@pytest.mark.parametrize("names", [SHARED, ["win10-shared-Security.evtx"], ["win7-Security.evtx"]])
def test_no_logon_is_invented(names: list[str]) -> None:
    people = {"defaultuser0", "User", "anit.ghosh", "Administrator"}
    for event in scan(*names):
        if event["event"] in {"login", "logout"}:
            assert event["user"] in people
            assert event["service"] == "windows"
            assert event["ip"] is None  # VMConnect's have no address, and 0.0.0.0 is none
            assert event.get("method") is None


def test_no_duration_is_negative_or_spans_a_clock_that_was_set() -> None:
    logouts = [one for one in scan(*SHARED) if one["event"] == "logout"]
    lengths = [one["duration"] for one in logouts if one["duration"] is not None]
    assert len(lengths) == 18
    assert min(lengths) > 0 and max(lengths) < 86_400


def test_sshd_on_windows() -> None:
    for one in scan("openssh-invalid-user.evtx"):
        assert (one["service"], one["user"], one["ip"]) == ("sshd", "hacker", "10.23.23.9")
        assert (one["valid_user"], one["host"]) == (False, "fs01.offsec.lan")
    for one in scan("security-sshd-invalid-user.evtx"):
        assert (one["service"], one["user"], one["valid_user"]) == ("sshd", None, False)


def test_a_denied_logon_and_a_switched_connection() -> None:
    for one in scan("security-4625-rdp-denied.evtx"):
        assert (one["user"], one["ip"], one["valid_user"]) == (None, "10.23.23.9", True)
    logout, login = scan("security-4778-4779-hijack.evtx")
    assert (logout["user"], logout["reason"], logout["duration"]) == ("admmig", "killed", None)
    assert (logout["by_user"], login["user"], login["ip"]) == (
        "admmarsid",
        "admmarsid",
        "10.23.23.9",
    )
