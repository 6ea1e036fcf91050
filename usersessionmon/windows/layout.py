"""How an .evtx file is laid out: a header and chunks of 64 KiB, each with the numbers of its
records.  The file is a ring: where it is full, the newest chunk stands before the oldest."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO, NamedTuple

HEAD = 4096
CHUNK = 64 * 1024
_COUNT_AT = 42
_CHUNK_HEAD = struct.Struct("<8sQQ")
_NO_RECORD = 2**64 - 1


class Chunk(NamedTuple):
    at: int
    """Where it begins in the file."""
    first: int
    last: int
    """The numbers of its first and last record, as its header says; of the chunk that Windows was
    writing, ``last`` may be too low."""


class Layout(NamedTuple):
    chunks: Sequence[Chunk]
    """In the order of their records."""
    missing: int
    """How many the header counts that are not there, or not whole."""


def layout_of(file: BinaryIO, size: int) -> Layout:
    """The chunks of a file, oldest first.  Memory: about a thousandth of the file."""
    head = file.read(HEAD)
    counted = int.from_bytes(head[_COUNT_AT : _COUNT_AT + 2], "little")
    chunks = []
    whole = 0
    for at in range(HEAD, size, CHUNK):
        file.seek(at)
        start = file.read(_CHUNK_HEAD.size)
        if len(start) < _CHUNK_HEAD.size:
            break
        magic, first, last = _CHUNK_HEAD.unpack(start)
        if magic == b"ElfChnk\0" and first <= last != _NO_RECORD:
            chunks.append(Chunk(at, first, last))
            whole += at + CHUNK <= size
    return Layout(in_order(chunks), max(0, counted - whole))


def in_order(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """Oldest first.

    Numbers that begin again (after set-up, in an archive) are no ring: then the file's own order
    is the right one.  In a ring the chunk at the file's end goes on in the one at its beginning.
    """
    ascending = sorted(chunks, key=lambda chunk: chunk.first)
    if ascending == chunks or all(_follow(one, two) for one, two in pairwise(ascending)):
        return ascending
    if not _follow(chunks[-1], chunks[0]):
        return chunks
    steps = enumerate(pairwise(chunks), start=1)
    turn = next(at for at, (one, two) in steps if two.first <= one.last)
    return [*chunks[turn:], *chunks[:turn]]


def _follow(one: Chunk, two: Chunk) -> bool:
    return two.first == one.last + 1
