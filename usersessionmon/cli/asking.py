"""Asking a person on a terminal, and saying things where the answer of a command does not go."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from usersessionmon.errors import TroubleError, UserError
from usersessionmon.system.terminal import silent

from .output import printable, say, warn


class QuitError(TroubleError):
    """The person wants no more."""


class Talk:
    """What is said goes to standard output, or with ``as_json`` to standard error."""

    def __init__(self, *, as_json: bool, asks: bool) -> None:
        self._say: Callable[[str], None] = warn if as_json else say
        self.asks = asks

    def head(self, text: str) -> None:
        self._say("")
        self._say(text)

    def say(self, text: str) -> None:
        self._say(f"   {text}")
        sys.stdout.flush()  # whoever follows a file sees how far it is

    def all(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.say(line)

    def ask(self, question: str, allowed: Sequence[str], default: str) -> str:
        """One of ``allowed``, by its name or how that begins; nothing: ``default``."""
        while True:
            answer = _line(f"   {question} [{default}]: ").strip().casefold()
            found = [word for word in allowed if answer and word.startswith(answer)]
            if not answer or len(found) == 1:
                return found[0] if found else default
            self.say(f"please answer with one of: {', '.join(allowed)}")

    def ask_hidden(self, question: str) -> str:
        """What is typed or pasted is not shown."""
        return _unwrapped(_hidden(f"   {question}: "))

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int], None]]:
        """A line that counts, on a terminal, and is gone in the end."""
        shows = sys.stderr.isatty()

        def show(number: int) -> None:
            if shows:
                sys.stderr.write(f"\r   {what}: {number:,}")
                sys.stderr.flush()

        yield show
        if shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def check_can_ask(flags: str) -> None:
    """Raise UserError naming ``flags`` where nobody can answer."""
    if not sys.stdin.isatty():
        raise UserError(f"standard input is no terminal: nobody can be asked; give {flags}")
    if isinstance(sys.stdin, io.TextIOWrapper):  # as the two others, whatever the locale
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")


def _hidden(prompt: str) -> str:
    """As getpass, which would write the prompt in the locale's encoding: nothing is shown from
    before the prompt on."""
    try:
        with silent(sys.stdin.fileno()):
            return _line(prompt)
    finally:
        sys.stderr.write("\n")
        sys.stderr.flush()


def _line(prompt: str) -> str:
    sys.stderr.write(printable(prompt))
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise QuitError("the input ended")
    return answer


def _unwrapped(text: str) -> str:
    """Without what was copied with it."""
    return text.strip().strip("<>\"'“”‘’").strip()
