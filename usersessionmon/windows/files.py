"""Files of event logs, opened and read from their oldest record to their newest: ``.evtx`` by the
``evtx`` package, which is needed for nothing else, and XML exports.

What cannot be read twice (standard input) or is packed is unpacked into a temporary file.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import sys
import tempfile
import warnings
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast

from usersessionmon.errors import TroubleError, UserError
from usersessionmon.sources.archive import Kind, sniff
from usersessionmon.sources.markup import text_encoding
from usersessionmon.sources.opened import OpenedLog
from usersessionmon.sources.packed import DAMAGED

from .exports import in_utf8, pieces
from .layout import CHUNK, HEAD, Chunk, layout_of

if TYPE_CHECKING:
    from evtx import PyEvtxParser

_NAME = re.compile(r"\.(evtx|xml)(?:\.(?:gz|xz|bz2))?\Z", re.IGNORECASE)
_SPOOL_MOST = 8 * 1024**3
_EVENTS = 256
"""Of an export, given at once."""
_RECORDS_MOST = 4096
"""So many never fit into a chunk."""
_TEXT_MOST = 32 * 1024**2
"""Characters of a chunk's events, which real ones are far from: small records that refer to one
large template again and again could fill the memory."""
_TABLES = (128, 512)
"""Where in a chunk its tables stand."""
_HEADER = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, 0, 2, 128, 1, 3, HEAD, 1).ljust(HEAD, b"\0")


class Entry(NamedTuple):
    """One event as a file has it."""

    xml: str
    number: int | None = None
    """The file's own for it: the event's id, unless the file is a collector's or an excerpt."""
    stamp: str = ""
    """When it was written, with all its digits; in a host's own log the event's time."""


class LogFile(Protocol):
    """One file, to be read as often as needed."""

    path: str
    size: int
    lost: int
    """Events that the last reading could not get out of the file."""
    remarks: tuple[str, ...]
    """What people should know of the file after it was read."""

    def blocks(self, *, newest_first: bool) -> Iterator[tuple[list[Entry], int]]:
        """Its events in the file's order, or against it where that is newest first; and the bytes
        that they took.  Raises TroubleError when it cannot be read."""

    def close(self) -> None:
        """It is not read again."""


def open_log(path: str, log: OpenedLog | None = None) -> LogFile:
    """``log`` is the same file, opened already; it is closed here.  Raises TroubleError when it
    cannot be read or is no event log, UserError where the ``evtx`` package is needed and missing.
    """
    if log is None and Path(path).is_dir():
        raise TroubleError(f"{path}: this folder may not be searched")
    with log or OpenedLog(path) as opened:
        kind = sniff(opened.head)
        if kind not in {Kind.EVTX, Kind.EVENTS}:
            raise TroubleError(f"{path}: is no Windows event log and no XML export of one")
        if kind is Kind.EVTX:
            parser_of(path)
        plain = kind is Kind.EVTX or text_encoding(opened.head) == "utf-8"
        if opened.regular and not opened.packed and plain:
            place = _Place(path, opened.total or 0, None)
        else:
            place = _spooled(opened, as_text=kind is Kind.EVENTS)
    return _Evtx(place) if kind is Kind.EVTX else _Export(place)


def named_evtx(path: str) -> bool:
    """It is called an event log, packed or not: when it is none, it is damaged."""
    name = _NAME.search(path)
    return name is not None and name[1].lower() == "evtx"


def logs_in(folder: str) -> list[str]:
    """The event logs and exports in a folder and those below it, and what of it cannot be read.
    Only of files: a pipe that nobody writes to would be waited for, for ever."""
    closed: list[str] = []
    found: list[str] = []
    for place, folders, names in os.walk(
        folder, onerror=lambda error: closed.append(error.filename)
    ):
        folders.sort()
        for name in sorted(names):
            path = str(Path(place, name))
            if not _NAME.search(name) or not _may_be_log(path):
                continue
            if named_evtx(name) or _is_export(path):
                found.append(path)
    return found and found + closed


def _may_be_log(path: str) -> bool:
    """What cannot be looked at is said when it is read."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return True


def _is_export(path: str) -> bool:
    try:
        with OpenedLog(path) as log:
            return sniff(log.head) is Kind.EVENTS
    except TroubleError:
        return False


def parser_of(path: str) -> type[PyEvtxParser]:
    """Raises UserError when it is not installed."""
    try:
        from evtx import PyEvtxParser
    except ImportError as error:
        raise UserError(
            f"{path}: Windows event logs (.evtx) are read with the library evtx; install it: "
            f"{sys.executable} -m pip install 'evtx>=0.14'"
        ) from error
    return PyEvtxParser


class _Place:
    """Where a log's bytes are."""

    def __init__(self, path: str, size: int, spooled: BinaryIO | None) -> None:
        self.path = path
        self.size = size
        self.remarks: tuple[str, ...] = ()
        self._spooled = spooled

    def close(self) -> None:
        if self._spooled is not None:
            self._spooled.close()

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        if self._spooled is not None:
            self._spooled.seek(0)
            yield self._spooled
            return
        try:
            with Path(self.path).open("rb") as file:
                yield file
        except OSError as error:
            raise TroubleError(f"{self.path}: cannot be read: {error.strerror}") from error


