"""The journal source against real journal files: whatever happens to the files, each entry is
given exactly once, in order, and reading never stops in silence."""

from __future__ import annotations

import errno
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journal_files import BOOT, MACHINE, OTHER_BOOT, START_US, entry, needs_journal, write
from usersessionmon.clock import ManualClock, SystemClock, Waker
from usersessionmon.errors import TroubleError
from usersessionmon.model import Batch
from usersessionmon.sources import journal, journal_reader
from usersessionmon.sources.entry import Refusal
from usersessionmon.sources.journal import JournalSource, read_journal

pytestmark = needs_journal

WANTED = frozenset({"sshd", "sshd-session", "systemd-logind", "sudo"})


@contextmanager
def opened(directory: Path, **more: Any) -> Iterator[JournalSource]:
    given_: dict[str, Any] = {
        "wanted": WANTED.__contains__,
        "zone": UTC,
        "clock": ManualClock(START_US),
        "wake": lambda: None,
        "directory": str(directory),
        "sessions": None,
    }
    source = JournalSource(**(given_ | more))
    try:
        yield source
    finally:
        source.close()


def texts(batch: Batch) -> list[str]:
    return [record.text for record in batch.records]


def numbered(first: int, end: int, **more: Any) -> list[bytes]:
    return [entry(n, f"line {n}", **more) for n in range(first, end)]


def lines(first: int, end: int) -> list[str]:
    return [f"line {n}" for n in range(first, end)]


def test_an_entry_becomes_a_record_with_what_journald_vouches_for(tmp_path: Path) -> None:
    write(tmp_path / "system.journal", [entry(0, "Accepted x", _SYSTEMD_UNIT="ssh.service")])
    with opened(tmp_path, from_start=True) as source:
        (record,) = source.read(10).records
    assert record.time == (START_US, "2026-11-21T08:15:30.000000+00:00")
    assert (record.host, record.program, record.pid) == ("web-1", "sshd", 1000)
    assert (record.boot, record.mono_us) == (BOOT, 5_000_000)
    assert record.trusted == ("syslog", 0, "/usr/sbin/sshd", "sshd", "ssh.service", None, None)
    assert record.fields is None


def test_without_a_position_it_begins_behind_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "system.journal"
    write(file, numbered(0, 5))
    with opened(tmp_path) as source:
        write(file, numbered(5, 7))
        assert texts(source.read(10)) == lines(5, 7)
        assert source.read(10) == Batch([], None, True)


def test_a_stop_before_the_first_new_entry_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "system.journal"
    write(file, numbered(0, 5))
    with opened(tmp_path) as source:
        first = source.read(10)
    assert first.records == [] and first.position is not None
    write(file, numbered(5, 7))
    with opened(tmp_path, position=first.position) as source:
        assert texts(source.read(10)) == lines(5, 7)


def test_an_empty_journal_is_waited_for(tmp_path: Path) -> None:
    with opened(tmp_path) as source:
        first = source.read(10)
        assert first.at_end and first.position is not None
        write(tmp_path / "system.journal", numbered(0, 3))
        assert texts(source.read(10)) == lines(0, 3)
    with opened(tmp_path, position=first.position) as source:
        assert texts(source.read(10)) == lines(0, 3)


def test_from_start_reads_all_boots_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.journal", numbered(10, 13, boot=OTHER_BOOT))
    write(tmp_path / "a.journal", numbered(0, 3))
    with opened(tmp_path, from_start=True) as source:
        batch = source.read(100)
    assert texts(batch) == lines(0, 3) + lines(10, 13)
    assert [record.boot for record in batch.records] == [BOOT] * 3 + [OTHER_BOOT] * 3


def test_rotation_and_vacuum_while_it_is_followed(tmp_path: Path) -> None:
    live = tmp_path / "system.journal"
    write(live, numbered(0, 5))
    with opened(tmp_path, from_start=True) as source:
        assert texts(source.read(3)) == lines(0, 3)
        live.rename(tmp_path / f"system@{BOOT}-0000000000000001-0000000000000001.journal")
        write(live, numbered(5, 8))
        assert texts(source.read(100)) == lines(3, 8)
        for file in tmp_path.glob("system@*"):
            file.unlink()
        write(live, numbered(8, 10))
        assert texts(source.read(100)) == lines(8, 10)
        live.unlink()
        write(live, numbered(10, 12))
        assert texts(source.read(100)) == lines(10, 12)


