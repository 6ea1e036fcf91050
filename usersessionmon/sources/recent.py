"""What a host's log says of the last while: the journal from a moment on, or a file with the copy
that was rotated away since, of a large file only its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from usersessionmon.envelope.text import LineReader
from usersessionmon.model import Record

from .archive import ReadOptions, read_path
from .auto import Choice
from .opened import LINE_MAX, OpenedLog
from .tail_siblings import siblings

_BATCH = 1024
TAIL = 64 * 1024 * 1024
"""Bytes of a plain file that are read at most: some 600,000 lines."""
_CHUNK = 1024 * 1024


def read_recent(choice: Choice, since_us: int, options: ReadOptions) -> Iterator[list[Record]]:
    """The records since a moment, in blocks and in order; a block may be empty.  Who takes too long
    over them just stops asking.  Raises TroubleError, behind the last record that can be read."""
    if choice.kind == "journal":
        yield from _journal(since_us, options)
        return
    path = Path(choice.path)
    for one in (*_rotated(path, since_us), path):
        for records in _file(str(one), options):
            yield [record for record in records if record.time.us >= since_us]


def _journal(since_us: int, options: ReadOptions) -> Iterator[list[Record]]:
    from .journal import read_since  # libsystemd, only where there is a journal

    batch: list[Record] = []
    for record in read_since(
        since_us,
        wanted=options.wanted,
        zone=options.zone,
        extra_identifiers=options.identifiers,
    ):
        batch.append(record)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch


def _rotated(path: Path, since_us: int) -> list[Path]:
    """The log's predecessor, when something was written to it since."""
    found = (one for one in siblings(path) if one.scheme and one.size)
    newest = next(found, None)
    return [newest.path] if newest and newest.modified_ns // 1000 >= since_us else []


def _file(path: str, options: ReadOptions) -> Iterator[list[Record]]:
    with OpenedLog(path) as log:
        large = log.total is not None and log.total > TAIL and not log.packed
        changed_us = log.changed_us
    if not large:
        yield from read_path(path, options)
        return
    reference_us = min(changed_us or options.now_us, options.now_us)
    reader = LineReader(wanted=options.wanted, zone=options.zone, reference_us=reference_us)
    for text in _end_of(path):
        yield reader.read_text(text)


def _end_of(path: str) -> Iterator[bytes]:
    """The whole lines of a large file's end, in blocks."""
    with Path(path).open("rb") as file:
        file.seek(-TAIL, 2)
        file.readline(LINE_MAX)
        rest = b""
        while chunk := file.read(_CHUNK):
            head, end, tail = chunk.rpartition(b"\n")
            if end:
                yield rest + head + end
                rest = tail
            else:  # a line of a megabyte is nobody's
                rest = b""
        if rest:
            yield rest
