"""What begins with ``<``: an export of a Windows event log, other XML, or a line of a log.

What may stand in front of the first element (a declaration, comments, processing instructions) is
passed over; no more is looked at than ``LOOKED_AT``.
"""

from __future__ import annotations

import re
from enum import Enum

LOOKED_AT = 16 * 1024
_FRONT = re.compile(r"\ufeff?\s*(?P<prolog>(?:(?:<\?.*?\?>|<!--.*?-->)\s*)*)", re.DOTALL)
_EVENTS = re.compile(r"<Events?[\s/>]")
_DOCTYPE = re.compile(r"<!DOCTYPE\s", re.IGNORECASE)
_OPEN = re.compile(r"<\?|<!--")
_TAG = re.compile(r"<[A-Za-z_][\w.:-]{0,99}(?:\s[^<>]*)?/?>(?:\s{0,200}(?:\Z|<)|[^<]{1,200}</)")
"""An element, and not a line that has a word in such brackets in front."""
_NAME_MOST = 10
"""Characters that tell the first element, or ``<!DOCTYPE``."""


class Markup(Enum):
    EVENTS = "events"
    DOCTYPE = "doctype"
    OTHER = "other"
    """XML, and no export of event logs."""
    UNDECIDED = "undecided"
    """More of it must be seen."""


def markup_of(head: bytes) -> Markup | None:
    """What begins so; None: no XML."""
    if b"<" not in head[:16]:
        return None
    text = head[:LOOKED_AT].decode(text_encoding(head), "replace")
    front = _FRONT.match(text)
    assert front is not None  # it matches nothing at all as well
    rest = text[front.end() :]
    if _EVENTS.match(rest):
        return Markup.EVENTS
    if _DOCTYPE.match(rest):
        return Markup.DOCTYPE
    if not (front["prolog"] or _OPEN.match(rest)):
        return Markup.OTHER if _TAG.match(rest) else None
    undecided = _OPEN.match(rest) or len(rest) < _NAME_MOST
    return Markup.UNDECIDED if undecided else Markup.OTHER


def text_encoding(head: bytes) -> str:
    """Of a text that begins so: a byte order mark tells, or where the zeros are."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if head[:1] == b"\0" else "utf-8"