def test_a_new_file_is_seen_although_no_descriptor_was_waited_for(tmp_path: Path) -> None:
    with opened(tmp_path, from_start=True) as source:
        for number in range(5):
            write(tmp_path / f"user-{1000 + number}.journal", numbered(number, number + 1))
            assert texts(source.read(10)) == lines(number, number + 1)


def test_the_descriptor_wakes_when_a_file_appears(tmp_path: Path) -> None:
    waker = Waker()
    try:
        with opened(tmp_path, from_start=True) as source:
            source.read(1)
            write(tmp_path / "system.journal", numbered(0, 1))
            assert waker.wait(5, source.descriptors())
            source.read(10)
            assert not waker.wait(0, source.descriptors())
    finally:
        waker.close()


def test_a_lost_cursor_goes_on_by_time_and_says_so(tmp_path: Path) -> None:
    write(tmp_path / "old.journal", numbered(0, 5))
    with opened(tmp_path, from_start=True) as source:
        position = source.read(3).position
    (tmp_path / "old.journal").unlink()
    write(tmp_path / "new.journal", numbered(1, 2) + numbered(8, 10))
    with opened(tmp_path, position=position) as source:
        batch = source.read(10)
    assert texts(batch) == lines(8, 10)
    (note,) = batch.notes
    assert "2026-11-21T08:15:32" in note and "may be missing" in note


def test_entries_that_were_moved_to_another_file_are_not_lost_ones(tmp_path: Path) -> None:
    write(tmp_path / "runtime.journal", numbered(0, 5))
    with opened(tmp_path, from_start=True) as source:
        position = source.read(3).position
    (tmp_path / "runtime.journal").unlink()
    write(tmp_path / "system.journal", numbered(0, 7))
    with opened(tmp_path, position=position) as source:
        batch = source.read(10)
    assert texts(batch) == lines(3, 7)
    assert batch.notes == ()


def test_a_lost_cursor_with_nothing_behind_it_waits_for_what_comes(tmp_path: Path) -> None:
    write(tmp_path / "old.journal", numbered(0, 5))
    with opened(tmp_path, from_start=True) as source:
        position = source.read(10).position
    (tmp_path / "old.journal").unlink()
    with opened(tmp_path, position=position) as source:
        assert source.read(10) == Batch([], None, True)
        write(tmp_path / "new.journal", numbered(20, 22))
        batch = source.read(10)
    assert texts(batch) == lines(20, 22)
    assert len(batch.notes) == 1


def test_other_matches_than_when_it_was_saved_lose_no_cursor(tmp_path: Path) -> None:
    file = tmp_path / "system.journal"
    ftp: dict[str, Any] = {"SYSLOG_FACILITY": 11, "SYSLOG_IDENTIFIER": "vsftpd"}
    write(file, [*numbered(0, 2), entry(2, "ftp", **ftp)])
    with opened(
        tmp_path, from_start=True, extra_identifiers=["vsftpd"], wanted=lambda _: True
    ) as source:
        batch = source.read(10)
    assert texts(batch) == [*lines(0, 2), "ftp"]
    with opened(tmp_path, position=batch.position) as source:
        assert source.read(10) == Batch([], None, True)
        write(file, numbered(3, 5))
        after = source.read(10)
    assert texts(after) == lines(3, 5) and after.notes == ()


def test_a_clock_that_was_set_back_hides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "system.journal"
    back = [
        entry(n, f"line {n}", __REALTIME_TIMESTAMP=START_US - 3_600_000_000 + n)
        for n in range(3, 6)
    ]
    write(file, numbered(0, 3) + back)
    with opened(tmp_path, from_start=True) as source:
        first = source.read(3)
    with opened(tmp_path, position=first.position) as source:
        assert texts(first) + texts(source.read(10)) == lines(0, 6)


