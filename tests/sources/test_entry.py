"""An entry's fields → a record, or none."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.model import Record
from usersessionmon.sources.entry import FIELDS, MESSAGE_BYTES, Refusal, moment_of, record_of

US = 1_795_248_930_123_456  # 2026-11-21T08:15:30.123456Z
GOOD: dict[str, Any] = {
    "MESSAGE": "Accepted",
    "SYSLOG_IDENTIFIER": "sshd",
    "_TRANSPORT": "syslog",
    "_PID": "12",
    "_UID": "0",
    "SYSLOG_PID": "99",
}


def take(
    fields: dict[str, Any], *, us: int = US, **more: Any
) -> tuple[Record | None, Counter[Refusal]]:
    refused: Counter[Refusal] = Counter()
    record = record_of(
        fields,
        realtime_us=us,
        wanted={"sshd", "systemd-logind", "kernel"}.__contains__,
        zone=more.pop("zone", UTC),
        refused=refused,
        **more,
    )
    return record, refused


def taken(fields: dict[str, Any], **more: Any) -> Record:
    record, refused = take(fields, **more)
    assert record is not None and not refused
    return record


@pytest.mark.parametrize("as_bytes", [False, True])
def test_the_pid_is_the_one_that_journald_saw(as_bytes: bool) -> None:
    fields = {k: v.encode() if as_bytes else v for k, v in GOOD.items()}
    record = taken(fields)
    assert record.pid == 12
    assert record.trusted is not None and record.trusted.uid == 0


def test_a_program_without_rules_is_left_out_uncounted() -> None:
    assert take(GOOD | {"SYSLOG_IDENTIFIER": "CRON", "MESSAGE": None}) == (None, Counter())
    assert take({"MESSAGE": "x"}) == (None, Counter())


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"MESSAGE": ["a", "b"]}, Refusal.REPEATED),
        ({"SYSLOG_IDENTIFIER": ["CRON", "sshd"]}, Refusal.REPEATED),
        ({"_UID": ["0", "1000"]}, Refusal.REPEATED),
        ({"MESSAGE": None}, Refusal.MESSAGE),
        ({"_TRANSPORT": "audit"}, Refusal.TRANSPORT),
        ({"_TRANSPORT": "kernel"}, Refusal.TRANSPORT),
        ({"_TRANSPORT": ""}, Refusal.TRANSPORT),
        ({"_TRANSPORT": None}, Refusal.TRANSPORT),
        ({"_MACHINE_ID": "b" * 32}, Refusal.MACHINE),
        ({}, Refusal.MACHINE),
    ],
)
def test_what_must_not_be_believed_is_refused_and_counted(
    change: dict[str, Any], refusal: Refusal
) -> None:
    machine = "a" * 32 if refusal is Refusal.MACHINE else None
    assert take(GOOD | change, machine_id=machine) == (None, Counter({refusal: 1}))


@pytest.mark.parametrize("us", [-1, 2**63, 2**64, 10**18])
def test_an_impossible_time_is_refused(us: int) -> None:
    assert take(GOOD, us=us) == (None, Counter({Refusal.TIME: 1}))


def test_the_kernels_first_line_is_the_only_one_of_the_kernel() -> None:
    kernel = {"SYSLOG_IDENTIFIER": "kernel", "_TRANSPORT": "kernel"}
    boot = kernel | {"MESSAGE": "Linux version 6.1.0"}
    assert taken(boot).text == "Linux version 6.1.0"
    assert take(kernel | {"MESSAGE": "usb 1-1"})[1] == {Refusal.TRANSPORT: 1}


def test_chosen_fields_of_an_export_prove_nothing() -> None:
    assert taken({"MESSAGE": "Accepted", "SYSLOG_IDENTIFIER": "sshd"}).trusted is None


def test_a_message_is_cut_and_is_always_text() -> None:
    assert taken(GOOD | {"MESSAGE": b"\xff\xfeok"}).text == "\\xff\\xfeok"
    assert taken(GOOD | {"MESSAGE": "管\ud800"}).text == "管\\ud800"
    assert len(taken(GOOD | {"MESSAGE": "x" * 10**6}).text) == MESSAGE_BYTES
    assert len(taken(GOOD | {"MESSAGE": "管" * 10**6}).text.encode()) <= MESSAGE_BYTES + 6
    assert taken(GOOD | {"MESSAGE": "one\nAccepted\n"}).text == "one\\nAccepted"


def test_only_the_known_fields_of_the_sender_are_kept() -> None:
    fields = {
        "SESSION_ID": b"c1",
        "USER_ID": "alice",
        "LEADER": "7",
        "CLASS": ["user", "greeter"],
        "CODE_FILE": "x",
    }
    assert taken(GOOD | fields).fields == {"SESSION_ID": "c1", "USER_ID": "alice", "LEADER": "7"}


@pytest.mark.parametrize("digits", ["", "-1", "٣", "1e3", "9" * 30, b"\xff", 2**70, True])
def test_a_pid_that_is_none(digits: Any) -> None:
    assert taken(GOOD | {"_PID": digits}).pid in (None, 1)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (UTC, "2026-11-21T08:15:30.123456+00:00"),
        (ZoneInfo("Asia/Shanghai"), "2026-11-21T16:15:30.123456+08:00"),
        (timezone(timedelta(hours=-3, minutes=-30)), "2026-11-21T04:45:30.123456-03:30"),
    ],
)
def test_the_time_is_shown_in_the_zone_asked_for(zone: Any, text: str) -> None:
    assert taken(GOOD, zone=zone).time == (US, text)


def test_the_offset_follows_daylight_saving() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before, after = (moment_of(us, berlin) for us in (1_792_886_399_999_999, 1_792_893_600_000_000))
    assert before is not None and before.text.endswith("+02:00")
    assert after is not None and after.text.endswith("+01:00")


_VALUES = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.integers(),
    st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from(["sshd", "syslog", "0", "12"]),
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), _VALUES), st.integers())
def test_no_entry_makes_it_raise(fields: dict[str, Any], us: int) -> None:
    record = record_of(fields, realtime_us=us, wanted=lambda _: True, zone=UTC)
    if record is not None:
        assert "\n" not in record.text
        for text in (record.text, record.program, record.host or "", record.boot or ""):
            text.encode("utf-8")
        assert record.pid is None or 0 <= record.pid < 2**63
