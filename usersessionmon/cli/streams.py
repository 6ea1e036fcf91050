"""The three standard streams, whatever the caller made of them: closed, full, or in a locale that
is not UTF-8.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from usersessionmon.system.terminal import take_escapes


def prepare() -> None:
    """Make all three streams usable; to be called before any other file is opened."""
    _fill_gaps()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Output is UTF-8 whatever the locale; what is no text is shown escaped.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        if stream.isatty():
            take_escapes(stream.fileno())


def _fill_gaps() -> None:
    """A closed stream becomes the null device, under its own number: else the next file that is
    opened (the state) would have it, and whatever prints would write there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)


def give_up(stream: TextIO) -> None:
    """Let what could not be written go: the interpreter would try again at its end, and fail."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
