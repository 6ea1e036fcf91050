"""What the reader remembers from line to line, and what it does with hostile lines."""

from __future__ import annotations

import time
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.envelope.text import LineReader
from usersessionmon.model import Record

NOW_US = 1_795_248_930_000_000  # 2026-11-21T08:15:30Z
BERLIN = ZoneInfo("Europe/Berlin")
BOOT = "0123456789abcdef0123456789abcdef"


def sshd_only(program: str) -> bool:
    return program in ("sshd", "")


def reader(year: int | None = None) -> LineReader:
    return LineReader(wanted=sshd_only, zone=BERLIN, reference_us=NOW_US, year=year)


def texts(lines: list[bytes]) -> list[str]:
    return [record.text for record in reader().read_block(lines)]


# -- what lines say ------------------------------------------------------------------------------


def test_bytes_that_are_no_text_stay_visible() -> None:
    head = b"Nov 21 08:15:30 web-1 sshd[1]: "
    said = [b"\xff\xfe", "管".encode(), b"a\0b", b"a\x1b[31m", b"a\r", b"a\rb\r\r"]
    expected = ["\\xff\\xfe", "管", "a\\x00b", "a\x1b[31m", "a", "a\rb"]
    assert texts([head + each for each in said]) == expected
    for each, text in zip(said, expected, strict=True):
        assert texts([head + each]) == [text]


def test_nuls_that_a_crash_left_are_passed_over() -> None:
    assert texts([b"\0" * 5000 + b"Nov 21 08:15:30 web-1 sshd[1]: x"]) == ["x"]


def test_a_byte_order_mark_at_the_beginning_is_passed_over() -> None:
    assert texts([b"\xef\xbb\xbfNov 21 08:15:30 web-1 sshd[1]: x"]) == ["x"]


@pytest.mark.parametrize("size", [7000, 7168, 8192, 9000, 65536])
def test_long_lines_are_cut_at_8_kib(size: int) -> None:
    head = b"Nov 21 08:15:30 web-1 sshd[1]: "
    line = head + b"x" * (size - len(head))
    expected = ["x" * (min(size, 8192) - len(head))]
    assert texts([line]) == expected
    assert texts([line] * 3) == expected * 3


def test_nothing_is_concluded_from_a_tag_without_its_place() -> None:
    forged = b"Nov 21 08:15:30 web-1 app a text: sshd[1]: Accepted password for root"
    lines = reader()
    for _ in range(3):
        assert lines.read(forged) is None


def test_hosts_are_not_mixed_up() -> None:
    lines = [b"Nov 21 08:15:30 %s sshd[1]: x" % host for host in (b"a", b"b", b"a", b"c")]
    assert [record.host for record in reader().read_block(lines)] == ["a", "b", "a", "c"]


def test_what_pam_says_for_others_is_found_behind_what_it_says_itself() -> None:
    lines = [b"Nov 21 08:15:30 web-1 pam: x", b"Nov 21 08:15:30 web-1 pam: sshd[7]: y"]
    assert texts(lines) == ["y"]


