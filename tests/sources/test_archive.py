"""Logs that already exist: packed, damaged, of every kind, with lines of any length."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.envelope.text import LineReader
from usersessionmon.errors import TroubleError
from usersessionmon.model import Record
from usersessionmon.sources.archive import (
    Kind,
    ReadOptions,
    Tally,
    open_text,
    read_path,
    sniff,
)
from usersessionmon.sources.opened import OpenedLog, tells
from usersessionmon.sources.packed import look
from usersessionmon.sources.unknown import UnknownHeaders

NOW_US = 1_795_248_930_000_000  # 2026-11-21T08:15:30Z
DAY_US = 86_400_000_000
Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {
    "plain": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


def sshd_only(program: str) -> bool:
    return program in ("sshd", "")


def options(
    year: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    tally: Tally | None = None,
    notice: Callable[[str], None] | None = None,
) -> ReadOptions:
    return ReadOptions(
        wanted=sshd_only,
        zone=UTC,
        now_us=NOW_US,
        year=year,
        progress=progress,
        tally=tally,
        notice=notice,
    )


def line(number: int, program: str = "sshd") -> bytes:
    minute, second = divmod(number, 60)
    hour, minute = divmod(minute, 60)
    time = f"2026-11-{1 + hour // 24:02}T{hour % 24:02}:{minute:02}:{second:02}Z"
    return f"{time} web-1 {program}[{number}]: text {number}\n".encode()


def write(path: Path, data: bytes, changed_us: int = NOW_US) -> str:
    path.write_bytes(data)
    os.utime(path, ns=(changed_us * 1000, changed_us * 1000))
    return str(path)


def records(path: str, given: ReadOptions | None = None) -> list[Record]:
    return [record for block in read_path(path, given or options()) for record in block]


def until_damage(path: str) -> tuple[list[Record], str]:
    """What could be read, and what was said then."""
    found: list[Record] = []
    try:
        for block in read_path(path, options()):
            found += block
    except TroubleError as error:
        return found, str(error)
    return found, ""


def times(path: str, given: ReadOptions | None = None) -> list[str]:
    return [record.time.text[:10] for record in records(path, given)]


# -- packing and damage --------------------------------------------------------------------------


@pytest.mark.parametrize("pack", PACKS)
def test_packed_logs_are_known_by_their_first_bytes(tmp_path: Path, pack: str) -> None:
    data = b"".join(line(number) for number in range(20_000))
    path = write(tmp_path / "auth.log", PACKS[pack](data))
    assert [record.pid for record in records(path)] == list(range(20_000))


def test_a_packed_log_of_several_parts_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log.gz", gzip.compress(line(1)) + gzip.compress(line(2)))
    assert [record.pid for record in records(path)] == [1, 2]


@pytest.mark.parametrize("pack", ["gz", "xz", "bz2"])
def test_a_log_that_is_cut_short_gives_what_it_has(tmp_path: Path, pack: str) -> None:
    data = b"".join(
        line(number) + os.urandom(40).hex().encode() + b"\n" for number in range(20_000)
    )
    packed = PACKS[pack](data)
    path = write(tmp_path / "auth.log", packed[: len(packed) * 3 // 4])
    found, said = until_damage(path)
    assert said.startswith(f"{path}: is damaged or cut short")
    assert len(found) > 5000
    assert [record.pid for record in found] == list(range(len(found)))


def test_a_log_whose_sum_is_wrong_gives_what_it_has(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(line(1) + line(2)))
    packed[-5] ^= 1
    found, said = until_damage(write(tmp_path / "a", bytes(packed)))
    assert "damaged" in said
    assert [record.pid for record in found] == [1, 2]


def test_a_log_that_is_only_a_head_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log.gz", gzip.compress(line(1))[:12])
    with pytest.raises(TroubleError, match="damaged or cut short"):
        records(path)


def test_zstd_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log", b"\x28\xb5\x2f\xfd" + b"x" * 100)
    with pytest.raises(TroubleError, match=f"zstd -dc {path}"):
        records(path)


# -- lines ---------------------------------------------------------------------------------------


def test_a_last_line_without_lf_counts_and_an_empty_log_is_none(tmp_path: Path) -> None:
    assert [r.pid for r in records(write(tmp_path / "a", line(1) + line(2)[:-1]))] == [1, 2]
    assert records(write(tmp_path / "b", b"")) == []
    assert records(write(tmp_path / "c", b"\n\n")) == []


@pytest.mark.parametrize("pack", PACKS)
def test_a_line_without_end_holds_no_memory(tmp_path: Path, pack: str) -> None:
    long = line(2).removesuffix(b"\n") + b"x" * 10_000_000 + b"\n"
    path = write(tmp_path / "auth.log", PACKS[pack](line(1) + long + line(3)))
    tracemalloc.start()
    found = records(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [record.pid for record in found] == [1, 2, 3]
    assert len(found[1].text) < 8192
    assert peak < 12_000_000  # of which xz takes 8 MiB for itself


def test_nuls_that_a_crash_left_do_not_swallow_the_line_behind(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log", line(1) + b"\0" * 1_000_000 + line(2) + line(3))
    assert [record.pid for record in records(path)] == [1, 2, 3]


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    peaks = []
    for size in (10_000, 50_000):
        path = write(tmp_path / "auth.log", b"".join(line(n % 3600) for n in range(size)))
        tracemalloc.start()
        assert sum(len(block) for block in read_path(path, options())) == size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3


class Trickle:
    """Gives its bytes in pieces of chosen sizes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes = data, sizes

    def read1(self, _: int) -> bytes:
        size = self._sizes.pop(0) if self._sizes else len(self._data)
        piece, self._data = self._data[:size], self._data[size:]
        return piece


