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
_QUIET = 160


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


class Ends(NamedTuple):
    """The candidates for messages with a certain beginning, by their last word."""

    known: dict[str, tuple[Marked, ...]]
    other: tuple[Marked, ...]
    """For a last word that is no rule's own."""


class Choice:
    """The candidates for messages with a certain first word, in order, and which of them are worth
    trying by a message's second and last word.

    Only words that stand in a rule tell apart, so this cannot grow by foreign text.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        words = [candidate.line.words for candidate in candidates]
        self.seconds = frozenset(each.second.text for each in words if each.second.literal)
        self._lasts = frozenset(each.last.text for each in words if each.last.literal)
        self._ends: dict[str | None, Ends] = {}

    def of_second(self, word: str) -> Ends:
        """What may match a message with this second word."""
        second = word if word in self.seconds else None
        ends = self._ends.get(second)
        if ends is None:
            known = {last: self._marked(second, last) for last in self._lasts}
            ends = self._ends[second] = Ends(known, self._marked(second, None))
        return ends

    def _marked(self, second: str | None, last: str | None) -> tuple[Marked, ...]:
        left = [
            candidate
            for candidate in self._candidates
            if _may_be(candidate.line.words.second, second)
            and _may_be(candidate.line.words.last, last)
        ]
        return tuple(Marked(_mark(each, left), each) for each in left)


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
    quiet: set[str] = field(default_factory=set)
    """Whole messages that are known to mean nothing; bounded."""
    _choices: dict[str, Choice] = field(default_factory=dict)
    """By first word; bounded, because that is foreign text."""
    _shared: dict[tuple[int, ...], Choice] = field(default_factory=dict)
    """By the candidates' indexes: many first words have the same ones."""
    _beginnings: dict[str, Ends] = field(default_factory=dict)
    """By the first two words, where the second is a rule's own; bounded."""

    def worth(self, text: str) -> tuple[Marked, ...]:
        """The candidates worth trying for a message."""
        end = text.find(" ", text.find(" ") + 1)
        beginning = text[:end] if end >= 0 else text
        ends = self._beginnings.get(beginning) or self._of_beginning(beginning)
        return ends.known.get(text[text.rfind(" ") + 1 :], ends.other)

    def hush(self, text: str) -> None:
        """Remember that this message means nothing; a long one is foreign text."""
        if len(text) > _QUIET:
            return
        if len(self.quiet) >= MEMO:
            self.quiet.clear()
        self.quiet.add(text)

    def _of_beginning(self, beginning: str) -> Ends:
        first, _, second = beginning.partition(" ")
        choice = self._choices.get(first) or self._of_word(first)
        ends = choice.of_second(second)
        if second in choice.seconds:
            if len(self._beginnings) >= MEMO:
                self._beginnings.clear()
            self._beginnings[beginning] = ends
        return ends

    def _of_word(self, word: str) -> Choice:
        """What may match a message with this first word, which ``_choices`` then has."""
        indexes = tuple(
            index
            for index, candidate in enumerate(self.candidates)
            if candidate.line.words.first.takes(word)
        )
        choice = self._shared.get(indexes)
        if choice is None:
            choice = Choice([self.candidates[index] for index in indexes])
            self._shared[indexes] = choice
        if len(self._choices) >= MEMO:
            self._choices.clear()
        self._choices[word] = choice
        return choice
