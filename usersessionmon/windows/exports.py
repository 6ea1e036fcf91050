"""XML exports of event logs: where one event ends and the next begins.

``wevtutil qe … /f:xml`` writes ``<Event>`` after ``<Event>`` with no root, Event Viewer one
``<Events>`` (often a single line), ``Get-WinEvent … | % ToXml()`` an event a line; PowerShell
writes UTF-16.  The stream is read once, and a record of any length takes no more memory than
``RECORD_MOST``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Protocol

from usersessionmon.sources.markup import text_encoding

from .xml import LONGEST

BLOCK = 64 * 1024
RECORD_MOST = 2 * LONGEST
"""Bytes of one event: beyond it, an event that was never closed (a file that was cut)."""
_BEGIN = re.compile(rb"<Event[\s/>]")
_MARK = re.compile(
    rb"""<Event(?:\s+[^\s=<>"'/]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*/?>"""
    rb"""|</Event\s*>|<!--|<!\[CDATA\["""
)
_CLOSING = {b"<!--": b"-->", b"<![CDATA[": b"]]>"}


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def in_utf8(stream: Readable) -> Iterator[bytes]:
    """What the stream holds, in blocks."""
    block = stream.read(BLOCK)
    encoding = text_encoding(block)
    if encoding == "utf-8":
        while block:
            yield block
            block = stream.read(BLOCK)
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while block:
        yield decoder.decode(block).encode("utf-8", "replace")
        block = stream.read(BLOCK)


def pieces(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Every ``<Event>`` with the place where it begins, in UTF-8.

    An ``<Event>`` within another one (anybody may write such into the data of an event of their
    own) is a part of that one.  Only where an event is never closed is the next one taken for new.
    """
    place, rest = 0, b""
    for block in blocks:
        rest += block
        used, found = _split(rest, done=False)
        yield from ((place + at, rest[at:end]) for at, end in found)
        place, rest = place + used, rest[used:]
    _, found = _split(rest, done=True)
    yield from ((place + at, rest[at:end]) for at, end in found)


def _split(text: bytes, *, done: bool) -> tuple[int, list[tuple[int, int]]]:
    """How much of the text is dealt with, and the events of that part."""
    found: list[tuple[int, int]] = []
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.start()
        end = _end_of(text, at)
        if end is None and not done and len(text) - at <= RECORD_MOST:
            return at, found  # more of it may follow
        if end is None or end - at > RECORD_MOST:
            broken, at = _broken(text, at)
            found += broken
        else:
            found.append((at, end))
            at = end
    kept = 0 if done else len(b"<Event")
    return max(at, len(text) - kept), found


def _end_of(text: bytes, at: int) -> int | None:
    """Where the event that begins here ends."""
    begin, depth = at, 0
    while (mark := _MARK.search(text, at)) is not None:
        token, at = mark[0], mark.end()
        if not depth and mark.start() != begin:
            return mark.start()  # its own tag was never finished
        if closing := _CLOSING.get(token):
            end = text.find(closing, at)
            if end < 0:
                return None
            at = end + len(closing)
            continue
        if token.startswith(b"</"):
            depth -= 1
        elif not token.endswith(b"/>"):
            depth += 1
        if depth <= 0:
            return at
    return None


def _broken(text: bytes, at: int) -> tuple[list[tuple[int, int]], int]:
    """The events of a part where one was never closed, each up to the next one; and where to go
    on."""
    starts = [begin.start() for begin in _BEGIN.finditer(text, at, at + RECORD_MOST)]
    if len(starts) == 1:
        return [(at, min(at + RECORD_MOST, len(text)))], at + len(b"<Event")
    found = []
    for start, following in pairwise(starts):
        end = text.find(b"</Event>", start, following)
        found.append((start, following if end < 0 else end + len(b"</Event>")))
    return found, starts[-1]
