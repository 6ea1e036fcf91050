"""When the monitor was last alive, and what follows when that is long ago."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from usersessionmon.model import Batch, Notice

from .numbers import whole

ALIVE, BOOT, STOPPED = "alive_us", "boot", "stopped_us"
DOWN_FROM, DOWN_TO = "down_from_us", "down_to_us"
"""Names of what is kept among the state's facts."""


class Down(NamedTuple):
    """A time in which nobody watched.  Moments are microseconds UTC."""

    from_us: int
    to_us: int
    rebooted: bool | None
    """Whether the host was; None: it cannot be told."""
    in_order: bool
    """Somebody had stopped the monitor."""

    def facts(self) -> dict[str, str]:
        """For ``status``."""
        return {DOWN_FROM: str(self.from_us), DOWN_TO: str(self.to_us)}


def down_of(
    kept: Mapping[str, str], now_us: int, boot: str | None, least_seconds: float
) -> Down | None:
    """What the facts of the last life say; None when it ended just now, or never was."""
    alive_us = whole(kept.get(ALIVE))
    if alive_us is None or now_us - alive_us <= least_seconds * 1_000_000:
        return None
    before = kept.get(BOOT)
    rebooted = before != boot if before and boot else None
    return Down(alive_us, now_us, rebooted, bool(kept.get(STOPPED)))


def begun(now_us: int, boot: str | None) -> dict[str, str]:
    """What is kept at the beginning of a life, together with what is told of the last one."""
    return {ALIVE: str(now_us), BOOT: boot or "", STOPPED: ""}


class Alive:
    """Keeps when the main loop last turned, whenever something is saved."""

    def __init__(self, now_us: int) -> None:
        self._alive_us = now_us

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        self._alive_us = now_us
        return []

    def patience(self, _now_us: int) -> float | None:
        return None

    def save(self) -> dict[str, str]:
        return {ALIVE: str(self._alive_us)}