def _spooled(log: OpenedLog, *, as_text: bool) -> _Place:
    """What a log holds, in a temporary file that goes with the process."""
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - it is read again and again
    size = 0
    failure: tuple[str, ...] = ()
    try:
        for block in in_utf8(log.stream) if as_text else iter(lambda: log.stream.read(CHUNK), b""):
            size += file.write(block)
            if size > _SPOOL_MOST:
                raise TroubleError(
                    f"{log.path}: holds more than {_SPOOL_MOST >> 30} GiB; unpack it (as UTF-8) "
                    "and give its path"
                )
    except TroubleError:
        file.close()
        raise
    except DAMAGED as error:
        failure = log.trouble(error).lines
    place = _Place(log.path, size, file)
    place.remarks = failure
    return place


class _Evtx:
    def __init__(self, place: _Place) -> None:
        self.path, self.size, self.remarks = place.path, place.size, place.remarks
        self.lost = 0
        self._place = place
        self.close = place.close
        self._parser = parser_of(place.path)

    def blocks(self, *, newest_first: bool) -> Iterator[tuple[list[Entry], int]]:
        self.lost = 0
        with self._place.opened() as file:
            layout = layout_of(file, self.size)
            self.remarks = self._place.remarks
            if layout.missing:
                self.remarks += (
                    f"{self.path}: is cut short: of its blocks of 64 KiB {layout.missing} are not "
                    "there, or not whole; the others were read",
                )
            for chunk in reversed(layout.chunks) if newest_first else layout.chunks:
                file.seek(chunk.at)
                entries = self._entries(chunk, file.read(CHUNK))
                yield entries[::-1] if newest_first else entries, CHUNK

    def _entries(self, chunk: Chunk, data: bytes) -> list[Entry]:
        """The events of a chunk in order.  It is given to the parser as a file of its own, so that
        its damage is its own too, and never more than one chunk is held."""
        found: list[Entry] = []
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                file = io.BytesIO(_HEADER + _without_tables(data.ljust(CHUNK, b"\0")))
                parser = self._parser(file, number_of_threads=1, indent=False, skip_errors=True)
                size = 0
                for one in parser.records():
                    found.append(_entry(one))
                    size += len(found[-1].xml)
                    if size > _TEXT_MOST:
                        self.lost += 1
                        break
            except BaseException as error:  # a panic of the library is no Exception
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    raise
                self.lost += 1
        counted = chunk.last - chunk.first + 1
        missing = counted - len(found) if counted <= _RECORDS_MOST else 0
        self.lost += max(0, missing, len(told))
        found.sort(key=_number)
        return found


def _without_tables(chunk: bytes) -> bytes:
    """A chunk's tables of names and templates are chains that only make looking them up quicker.
    A damaged link that leads back would have the parser follow it for ever."""
    return chunk[: _TABLES[0]] + bytes(_TABLES[1] - _TABLES[0]) + chunk[_TABLES[1] :]


def _entry(found: Any) -> Entry:
    return Entry(str(found["data"]), int(found["event_record_id"]), str(found["timestamp"]))


def _number(entry: Entry) -> int:
    return entry.number or 0


class _Export:
    def __init__(self, place: _Place) -> None:
        self.path, self.size, self.remarks = place.path, place.size, place.remarks
        self.lost = 0
        self._place = place
        self.close = place.close
        self._strange = False

    def blocks(self, *, newest_first: bool) -> Iterator[tuple[list[Entry], int]]:
        with self._place.opened() as file:
            found = _against(file) if newest_first else pieces(in_utf8(file))
            entries: list[Entry] = []
            size = 0
            for _, piece in found:
                entries.append(Entry(self._text(piece)))
                size += len(piece)
                if len(entries) == _EVENTS:
                    yield entries, size
                    entries, size = [], 0
            yield entries, size

    def _text(self, piece: bytes) -> str:
        try:
            return piece.decode()
        except UnicodeDecodeError:
            if not self._strange:
                self._strange = True
                self.remarks += (
                    f"{self.path}: is not in UTF-8 throughout: names in it may be unreadable; "
                    "wevtutil writes Unicode with /uni:true",
                )
            return piece.decode("utf-8", "replace")


def _against(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The events of an export from the last to the first.  Twelve bytes are kept of each."""
    places, sizes = array("Q"), array("I")
    for at, piece in pieces(in_utf8(file)):
        places.append(at)
        sizes.append(len(piece))
    for at, size in zip(reversed(places), reversed(sizes), strict=True):
        file.seek(at)
        yield at, file.read(size)
