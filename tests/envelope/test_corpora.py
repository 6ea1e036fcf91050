"""Headers of the developers' corpora, and the reference's own examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.envelope.text import LineReader, loose

SHARED = Path(__file__).resolve().parents[3] / "shared"
EXAMPLES = SHARED / "reference" / "messages-examples.jsonl"
NOW_US = 1_795_300_000_000_000  # 2026-11-22

NO_HEADER = (
    "sshd[",  # decoder tests that begin with the tag
    "su[",
    "su(pam_unix)[",
    "Accepted ",  # messages alone, as the journal has them
    "Failed ",
    "Authorized to ",
    "Exit ",
    "Bad PAM password ",
    "Login attempt ",
    "new user: ",
    "with another line",  # the rest of a message of several lines
    "signature=dbus",
    "MMM 22 ",  # an odd month, wrong on purpose
)

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the shared reference is not here")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def corpora() -> list[Path]:
    return sorted((SHARED / "corpora").glob("*.jsonl"))


def reader() -> LineReader:
    return LineReader(wanted=lambda _: True, zone=UTC, reference_us=NOW_US)


@pytest.mark.parametrize("path", corpora(), ids=lambda path: path.stem)
def test_every_header_of_the_corpora_is_understood(path: Path) -> None:
    lines = reader()
    strange = []
    for row in rows(path):
        for line in row["line"].split("\n"):
            before = lines.not_understood
            lines.read(line.encode())
            if lines.not_understood > before and not line.startswith(NO_HEADER):
                strange.append(line)
    assert strange == []


@pytest.mark.parametrize("path", corpora(), ids=lambda path: path.stem)
def test_the_corpora_name_the_program(path: Path) -> None:
    lines = reader()
    for row in rows(path):
        record = lines.read(row["line"].encode())
        if row["service"] not in (None, "pam") and record is not None:
            family = row["service"].rpartition("/")[2].removesuffix("-2177")
            assert family.removesuffix("d") in record.program, row["id"]


def test_the_examples() -> None:
    seen = 0
    for row in rows(EXAMPLES):
        if "fields" in row or row["line"].startswith("-- "):
            continue
        found = loose(row["line"].encode(), wanted=lambda _: True, zone=UTC, reference_us=NOW_US)
        assert found.timed and found.tagged, row["id"]
        expect = row["expect"]
        assert expect.get("host", found.record.host) == found.record.host, row["id"]
        assert expect.get("time", found.record.time.text) == found.record.time.text, row["id"]
        seen += 1
    assert seen > 200


def test_one_file_of_all_examples_reads_like_each_alone() -> None:
    """Every form after every other."""
    lines = reader()
    for row in rows(EXAMPLES):
        raw = row["line"].encode()
        if "fields" not in row and not raw.startswith(b"-- "):
            alone = loose(raw, wanted=lambda _: True, zone=UTC, reference_us=NOW_US)
            assert lines.read(raw) == alone.record, row["id"]
