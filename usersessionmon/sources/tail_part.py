"""One file of a followed log: whole lines from an offset on, and proof that it is still that file.

A part remembers nothing but its offset, which is always the start of a line (or a place inside a
line that is being skipped).  An unfinished line is simply read again when there is more, so that a
position saved at any moment needs no half-read data.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from usersessionmon.system.files import AT_ONCE, BYTES, read_at

CHUNK = 256 * 1024
LINE_MAX = 64 * 1024
"""A longer line is cut here and the rest of it is skipped: it must not hold memory."""
HEAD_MAX = 1024
"""How many of its first bytes identify a file."""
STRIDE = 8 * CHUNK
"""How much one look reads or unpacks at most, so that nobody waits long for it."""

_OPEN = os.O_RDONLY | BYTES | AT_ONCE
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
PACKED = (".gz", ".xz", ".bz2")


class ChangedError(Exception):
    """What had been read of a file is not in it any more: truncated, perhaps written anew."""


class Mark(NamedTuple):
    """A place in a file, findable again when the file was renamed, copied or packed since."""

    device: int
    inode: int
    offset: int
    head_size: int
    """How many of the first bytes ``head_hash`` covers; they all lie before ``offset``."""
    head_hash: str
    skipping: bool = False


class _Bytes(Protocol):
    """What holds a part's bytes."""

    def at(self, offset: int, size: int) -> bytes:
        """Bytes from ``offset`` (which never goes back), fewer or none at the end for now."""

    def size(self) -> int: ...

    def names(self) -> int:
        """How many names the file has: none when it was deleted."""

    def ended(self) -> bool:
        """True when no more will ever come."""

    def close(self) -> None: ...


