"""Numbers among the state's facts, which are texts."""

from __future__ import annotations


def whole(text: str | None) -> int | None:
    """None for what is no number, so that a damaged fact is as one that is not there."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 20):
        return None
    return int(text)