@given(
    st.lists(st.sampled_from([b"a", b"b" * 9000, b"c" * 70_000, b"\n", b"\0", b"\r"]), max_size=12),
    st.lists(st.integers(1, 80_000), max_size=12),
)
def test_lines_are_the_same_however_the_bytes_come(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    log = OpenedLog(os.devnull)
    log.stream = Trickle(data, sizes)  # type: ignore[assignment]
    with log:
        found = [each for block in log.blocks() for each in block]
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [each.lstrip(b"\0")[:8192] for each in found] == [
        each.lstrip(b"\0")[:8192] for each in expected
    ]


# -- standard input ------------------------------------------------------------------------------

SCRIPT = f"""
import sys
from datetime import UTC
from usersessionmon.errors import TroubleError
from usersessionmon.sources.archive import ReadOptions, read_path
try:
    options = ReadOptions(wanted=lambda p: p == "sshd", zone=UTC, now_us={NOW_US})
    for block in read_path("-", options):
        for record in block:
            print(record.pid, record.time.text, flush=True)
except TroubleError as error:
    print(error)
"""


def start_reading() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_standard_input_is_read_as_it_comes() -> None:
    with start_reading() as process:
        assert process.stdin is not None and process.stdout is not None
        for number in (1, 2):
            process.stdin.write(line(number))
            process.stdin.flush()
            assert process.stdout.readline().split()[0] == b"%d" % number
        process.stdin.close()
        assert process.stdout.read() == b""


@pytest.mark.parametrize("pack", PACKS)
def test_standard_input_may_be_packed(pack: str) -> None:
    with start_reading() as process:
        output, _ = process.communicate(PACKS[pack](line(1) + line(2)))
    assert [row.split()[0] for row in output.splitlines()] == [b"1", b"2"]


def test_standard_input_without_years_ends_not_after_now() -> None:
    with start_reading() as process:
        output, _ = process.communicate(b"Dec 20 08:00:00 web-1 sshd[1]: x\n")
    assert output == b"1 2025-12-20T08:00:00+00:00\n"


def test_a_journal_file_cannot_come_over_standard_input() -> None:
    with start_reading() as process:
        output, _ = process.communicate(b"LPKSHHRH" + bytes(200))
    assert output.startswith(b"-: journal files must be read from the disk")


# -- kinds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", Kind.TEXT),
        (b"Nov 21 08:15:30 web-1 sshd[1]: x", Kind.TEXT),
        (b"LPKSHHRH\0\0", Kind.JOURNAL),
        (b"ElfFile\0\0", Kind.EVTX),
        (b"__CURSOR=s=1;i=2\n", Kind.EXPORT),
        (b"__REALTIME_TIMESTAMP=1\n", Kind.EXPORT),
        (b"_BOOT_ID=0\n", Kind.EXPORT),
        (b"\n__CURSOR=s=1", Kind.EXPORT),
        (b"MESSAGE=x\n", Kind.TEXT),
        (b'{"__REALTIME_TIMESTAMP":"1"}', Kind.JSON),
        (b'{"MESSAGE":"x","__CURSOR":"s"}', Kind.JSON),
        (b'\x1e{"_PID":"1"}', Kind.JSON),
        (b'data: {"_PID":"1"}', Kind.JSON),
        (b'{"log":"x"}', Kind.TEXT),
        (b"____", Kind.TEXT),
    ],
)
def test_sniff(head: bytes, kind: Kind) -> None:
    assert sniff(head) is kind


