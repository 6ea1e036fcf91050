"""Real event logs and exports of them, read together: nothing lost, nothing twice, in order."""

from __future__ import annotations

import gzip
import os
import random
import struct
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.windows.rendering import NO_SAMPLES, SAMPLES, event, lsm
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.model import Record
from usersessionmon.windows import seen
from usersessionmon.windows.archives import Given, read_logs
from usersessionmon.windows.channels import LSM, RCM, SECURITY, SYSTEM
from usersessionmon.windows.files import logs_in, open_log
from usersessionmon.windows.layout import CHUNK, HEAD
from usersessionmon.windows.seen import Seen

PYTHON_EVTX = pytest.importorskip("evtx", reason="the evtx package is not installed")
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason=NO_SAMPLES)

_TABLE = """
openssh-invalid-user
openssh-listening
rcm-1149-many-hosts              1149:11
security-4625-local-bruteforce   4625:16
security-4625-rdp-denied         4625:2
security-4778-4779-hijack        4778:1 4779:1
security-runas                   1102:1 4624:2 4648:1 4672:1
security-sshd-invalid-user       1102:1 4624:1 4625:5 4648:1 4672:1
win10-second-LSM                 21:4 23:3 24:1 32:4 39:1 40:1 41:4 42:4
win10-shared-LSM                 21:18 23:16 24:9 25:3 32:22 39:7 40:25 41:21 42:21
win10-shared-RCM
win10-shared-Security            4608:24 4616:18 4624:730 4625:46 4634:83 4647:16 4648:190 4672:600
win10-shared-System              12:22 41:5 1074:20 6005:22 6006:19 6008:3
win7-Security                    4608:8 4616:9 4624:126 4625:15 4634:17 4647:1 4648:92 4672:109
"""
IDS = {
    name: {int(number): int(count) for number, count in (pair.split(":") for pair in pairs)}
    for name, *pairs in map(str.split, _TABLE.strip().splitlines())
}
"""What the samples' README counts, of the events that matter."""


def read(*paths: Path | str, notes: list[str] | None = None) -> list[Record]:
    told: list[str] = []
    given = [Given(str(path)) for path in paths]
    records = [one for block in read_logs(given, told.append) for one in block]
    if notes is None:
        assert told == []
    else:
        notes += told
    return records


def sample(name: str) -> Path:
    return SAMPLES / f"{name}.evtx"


def where(records: Sequence[Record]) -> list[tuple[str, int]]:
    found = [record.windows for record in records]
    return [(one.channel, one.record_id) for one in found if one is not None]


def parts(path: Path) -> tuple[bytes, list[bytes]]:
    """A file's header and its chunks."""
    data = path.read_bytes()
    chunks = [data[at : at + CHUNK] for at in range(HEAD, len(data), CHUNK)]
    return data[:HEAD], [chunk for chunk in chunks if chunk.startswith(b"ElfChnk\0")]


def built(path: Path, head: bytes, chunks: Sequence[bytes]) -> Path:
    """A file of these chunks."""
    header = bytearray(head)
    struct.pack_into("<H", header, 42, len(chunks))
    path.write_bytes(bytes(header) + b"".join(chunks))
    return path


def rendered(name: str) -> list[str]:
    """A sample's events as XML, as ``wevtutil`` writes them."""
    parser = PYTHON_EVTX.PyEvtxParser(str(sample(name)), number_of_threads=1, indent=False)
    return [found["data"].partition("?>")[2].strip() for found in parser.records()]


@needs_samples
@pytest.mark.parametrize("name", IDS)
def test_every_event_of_a_sample_is_there(name: str) -> None:
    notes: list[str] = []
    records = read(sample(name), notes=notes)
    assert Counter(one.windows.id for one in records if one.windows) == IDS[name]
    assert [one.windows.channel for one in records if one.windows] == sorted(
        one.windows.channel for one in records if one.windows
    )
    assert notes == []


@needs_samples
def test_the_lines_of_sshd_are_text() -> None:
    records = read(sample("openssh-invalid-user"), sample("openssh-listening"))
    assert {(one.program, one.windows) for one in records} == {("sshd", None)}
    assert [one.text for one in records if one.host == "fs01.offsec.lan"][1] == (
        "Failed password for invalid user hacker from 10.23.23.9 port 60096 ssh2"
    )
    assert len(records) == 7 + 6


@needs_samples
def test_times_have_all_the_digits_that_the_file_has() -> None:
    first = read(sample("win10-shared-LSM"))[0]
    assert (first.time.text, first.time.us) == (
        "2020-08-01T21:48:00.2073764Z",
        1_596_318_480_207_376,
    )
    # A collector writes an event later than it happened.
    first = read(sample("openssh-invalid-user"))[0]
    assert first.time.text == "2021-05-20T12:49:51.628172Z"


