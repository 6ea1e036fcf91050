"""Foreign text made harmless: what a stranger typed must not ring a group, hide or forge a line."""

from __future__ import annotations

import re
import unicodedata

VALUE_LIMIT = 100
_LOOK_AT = 4096  # a longer text is cut before it is looked at: bounded work

# ``<at user_id="all"></at>`` is alive in a Feishu text; ``&`` would bring it back as an entity.
_FULL_WIDTH = {"<": "＜", ">": "＞", "&": "＆"}
# ``[bank](http://…)`` is a link in a Feishu text too, and hides where it leads.
_LINK, _DEAD_LINK = "](", "］("
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cn"})  # controls, invisible formats, private, unassigned
_BLANKS = frozenset({"Zs", "Zl", "Zp"})
# Shown as nothing although Unicode calls them letters, marks or symbols.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)
# Marks above and below a letter; piled up they cover the lines beside their own.
_MARKS = (
    "[\u0300-\u036f\u0483-\u0489\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_PILE = re.compile(f"({_MARKS}{{3}}){_MARKS}+")
_LEFTWARD = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_PLAIN = re.compile(r"[ !-%'-;=?-~]*", re.ASCII)  # printable ASCII without < > &


def harmless(text: str, limit: int = VALUE_LIMIT) -> str:
    """``text`` on one line, without controls, bidirectional overrides and other invisible
    characters, with ``< > &`` and the middle of ``[x](y)`` full-width, at most ``limit`` characters
    (the last one ``…`` when something was cut)."""
    if len(text) <= limit and _LINK not in text and _PLAIN.fullmatch(text):
        return text
    cut = len(text) > _LOOK_AT
    seen = _INVISIBLE.sub("", text[:_LOOK_AT])
    clean = "".join(_one(character) for character in seen).replace(_LINK, _DEAD_LINK)
    clean = _PILE.sub(r"\1", clean)
    if len(clean) > limit or cut:
        return clean[: limit - 1] + "…"
    return clean


def visible(text: str, limit: int = VALUE_LIMIT) -> str:
    """``harmless``, and what nothing can be seen of as ``\ufffd``."""
    return harmless(text, limit) or "\ufffd"


def one_word(text: str) -> str:
    """``visible`` as one word, so that it cannot pass for two."""
    return visible(text).replace(" ", "␣")


def in_order(line: str) -> str:
    """A harmless line of words in the order in which it is written.  A Hebrew or Arabic word would
    draw the numbers behind it, an address, to its other side: a mark of ours (U+200E) ends it."""
    if not _LEFTWARD.search(line):
        return line
    words = line.split(" ")
    return " ".join(f"{word}\u200e" if _LEFTWARD.search(word) else word for word in words)


def _one(character: str) -> str:
    if character in "\n\r\t\v\f\x85":
        return " "
    category = unicodedata.category(character)
    if category in _DROPPED:
        return ""
    if category in _BLANKS:
        return " "
    if category == "Cs":
        return "\ufffd"  # half of a pair cannot be sent as UTF-8
    return _FULL_WIDTH.get(character, character)
