"""What a source promises to the main loop.

A source never blocks in ``read``; it says with ``descriptors`` and ``patience`` how it wants to be
waited for.  Its position is opaque text that the loop saves in the same transaction as everything
that was concluded from the records; a source built with that position goes on behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from usersessionmon.model import Batch


class Source(Protocol):
    """A log that is followed."""

    @property
    def name(self) -> str:
        """For people: ``journal`` or the file's path."""

    def read(self, limit: int) -> Batch:
        """Up to ``limit`` records that are there now; never blocks, never raises for what the log
        holds.  With 0 it gives the position where reading begins, as far as there is one.

        Raises TroubleError when the log cannot be read at all (permission, gone).
        """

    def descriptors(self) -> Sequence[int]:
        """File descriptors whose readability means that ``read`` is worth while."""

    def patience(self) -> float:
        """Seconds to wait, at most, before ``read`` is called again anyway."""

    def close(self) -> None:
        """Give everything back.  Safe to call twice."""
