"""Logs that already exist, read once: what kind each is, and its records in blocks, so that a log
of any size takes the same memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path

from usersessionmon.envelope.text import LineReader
from usersessionmon.errors import TroubleError
from usersessionmon.model import Record

from .first_year import year_of_plain, year_of_stream
from .markup import Markup, markup_of
from .opened import OpenedLog
from .packed import DAMAGED
from .unknown import UnknownHeaders

_BATCH = 1024
_OLDEST_CHANGE_US = 946_684_800_000_000
"""2000-01-01: a file's time of last change before it was made up (by an archiver)."""
_FIELD_LINE = re.compile(rb"__?[A-Z][A-Z0-9_]{0,62}=")
_JSON = re.compile(rb"[\x1e \n]*(?:data: )?\{")
_FIELD_KEY = re.compile(rb'"(?:__?[A-Z][A-Z0-9_]{0,62}|MESSAGE)"')

Progress = Callable[[int, int | None], None]
"""Called with the bytes of the file read so far, and with its size where it is known."""


class Kind(StrEnum):
    TEXT = "text"
    JOURNAL = "journal"
    EXPORT = "export"
    JSON = "json"
    EVTX = "evtx"
    EVENTS = "events"
    """Windows events as XML"""
    DOCTYPE = "doctype"
    MARKUP = "markup"
    """Other XML"""


_MARKUP = {
    Markup.EVENTS: Kind.EVENTS,
    Markup.DOCTYPE: Kind.DOCTYPE,
    Markup.OTHER: Kind.MARKUP,
    Markup.UNDECIDED: Kind.MARKUP,
}
_EVENTS = (
    "holds Windows events, not lines; no rules are needed for them: user-session-monitor scan "
    "reads it"
)
_NOT_READ = {
    Kind.EVTX: _EVENTS,
    Kind.EVENTS: _EVENTS,
    Kind.DOCTYPE: "begins with a DOCTYPE, which no export of an event log has: what it defines "
    "could grow without end, so such XML is not read",
    Kind.MARKUP: "is XML, but no export of a Windows event log, which begins with <Events> or "
    "<Event> (without a prefix)",
}
"""Why a file is no log of lines."""


@dataclass(slots=True)
class Tally:
    """What was looked at in text logs; grows while reading."""

    lines: int = 0
    skipped: int = 0
    """Their program does not matter, or they have none."""
    not_understood: int = 0
    """They have no header that is known."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    wanted: Callable[[str], bool]
    """Which programs (tags) matter."""
    zone: tzinfo
    """Where the logs were written, for times without an offset."""
    now_us: int
    """Nothing in a log is later than this (by more than a day)."""
    year: int | None = None
    """Of each log's first line; None: found out."""
    identifiers: Sequence[str] = ()
    """Tags that a journal is searched for beside those of the facilities auth and authpriv."""
    progress: Progress | None = None
    tally: Tally | None = None
    notice: Callable[[str], None] | None = None
    """Told of a log in which not one line of a program that matters could be read."""


def open_text(path: str) -> Iterator[list[bytes]]:
    """The lines (without their LF) of a text log, packed or not, ``-`` being standard input, in
    blocks.  A line that is too long is cut; a last line without LF counts.

    Raises TroubleError when it cannot be opened, or behind the last line that can be read.
    """
    with OpenedLog(path) as log:
        yield from log.blocks()


def sniff(head: bytes) -> Kind:
    """What kind of log begins with these bytes."""
    if head.startswith(b"LPKSHHRH"):
        return Kind.JOURNAL
    if head.startswith(b"ElfFile\0"):
        return Kind.EVTX
    markup = markup_of(head)
    if markup is not None:
        return _MARKUP[markup]
    if _FIELD_LINE.match(head.lstrip(b"\n")):
        return Kind.EXPORT
    if _JSON.match(head) and _FIELD_KEY.search(head):
        return Kind.JSON
    return Kind.TEXT