@pytest.mark.parametrize(
    "position", ["", "{", "[]", '{"cursor": 5, "realtime_us": 1}', '{"offset": 7}']
)
def test_a_position_of_somebody_else_begins_anew_with_a_note(tmp_path: Path, position: str) -> None:
    write(tmp_path / "system.journal", numbered(0, 2))
    with opened(tmp_path, position=position) as source:
        batch = source.read(10)
    assert batch.records == [] and len(batch.notes) == 1


@pytest.mark.parametrize("cursor", ["rubbish", "s=1;i=zz", "", "a" * 5000])
def test_a_damaged_cursor_falls_back_on_the_time(tmp_path: Path, cursor: str) -> None:
    write(tmp_path / "system.journal", numbered(0, 6))
    position = json.dumps({"cursor": cursor, "realtime_us": START_US + 2_000_000})
    with opened(tmp_path, position=position) as source:
        assert texts(source.read(10)) == lines(3, 6)


@pytest.fixture(scope="module")
def two_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    even = [
        entry(n, f"line {n}", SYSLOG_IDENTIFIER="sshd" if n % 6 else "CRON")
        for n in range(0, 40, 2)
    ]
    write(folder / "system.journal", even)
    write(folder / "user-1000.journal", [entry(n, f"line {n}") for n in range(1, 40, 2)])
    return folder


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(limits=st.lists(st.integers(1, 9), min_size=1, max_size=12), restart=st.booleans())
def test_any_cut_gives_each_entry_once(two_files: Path, limits: list[int], restart: bool) -> None:
    expected = [f"line {n}" for n in range(40) if n % 6]
    got: list[str] = []
    position: str | None = None
    sources = [JournalSource(**_plain(two_files, position))]
    try:
        for limit in [*limits, 1000]:
            batch = sources[-1].read(limit)
            assert len(batch.records) <= limit
            got += texts(batch)
            position = batch.position or position
            if restart:
                sources.append(JournalSource(**_plain(two_files, position)))
    finally:
        for source in sources:
            source.close()
    assert got == expected


def _plain(directory: Path, position: str | None) -> dict[str, Any]:
    return {
        "wanted": WANTED.__contains__,
        "zone": UTC,
        "clock": ManualClock(START_US),
        "position": position,
        "from_start": True,
        "wake": lambda: None,
        "directory": str(directory),
        "sessions": None,
    }


def test_growth_rotation_and_restarts_at_random_give_each_entry_once(tmp_path: Path) -> None:
    dice = random.Random(7)
    live, number, got, position = tmp_path / "system.journal", 0, list[str](), None
    for step in range(12):
        more = dice.randrange(1, 6)
        write(live, numbered(number, number + more))
        number += more
        with opened(tmp_path, position=position, from_start=True) as source:
            for _ in range(dice.randrange(1, 4)):
                batch = source.read(dice.randrange(1, 6))
                got += texts(batch)
                position = batch.position or position
            if dice.random() < 0.4:
                live.rename(tmp_path / f"system@{step:032x}-{number:016x}-{step:016x}.journal")
    with opened(tmp_path, position=position, from_start=True) as source:
        got += texts(source.read(1000))
    assert got == lines(0, number)


def _always_quick(reader: Any) -> journal_reader.Log:
    return journal_reader.QuickLog(reader)


def _always_plain(reader: Any) -> journal_reader.Log:
    return journal_reader.PlainLog(reader)


