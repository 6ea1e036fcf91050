"""What a line of a rule may cost at most: an outsider chooses the text that it is tried on.

A hole that may hold the text behind it has many ends that must all be tried, and the ways of
several such holes multiply.  A line with too many ways is refused when the rules are loaded.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from functools import cache

from usersessionmon.errors import UserError

from .fields import HOLES
from .words import FREE, Part

MAX_TEXT = 2048
"""Characters of a message that are looked at; sshd cuts at 500, sudo at 980 (syslog_maxlen)."""
MAX_FREE = 3
MAX_STEPS = 40_000_000
"""Steps of the expression on the worst text: a few tenths of a second, and no minutes."""
_BOUND = re.compile(r"\{[0-9]*,?([0-9]+)\}")
_BLANKS = "padding"
"""The one hole that may stand before another: it holds blanks and the other does not."""


def check_bounds(source: str, parts: Sequence[Part]) -> None:
    """Raises UserError for a line whose holes could be filled in too many ways."""
    for one, two in itertools.pairwise(parts):
        if one.is_hole and two.is_hole and (one.text != _BLANKS or two.text in FREE):
            raise UserError(
                f"{source!r}: {{{one.text}}} and {{{two.text}}} need text between them, or nobody "
                "can say where the one ends"
            )
    free = [part for part in parts if part.is_hole and part.text in FREE - {_BLANKS}]
    if len(free) > MAX_FREE:
        raise UserError(
            f"{source!r}: {len(free)} holes of free text; more than {MAX_FREE} could take minutes "
            "on a text made for it"
        )
    if _steps(parts) > MAX_STEPS:
        raise UserError(
            f"{source!r}: its holes could be filled in so many ways that a text made for it takes "
            "minutes: use fewer holes, or holes that cannot hold the text behind them ({word} "
            "before a blank)"
        )


def _steps(parts: Sequence[Part]) -> float:
    """About how many steps the expression of a line takes on the worst text."""
    free: list[int] = []
    """For each hole of free text with text behind it: how far apart two ends of it are."""
    bounded = 1.0
    for index, (hole, literal) in enumerate(itertools.pairwise(parts)):
        if not hole.is_hole or literal.is_hole:
            continue
        reach, apart = _reach(hole.text), _period(literal.text)
        if not all(_holds(hole.text, character) for character in literal.text[:apart]):
            continue
        if reach is None and index + 2 == len(parts):
            continue  # the line's end, which is looked at first (``Line.match``)
        if reach is None:
            free.append(max(apart, _rarest(parts[index + 1 :])))
        else:
            bounded *= max(1.0, reach / apart)
    ways = math.prod(MAX_TEXT / (number * apart) for number, apart in enumerate(free[:-1], 1))
    last = MAX_TEXT / len(free) if free else 1.0  # the last one's every end is looked at
    return ways * last * bounded


def _rarest(parts: Sequence[Part]) -> int:
    """Of the texts up to the next hole of free text, how far apart the rarest must stand."""
    longest = 1
    for part in parts:
        if not part.is_hole:
            longest = max(longest, _period(part.text))
        elif _reach(part.text) is None:
            break
    return longest


def _period(text: str) -> int:
    """How far apart two places of a text are at least: ``abab`` may begin again after 2."""
    return next(shift for shift in range(1, len(text) + 1) if text.startswith(text[shift:]))


@cache
def _reach(hole: str) -> int | None:
    """How many characters a hole holds at most; None: any number."""
    shape = HOLES[hole].shape
    if hole in FREE - {_BLANKS}:
        return None
    return max([int(bound) for bound in _BOUND.findall(shape)], default=1)


@cache
def _holds(hole: str, character: str) -> bool:
    """Whether a character may stand within a hole."""
    if _reach(hole) is None:
        return True
    shape = re.compile(HOLES[hole].shape)
    texts = (character * times for times in (1, 2, 3))
    return any(map(shape.fullmatch, (*texts, f"SHA256:{character}")))
