"""A line by itself, which need not be one of a log (``rules explain``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from usersessionmon.model import Record

from .header import Header, HeaderReader
from .raw import decode, name, trim
from .tag import Head, split_tag


class Loose(NamedTuple):
    """A line that need not be one of a log."""

    record: Record
    timed: bool
    """False when the line has no time: the record's is the reference then."""
    tagged: bool
    """False when nothing says which program wrote the line; ``program`` is empty then."""


def loose(
    line: bytes,
    *,
    wanted: Callable[[str], bool],
    zone: tzinfo,
    reference_us: int,
    year: int | None = None,
) -> Loose:
    """Read a line by itself; its header may be missing or be no more than ``tag[pid]:`` (or
    ``tag:`` of a program that is ``wanted``).  Of any program, wanted or not."""
    line = trim(line)
    reader = HeaderReader(zone=zone, reference_us=reference_us, year=year)
    header = reader.read(line)
    timed = header is not None
    if header is None:
        now = reader.instant(reference_us)
        header = Header(now, True, _head_alone(line, wanted))
    host, program, pid, text = header.head
    record = Record(
        time=header.time,
        host=name(host),
        program=decode(program or b""),
        pid=pid,
        text=decode(text),
        time_inferred=header.inferred,
    )
    return Loose(record, timed, program is not None)


def _head_alone(line: bytes, wanted: Callable[[str], bool]) -> Head:
    if line.startswith(b"-- "):
        return Head(None, b"", None, line)
    found = split_tag(line)
    if found is None or found.program is None:
        return Head(None, None, None, line)
    # `error: PAM: …` is a text and no tag
    is_tag = found.pid is not None or wanted(decode(found.program))
    return found if is_tag else Head(None, None, None, line)
