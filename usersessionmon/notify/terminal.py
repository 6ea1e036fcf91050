"""Notices on a stream: what ``run`` does where no webhook is configured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from .base import Answer, Queued, Result
from .text import render_text
from .words import Voice


class TerminalChannel:
    """Prints each notice, with a blank line behind it, and flushes."""

    def __init__(self, stream: TextIO, *, voice: Voice, name: str = "terminal") -> None:
        self._stream = stream
        self._voice = voice
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def address(self) -> str:
        return "standard output"

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        return True

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """Each notice by itself: a terminal has no limit that would ask for a digest.  What is to
        be told together is."""
        return len(batch) if batch[0].bundle else 1

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        """Print.  Nobody reading any more is an answer, not a crash."""
        text = render_text(batch, now_us=now_us, voice=self._voice)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        printable = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            self._stream.write(f"{printable}\n\n")
            self._stream.flush()
        except (OSError, ValueError) as error:  # closed pipe; closed stream; disk full
            return Result(Answer.CONFIGURATION, f"standard output: {type(error).__name__}")
        return Result(Answer.DELIVERED, "printed")

    def close(self) -> None:
        """The stream belongs to whoever gave it."""
