"""``scan`` and ``rules coverage`` on event logs, as they are run."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.program.running import login, run
from tests.windows.rendering import NO_SAMPLES, SAMPLES, lsm

needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason=NO_SAMPLES)
DAY = [
    lsm(21, {"User": "CORP\\alice", "SessionID": "2", "Address": "198.51.100.7"}, 1),
    lsm(23, {"User": "CORP\\alice", "SessionID": "2"}, 2),
]
XML = "\n".join(DAY).encode()
LOG = ("\n".join(login(0, 10, "bob", 4000)) + "\n").encode()


def told(*arguments: str, input: bytes = b"") -> list[tuple[str, str]]:
    result = run("scan", "--json", *arguments, input=input)
    assert (result.returncode, result.stderr) == (0, b"")
    events: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]
    return [(event["event"], event["user"]) for event in events]


BOTH = [("login", "alice"), ("logout", "alice")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_export_is_read_wherever_it_comes_from(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "export"
    path.write_bytes(pack(XML))
    assert told(str(path)) == BOTH
    assert told("-", input=pack(XML)) == BOTH
    assert told("-", input=DAY[0].encode("utf-16") + DAY[1].encode("utf-16-le")) == BOTH


def test_text_logs_stay_what_they_are(tmp_path: Path) -> None:
    log, export = tmp_path / "auth.log", tmp_path / "export.xml"
    log.write_bytes(LOG)
    export.write_bytes(XML)
    both = sorted([*BOTH, ("login", "bob")])
    assert sorted(told(str(log), "-", input=XML)) == both
    assert sorted(told(str(export), "-", input=LOG)) == both


@pytest.mark.parametrize(("data", "events"), [(XML, BOTH), (LOG, [("login", "bob")])])
def test_a_pipe_that_has_a_name_is_read_once(
    tmp_path: Path, data: bytes, events: list[tuple[str, str]]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert told(str(pipe)) == events
    writer.join()


def test_files_of_one_host_count_together_wherever_they_stand(tmp_path: Path) -> None:
    paths = [tmp_path / "1.xml", tmp_path / "auth.log", tmp_path / "2.xml"]
    for path, data in zip(paths, (DAY[1].encode(), LOG, DAY[0].encode()), strict=True):
        path.write_bytes(data)
    assert sorted(told(*map(str, paths))) == sorted([*BOTH, ("login", "bob")])


def test_a_folder_of_event_logs(tmp_path: Path) -> None:
    (tmp_path / "Logs").mkdir()
    (tmp_path / "Logs/lsm.xml").write_bytes(XML)
    (tmp_path / "settings.xml").write_bytes(b"<?xml version='1.0'?><settings/>")
    assert told(str(tmp_path)) == BOTH


def test_what_stands_in_front_of_the_events_is_passed_over(tmp_path: Path) -> None:
    front = b"<?xml version='1.0'?>\n<!-- made\nby hand -->\n<?xml-stylesheet href='x'?>\n"
    data = front + b"<Events>" + XML + b"</Events>"
    (tmp_path / "x.xml").write_bytes(data)
    assert told(str(tmp_path)) == told("-", input=data) == BOTH


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "x.xml.gz": gzip.compress,
    "a.XML.Gz": gzip.compress,
    "x.xml.xz": lzma.compress,
    "x.xml.bz2": bz2.compress,
}


@pytest.mark.parametrize("name", PACKS)
def test_a_folder_of_packed_event_logs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PACKS[name](XML))
    (tmp_path / "settings.xml.gz").write_bytes(gzip.compress(b"<?xml version='1.0'?><settings/>"))
    assert told(str(tmp_path)) == BOTH


@needs_samples
def test_a_packed_event_log_in_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("evtx", reason="the evtx package is not installed")
    data = (SAMPLES / "openssh-invalid-user.evtx").read_bytes()
    (tmp_path / "OpenSSH.Evtx.gz").write_bytes(gzip.compress(data))
    assert told(str(tmp_path)) == [("login_failed", "hacker")] * 5


def test_a_folder_without_any_log_is_told_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "settings.xml").write_bytes(b"<?xml version='1.0'?><settings/>")
    result = run("scan", str(tmp_path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == (
        f"user-session-monitor: {tmp_path}: in this folder are no journal files and no Windows "
        "event logs (.evtx, XML exports of them)\n"
    )


def test_a_broken_file_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "a.evtx").write_bytes(b"")
    (tmp_path / "b.xml").write_bytes(XML)
    result = run("scan", "--json", str(tmp_path))
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.decode() == (
        f"user-session-monitor: {tmp_path}/a.evtx: is no Windows event log and no XML export of "
        "one\n"
    )


@pytest.mark.parametrize("data", [b"\0" * 3_000_000, b"elfFile\0" + bytes(5000), LOG, b""])
@pytest.mark.parametrize("name", ["Security.evtx", "a.v2.EVTX.gz", "a.evtx.xz", "a.evtx.BZ2"])
def test_what_is_called_an_event_log_and_is_none_is_damaged(
    tmp_path: Path, data: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    result = run("scan", str(path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == (
        f"user-session-monitor: {path}: is no Windows event log and no XML export of one\n"
    )


def test_without_the_package_it_is_wrong_use(tmp_path: Path) -> None:
    path = tmp_path / "Security.evtx"
    path.write_bytes(b"ElfFile\0" + bytes(5000))
    without = tmp_path / "without"
    without.mkdir()
    (without / "evtx.py").write_text("raise ImportError('x')\n", encoding="utf-8")
    result = run("scan", str(path), env={"PYTHONPATH": str(without)})
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode() == (
        f"user-session-monitor: {path}: Windows event logs (.evtx) are read with the library evtx; "
        f"install it: {sys.executable} -m pip install 'evtx>=0.14'\n"
    )


@needs_samples
def test_an_event_log_on_standard_input() -> None:
    pytest.importorskip("evtx", reason="the evtx package is not installed")
    data = (SAMPLES / "openssh-invalid-user.evtx").read_bytes()
    assert told("-", input=data) == [("login_failed", "hacker")] * 5
    assert told("-", input=gzip.compress(data)) == [("login_failed", "hacker")] * 5


@needs_samples
def test_chains_that_never_end_are_not_followed(tmp_path: Path) -> None:
    """A program of its own: the parser would hold this one for ever."""
    pytest.importorskip("evtx", reason="the evtx package is not installed")
    data = bytearray((SAMPLES / "openssh-invalid-user.evtx").read_bytes())
    slots = (struct.unpack_from("<I", data, 4096 + 128 + 4 * slot)[0] for slot in range(64))
    one, two = [at for at in slots if at][:2]
    struct.pack_into("<I", data, 4096 + one, two)
    struct.pack_into("<I", data, 4096 + two, one)
    path = tmp_path / "loop.evtx"
    path.write_bytes(data)
    assert told(str(path)) == [("login_failed", "hacker")] * 5


@needs_samples
def test_rules_are_not_for_events(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_bytes(XML)
    for path in (SAMPLES / "win7-Security.evtx", tmp_path / "b.xml"):
        result = run("rules", "coverage", str(path))
        assert result.returncode == 1
        assert f"{path}: holds Windows events, not lines" in result.stderr.decode()
