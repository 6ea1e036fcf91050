"""Which rules' lines may match a message: found by its first, second and last word and by a piece
of text, so that few are tried.  It leaves out only what cannot match; the order decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from usersessionmon.model import Means

from .pack import RuleSpec, ServiceSpec
from .template import Line
from .words import Word

MEMO = 4096
"""Foreign words that are remembered at most."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule."""

    name: str
    pack: str
    file: str
    service: str
    means: Means
    spec: RuleSpec
    lines: tuple[Line, ...]
    services: Mapping[str, ServiceSpec]


@dataclass(frozen=True, slots=True)
class Candidate:
    line: Line
    rule: Rule


class Marked(NamedTuple):
    """A candidate with a text that must be in the message: a quick look before the long one."""

    mark: str
    candidate: Candidate


class Choice:
    """The candidates for messages with a certain first word, in order, and which of them are worth
    trying by a message's second and last word.

    Only words that stand in a rule tell apart, so this cannot grow by foreign text.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        words = [candidate.line.words for candidate in candidates]
        self._seconds = frozenset(each.second.text for each in words if each.second.literal)
        self._lasts = frozenset(each.last.text for each in words if each.last.literal)
        self._known: dict[tuple[str | None, str | None], tuple[Marked, ...]] = {}

    def of_words(self, second: str, last: str) -> tuple[Marked, ...]:
        """What may match a message with this second and last word."""
        key = (
            second if second in self._seconds else None,
            last if last in self._lasts else None,
        )
        known = self._known.get(key)
        if known is None:
            left = [
                candidate
                for candidate in self._candidates
                if _may_be(candidate.line.words.second, key[0])
                and _may_be(candidate.line.words.last, key[1])
            ]
            known = self._known[key] = tuple(Marked(_mark(each, left), each) for each in left)
        return known


def _mark(candidate: Candidate, among: Sequence[Candidate]) -> str:
    """The literal text of a line that the fewest of these have as well."""
    texts = [part.text for part in candidate.line.parts if not part.is_hole]
    return min(texts, key=lambda text: sum(text in each.line.source for each in among), default="")


def _may_be(word: Word, text: str | None) -> bool:
    """None: a text that is no rule's own."""
    return not word.literal if text is None else word.takes(text)


@dataclass(slots=True)
class ProgramTable:
    """The candidates of one program, the most literal first, found by a message's words."""

    candidates: tuple[Candidate, ...]
    choices: dict[str, Choice] = field(default_factory=dict)
    """By first word; bounded, because that is foreign text."""
    shared: dict[tuple[int, ...], Choice] = field(default_factory=dict)
    """By the candidates' indexes: many first words have the same ones."""

    def of_word(self, word: str) -> Choice:
        """What may match a message with this first word, which ``choices`` then has."""
        indexes = tuple(
            index
            for index, candidate in enumerate(self.candidates)
            if candidate.line.words.first.takes(word)
        )
        choice = self.shared.get(indexes)
        if choice is None:
            choice = Choice([self.candidates[index] for index in indexes])
            self.shared[indexes] = choice
        if len(self.choices) >= MEMO:
            self.choices.clear()
        self.choices[word] = choice
        return choice