@needs_samples
def test_a_host_whose_name_changed_is_one_and_its_channels_are_together() -> None:
    names = ["Security", "LSM", "System", "RCM"]
    records = read(*(sample(f"win10-shared-{name}") for name in names))
    assert [one[0] for one in where(records)] == [
        *[SYSTEM] * 91,
        *[LSM] * 142,
        *[SECURITY] * 1707,
    ]
    assert {one.windows.origin for one in records if one.windows} == {
        "DESKTOP-23PS6ES.praivacymatrix.com"
    }
    assert {one.windows.beside for one in records if one.windows} == {
        frozenset({SECURITY, LSM, SYSTEM, RCM})
    }
    assert {one.host for one in records} == {
        "WIN-AN5B2T7E4GI",
        "DESKTOP-23PS6ES",
        "DESKTOP-23PS6ES.praivacymatrix.com",
    }


@needs_samples
def test_a_collectors_log_is_of_many_hosts() -> None:
    records = read(sample("rcm-1149-many-hosts"))
    assert len({one.windows.origin for one in records if one.windows}) == 11
    assert all(one.windows.origin == one.host for one in records if one.windows)


@needs_samples
@pytest.mark.parametrize("turn", [1, 20, 65])
def test_a_file_is_a_ring(tmp_path: Path, turn: int) -> None:
    head, chunks = parts(sample("win10-shared-Security"))
    ring = built(tmp_path / "a.evtx", head, [*chunks[turn:], *chunks[:turn]])
    assert read(ring) == read(sample("win10-shared-Security"))


@needs_samples
def test_chunks_in_any_order(tmp_path: Path) -> None:
    head, chunks = parts(sample("win10-shared-Security"))
    random.Random(5).shuffle(chunks)
    assert read(built(tmp_path / "a.evtx", head, chunks)) == read(sample("win10-shared-Security"))


@needs_samples
def test_numbers_that_begin_again_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    head, old = parts(sample("win7-Security"))
    _, new = parts(sample("win10-shared-Security"))
    both = read(built(tmp_path / "a.evtx", head, [*old, *new]))
    assert where(both) == where(
        [*read(sample("win7-Security")), *read(sample("win10-shared-Security"))]
    )


