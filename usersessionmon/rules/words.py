"""What some words of a line must look like: the quick look before its expression is tried.

A word is what stands between two blanks (so it may be empty).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from .fields import HOLES

FREE = frozenset(
    {
        *("user", "claimed", "name", "claimed_name", "key_id", "command", "text", "some_text"),
        *("ending", "padding", "ruser", "sudo_parts", "sudo_more", "sudo_refusal"),
    }
)
"""The holes that may hold blanks."""


class Part(NamedTuple):
    """One piece of a line: literal text, or a hole by its name."""

    text: str
    is_hole: bool


class Word(NamedTuple):
    """What a word may be."""

    text: str
    literal: bool
    """False: ``text`` is a regular expression."""

    def takes(self, word: str) -> bool:
        if self.literal:
            return word == self.text
        return _compiled(self.text).fullmatch(word) is not None


class Words(NamedTuple):
    """The words of a line that are looked at."""

    first: Word
    second: Word
    last: Word


def words_of(parts: Sequence[Part]) -> Words:
    """Every text that is of the line has these words; the reverse need not hold."""
    ahead: list[list[Part]] = [[]]
    for part in parts:
        if part.is_hole:
            ahead[-1].append(part)
            if part.text in FREE:
                ahead.append([Part("text", is_hole=True)])  # any word may come next
                break
        else:
            begun, *more = part.text.split(" ")
            ahead[-1].append(Part(begun, is_hole=False))
            ahead += [[Part(word, is_hole=False)] for word in more]
    second = ahead[1] if len(ahead) > 1 else []
    return Words(_word(ahead[0]), _word(second), _word(_last(parts)))


def _last(parts: Sequence[Part]) -> list[Part]:
    behind: list[Part] = []
    for part in reversed(parts):
        if part.is_hole:
            behind.insert(0, part)
            if part.text in FREE:
                break
        else:
            _, blank, word = part.text.rpartition(" ")
            behind.insert(0, Part(word, is_hole=False))
            if blank:
                break
    return behind


def _word(parts: Sequence[Part]) -> Word:
    if not any(part.is_hole for part in parts):
        return Word("".join(part.text for part in parts), literal=True)
    return Word("".join(_shape(part) for part in parts), literal=False)


def _shape(part: Part) -> str:
    if not part.is_hole:
        return re.escape(part.text)
    return ".*" if part.text in FREE else f"(?:{HOLES[part.text].shape})"


@cache  # the rules have few words that are no literal text
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)
