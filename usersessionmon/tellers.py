"""What tells of more than single changes: of the log, of the monitor itself, of passing time."""

from __future__ import annotations

from typing import Protocol

from .model import Batch, Notice


class Teller(Protocol):
    """Asked by the main loop each time it has read; what it gives is saved and queued in the same
    transaction as the place in the log."""

    def turn(self, batch: Batch, now_us: int) -> list[Notice]:
        """The notices that are due, given what was read last.  ``now_us``: microseconds UTC."""

    def patience(self, now_us: int) -> float | None:
        """Seconds until ``turn`` is worth asking although nothing is read; None: never."""

    def save(self) -> dict[str, str]:
        """What is to be kept over a restart, as facts of the state."""
