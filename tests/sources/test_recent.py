"""The last while of a log: what is older is left out, what was rotated away is not."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.journal_files import START_US, entry, needs_journal, write
from usersessionmon.errors import TroubleError
from usersessionmon.sources import recent
from usersessionmon.sources.archive import ReadOptions
from usersessionmon.sources.auto import Choice
from usersessionmon.sources.recent import read_recent

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
DAY_US = 86_400_000_000


def lines(hours: Sequence[float], *, years: bool = True) -> str:
    moments = [NOW - timedelta(hours=hour) for hour in hours]
    stamps = [m.isoformat() if years else m.strftime("%b %e %H:%M:%S") for m in moments]
    return "".join(
        f"{stamp} web-1 sshd[7]: line of {hour}\n"
        for stamp, hour in zip(stamps, hours, strict=True)
    )


def seen(path: Path) -> list[str]:
    options = ReadOptions(wanted=lambda program: program == "sshd", zone=UTC, now_us=NOW_US)
    choice = Choice("file", str(path), "")
    blocks = read_recent(choice, NOW_US - DAY_US, options)
    return [record.text.removeprefix("line of ") for block in blocks for record in block]


def age(path: Path, hours: float) -> None:
    at = NOW.timestamp() - hours * 3600
    os.utime(path, (at, at))


@pytest.mark.parametrize("years", [True, False])
def test_a_file_and_what_was_rotated_away_since(tmp_path: Path, years: bool) -> None:
    log, before, packed = (tmp_path / name for name in ("auth.log", "auth.log.1", "auth.log.2.gz"))
    packed.write_bytes(gzip.compress(lines([60, 55], years=years).encode()))
    before.write_text(lines([30, 23, 22], years=years))
    log.write_text(lines([21, 1], years=years))
    for path, hours in ((packed, 50), (before, 22), (log, 1)):
        age(path, hours)
    assert seen(log) == ["23", "22", "21", "1"]
    age(before, 25)
    assert seen(log) == ["21", "1"]


def test_what_only_looks_like_a_copy_is_none(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text(lines([1]))
    (tmp_path / "auth.log.bak").write_text(lines([2]))
    age(log, 1)
    age(tmp_path / "auth.log.bak", 0.5)
    assert seen(log) == ["1"]


@pytest.mark.parametrize("years", [True, False])
def test_of_a_large_file_only_the_end_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: bool
) -> None:
    log = tmp_path / "auth.log"
    hours = [20 - n / 100 for n in range(1000)]
    log.write_text(lines(hours, years=years))
    age(log, 10)
    everything = seen(log)
    assert len(everything) == 1000
    monkeypatch.setattr(recent, "TAIL", 20_000)
    monkeypatch.setattr(recent, "_CHUNK", 999)
    end = seen(log)
    assert 200 < len(end) < 600
    assert end == everything[-len(end) :]


def test_a_file_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(TroubleError, match="there is no such file"):
        seen(tmp_path / "auth.log")


@needs_journal
def test_the_journal_from_a_moment_on(tmp_path: Path) -> None:
    from usersessionmon.sources.journal import read_since

    write(tmp_path / "a.journal", [entry(n, f"line {n}") for n in range(10)])
    records = read_since(
        START_US + 7_000_000, wanted=lambda _: True, zone=UTC, directory=str(tmp_path)
    )
    assert [record.text for record in records] == ["line 7", "line 8", "line 9"]
    with pytest.raises(TroubleError, match="the journal: reading broke off"):
        list(read_since(0, wanted=lambda _: True, zone=UTC, directory=str(tmp_path / "none")))