@pytest.mark.parametrize("wrap", [_always_quick, _always_plain])
def test_no_field_of_a_local_user_stops_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrap: Callable[[Any], journal_reader.Log]
) -> None:
    monkeypatch.setattr(journal, "wrap", wrap)
    hostile: list[bytes] = [
        entry(1, "big", COREDUMP_TIMESTAMP="9" * 30),
        entry(2, b"\xff\xfe\x00 not text", SESSION_ID="c1", MESSAGE_ID="not an id"),
        entry(3, "two", MESSAGE=["two", "messages"]),
        entry(4, "tags", SYSLOG_IDENTIFIER=["sshd", "sudo"]),
        entry(5, "first\nsecond"),
        entry(6, "m" * 200_000, LEADER="9" * 5000),
        entry(7, "no tag", SYSLOG_IDENTIFIER=""),
        entry(8, "odd", _SOURCE_REALTIME_TIMESTAMP="-1", PRIORITY="x", CODE_LINE="x"),
    ]
    write(tmp_path / "system.journal", [entry(0, "before"), *hostile, entry(9, "after")])
    with opened(tmp_path, from_start=True) as source:
        batch = source.read(100)
        assert source.refused == {Refusal.REPEATED: 2}
    got = texts(batch)
    assert got[:3] == ["before", "big", "\\xff\\xfe\x00 not text"]
    assert got[3] == "first\\nsecond"
    assert got[4] == "m" * 4096
    assert got[5:] == ["odd", "after"]
    fields = batch.records[2].fields
    assert fields == {"SESSION_ID": "c1", "MESSAGE_ID": "not an id"}


def test_the_crafted_field_does_stop_a_reader_with_default_converters(tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    from systemd import journal as systemd_journal

    write(tmp_path / "system.journal", [entry(1, "big", COREDUMP_TIMESTAMP="9" * 30)])
    with systemd_journal.Reader(path=str(tmp_path)) as reader, pytest.raises(OverflowError):
        reader.get_next()


def test_both_ways_of_stepping_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "system.journal", numbered(0, 4))
    both = []
    for wrap in (_always_quick, _always_plain):
        monkeypatch.setattr(journal, "wrap", wrap)
        with opened(tmp_path, from_start=True) as source:
            both.append(source.read(10))
        with opened(tmp_path) as source:
            both.append(source.read(10))
    assert both[:2] == both[2:]


def test_lines_that_do_not_matter_are_bounded_in_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_LOOKED_AT_MOST", 10)
    write(tmp_path / "system.journal", [*numbered(0, 25, SYSLOG_IDENTIFIER="CRON"), entry(25, "x")])
    with opened(tmp_path, from_start=True) as source:
        batches = [source.read(100) for _ in range(3)]
    assert [batch.lines for batch in batches] == [10, 10, 6]
    assert [batch.at_end for batch in batches] == [False, False, True]
    assert all(batch.position for batch in batches)
    assert texts(batches[-1]) == ["x"]


def test_another_machines_entries_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.journal", [entry(0, "ours"), entry(1, "theirs", _MACHINE_ID="f" * 32)])
    with opened(tmp_path, from_start=True, machine_id=MACHINE) as source:
        assert texts(source.read(10)) == ["ours"]
        assert source.refused == {Refusal.MACHINE: 1}


class Failing:
    """A reader whose next calls of ``process`` fail as a vacuumed journal's do."""

    def __init__(self, reader: Any, failures: list[OSError]) -> None:
        self._reader = reader
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def process(self) -> int:
        if self._failures:
            raise self._failures.pop()
        return int(self._reader.process())


def test_an_error_of_the_journal_reopens_it_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[OSError] = []
    really = journal.open_reader
    monkeypatch.setattr(journal, "open_reader", lambda **more: Failing(really(**more), failures))
    write(tmp_path / "system.journal", numbered(0, 6))
    clock = ManualClock(START_US)
    with opened(tmp_path, from_start=True, clock=clock) as source:
        assert texts(source.read(2)) == lines(0, 2)
        failures += [OSError(errno.EBADMSG, "Bad message")] * 2
        first, second, third = (source.read(2) for _ in range(3))
        assert first.records == second.records == [] and first.at_end
        assert "Bad message" in first.notes[0] and second.notes == ()
        assert texts(third) == lines(2, 4)
        failures += [OSError(errno.EBADMSG, "Bad message")] * 2
        source.read(2)
        clock.advance(60)
        with pytest.raises(TroubleError, match="Bad message"):
            source.read(2)


