"""Lines of a text log whose header is not known: the first is shown, without telling anything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import tzinfo
from itertools import count

from usersessionmon.envelope.header import HeaderReader
from usersessionmon.envelope.raw import decode, trim

_SHOWN = 60
"""Characters that are shown: a header is no longer."""


class UnknownHeaders:
    """Finds the first line without a known header, and says what a whole log looks like."""

    def __init__(self, zone: tzinfo, reference_us: int, year: int | None) -> None:
        self._reader = HeaderReader(zone=zone, reference_us=reference_us, year=year)
        self._first: tuple[int, str] | None = None

    def look(self, lines: Iterable[bytes], before: int) -> None:
        """Look for it in a block that has some; ``before`` lines of the log were before it."""
        if self._first is not None:
            return
        for number, raw in zip(count(before + 1), lines, strict=False):
            line = trim(raw)
            blank = line[:1] in (b"", b" ", b"\t") or line.startswith(b"-- ")
            if not blank and self._reader.read(line) is None:
                self._first = number, masked(line)
                return

    def words(self, path: str, lines: int) -> str:
        """What people are told; ``lines``: how many there are."""
        number, looks = self._first or (0, "")
        first = f"; line {number} looks like `{looks}`" if looks else ""
        has = "1 line has" if lines == 1 else f"{lines} lines have"
        return (
            f"{path}: {has} no header that is known, and no other line tells anything{first}. "
            "Known are those of syslog, of journalctl -o short-iso, export and json"
        )


def masked(line: bytes) -> str:
    """The shape of a line: each digit is ``0``, each letter ``x``; punctuation stays."""
    text = decode(line[: _SHOWN * 4])[:_SHOWN]
    text = re.sub(r"\d", "0", text)
    text = re.sub(r"[^\W\d_]", "x", text)
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)
