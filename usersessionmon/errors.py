"""The exceptions that are meant for people.

    ProgramError
    ├── UserError      wrong use or wrong configuration   → exit status 2
    └── TroubleError   the program ran and found trouble  → exit status 1

Each carries complete sentences, one a line, that name the file, the key and the way out.  Only
``cli`` prints them.  A bad log line is never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence


class ProgramError(Exception):
    """Base of both; never raised itself."""

    def __init__(self, lines: str | Sequence[str]) -> None:
        self.lines: tuple[str, ...] = (lines,) if isinstance(lines, str) else tuple(lines)
        super().__init__("\n".join(self.lines))


class UserError(ProgramError):
    """Wrong use or wrong configuration: the user can mend it."""


class TroubleError(ProgramError):
    """The host, the log, the state or a server is not as it should be."""