def test_damaged_files_never_raise_and_never_hang(tmp_path: Path) -> None:
    whole = tmp_path / "whole.journal"
    write(whole, numbered(0, 60))
    original = whole.read_bytes()
    dice = random.Random(3)
    for attempt in range(30):
        folder = tmp_path / f"damaged-{attempt}"
        folder.mkdir()
        data = bytearray(original)
        # Behind the header lie the hash tables and then the objects, up to some 100 KiB.
        for _ in range(dice.randrange(1, 30)):
            data[dice.randrange(300, 140_000)] = dice.randrange(256)
        (folder / "system.journal").write_bytes(data)
        with opened(folder, from_start=True) as source:
            for _ in range(10):
                source.read(50)
        _drain(folder)
    short = tmp_path / "short"
    short.mkdir()
    (short / "system.journal").write_bytes(original[: len(original) // 3])
    with opened(short, from_start=True) as source:
        source.read(50)
    _drain(short)


def _drain(folder: Path) -> None:
    try:
        for _ in read_journal([str(folder)], wanted=WANTED.__contains__, zone=UTC):
            pass
    except TroubleError:
        pass


def test_a_directory_that_vanishes_is_no_silent_stop(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    write(folder / "system.journal", numbered(0, 3))
    with opened(folder, from_start=True) as source:
        assert texts(source.read(10)) == lines(0, 3)
        shutil.rmtree(folder)
        source.read(10)
    with pytest.raises(TroubleError), opened(folder):
        pass


def test_without_systemd_python_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    with pytest.raises(TroubleError, match="python3-systemd"), opened(tmp_path):
        pass


def test_a_session_file_of_logind_makes_it_look_often_for_a_moment(tmp_path: Path) -> None:
    sessions = tmp_path / "run" / "sessions"
    waker, clock = Waker(), ManualClock(START_US)
    folder = tmp_path / "journal"
    folder.mkdir()
    try:
        with opened(folder, clock=clock, wake=waker.wake, sessions=str(sessions)) as source:
            assert source.patience() == 0.25
            sessions.mkdir(parents=True)
            _until(waker, lambda: source.patience() < 0.25)
            clock.advance(1)
            assert source.patience() == 0.25
            (sessions / "7").write_text("STATE=active\n")
            _until(waker, lambda: source.patience() == 0.005)
            clock.advance(1)
            assert source.patience() == 0.25
    finally:
        waker.close()


def _until(waker: Waker, done: Callable[[], bool]) -> None:
    end = SystemClock().monotonic() + 5
    while not done() and SystemClock().monotonic() < end:
        waker.wait(0.2)
    assert done()


def test_closing_twice_is_safe(tmp_path: Path) -> None:
    with opened(tmp_path) as source:
        source.close()
        assert source.descriptors() == ()


def _scan(paths: Sequence[Path]) -> list[str]:
    records = read_journal([str(p) for p in paths], wanted=WANTED.__contains__, zone=UTC)
    return [record.text for record in records]


def test_scan_merges_files_and_directories(tmp_path: Path) -> None:
    machine = tmp_path / "logs" / MACHINE
    machine.mkdir(parents=True)
    write(machine / "system.journal", numbered(4, 6))
    write(machine / "old.journal", numbered(0, 2))
    (machine / "old.journal").rename(machine / "system@1-2.journal~")
    write(tmp_path / "single.journal", numbered(2, 4) + numbered(6, 8, SYSLOG_IDENTIFIER="CRON"))
    assert _scan([tmp_path / "logs", tmp_path / "single.journal"]) == lines(0, 6)
    assert _scan([tmp_path, tmp_path / "single.journal"]) == lines(0, 6)


def test_scan_reads_what_it_can_and_names_what_it_cannot(tmp_path: Path) -> None:
    write(tmp_path / "good.journal", numbered(0, 3))
    (tmp_path / "bad.journal").write_bytes(b"LPKSHHRH" + b"\xff" * 500)
    (tmp_path / "none").mkdir()
    paths = [str(tmp_path / name) for name in ("good.journal", "bad.journal", "none", "absent")]
    got: list[str] = []
    with pytest.raises(TroubleError) as caught:
        # extend keeps what came before the exception
        got.extend(r.text for r in read_journal(paths, wanted=WANTED.__contains__, zone=UTC))
    assert got == lines(0, 3)
    assert [line.partition(":")[0].rpartition("/")[2] for line in caught.value.lines] == [
        "none",
        "bad.journal",
        "absent",
    ]