FIELDS = {
    "__REALTIME_TIMESTAMP": str(NOW_US),
    "_TRANSPORT": "syslog",
    "_UID": "0",
    "_PID": "7",
    "_HOSTNAME": "web-1",
    "SYSLOG_IDENTIFIER": "sshd",
    "MESSAGE": "hello",
}


@pytest.mark.parametrize("pack", PACKS)
def test_journalctls_output_is_read(tmp_path: Path, pack: str) -> None:
    export = "".join(f"{key}={value}\n" for key, value in FIELDS.items()) + "\n"
    for data in (export, json.dumps(FIELDS) + "\n"):
        found = records(write(tmp_path / "log", PACKS[pack](data.encode() * 2)))
        assert [(record.pid, record.text) for record in found] == [(7, "hello")] * 2


def test_damaged_export_gives_what_it_has(tmp_path: Path) -> None:
    export = "".join(f"{key}={value}\n" for key, value in FIELDS.items()) + "\n"
    packed = gzip.compress(export.encode())
    found, said = until_damage(write(tmp_path / "log", packed[:-4]))
    assert "damaged" in said
    assert len(found) == 1


@pytest.mark.parametrize("pack", PACKS)
def test_journalctls_output_without_its_end_gives_what_it_has(tmp_path: Path, pack: str) -> None:
    export = "".join(f"{key}={value}\n" for key, value in FIELDS.items()) + "\n"
    for data in (export, json.dumps(FIELDS) + "\n"):
        path = write(tmp_path / "log", PACKS[pack]((data * 3)[:-3].encode()))
        found, said = until_damage(path)
        assert [record.text for record in found] == ["hello"] * 2
        assert said.startswith(f"{path}: is damaged or cut short (")
        assert " 3, its last one, has no end" in said


def notices(tmp_path: Path, data: bytes) -> list[str]:
    said: list[str] = []
    records(write(tmp_path / "log", data), options(notice=said.append))
    return said


def test_a_log_that_says_nothing_because_of_its_headers_is_told() -> None:
    """The line is shown as a shape: a name must not get into a bug report."""
    reader = UnknownHeaders(UTC, NOW_US, None)
    reader.look([b"", line(1), b"[  12.5] web-1 sshd[7]: \xe7\x8e\x8b li\x1b"], 10)
    reader.look([b"not again"], 20)
    assert "; line 13 looks like `[  00.0] xxx-0 xxxx[0]: x xx?`. " in reader.words("a", 7)


def test_unknown_headers_are_told_only_where_nothing_else_is_read(tmp_path: Path) -> None:
    strange = b"nov. 21 08:15:30 web-1 sshd[7]: Accepted password for li.wei\n"
    other = b"Nov 21 08:15:30 web-1 cron[7]: x\n"
    (said,) = notices(tmp_path, other + strange * 2)
    assert said.startswith(f"{tmp_path / 'log'}: 2 lines have no header that is known")
    assert "line 2 looks like `xxx. 00 00:00:00 xxx-0 xxxx[0]: xxxxxxxx" in said
    assert notices(tmp_path, strange + line(1)) == []
    assert notices(tmp_path, other) == []
    assert notices(tmp_path, b"\n  x\n") == []


def test_json_pretty_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path / "log", json.dumps(FIELDS, indent=1).encode())
    with pytest.raises(TroubleError, match="use -o json"):
        records(path)