@needs_samples
@pytest.mark.parametrize("kept", [40 * CHUNK, 40 * CHUNK + 9000])
def test_a_file_that_was_cut_short_is_said_to_be(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "short.evtx"
    path.write_bytes(sample("win10-shared-Security").read_bytes()[: HEAD + kept])
    notes: list[str] = []
    found = where(read(path, notes=notes))
    assert found == where(read(sample("win10-shared-Security")))[: len(found)]
    assert len(found) > 700
    assert notes[0] == (
        f"{path}: is cut short: of its blocks of 64 KiB 26 are not there, or not whole; "
        "the others were read"
    )
    assert len(notes) == 1 + bool(kept % CHUNK)


@needs_samples
def test_damage_is_counted_and_ends_nothing(tmp_path: Path) -> None:
    """A chunk that cannot be read at all, and in another one a record."""
    head, chunks = parts(sample("win7-Security"))
    chunks[1] = chunks[1][:400] + bytes(range(256)) * 200 + chunks[1][400 + 256 * 200 :]
    at = chunks[3].index(b"\x2a\x2a\0\0", 30_000)
    chunks[3] = chunks[3][: at + 24] + b"\xff" * 60 + chunks[3][at + 84 :]
    notes: list[str] = []
    found = where(read(built(tmp_path / "a.evtx", head, chunks), notes=notes))
    whole = where(read(sample("win7-Security")))
    lost = [one for one in whole if one not in found]
    assert [one for one in whole if one in found] == found
    assert 0 < len(lost) <= 100
    (note,) = notes
    words = note.removeprefix(f"{tmp_path / 'a.evtx'}: ").split()
    assert 99 <= int(words[0]) <= 101
    assert words[1:] == ["events", "are", "damaged", "and", "left", "out"]


@needs_samples
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_broken_something_is_read(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    data = bytearray(sample("win7-Security").read_bytes())
    for _ in range(300):
        data[random_.randrange(8, len(data))] = random_.randrange(256)
    path = tmp_path / "a.evtx"
    path.write_bytes(data)
    notes: list[str] = []
    records = read(path, notes=notes)
    assert all(one.windows is not None for one in records)
    assert notes


@needs_samples
def test_what_two_files_hold_is_given_once(tmp_path: Path) -> None:
    head, chunks = parts(sample("win10-shared-Security"))
    old = built(tmp_path / "old.evtx", head, chunks[:40])
    new = built(tmp_path / "new.evtx", head, chunks[25:])
    copy = tmp_path / "copy.evtx"
    copy.write_bytes(old.read_bytes())
    whole = read(sample("win10-shared-Security"))
    assert read(new, copy, old) == whole
    excerpt = tmp_path / "excerpt.xml"
    excerpt.write_text("".join(rendered("win10-shared-Security")[::3]), encoding="utf-8")
    assert where(read(excerpt, new, old)) == where(whole)


def test_the_same_numbers_at_another_time_are_other_events() -> None:
    read_ = Seen()
    assert [read_.is_new("a", LSM, 7, us) for us in (1, 1, 2, 1, 2, 3)] == [
        *(True, False, True, False, False, True)
    ]
    assert read_.is_new("b", LSM, 7, 1)
    assert read_.is_new("a", SECURITY, 7, 1)
    assert read_.is_new("a", LSM, 2**64 - 1, 1)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_PAGES_MOST", 2)
    read_ = Seen()
    ids = (1, 2, 10_000, 20_000, 20_000, 1, 10_000)
    assert [read_.is_new("a", LSM, one, 5) for one in ids] == [
        *(True, True, True, True, True, False, False)
    ]


FORMS: dict[str, Callable[[list[str]], bytes]] = {
    "wevtutil": lambda events: "".join(events).encode(),
    "newest first": lambda events: "\n".join(events[::-1]).encode(),
    "powershell": lambda events: "\r\n".join(events[::-1]).encode("utf-16"),
    "event viewer": lambda events: f"\ufeff<Events>{''.join(events)}</Events>".encode(),
    "packed": lambda events: gzip.compress("".join(events).encode()),
}


@needs_samples
@pytest.mark.parametrize("form", FORMS)
def test_an_export_gives_what_its_log_gives(tmp_path: Path, form: str) -> None:
    path = tmp_path / "export.xml"
    path.write_bytes(FORMS[form](rendered("win10-shared-LSM")))
    expected = read(sample("win10-shared-LSM"))
    found = read(path)
    assert [one.windows for one in found] == [one.windows for one in expected]
    assert [one.time.us for one in found] == [one.time.us for one in expected]


@needs_samples
def test_an_export_of_several_channels_is_read_channel_by_channel(tmp_path: Path) -> None:
    names = ("win10-shared-LSM", "win10-shared-System", "win10-shared-Security")
    events = [xml for name in names for xml in rendered(name)]
    random.Random(2).shuffle(events)
    path = tmp_path / "export.xml"
    path.write_text("\n".join(sorted(events, key=_record_id, reverse=True)), encoding="utf-8")
    expected = where(read(*(sample(name) for name in names)))
    assert where(read(path)) == expected


def _record_id(xml: str) -> int:
    return int(xml.partition("<EventRecordID>")[2].partition("<")[0])


def test_exports_of_one_log_are_merged_by_record_id(tmp_path: Path) -> None:
    events = [lsm(21 + 2 * (at % 2), {"SessionID": "1"}, at) for at in range(100)]
    for at in range(3):
        (tmp_path / f"{at}.xml").write_text("".join(events[at::3]), encoding="utf-8")
    found = where(read(*(tmp_path / f"{at}.xml" for at in range(3))))
    assert found == [(LSM, at) for at in range(100)]


def test_what_is_wrong_with_an_export_is_said(tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_bytes(
        event(record_id=1).encode()
        + event(record_id=2, computer="服务器").encode("gb18030")
        + event(record_id=3).replace("<Level>", "<").encode()
        + event(record_id=4)[:-40].encode()
    )
    notes: list[str] = []
    assert where(read(path, notes=notes)) == [(SECURITY, 1), (SECURITY, 2)]
    assert notes == [
        f"{path}: is not in UTF-8 throughout: names in it may be unreadable; "
        "wevtutil writes Unicode with /uni:true",
        f"{path}: 2 events are damaged and left out",
    ]


@pytest.mark.parametrize(
    ("events", "note"),
    [
        ("<Events></Events>", "holds no events"),
        (event(1, "Application"), "of its channel nothing tells of people (Application)"),
    ],
)
def test_a_log_of_nobody_is_said_unless_it_was_found(
    tmp_path: Path, events: str, note: str
) -> None:
    path = tmp_path / "export.xml"
    path.write_text(events, encoding="utf-8")
    notes: list[str] = []
    assert read(path, notes=notes) == []
    assert notes == [f"{path}: {note}"]
    notes.clear()
    assert list(read_logs([Given(str(path), found=True)], notes.append)) == []
    assert notes == []


def test_a_file_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    good = tmp_path / "good.xml"
    good.write_text(lsm(21, {"SessionID": "1"}), encoding="utf-8")
    (tmp_path / "text.evtx").write_text("x", encoding="utf-8")
    given = [Given(str(tmp_path / name)) for name in ("gone.evtx", "text.evtx", "good.xml")]
    blocks = read_logs(given, pytest.fail)
    assert where(next(blocks)) == [(LSM, 7)]
    with pytest.raises(TroubleError) as caught:
        next(blocks)
    assert [line.partition(": ")[2] for line in caught.value.lines] == [
        "there is no such file",
        "is no Windows event log and no XML export of one",
    ]


def test_a_packed_export_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "export.xml.gz"
    whole = "".join(lsm(21, {"SessionID": str(at)}, at) for at in range(2000))
    path.write_bytes(gzip.compress(whole.encode())[:-20])
    notes: list[str] = []
    assert len(read(path, notes=notes)) > 1500
    assert "damaged or cut short" in notes[0]


def test_the_package_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.evtx"
    path.write_bytes(b"ElfFile\0" + bytes(5000))
    monkeypatch.setitem(sys.modules, "evtx", None)
    with pytest.raises(UserError, match=r"pip install 'evtx>=0.14'$"):
        read(path)
    export = tmp_path / "a.xml"
    export.write_text(lsm(21, {"SessionID": "1"}), encoding="utf-8")
    assert len(read(export)) == 1


def test_a_folder_is_searched(tmp_path: Path) -> None:
    names = ["b/Archive.EVTX", "b/c/x.xml", "Security.evtx", "config.xml", "notes.txt", "d/y.xml"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<?xml version='1.0'?><a><Event/></a>", encoding="utf-8")
    (tmp_path / "b/c/x.xml").write_bytes(event().encode("utf-16"))
    found = [str(Path(path).relative_to(tmp_path)) for path in logs_in(str(tmp_path))]
    assert found == ["Security.evtx", "b/Archive.EVTX", "b/c/x.xml"]
    assert logs_in(str(tmp_path / "d")) == []


@pytest.mark.parametrize("name", ["q.evtx", "q.xml"])
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    writer = os.open(tmp_path / name, os.O_RDWR)  # so that opening it would not hang this test
    try:
        (tmp_path / "a.xml").write_text(event(), encoding="utf-8")
        os.write(writer, event().encode().ljust(CHUNK))
        assert logs_in(str(tmp_path)) == [str(tmp_path / "a.xml")]
    finally:
        os.close(writer)


def test_progress_comes_to_its_end(tmp_path: Path) -> None:
    events = [lsm(21, {"SessionID": "1"}, at) + event(record_id=at) for at in range(2000)]
    path = tmp_path / "export.xml"
    path.write_text("".join(events), encoding="utf-8")
    told: list[tuple[int, int | None]] = []
    blocks = read_logs([Given(str(path))], pytest.fail, lambda *done: told.append(done))
    assert sum(map(len, blocks)) == 4000
    size = path.stat().st_size
    assert told[-1] == (3 * size, 3 * size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_log_that_does_not_say_so_is_none(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("x\n", encoding="utf-8")
    with pytest.raises(TroubleError, match="no Windows event log"):
        open_log(str(path))


def _peak(blocks: Iterator[list[Record]]) -> tuple[int, int]:
    """(bytes at most, records)"""
    tracemalloc.start()
    try:
        count = sum(len(block) for block in blocks)
        return tracemalloc.get_traced_memory()[1], count
    finally:
        tracemalloc.stop()


@needs_samples
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    head, chunks = parts(sample("win7-Security"))
    small = built(tmp_path / "small.evtx", head, chunks * 2)
    large = built(tmp_path / "large.evtx", head, chunks * 12)
    (few, one), (many, all_) = (
        _peak(read_logs([Given(str(path))], pytest.fail)) for path in (small, large)
    )
    assert one == all_ > 300
    assert many < few + 200_000


def test_memory_does_not_grow_with_an_export(tmp_path: Path) -> None:
    peaks = []
    for count in (3000, 9000):
        path = tmp_path / f"{count}.xml"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(event(record_id=at) for at in range(count, 0, -1))
        peak, found = _peak(read_logs([Given(str(path))], pytest.fail))
        assert found == count
        peaks.append(peak)
    more = (peaks[1] - peaks[0]) / 6000
    assert more < 150, "of each event its place is kept, and an event is above five hundred bytes"
