"""Boots, shutdowns, crashes, suspensions: with and without boot ids, and with what wtmp and the
journal know beside the log's lines."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from tests.host.test_utmp import record as entry
from tests.journal_files import BOOT, OTHER_BOOT, START_US, needs_journal, write
from tests.journal_files import entry as journal_entry
from usersessionmon.host import boots
from usersessionmon.model import Change, ChangeKind, Moment, Record
from usersessionmon.pipeline import Pipeline
from usersessionmon.sessions.engine import Engine
from usersessionmon.sources.journal_boots import last_entries
from usersessionmon.stock import moment_of, witness

from .logs import RULES, brief, conclude, records

EIGHT_US = 1_795_248_000_000_000  # 2026-11-21T08:00:00Z
OLD, NEW = "a" * 32, "b" * 32
ALICE = "Accepted password for alice from 198.51.100.7 port 1 ssh2"
CLOSED = "pam_unix(sshd:session): session closed for user alice"


def of_boot(boot: str | None, *lines: str) -> list[Record]:
    return [record._replace(boot=boot) for record in records(lines)]


def after_the_reboot(
    engine: Engine, *, in_between: tuple[str, ...] = (), wtmp: bytes = b"", last_us: int = 0,
    folder: Path,
) -> list[Change]:  # fmt: skip
    """The program was away while the host went down and came up: it reads on."""
    file = folder / "wtmp"
    file.write_bytes(wtmp)
    last = {OLD: last_us} if last_us else {}
    engine.know(witness({"web-1"}, boots.ups_and_downs(file), last, UTC))
    pipeline = Pipeline(RULES, engine)
    changes = pipeline.process(of_boot(None, *in_between))
    changes += pipeline.process(of_boot(NEW, "11:00:00 sshd[5]: Server listening on :: port 22."))
    return changes + engine.booted("web-1", NEW, Moment(EIGHT_US + 7_200_000_000, "now"))


@pytest.fixture
def engine() -> Engine:
    """alice came at 08:00; the last line before the program stopped is of 08:10."""
    engine = Engine()
    Pipeline(RULES, engine).process(
        of_boot(
            OLD,
            f"08:00:00 sshd[10]: {ALICE}",
            "08:00:00 systemd-logind[4]: New session 7 of user alice.",
            "08:10:00 sshd[5]: Server listening on :: port 22.",
        )
    )
    return engine


def at(clock: str, kind: int, user: str, pid: int = 0) -> bytes:
    hours, minutes = map(int, clock.split(":"))
    seconds = EIGHT_US // 1_000_000 + (hours - 8) * 3600 + minutes * 60
    return entry(kind, user=user, tty="~", pid=pid, at=seconds - 1_795_250_000)


def told(changes: list[Change]) -> list[tuple[str | None, str, bool, bool]]:
    assert all(change.kind is ChangeKind.LOGOUT for change in changes)
    return [(c.reason, c.time.text[11:16], c.abnormal, c.inferred) for c in changes]


UP, DOWN = ("10:55", 2, "reboot"), ("10:30", 1, "shutdown")


def test_without_any_sign_the_power_was_lost_at_the_last_line(
    engine: Engine, tmp_path: Path
) -> None:
    changes = after_the_reboot(engine, folder=tmp_path)
    assert told(changes) == [("reboot", "08:10", True, True)]


def test_wtmp_tells_an_orderly_end_from_a_crash(engine: Engine, tmp_path: Path) -> None:
    changes = after_the_reboot(engine, wtmp=at(*DOWN) + at(*UP), folder=tmp_path)
    assert told(changes) == [("shutdown", "10:30", False, True)]


def test_sysvinit_tells_a_reboot_from_a_power_off(engine: Engine, tmp_path: Path) -> None:
    level = at("10:30", 1, "runlevel", ord("6")) + at(*UP)
    changes = after_the_reboot(engine, wtmp=level, folder=tmp_path)
    assert told(changes) == [("reboot", "10:30", False, True)]


def test_a_boot_alone_in_wtmp_is_a_crash(engine: Engine, tmp_path: Path) -> None:
    """An orderly end of a later boot is not this one's."""
    later = at("10:57", 1, "shutdown") + at("10:59", 2, "reboot")
    changes = after_the_reboot(engine, wtmp=at(*UP) + later, folder=tmp_path)
    assert told(changes) == [("reboot", "08:10", True, True)]


def test_a_crash_is_as_late_as_the_last_sign_of_life(engine: Engine, tmp_path: Path) -> None:
    engine.called("web-1", moment_of(EIGHT_US + 3_600_000_000, UTC), save=True)
    known = engine.drain()
    again = Engine.load([text for text in known.connections.values() if text], known.hosts.values())
    assert told(after_the_reboot(again, folder=tmp_path)) == [("reboot", "09:00", True, True)]
    newest = EIGHT_US + 7_000_000_000
    changes = after_the_reboot(engine, last_us=newest, folder=tmp_path)
    assert told(changes) == [("reboot", "09:56", True, True)]


def test_the_logs_own_words_come_first(engine: Engine, tmp_path: Path) -> None:
    changes = after_the_reboot(
        engine,
        in_between=("10:30:00 systemd-logind[4]: System is rebooting.",),
        wtmp=at(*DOWN) + at(*UP),
        folder=tmp_path,
    )
    assert told(changes) == [("reboot", "10:30", False, True)]


