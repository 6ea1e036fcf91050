"""A notice that is too long for a channel, as two."""

from __future__ import annotations

import re
from dataclasses import replace

from usersessionmon.model import Notice

from .sanitize import VALUE_LIMIT

_PART = re.compile(r"（([0-9.]+)/2）$")
"""``（1/2）``; of what was split again ``（1.2/2）``, the second half of the first."""


LONG = 1500
"""Bytes.  A shorter one is refused for something else than its length, and stays whole."""


def halves(notice: Notice) -> tuple[Notice, Notice] | None:
    """Both are worded as the whole was; None when there is only one line to it, or it is not long.

    People are called, and programs told, by the first alone.
    """
    middle = (len(notice.pairs) + 1) // 2
    if middle == len(notice.pairs) or _size(notice) < LONG:
        return None
    first, second = _marks(notice.title)
    return (
        replace(
            notice,
            title=_marked(notice.title, first),
            pairs=notice.pairs[:middle],
            digest=_marked(notice.digest, first),
        ),
        replace(
            notice,
            title=_marked(notice.title, second),
            pairs=notice.pairs[middle:],
            digest=_marked(notice.digest, second),
            people=(),
            event="",
        ),
    )


def _size(notice: Notice) -> int:
    """Bytes of its text, without what is cut of each value."""
    return sum(
        len(name.encode("utf-8", "replace")) + len(value[:VALUE_LIMIT].encode("utf-8", "replace"))
        for name, value in notice.pairs
    )


def _marks(title: str) -> tuple[str, str]:
    found = _PART.search(title)
    before = f"{found[1]}." if found else ""
    return f"（{before}1/2）", f"（{before}2/2）"


def _marked(text: str, mark: str) -> str:
    return _PART.sub("", text) + mark