def test_a_narrower_time_does_not_borrow_the_host_of_a_wider_one() -> None:
    lines = [
        b"2026-11-21T08:15:30.123456+01:00 web-1 sshd[1]: x",
        b"2026-11-21T07:15:30Z web-1 sshd[1]: x",
        b"2026-11-21T07:15:30.12Z web-1 sshd[1]: x",
        b"2026-11-21T08:15:30.123456+01:00 web-1 CRON[1]: x",
        b"2026-11-21T07:15:30.123456Z web-1 sshd[1]: x",
    ]
    found = reader().read_block(lines)
    assert [record.host for record in found] == ["web-1"] * 4
    assert len({record.time.us // 1_000_000 for record in found}) == 1


def test_the_mark_of_a_boot_has_time_and_host_of_the_line_before() -> None:
    line = b"Nov 21 09:15:30 web-1 CRON[1]: x"
    for before in ([line], [line] * 2, [line, b"no header", b"        more", b""]):
        lines = reader()
        lines.read_block(before)
        for mark, boot in ((f"-- Boot {BOOT} --", BOOT), ("-- Reboot --", None)):
            record = lines.read(mark.encode())
            assert record is not None
            assert record.time.text == "2026-11-21T09:15:30+01:00"
            assert record[1:6] == ("web-1", "", None, mark, boot)
            assert record.time_inferred


@pytest.mark.parametrize("mark", [f"-- Boot {BOOT[:-1]} --", f"-- Boot {BOOT[:-1]}g --", "-- x --"])
def test_other_marks_are_skipped(mark: str) -> None:
    lines = reader()
    lines.read(b"Nov 21 09:15:30 web-1 CRON[1]: x")
    assert lines.read(mark.encode()) is None
    assert lines.skipped == 2


def test_a_mark_with_nothing_before_it_is_skipped() -> None:
    lines = reader()
    assert lines.read(b"-- Reboot --") is None
    assert lines.skipped == 1


SAID = "last message repeated 2 times"
REPEATED = f"Nov 21 09:15:31 web-1 {SAID}".encode()


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("anew", [False, True])
def test_the_repetition_of_what_does_not_matter_does_not_matter(times: int, anew: bool) -> None:
    wanted, other = (b"Nov 21 09:15:30 web-1 %s[1]: x" % tag for tag in (b"sshd", b"ntpd"))
    lines = reader()

    def said(block: list[bytes]) -> list[str]:
        return [record.text for record in lines.read_block(block)]

    assert said([wanted, *[other] * times]) == ["x"]
    if anew:
        saved = lines.save()
        lines = reader()
        lines.restore(saved)
    assert said([REPEATED, REPEATED]) == []
    assert said([*[other] * times, *[wanted] * times, REPEATED, REPEATED]) == [
        *["x"] * times,
        SAID,
        SAID,
    ]


def test_counters() -> None:
    lines = reader()
    wanted = b"Nov 21 09:15:30 web-1 sshd[1]: x"
    other = b"<38>Nov 21 09:15:30 web-1 CRON[1]: x"
    found = lines.read_block([wanted, other, b"?", wanted, other, b"", b"<38>" + wanted])
    assert (len(found), lines.lines, lines.skipped, lines.not_understood) == (3, 7, 3, 1)


# -- remembering ---------------------------------------------------------------------------------

STAMPS = [
    b"Nov 21 08:15:30",
    b"Nov 21 08:15:31",
    b"Nov 21 08:16:60",
    b"Nov 21 08:15:30.250",
    b"Nov 21 08:15:30.250000",
    b"Dec 31 23:59:59",
    b"Jan  1 00:00:00",
    b"Feb 29 12:00:00",
    b"Oct 25 02:50:00",
    b"Oct 25 02:05:00",
    b"Mar 29 02:30:00",
    b"<38>Nov 21 08:15:30",
    b"Nov 21 2025 08:15:30",
    b"Sat Nov 21 08:15:30 2026",
    b"Sat 2026-11-21 08:15:30 CET",
    b"2026-11-21T08:15:30.123456+01:00",
    b"2026-11-21T08:15:30.123456Z",
    b"2026-11-21T08:15:31Z",
    b"2026-11-21 08:15:30,123",
    b"2026-10-25 02:05:00",
    b"1795248930.123456",
    b"Nov 21 99:15:30",
    b"",
]
HEADS = [
    b" web-1 sshd[1]: ",
    b" web-1 sshd[1]:",
    b" web-2 sshd[23]: ",
    b" web-1 CRON[1]: ",
    b" web-1 sshd: ",
    b" sshd[1]: ",
    b"  sshd[1]: ",
    b" web-1 auth.info sshd[1]: ",
    b" [sshd] ",
    b" web-1 sshd[1] ",
    b" web-1 pam: sshd[7]: ",
    b" web-1 pam: ",
    b" web-1 last message repeated 2 times",
    b": --- last message repeated 2 times ---",
    b" [pid 7] ",
    b" : root : ",
    b" a b c: ",
    b"",
]
TEXTS = [b"x", b"  x: y", b"[ID 1 auth.info] x: y", b"[x] y", b"", b"\xff\0", b"x\r", b"a[1]: b"]
MARKS = [b"-- Reboot --", b"-- Boot %s --" % BOOT.encode(), b"", b"\0", b"        x: y", b"?"]

log_lines = st.one_of(
    st.builds(
        lambda *parts: b"".join(parts),
        st.sampled_from(STAMPS),
        st.sampled_from(HEADS),
        st.sampled_from(TEXTS),
    ),
    st.sampled_from(MARKS),
)


@given(st.lists(log_lines, max_size=30), st.sampled_from([None, 2025]))
def test_a_saved_and_restored_reader_reads_the_same(lines: list[bytes], year: int | None) -> None:
    """So the short way, which begins anew after each restoring, gives what the long way gives."""
    whole = reader(year)
    expected = whole.read_block(lines)
    found: list[Record] = []
    saved = None
    for line in lines:
        part = reader(year)
        if saved is not None:
            part.restore(saved)
        found += part.read_block([line])
        saved = part.save()
    assert found == expected
    if saved is not None:
        assert whole.save() == saved


@given(st.lists(log_lines, max_size=20), st.integers(0, 20))
def test_saving_does_not_disturb(lines: list[bytes], at: int) -> None:
    disturbed = reader()
    found = disturbed.read_block(lines[:at])
    disturbed.save()
    found += disturbed.read_block(lines[at:])
    assert found == reader().read_block(lines)


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"year": "x", "last_day": None},
        {"before_us": 1, "before_text": None},
        {"last_local": ""},
    ],
)
def test_a_state_that_is_none_is_passed_over(saved: dict[str, int | str | None]) -> None:
    lines = reader()
    lines.restore(saved)
    record = lines.read(b"Nov 21 09:15:30 web-1 sshd[1]: x")
    assert record is not None
    assert record.time.text == "2026-11-21T09:15:30+01:00"