@pytest.mark.parametrize(
    "line", [f"10:00:00 sshd[10]: {CLOSED}", "10:00:00 systemd-logind[4]: Removed session 7."]
)
def test_a_logout_before_the_reboot_that_is_read_after_it_is_told_once(
    engine: Engine, tmp_path: Path, line: str
) -> None:
    """Lines of a text log from before this boot carry no boot's id any more."""
    changes = after_the_reboot(engine, in_between=(line,), folder=tmp_path)
    (logout,) = changes
    assert (logout.time.text[11:16], logout.duration) == ("10:00", 7200)


def test_two_boots_while_nobody_read(engine: Engine, tmp_path: Path) -> None:
    changes = after_the_reboot(
        engine,
        in_between=(
            "09:00:00 kernel: Linux version 6.1",
            "09:10:00 sshd[10]: Accepted password for bob from 198.51.100.8 port 2 ssh2",
            "09:20:00 sshd[10]: pam_unix(sshd:session): session closed for user bob",
            "09:30:00 sshd[10]: Accepted password for carol from 198.51.100.8 port 3 ssh2",
        ),
        folder=tmp_path,
    )
    assert [(c.kind, c.user, c.time.text[11:16]) for c in changes] == [
        ("logout", "alice", "08:10"),
        ("login", "bob", "09:10"),
        ("logout", "bob", "09:20"),
        ("login", "carol", "09:30"),
        ("logout", "carol", "09:30"),
    ]


def test_another_hosts_boots_are_not_asked_of_this_ones_files(tmp_path: Path) -> None:
    engine = Engine()
    file = tmp_path / "wtmp"
    file.write_bytes(at(*DOWN))
    engine.know(witness({"web-2"}, boots.ups_and_downs(file), {}, UTC))
    changes = Pipeline(RULES, engine).process(
        records([f"08:00:00 sshd[10]: {ALICE}", "11:00:00 kernel: Linux version 6.1"])
    )
    assert told(changes[1:]) == [("reboot", "08:00", True, True)]


# --- clocks -------------------------------------------------------------------------------------


def clocked(*lines: tuple[str, float]) -> list[Record]:
    """Lines with what the boot's monotonic clock showed, in seconds."""
    found = records([line for line, _ in lines])
    return [
        record._replace(boot=OLD, mono_us=round(mono * 1_000_000))
        for record, (_, mono) in zip(found, lines, strict=True)
    ]


def test_a_clock_that_is_set_changes_no_duration() -> None:
    for back_or_on in ("03:00:00", "23:00:00"):
        changes = conclude(
            clocked((f"08:00:00 sshd[10]: {ALICE}", 50), (f"{back_or_on} sshd[10]: {CLOSED}", 110))
        )
        assert [change.duration for change in changes] == [None, 60]


def test_the_time_that_a_host_sleeps_counts() -> None:
    """The monotonic clock stands still while it sleeps."""
    changes = conclude(
        clocked(
            (f"08:00:00 sshd[10]: {ALICE}", 50),
            ("08:01:00 systemd-logind[4]: The system will suspend now!", 110),
            ("08:01:01 systemd-sleep[77]: Performing sleep operation 'suspend'...", 111),
            ("18:01:03 systemd-sleep[77]: System returned from sleep operation 'suspend'.", 113),
            ("18:01:04 systemd-logind[4]: Operation 'sleep' finished.", 114),
            (f"18:02:00 sshd[10]: {CLOSED}", 170),
            ("18:05:00 sshd[20]: Accepted password for bob from 198.51.100.8 port 2 ssh2", 350),
            ("18:05:07 sshd[20]: pam_unix(sshd:session): session closed for user bob", 357),
        )
    )
    assert [c.duration for c in changes if c.kind is ChangeKind.LOGOUT] == [10 * 3600 + 120, 7]


def test_a_first_line_that_is_written_after_the_sleep_costs_nothing() -> None:
    """journald may come to it only when the host is up again."""
    changes = conclude(
        clocked(
            (f"08:00:00 sshd[10]: {ALICE}", 50),
            ("08:01:00 systemd-logind[4]: The system will suspend now!", 110),
            ("18:01:02 systemd-sleep[77]: Entering sleep state 'suspend'...", 112),
            ("18:01:03 systemd-sleep[77]: System returned from sleep state.", 113),
            (f"18:02:00 sshd[10]: {CLOSED}", 170),
        )
    )
    assert changes[-1].duration == 10 * 3600 + 120


def test_a_text_log_has_the_wall_clock_alone() -> None:
    lines = (f"08:00:00 sshd[10]: {ALICE}", f"18:00:00 sshd[10]: {CLOSED}")
    assert brief(lines)[-1] == "logout alice unknown 36000"


# --- the journal ----------------------------------------------------------------------------------


@needs_journal
def test_the_last_entry_of_each_boot_whatever_it_is(tmp_path: Path) -> None:
    write(
        tmp_path / "system.journal",
        [
            journal_entry(0, ALICE, boot=OTHER_BOOT),
            journal_entry(60, "anything", boot=OTHER_BOOT, SYSLOG_FACILITY=3,
                          SYSLOG_IDENTIFIER="cron"),
            journal_entry(600, "later", boot=BOOT),
        ],
    )  # fmt: skip
    expected = {OTHER_BOOT: START_US + 60_000_000, BOOT: START_US + 600_000_000}
    assert last_entries([OTHER_BOOT], str(tmp_path)) == expected
    assert last_entries(["c" * 32], str(tmp_path / "none")) == {}
