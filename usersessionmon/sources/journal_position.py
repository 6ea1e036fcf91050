"""Where the reading of a journal stands, in a form that survives lost files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeGuard

from .journal_reader import Stamp


@dataclass(frozen=True, slots=True)
class Position:
    """Behind the entry with this cursor and these times.

    The cursor is None where no entry was seen: everything from ``realtime_us`` on is new.
    """

    cursor: str | None
    realtime_us: int
    mono_us: int | None = None
    boot: str | None = None

    def knows(self, stamp: Stamp) -> bool:
        """Was an entry with this stamp read before this position was saved?

        Within one boot the monotonic clock decides, because the other one may be set back.
        """
        realtime_us, mono_us, boot = stamp
        if self.cursor is None:
            return realtime_us < self.realtime_us
        if self.mono_us is not None and boot == self.boot:
            return mono_us <= self.mono_us
        return realtime_us <= self.realtime_us

    def is_at(self, stamp: Stamp) -> bool:
        """Is it the very entry, although its cursor has changed (journald moved it to the disk)?"""
        return stamp == (self.realtime_us, self.mono_us, self.boot)

    def dump(self) -> str:
        return json.dumps(
            {
                "cursor": self.cursor,
                "realtime_us": self.realtime_us,
                "mono_us": self.mono_us,
                "boot": self.boot,
            }
        )


def load(text: str) -> Position | None:
    """A saved position, or None for a text that is none of ours."""
    try:
        saved = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(saved, dict):
        return None
    cursor, realtime_us = saved.get("cursor"), saved.get("realtime_us")
    mono_us, boot = saved.get("mono_us"), saved.get("boot")
    if not _is_time(realtime_us) or not isinstance(cursor, str | None):
        return None
    if not (mono_us is None or _is_time(mono_us)) or not isinstance(boot, str | None):
        return None
    return Position(cursor, realtime_us, mono_us, boot)


def _is_time(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63