# -- hostile lines -------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300) | log_lines, max_size=10))
def test_no_bytes_raise(lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b" ") for line in lines]  # what holds one is no line
    read = LineReader(wanted=lambda _: True, zone=BERLIN, reference_us=NOW_US)
    for record in read.read_block(lines):
        record.text.encode()
        assert "\0" not in record.text
        assert record.time.us > 0
        assert record.time.text
    assert read.lines == len(lines)


@given(
    st.sampled_from(STAMPS),
    st.text("[]<>() :'\"\\=-/.1a", max_size=60).map(str.encode),
)
def test_no_header_raises(stamp: bytes, rest: bytes) -> None:
    for line in (stamp + rest, stamp + b" " + rest, b"<86>1 2026-11-21T08:15:30Z " + rest, rest):
        read = LineReader(wanted=lambda _: True, zone=UTC, reference_us=NOW_US)
        assert read.read(line) == read.read(line) or line.startswith(b"--")


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 10_000_000,
        b" " * 10_000_000,
        b"\0" * 10_000_000,
        b"<1>" * 3_000_000,
        b"Nov 21 08:15:30 web-1 " + b"[1" * 5_000_000,
        b"Nov 21 08:15:30 web-1 " + b"a[1]" * 2_000_000,
        b"Nov 21 08:15:30 web-1 " + b"pam: " * 2_000_000,
        b"Nov 21 08:15:30 " + b": " * 5_000_000,
        b"Nov 21 08:15:30 web-1 Last message '" + b"' repeated " * 1_000_000,
        b'<86>1 2026-11-21T08:15:30Z web-1 sshd 1 - [a k="' + b'\\"' * 5_000_000,
        b"<86>1 2026-11-21T08:15:30Z web-1 sshd 1 - " + b'[a="b"]' * 1_000_000,
        b"<86>1 2026-11-21T08:15:30Z web-1 sshd 1 - [a " + b'="b"' * 2_000_000,
        b"[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 483] [Message "
        + b"] [Level " * 1_000_000,
        b"Nov 21 08:15:30 " * 500_000,
        b"2026-11-21T08:15:30Z " * 500_000,
    ],
)
def test_ten_megabytes_take_no_time(line: bytes) -> None:
    """Only what is kept of a line is looked at, and that in linear time."""
    read = LineReader(wanted=lambda _: True, zone=UTC, reference_us=NOW_US)
    best = 10.0
    for _ in range(3):
        start = time.perf_counter()
        read.read(line)
        best = min(best, time.perf_counter() - start)
    assert best < 0.05


def test_what_is_remembered_is_bounded() -> None:
    read = LineReader(wanted=lambda _: True, zone=UTC, reference_us=NOW_US)
    for number in range(10_000):
        read.read(b"Nov 21 08:15:30 host-%d sshd[%d]: x" % (number, number))
    assert len(read._heads) <= 4096
