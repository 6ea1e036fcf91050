"""Streams of bytes whose beginning was looked at, unpacked where they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from usersessionmon.errors import TroubleError

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a packed stream raises when it is damaged or cut short."""
_MAGIC_BYTES = 6
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _Rejoined(io.RawIOBase):
    """What was read of a stream already, and then the rest of it, as it comes."""

    def __init__(self, head: bytes, rest: _Readable) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._rest.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def look(
    stream: BinaryIO, enough: Callable[[bytes], bool], chunk: int
) -> tuple[bytes, io.BufferedReader]:
    """The first bytes, as many as are ``enough`` where they are there, and a stream that begins
    with them again.  Waits for no more than that."""
    source = cast(_Readable, stream)
    head = b""
    while not enough(head):
        more = source.read1(chunk)
        if not more:
            break
        head += more
    return head, io.BufferedReader(_Rejoined(head, source), chunk)


def _has_magic(head: bytes) -> bool:
    return len(head) >= _MAGIC_BYTES or b"\n" in head


def unpack(stream: BinaryIO, name: str, chunk: int) -> tuple[BinaryIO, bool]:
    """The stream, or what is packed in it, by its first bytes; and whether it is packed.  Raises
    TroubleError for a packing that cannot be undone here."""
    head, whole = look(stream, _has_magic, chunk)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=whole)), True
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.LZMAFile(whole)), True
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(whole)), True
    if head.startswith(_ZSTD):
        raise TroubleError(
            f"{name}: is packed with zstd, which cannot be read here; "
            f"unpack it first: zstd -dc {name} | user-session-monitor scan -"
        )
    return whole, False
