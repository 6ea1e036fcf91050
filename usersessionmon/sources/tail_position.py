"""A followed file's position as text: what is saved with everything that was concluded from it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .tail_order import Past
from .tail_part import HEAD_MAX, Mark

FORM = 1


class Position(NamedTuple):
    marks: tuple[Mark, ...]
    """Where to go on, oldest file first; the last one is the file that was read last."""
    behind: Mark | None
    """The file at the path, when nothing was read of it yet: known by its inode only."""
    reader: dict[str, Any]
    """What the line reader remembers."""
    saved_us: int
    """The host's clock (microseconds UTC) when it was made."""
    past: Past = Past()
    """Nothing in a position of an earlier version."""


def save_position(position: Position) -> str:
    return json.dumps({"form": FORM} | position._asdict(), separators=(",", ":"))


def load_position(text: str) -> Position | None:
    """The position, or None when the text is none (of this form)."""
    try:
        data = json.loads(text)
        if data["form"] != FORM or not isinstance(data["reader"], dict):
            return None
        marks = tuple(_mark(*fields) for fields in data["marks"])
        behind = None if data["behind"] is None else _mark(*data["behind"])
        read, seen_ns = data.get("past", Past())
        past = Past(tuple(_mark(*fields) for fields in read), int(seen_ns))
        return Position(marks, behind, data["reader"], int(data["saved_us"]), past)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _mark(
    device: int, inode: int, offset: int, head_size: int, head_hash: str, skipping: bool
) -> Mark:
    if offset < 0 or head_size != min(HEAD_MAX, offset):
        raise ValueError("no position of ours")
    return Mark(
        int(device), int(inode), int(offset), int(head_size), str(head_hash), bool(skipping)
    )
