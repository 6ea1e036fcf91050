"""journalctl's export and json output, whole and damaged."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal_files import START_US, entry, needs_journal, write
from usersessionmon.model import Record, Trusted
from usersessionmon.sources.entry import Refusal
from usersessionmon.sources.export import read_export, read_json
from usersessionmon.sources.journal import read_journal

WANTED = frozenset({"sshd"})
Reader = Callable[..., Iterator[Record]]


def read(reader: Reader, data: bytes | BinaryIO, refused: Counter[Refusal] | None = None) -> Any:
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    return list(reader(stream, wanted=WANTED.__contains__, zone=UTC, refused=refused))


def until_the_end(reader: Reader, data: bytes) -> tuple[list[Record], str]:
    """The records, and what was said of a missing end."""
    found: list[Record] = []
    try:
        for record in reader(io.BytesIO(data), wanted=WANTED.__contains__, zone=UTC):
            found.append(record)  # noqa: PERF402
    except EOFError as error:
        return found, str(error)
    return found, ""


def texts(reader: Reader, data: bytes) -> list[str]:
    return [record.text for record in read(reader, data)]


def test_export_entries_with_text_and_binary_fields() -> None:
    data = entry(0, "plain") + entry(1, "two\nlines") + entry(2, b"\xff\x00") + entry(3, "管")
    records = read(read_export, data)
    assert [r.text for r in records] == ["plain", "two\\nlines", "\\xff\x00", "管"]
    assert records[1].time == (START_US + 1_000_000, "2026-11-21T08:15:31.000000+00:00")
    assert records[1].mono_us == 6_000_000
    assert records[1].trusted == Trusted("syslog", 0, "/usr/sbin/sshd", "sshd")


def test_export_repeated_messages_are_refused() -> None:
    refused: Counter[Refusal] = Counter()
    data = entry(0, ["one", "two", "three"]) + entry(1, "good")
    assert [r.text for r in read(read_export, data, refused)] == ["good"]
    assert refused == {Refusal.REPEATED: 1}


def test_export_garbage_between_fields_and_entries_is_passed_over() -> None:
    head, _, tail = entry(1, "good").partition(b"\n")
    noisy = b"-- No entries --\n\n\n" + head + b"\nlower case\n\x00\xff=x\n=\n" + tail
    assert texts(read_export, noisy + b"\n" + entry(2, "next")) == ["good", "next"]


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 2**40, 10**9])
def test_export_a_hostile_length_costs_its_entry_only(length: int) -> None:
    bad = entry(0, "bad").rstrip(b"\n") + b"\nX_DATA\n" + length.to_bytes(8, "little") + b"abc\n\n"
    assert texts(read_export, bad + entry(1, "next")) == ["next"]


def test_export_a_huge_field_is_never_held() -> None:
    class Zeros(io.RawIOBase):
        """A field of 64 MiB without any memory behind it."""

        def __init__(self) -> None:
            size = 64 * 1024 * 1024
            start = entry(0, "x").rstrip(b"\n") + b"\nX_BIG\n" + size.to_bytes(8, "little")
            self.parts: list[bytes | int] = [start, size, b"\n\n" + entry(1, "next")]
            self.largest = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.largest = max(self.largest, len(buffer))
            while self.parts:
                part = self.parts[0]
                count = min(len(buffer), part if isinstance(part, int) else len(part))
                if not count:
                    self.parts.pop(0)
                    continue
                buffer[:count] = bytes(count) if isinstance(part, int) else part[:count]
                self.parts[0] = part - count if isinstance(part, int) else part[count:]
                return count
            return 0

    raw = Zeros()
    stream = io.BufferedReader(raw)
    assert [r.text for r in read(read_export, stream)] == ["x", "next"]
    assert raw.largest <= 2 * 1024 * 1024
    stream.close()


def test_export_a_line_without_end_is_cut() -> None:
    long = entry(0, "good").rstrip(b"\n") + b"\nX_LONG=" + b"y" * 500_000 + b"\n\n"
    assert texts(read_export, long + entry(1, "next")) == ["good", "next"]
    assert texts(read_export, entry(0, "z" * 500_000) + entry(1, "next")) == ["z" * 4096, "next"]


@given(st.integers(0, 10_000))
def test_export_a_truncated_end_gives_no_half_entry(cut: int) -> None:
    """Half an entry could have lost the uid that makes it a forgery."""
    data = entry(0, "first") + entry(1, "sec\nond", _UID=1000)
    got, _ = until_the_end(read_export, data[: cut % (len(data) + 1)])
    whole = read(read_export, data)
    for record, expected in zip(got, whole, strict=False):
        assert record.text == expected.text
        assert record.trusted is not None and record.trusted.uid == expected.trusted.uid


def test_export_the_last_blank_line_may_be_missing() -> None:
    assert texts(read_export, entry(0, "first") + entry(1, "last")[:-1]) == ["first", "last"]


def as_json(**fields: Any) -> bytes:
    usual = {
        "__REALTIME_TIMESTAMP": str(START_US),
        "__MONOTONIC_TIMESTAMP": "5000000",
        "_TRANSPORT": "syslog",
        "_UID": "0",
        "_PID": "7",
        "SYSLOG_IDENTIFIER": "sshd",
        "MESSAGE": "good",
    }
    return json.dumps(usual | fields).encode() + b"\n"


def test_json_the_shapes_of_a_value() -> None:
    refused: Counter[Refusal] = Counter()
    data = b"".join(
        (
            as_json(),
            as_json(MESSAGE=list(b"\xffbytes")),
            as_json(MESSAGE=None),
            as_json(MESSAGE=["a", "b"]),
            as_json(MESSAGE=["a", [1, 2]]),
            as_json(MESSAGE=[300]),
            as_json(__REALTIME_TIMESTAMP="soon"),
            b"\x1e" + as_json(MESSAGE="sequence"),
        )
    )
    records = read(read_json, data, refused)
    assert [r.text for r in records] == ["good", "\\xffbytes", "sequence"]
    assert (records[0].pid, records[0].mono_us) == (7, 5_000_000)
    assert refused == {Refusal.MESSAGE: 1, Refusal.REPEATED: 3, Refusal.TIME: 1}


@pytest.mark.parametrize(
    "garbage",
    [
        b"-- Boot --",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"MESSAGE": ' + b"9" * 5000 + b"}",
        b"x" * 5_000_000,
    ],
)
def test_json_garbage_lines_are_passed_over(garbage: bytes) -> None:
    data = as_json() + garbage + b"\n" + as_json(MESSAGE="after")
    assert texts(read_json, data) == ["good", "after"]


@pytest.mark.parametrize("cut", [2, 20, 200, len(entry(0, "x")) - 3])
def test_export_a_missing_end_is_told_behind_what_was_read(cut: int) -> None:
    found, said = until_the_end(read_export, (entry(0, "first") + entry(0, "x"))[:-cut])
    assert [record.text for record in found] == ["first"]
    assert said == "entry 2, its last one, has no end"


@pytest.mark.parametrize("cut", [2, 20, len(entry(1, "sec\nond")) - 30])
def test_export_a_missing_end_is_told_of_a_binary_field_too(cut: int) -> None:
    data = entry(0, "first") + entry(1, "x", SYSLOG_RAW="y\nz" * 30)
    found, said = until_the_end(read_export, data[:-cut])
    assert [record.text for record in found] == ["first"]
    assert said == "entry 2, its last one, has no end"


def test_export_an_end_without_a_message_is_a_missing_end() -> None:
    """Cut between two lines nothing is half, but what was said is not there."""
    data = entry(0, "first") + entry(1, "").rstrip(b"\n") + b"\n"
    assert until_the_end(read_export, data)[1] == "entry 2, its last one, has no end"


@pytest.mark.parametrize("cut", [2, 5, 100])
def test_json_a_missing_end_is_told_behind_what_was_read(cut: int) -> None:
    found, said = until_the_end(read_json, as_json() + as_json()[:-cut])
    assert [record.text for record in found] == ["good"]
    assert said == "line 2, its last one, has no end"


def test_json_the_last_lf_may_be_missing_and_a_line_may_be_an_event_of_a_stream() -> None:
    """``json-sse`` writes ``data: `` in front and a blank line behind."""
    assert texts(read_json, b"data: " + as_json() + b"\n" + as_json()[:-1]) == ["good", "good"]


@given(st.binary(max_size=400))
def test_no_bytes_make_either_raise_more_than_that_the_end_is_missing(data: bytes) -> None:
    until_the_end(read_export, data)
    until_the_end(read_json, data)
    until_the_end(read_export, entry(0, "x").rstrip(b"\n") + data + b"\n\n")


@needs_journal
@pytest.mark.skipif(shutil.which("journalctl") is None, reason="needs journalctl")
def test_journalctls_own_output_gives_the_same_records(tmp_path: Path) -> None:
    file = tmp_path / "system.journal"
    hostile = [entry(1, b"\xff\xfe"), entry(2, "a\nb"), entry(3, ["x", "y"]), entry(4, "管")]
    logind = entry(5, "New session", SESSION_ID="c1", LEADER="77", SYSLOG_IDENTIFIER="sshd")
    write(file, [entry(0, "first"), *hostile, logind])
    expected = list(read_journal([str(file)], wanted=WANTED.__contains__, zone=UTC))
    assert len(expected) == 5
    for form, reader in (("export", read_export), ("json", read_json)):
        done = subprocess.run(
            ["journalctl", "--file", file, "--output", form],
            capture_output=True,
            check=True,
            timeout=30,
        )
        assert read(reader, done.stdout) == expected