def read_path(
    path: str, options: ReadOptions, opened: OpenedLog | None = None
) -> Iterator[list[Record]]:
    """The records of one log in blocks, in its order; ``-`` is standard input, a directory one
    that holds journal files.  ``opened`` is that log, where somebody looked at it already.

    Raises TroubleError when it cannot be read, or behind the last record that can.
    """
    if path != "-" and _is_directory(path):
        yield from _batches(_journal(path, options), _BATCH)
        return
    with opened or OpenedLog(path) as log:
        kind = sniff(log.head)
        if kind is Kind.TEXT:
            yield from _text(log, options)
        elif kind is Kind.JOURNAL and log.regular and not log.packed:
            yield from _batches(_journal(path, options), _BATCH)
        elif kind is Kind.JOURNAL:
            raise TroubleError(
                f"{path}: journal files must be read from the disk; unpack it and give its path, "
                "or use journalctl -o export"
            )
        elif kind in _NOT_READ:
            raise TroubleError(f"{path}: {_NOT_READ[kind]}")
        else:
            yield from _exported(log, kind, options)


def _is_directory(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # it may not even be looked at
        return False


def _text(log: OpenedLog, options: ReadOptions) -> Iterator[list[Record]]:
    reference_us = options.now_us
    if log.changed_us is not None and log.changed_us >= _OLDEST_CHANGE_US:
        reference_us = min(log.changed_us, options.now_us)
    year = options.year
    if year is None and log.regular:
        year = _first_year(log, options.zone, reference_us)
    reader = LineReader(
        wanted=options.wanted, zone=options.zone, reference_us=reference_us, year=year
    )
    unknown = UnknownHeaders(options.zone, reference_us, year)
    before = strange = 0
    try:
        for text in log.texts():
            yield reader.read_text(text)
            if reader.not_understood != strange:
                strange = reader.not_understood
                unknown.look(text.split(b"\n"), before)
            before = reader.lines
            if options.progress is not None:
                options.progress(log.done(), log.total)
    finally:
        _count(options.tally, reader)
    if options.notice is not None and strange and strange + reader.skipped == reader.lines:
        options.notice(unknown.words(log.path, strange))


def _count(tally: Tally | None, reader: LineReader) -> None:
    if tally is not None:
        tally.lines += reader.lines
        tally.skipped += reader.skipped
        tally.not_understood += reader.not_understood


def _first_year(log: OpenedLog, zone: tzinfo, reference_us: int) -> int | None:
    if not log.packed:
        return year_of_plain(log.descriptor, zone, reference_us)
    year = None
    with suppress(TroubleError):  # it comes again when the log is read
        year = year_of_stream(log.blocks(), zone, reference_us)
    log.rewind()
    return year


def _exported(log: OpenedLog, kind: Kind, options: ReadOptions) -> Iterator[list[Record]]:
    """journalctl's own output."""
    from .export import read_export, read_json

    if log.head.lstrip().startswith((b"{\n", b"{\r")):
        raise TroubleError(f"{log.path}: is journalctl -o json-pretty; use -o json")
    read = read_json if kind is Kind.JSON else read_export
    records = read(log.stream, wanted=options.wanted, zone=options.zone)
    try:
        for batch in _batches(records, _BATCH if log.regular else 1):
            yield batch
            if options.progress is not None:
                options.progress(log.done(), log.total)
    except DAMAGED as error:
        raise log.trouble(error) from error


def _journal(path: str, options: ReadOptions) -> Iterator[Record]:
    from .journal import read_journal

    return read_journal(
        [path],
        wanted=options.wanted,
        zone=options.zone,
        extra_identifiers=options.identifiers,
    )


def _batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """What was read before an error is given first."""
    batch: list[Record] = []
    failure: Exception | None = None
    try:
        for record in records:
            batch.append(record)
            if len(batch) >= size:
                yield batch
                batch = []
    except (TroubleError, *DAMAGED) as error:
        failure = error
    if batch:
        yield batch
    if failure is not None:
        raise failure