EVENT = b'<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
WINDOWS: dict[str, bytes] = {
    "evtx": b"ElfFile\0" + bytes(5000),
    "wevtutil": EVENT,
    "event-viewer": b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<Events>' + EVENT,
    "powershell": EVENT.decode().encode("utf-16"),
    "utf-16-without-mark": EVENT.decode().encode("utf-16-le"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_event_logs_hold_no_lines(tmp_path: Path, name: str) -> None:
    """``scan`` knows them by their beginning and reads them in another way."""
    with pytest.raises(TroubleError, match="Windows events, not lines"):
        records(write(tmp_path / "log", WINDOWS[name]))


@pytest.mark.parametrize(
    "data",
    [
        b"<34>Nov 21 08:15:30 web-1 sshd[1]: x\n",
        b"<unknown> port 22 ssh2\nNov 21 08:15:30 web-1 sshd[1]: x <b>y</b>\n" * 9,
        b"<-- restarted\n",
    ],
)
def test_lines_that_begin_like_markup_are_lines(data: bytes) -> None:
    assert sniff(data) is Kind.TEXT


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!-- made by\nhand --> <?xml-stylesheet href='x'?>\n<Events>", Kind.EVENTS),
        (b"<?xml version='1.0'?><!--a--><!--<Event>-->\n<Event xmlns='x'>", Kind.EVENTS),
        ("\ufeff<!-- 导出 --><Events>".encode("utf-16-le"), Kind.EVENTS),
        (b"<!--" + b"x" * 9000 + b"--><Events>", Kind.EVENTS),
        (b"<!-- <Events> ", Kind.MARKUP),
        (b"<?xml version='1.0'?>", Kind.MARKUP),
        (b"<!-- a --><e:Events xmlns:e='x'><e:Event>", Kind.MARKUP),
        (b"<e:Events xmlns:e='x'><e:Event>", Kind.MARKUP),
        (b"<Eventful>", Kind.MARKUP),
        (b"<note>hello</note>", Kind.MARKUP),
        (b"<?xml?><a><Event >", Kind.MARKUP),
        (b"<!DOCTYPE Events [<!ENTITY a 'b'>]><Events>", Kind.DOCTYPE),
        (b"<?xml version='1.0'?>\n<!doctype html>", Kind.DOCTYPE),
    ],
)
def test_xml_is_known_by_its_first_element(data: bytes, kind: Kind) -> None:
    assert sniff(data) is kind


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"<!DOCTYPE Events><Events/>", "begins with a DOCTYPE"), (b"<e:Events/>", "is XML, but no")],
)
def test_xml_that_is_not_read_is_told_why(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(TroubleError, match=words):
        records(write(tmp_path / "log", data))


@pytest.mark.parametrize(
    ("lines", "most"),
    [
        ([b"<!-- a\n", b"b -->\n", b"\n", b"<Ev", b"ents>\n", b"<Event>\n"], 5),
        ([b"<34>Nov 21\n", b"x\n"], 1),
        ([b"<!--\n", *[b"x" * 1000] * 50], 18),
    ],
)
def test_no_more_is_read_than_tells_what_it_is(lines: list[bytes], most: int) -> None:
    """Of what comes piece by piece."""
    pieces = Trickle(b"".join(lines), [len(line) for line in lines])
    head, _ = look(cast(BinaryIO, pieces), tells, 32 * 1024)
    assert head == b"".join(lines[:most])


def test_a_packed_journal_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TroubleError, match="unpack it"):
        records(write(tmp_path / "x.journal.gz", gzip.compress(b"LPKSHHRH" + bytes(500))))


def test_a_journal_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.journal", b"LPKSHHRH" + bytes(500))
    with pytest.raises(TroubleError) as caught:
        records(path)
    assert len(caught.value.lines) == 1


# -- what cannot be read -------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none.log")
    with pytest.raises(TroubleError) as caught:
        records(path)
    assert caught.value.lines == (f"{path}: there is no such file",)


def test_a_name_that_is_none_is_named() -> None:
    with pytest.raises(TroubleError, match="is no file name"):
        records("a\0b")


def test_a_directory_without_journal_files_is_named(tmp_path: Path) -> None:
    pytest.importorskip("systemd")
    with pytest.raises(TroubleError) as caught:
        records(str(tmp_path))
    assert str(tmp_path) in caught.value.lines[0]


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything: be somebody else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    if before == 0:
        os.seteuid(before)


@pytest.mark.parametrize("mode", [0o000, 0o700])
def test_a_forbidden_file_is_named_with_the_way_out(
    tmp_path: Path, mode: int, request: pytest.FixtureRequest
) -> None:
    path = write(tmp_path / "auth.log", b"x")
    Path(path).chmod(0)
    tmp_path.chmod(mode)
    request.getfixturevalue("nobody")
    try:
        with pytest.raises(TroubleError, match="use sudo"):
            records(path)
    finally:
        with suppress(PermissionError):
            tmp_path.chmod(0o700)