class _Plain:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def at(self, offset: int, size: int) -> bytes:
        return read_at(self._descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def names(self) -> int:
        return os.fstat(self._descriptor).st_nlink

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        os.close(self._descriptor)


class _Unpacked:
    """The bytes of a packed file, forwards only.  Damage is an end like any other."""

    def __init__(self, descriptor: int, kind: str) -> None:
        self._file = os.fdopen(descriptor, "rb")
        self._stream: IO[bytes] = _stream(self._file, kind)
        self._start = 0
        self._buffer = b""
        self._ended = False

    def at(self, offset: int, size: int) -> bytes:
        unpacked = 0
        while not self._ended and self._start + len(self._buffer) < offset + size:
            if unpacked >= STRIDE:
                break
            more = self._more()
            unpacked += len(more)
            self._buffer += more
            passed = min(max(0, offset - self._start), len(self._buffer))
            self._buffer = self._buffer[passed:]
            self._start += passed
        if offset > self._start + len(self._buffer):
            return b""
        return self._buffer[offset - self._start : offset - self._start + size]

    def _more(self) -> bytes:
        try:
            more = self._stream.read(CHUNK)
        except _DAMAGED:
            more = b""
        self._ended = not more
        return more

    def size(self) -> int:
        return self._start + len(self._buffer) if self._ended else sys.maxsize

    def names(self) -> int:
        return os.fstat(self._file.fileno()).st_nlink

    def ended(self) -> bool:
        return self._ended

    def close(self) -> None:
        self._stream.close()
        self._file.close()


def _stream(file: IO[bytes], kind: str) -> IO[bytes]:
    if kind == ".gz":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if kind == ".xz":
        return lzma.LZMAFile(file)
    return bz2.BZ2File(file)


class Part:
    """An open file of the log and the place in it.  ``head`` is what it is known by."""

    def __init__(self, path: Path) -> None:
        """Open it; the place is its beginning.  Raises OSError, also when it is no regular file."""
        descriptor = os.open(path, _OPEN)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a regular file")
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self.offset = 0
        self.skipping = False
        self.final = False
        """True for a copy that nobody writes to."""
        self.retires: float | None = None
        """When (monotonic) it is given up; set by whoever has a newer part."""
        self._known = b""
        packed = path.suffix in PACKED
        self._bytes: _Bytes = _Unpacked(descriptor, path.suffix) if packed else _Plain(descriptor)

    @property
    def head(self) -> bytes:
        """The first bytes, as far as they were read past: they cannot change in a log."""
        return self._known[: min(HEAD_MAX, self.offset)]

    def mark(self) -> Mark:
        head = self.head
        return Mark(*self.identity, self.offset, len(head), digest(head), self.skipping)

    def go_to(self, mark: Mark) -> bool:
        """Move to the mark if this is the marked file (or a copy); False if it is not."""
        head = self._bytes.at(0, mark.head_size)
        same = len(head) == mark.head_size and digest(head) == mark.head_hash
        if not same or self._bytes.size() < mark.offset:
            return False
        self._known = head
        self.offset = mark.offset
        self.skipping = mark.skipping
        return True

    def go_to_end(self, most: int = sys.maxsize) -> None:
        """Move behind the last whole line of the first ``most`` bytes."""
        end = min(self._bytes.size(), most)
        self._known = self._bytes.at(0, min(HEAD_MAX, end))
        block = self._bytes.at(max(0, end - LINE_MAX), min(LINE_MAX, end))
        newline = block.rfind(b"\n")
        if newline >= 0:
            self.offset = end - len(block) + newline + 1
        elif end > LINE_MAX:
            self.offset = end
            self.skipping = True
        else:
            self.offset = 0

    def replaces(self, other: Part) -> bool:
        """True when this file is the other's text written anew: it begins with all that is known
        of the other, which has no name any more."""
        head = other.head
        same = bool(head) and self._bytes.at(0, len(head)) == head
        return same and not other._bytes.names()

    def restart(self) -> None:
        """Go back to the beginning; what was known does not hold any more."""
        self.offset = 0
        self.skipping = False
        self._known = b""

    def size(self) -> int:
        """How many bytes there are now; a huge number when that is not known yet."""
        return self._bytes.size()

    def complete(self) -> bool:
        """True when ``size`` is final: nobody writes to this file any more."""
        return self.final or self._bytes.ended()

    def peek(self) -> bytes:
        """The first bytes as they are now.  Only before reading."""
        return self._bytes.at(0, HEAD_MAX)

    def cut_short(self) -> bool:
        """True when it is shorter than what was read, but what is there is the old text."""
        return self._bytes.size() < self.offset and self._same_head()

    def lines(self, end: int) -> Iterator[bytes]:
        """The whole lines up to ``end``, without their LF; the offset moves with each.

        Raises ChangedError when what was read before is not there any more.
        """
        self._verify()
        while self.offset < end:
            chunk = self._bytes.at(self.offset, min(CHUNK, end - self.offset))
            self._verify()  # after reading: the chunk is from the file that we know
            if self.offset < HEAD_MAX:
                self._known = (self.head + chunk)[:HEAD_MAX]
            before = self.offset
            yield from self._split(chunk)
            if self.offset == before:
                return

    def rest(self) -> bytes | None:
        """The unfinished last line of a file that gets no more; the offset moves to the end."""
        data = self._bytes.at(self.offset, LINE_MAX)
        self.offset += len(data)
        return None if self.skipping or not data else data

    def close(self) -> None:
        self._bytes.close()

    def _same_head(self) -> bool:
        head = self.head
        return isinstance(self._bytes, _Unpacked) or self._bytes.at(0, len(head)) == head

    def _verify(self) -> None:
        if self._bytes.size() < self.offset or not self._same_head():
            raise ChangedError

    def _split(self, chunk: bytes) -> Iterator[bytes]:
        if self.skipping:
            newline = chunk.find(b"\n")
            if newline < 0:
                self.offset += len(chunk)
                return
            self.skipping = False
            self.offset += newline + 1
            chunk = chunk[newline + 1 :]
        lines = chunk.split(b"\n")
        unfinished = lines.pop()
        for line in lines:
            self.offset += len(line) + 1
            yield line.lstrip(b"\0")[:LINE_MAX]
        # A crash of the host leaves blocks of NUL where data was to be; a good line may follow.
        text = unfinished.lstrip(b"\0")
        self.offset += len(unfinished) - len(text)
        if len(text) >= LINE_MAX:
            self.offset += len(text)
            self.skipping = True
            yield text[:LINE_MAX]


def digest(head: bytes) -> str:
    """What stands for a file's first bytes in a saved position."""
    return hashlib.blake2b(head, digest_size=16).hexdigest()
