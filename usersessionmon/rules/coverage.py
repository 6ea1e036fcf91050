"""How much of a log is understood, and what the rest looks like: by shape, with whatever may name a
person or a machine masked, so that the list can be pasted into a bug report.

A word is kept when the rule packs themselves use it, or when it begins a daemon's message;
everything else is masked.  So a name is never shown, at the price of some harmless words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from usersessionmon.model import Record

from .fields import is_ip
from .matcher import RuleSet

MAX_SHAPES = 2000
"""Shapes that are counted apart; they are made of foreign text."""
_MAX_TOKENS = 24
_VERB = re.compile(r"[A-Z][a-z]{1,20}:?")
"""How a daemon's message begins: a capital letter, and nothing that makes up a name."""
_NAME_FIRST = frozenset({"su", "sudo", "sudo-i", "doas", "pkexec"})
"""Programs whose messages may begin with a name."""


class Shape(NamedTuple):
    program: str
    text: str


class Shapes:
    """Counts lines that no rule understands by their shape; bounded, for they are foreign text."""

    def __init__(self, rules: RuleSet, most: int = MAX_SHAPES) -> None:
        self._words = vocabulary(rules)
        self._most = most
        self.counts: Counter[Shape] = Counter()

    def add(self, record: Record) -> Shape:
        """Count a line; its shape."""
        keep_first = record.program not in _NAME_FIRST
        shape = Shape(record.program, mask(record.text, self._words, keep_first=keep_first))
        if shape in self.counts or len(self.counts) < self._most:
            self.counts[shape] += 1
        else:
            self.counts[Shape("…", "…")] += 1
        return shape

    def take(self) -> Counter[Shape]:
        """What was counted since the last call."""
        taken, self.counts = self.counts, Counter()
        return taken


class Coverage:
    """Counts records as they come."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._missed = Shapes(rules)
        self.understood: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()

    @property
    def shapes(self) -> Counter[Shape]:
        return self._missed.counts

    def add(self, records: Iterable[Record]) -> None:
        """Count records of the programs that matter."""
        for record in records:
            if self._rules.match(record) is not None:
                self.understood[record.program] += 1
            else:
                self.missed[record.program] += 1
                self._missed.add(record)


def vocabulary(rules: RuleSet) -> frozenset[str]:
    """The words that the packs' own lines are made of."""
    words: set[str] = set()
    for rule in rules.rules:
        for line in rule.lines:
            for part in line.parts:
                if not part.is_hole:
                    words.update(re.findall(r"[A-Za-z]+", part.text))
    return frozenset(words - {"root"})


def mask(text: str, words: frozenset[str], *, keep_first: bool = True) -> str:
    """A message with addresses, numbers and unknown words replaced: ``{ip}``, ``{number}``,
    ``{word}``, as a rule would write them."""
    head, blank, rest = text[:500].partition(" ")
    shown = [head if keep_first and _VERB.fullmatch(head) else _mask_word(head, words)]
    shown += [_mask_word(word, words) for word in rest.split(" ")[:_MAX_TOKENS]] if blank else []
    if rest.count(" ") >= _MAX_TOKENS:
        shown.append("…")
    return " ".join(shown)


def _mask_word(word: str, words: frozenset[str]) -> str:
    """One blank-separated word: kept, or its kind."""
    bare = word.strip("()[]<>'\",;:.=")
    if not bare:
        return "".join(c for c in word if c.isprintable())
    if is_ip(bare.split("%")[0]):
        kind = "{ip}"
    elif bare.isdigit():
        kind = "{number}"
    else:
        pieces = re.findall(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+", bare)
        known = all(piece in words or not piece[0].isalnum() for piece in pieces)
        kind = bare if known and bare.isascii() and bare.isprintable() else "{word}"
    before, _, after = word.partition(bare)
    return f"{before}{kind}{after}"