def test_a_socket_is_no_log(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        with pytest.raises(TroubleError, match="cannot be opened"):
            records(path)


# -- years ---------------------------------------------------------------------------------------


def dated(*dates: str) -> bytes:
    return b"".join(f"{date} 08:00:00 web-1 sshd[1]: x\n".encode() for date in dates)


def changed(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}T12:00:00+00:00").timestamp()) * 1_000_000


YEARS: dict[str, tuple[bytes, str, list[str]]] = {
    "this year": (dated("Nov  1", "Nov 20"), "2026-11-20", ["2026-11-01", "2026-11-20"]),
    "read later": (dated("Nov  1", "Nov 20"), "2020-11-20", ["2020-11-01", "2020-11-20"]),
    "over New Year": (dated("Dec 20", "Jan  5"), "2026-01-05", ["2025-12-20", "2026-01-05"]),
    "December in January": (dated("Dec 20"), "2026-01-05", ["2025-12-20"]),
    "two years": (
        dated("Nov 21", "May  1", "Nov 20", "May  1", "Nov 20"),
        "2026-11-20",
        ["2024-11-21", "2025-05-01", "2025-11-20", "2026-05-01", "2026-11-20"],
    ),
    "leap day": (dated("Feb 28", "Feb 29"), "2026-11-20", ["2024-02-28", "2024-02-29"]),
    "made up time of change": (dated("Nov 20"), "1980-01-01", ["2026-11-20"]),
    "changed in the future": (dated("Nov 23"), "2030-01-01", ["2025-11-23"]),
    "years from an upgrade on": (
        dated("Nov 20", "May  1") + b"2024-05-02T08:00:00Z web-1 sshd[1]: x\n",
        "2026-11-20",
        ["2023-11-20", "2024-05-01", "2024-05-02"],
    ),
    "with a priority": (
        b"<38>Nov 21 08:00:00 web-1 sshd[1]: x\n<38>May  1 08:00:00 web-1 sshd[1]: x\n",
        "2026-11-20",
        ["2025-11-21", "2026-05-01"],
    ),
}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("name", YEARS)
def test_years(tmp_path: Path, name: str, pack: str) -> None:
    data, day, expected = YEARS[name]
    found = times(write(tmp_path / "auth.log", PACKS[pack](data), changed(day)))
    assert found == expected


def test_the_given_year_is_that_of_the_first_line(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log", dated("Dec 20", "Jan  5"), changed("2026-01-05"))
    assert times(path, options(year=2019)) == ["2019-12-20", "2020-01-05"]


def test_a_big_log_of_three_years_begins_in_the_right_one(tmp_path: Path) -> None:
    """Too big to look at each line: dates are taken from all over it."""
    months = ("Nov", "Jan", "Apr", "Aug", "Nov", "Jan", "Apr", "Aug", "Nov", "Jan", "Mar")
    many = b"%s 10 08:00:00 web-1 CRON[1]: " + b"x" * 200 + b"\n"
    data = b"".join(many % month.encode() * 2000 for month in months)
    first = b"Nov 10 07:00:00 web-1 sshd[1]: x\n"
    path = write(tmp_path / "auth.log", first + data + first.replace(b"Nov", b"Apr"),
                 changed("2026-05-01"))  # fmt: skip
    assert len(data) > 4_000_000
    assert times(path) == ["2023-11-10", "2026-04-10"]


def test_a_host_without_a_clock_does_not_cost_a_year(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log", dated("Nov 18", "Jan  1", "Nov 19"), changed("2026-11-20"))
    assert times(path)[::2] == ["2026-11-18", "2026-11-19"]


# -- for the caller ------------------------------------------------------------------------------


def test_progress_is_told_and_ends_at_the_size(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    for pack in (bytes, gzip.compress):
        told.clear()
        path = write(tmp_path / "auth.log", pack(b"".join(line(n) for n in range(20_000))))
        size = Path(path).stat().st_size
        records(path, options(progress=lambda done, total: told.append((done, total))))
        assert told[-1] == (size, size)
        assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_tally_is_kept(tmp_path: Path) -> None:
    tally = Tally()
    path = write(tmp_path / "auth.log", line(1) + line(2, "CRON") + b"?\n" + line(3))
    for _ in range(2):
        records(path, options(tally=tally))
    assert (tally.lines, tally.skipped, tally.not_understood) == (8, 2, 2)


def test_the_lines_of_a_text_log(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log", gzip.compress(b"a\n\nb"))
    assert [each for block in open_text(path) for each in block] == [b"a", b"", b"b"]


def test_a_log_in_blocks_reads_like_line_by_line(tmp_path: Path) -> None:
    data = [line(number, ("sshd", "CRON")[number % 2]) for number in range(9000)]
    reader = LineReader(wanted=sshd_only, zone=UTC, reference_us=NOW_US)
    expected = reader.read_block([each[:-1] for each in data])
    assert records(write(tmp_path / "auth.log", b"".join(data))) == expected
