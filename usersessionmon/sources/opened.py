"""A log file or standard input, opened, unpacked, and split into lines of bounded length.

Packed files are known by their first bytes, never by their name.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from usersessionmon.errors import TroubleError

from .markup import LOOKED_AT, Markup, markup_of
from .packed import DAMAGED, look, unpack

CHUNK = 32 * 1024
"""What is read at once: with all that is made of it, it should stay in a processor's cache."""
LINE_MAX = 64 * 1024
KEPT = 8 * 1024
"""What is kept of a line that is longer than ``LINE_MAX``; no more of it is looked at anyway."""
_HEAD = 64


class OpenedLog:
    """An opened file or standard input; ``stream`` gives its bytes, unpacked."""

    def __init__(self, path: str) -> None:
        """Raises TroubleError when it cannot be opened or unpacked."""
        self.path = path
        self._passed = 0
        self._file = _open(path)
        status = None if path == "-" else os.fstat(self._file.fileno())
        self.regular = status is not None and stat.S_ISREG(status.st_mode)
        """A file on a disk, which can be read again and at any place."""
        self.total = status.st_size if status and self.regular else None
        self.changed_us = status.st_mtime_ns // 1000 if status and self.regular else None
        self._begin()

    def rewind(self) -> None:
        """Begin again; only where ``regular``.  Raises TroubleError like the first time."""
        self._file.seek(0)
        del self.stream  # or the memory of two decoders would be needed
        self._begin()

    @property
    def descriptor(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def done(self) -> int:
        """Bytes of the file that were read."""
        return self._file.tell() if self.regular else self._passed

    def trouble(self, error: Exception) -> TroubleError:
        if isinstance(error, OSError) and error.errno is not None:
            return TroubleError(f"{self.path}: cannot be read: {error.strerror}")
        return TroubleError(
            f"{self.path}: is damaged or cut short ({error}); "
            "what stands before the damage was read"
        )

    def texts(self) -> Iterator[bytes]:
        """Whole lines with their LF (the last line may have none), in blocks.  Raises TroubleError
        behind the last line that could be read."""
        rest, skipping = b"", False
        while chunk := self._chunk():
            if skipping:
                _, end, chunk = chunk.partition(b"\n")
                skipping = not end
            end_at = chunk.rfind(b"\n") + 1
            block, rest = (rest + chunk[:end_at], chunk[end_at:]) if end_at else (b"", rest + chunk)
            if len(rest) > LINE_MAX:
                rest = rest.lstrip(b"\0")  # a crash leaves a block of them in front of a line
            if len(rest) > LINE_MAX:
                block += rest[:KEPT] + b"\n"
                rest, skipping = b"", True
            yield block
        if rest:
            yield rest

    def blocks(self) -> Iterator[list[bytes]]:
        """The same, as lines without their LF."""
        for text in self.texts():
            lines = text.split(b"\n")
            if not lines[-1]:
                lines.pop()
            yield lines

    def _chunk(self) -> bytes:
        try:
            chunk = self.stream.read1(CHUNK)
        except DAMAGED as error:
            raise self.trouble(error) from error
        self._passed += len(chunk)
        return chunk

    def _begin(self) -> None:
        try:
            unpacked, self.packed = unpack(self._file, self.path, CHUNK)
            self.head, self.stream = look(unpacked, tells, CHUNK)
        except DAMAGED as error:
            self.close()
            raise self.trouble(error) from error
        except TroubleError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def tells(head: bytes) -> bool:
    """So much tells what kind of log it is: some bytes or a whole line; in front of XML there may
    be more that says nothing."""
    if len(head) < _HEAD and b"\n" not in head:
        return False
    return len(head) >= LOOKED_AT or markup_of(head) is not Markup.UNDECIDED


def _open(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    try:
        return Path(path).open("rb", buffering=CHUNK)
    except FileNotFoundError as error:
        raise TroubleError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise TroubleError(
            f"{path}: may not be read by this user; use sudo, or join the group that owns it "
            "(adm or systemd-journal)"
        ) from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no file name"
        raise TroubleError(f"{path}: cannot be opened: {words}") from error
