"""How much of the log is understood of late, against what is usual: told when it falls.

Whoever may write odd lines decides how many there are; how often people are told is not his choice.
Where the journal proves that a line is not root's, it does not count as one that should have been
understood.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from usersessionmon.model import Batch, Notice, Record
from usersessionmon.rules.coverage import Shape

BUCKET_US = 300_000_000
WINDOW_US = 3_600_000_000
LEAST, ENOUGH = 50, 200
"""Lines from which on a share means something, and at which no older ones are looked at."""
KNOWN_LEAST, KNOWN_MOST = 500, 20_000
"""Lines from which on what is usual is known, and beyond which half of them is forgotten."""
FALLEN, BACK = 0.8, 0.9
"""Of the usual share: below the one it has fallen, from the other on it is back."""
PAUSE_US = 6 * 3_600_000_000
"""From one notice that it has fallen to the next."""
SHAPES, SHAPE_LENGTH, SHOWN = 8, 100, 5
FACT, SINCE = "understanding", "coverage_fallen_us"
"""Names of what is kept among the state's facts; the second is for ``status``."""
_OTHERS = Shape("…", "…")


class Fallen(NamedTuple):
    """What people are told.  Moments are microseconds UTC."""

    over: bool
    since_us: int
    understood: int
    total: int
    usual: float
    """The share that is usual, 0 to 1."""
    programs: tuple[tuple[str, int], ...]
    """With their lines that were not understood, most first."""
    shapes: tuple[tuple[str, str, int], ...]
    """(program, shape, lines), most first."""


class _Sum:
    """Lines of some time: how many were understood, and what the others look like; bounded."""

    def __init__(self, since_us: int, good: int = 0, bad: int = 0) -> None:
        self.since_us = since_us
        self.good = good
        self.bad = bad
        self.shapes: Counter[Shape] = Counter()

    @property
    def total(self) -> int:
        return self.good + self.bad

    def add(self, good: int, shapes: Iterable[tuple[Shape, int]]) -> None:
        self.good += good
        for shape, lines in shapes:
            cut = Shape(shape.program[:SHAPE_LENGTH], shape.text[:SHAPE_LENGTH])
            known = cut in self.shapes or len(self.shapes) < SHAPES
            self.shapes[cut if known else _OTHERS] += lines
            self.bad += lines

    def dump(self) -> list[Any]:
        return [self.since_us, self.good, self.bad, [[*one, n] for one, n in self.shapes.items()]]

    @classmethod
    def load(cls, kept: list[Any]) -> _Sum:
        made = cls(int(kept[0]), int(kept[1]), int(kept[2]))
        for program, text, lines in kept[3]:
            made.shapes[Shape(str(program), str(text))] = int(lines)
        return made


@dataclass(slots=True)
class _Fall:
    """It has fallen, and is not back."""

    usual: float
    """The share before."""
    by: _Sum
    """The lines that show it best: the last that were enough."""
    after: _Sum
    """Lines since these."""
    told: bool = False

    def dump(self) -> list[Any]:
        return [self.usual, self.by.dump(), self.after.dump(), self.told]

    @classmethod
    def load(cls, kept: list[Any]) -> _Fall:
        return cls(float(kept[0]), _Sum.load(kept[1]), _Sum.load(kept[2]), bool(kept[3]))


def lately(facts: Mapping[str, str]) -> tuple[int, int]:
    """(understood, all) of the lines that are looked at now, for ``status``."""
    kept = _kept(facts)
    if kept is None:
        return 0, 0
    _, window, fall, _ = kept
    sums = [*window] if fall is None else [fall.after if fall.after.total else fall.by]
    return sum(one.good for one in sums), sum(one.total for one in sums)


def _kept(
    facts: Mapping[str, str],
) -> tuple[_Sum, deque[_Sum], _Fall | None, int | None] | None:
    """What ``save`` gave; None when there is nothing, or what cannot be understood."""
    try:
        kept = json.loads(facts.get(FACT) or "null")
        if kept is None:
            return None
        known, window, fall, told_us = kept
        return (
            _Sum.load(known),
            deque(_Sum.load(one) for one in window),
            None if fall is None else _Fall.load(fall),
            None if told_us is None else int(told_us),
        )
    except (ValueError, TypeError, IndexError):
        return None


class Understanding:
    """Compares the last lines with all that came before."""

    def __init__(
        self, understood: Callable[[], int], word: Callable[[Fallen, int], Notice]
    ) -> None:
        """``understood`` gives how many of a batch's lines were; the others are told to ``missed``.
        ``word`` makes the notice, its second argument is the present (microseconds UTC)."""
        self._understood = understood
        self._word = word
        self._new: Counter[Shape] = Counter()
        self._known = _Sum(0)
        self._window: deque[_Sum] = deque()
        self._fall: _Fall | None = None
        self._told_us: int | None = None
        self._kept = ""

    # --- over a restart

    def load(self, facts: Mapping[str, str]) -> None:
        """Go on where ``save`` left off; what cannot be understood is as if nothing were there."""
        kept = _kept(facts)
        if kept is not None:
            self._known, self._window, self._fall, self._told_us = kept

    def save(self) -> dict[str, str]:
        """What is to be kept, as facts."""
        if not self._kept:
            window = [one.dump() for one in self._window]
            fall = None if self._fall is None else self._fall.dump()
            self._kept = json.dumps([self._known.dump(), window, fall, self._told_us])
        since = "" if self._fall is None else str(self._fall.by.since_us)
        return {FACT: self._kept, SINCE: since}

    # --- lines

    def missed(self, record: Record, shape: Shape) -> None:
        """A line of a program that matters, and no rule understands it."""
        if record.trusted is None or not record.trusted.uid:
            self._new[shape] += 1

    def patience(self, _now_us: int) -> float | None:
        """Only lines change anything."""
        return None

    def wrongs(self) -> Iterator[str]:
        """For ``Health``."""
        if self._fall is not None:
            yield "far fewer lines of the log are understood than usual"

    def turn(self, batch: Batch, now_us: int) -> list[Notice]:
        """The notice that is due, or none."""
        shapes, self._new = self._new, Counter()
        good = self._understood() if batch.records else 0
        if not good and not shapes:
            return []
        self._kept = ""
        if self._fall is None:
            self._bucket(now_us).add(good, shapes.items())
            self._fall = self._found(now_us)
        else:
            self._fall.after.add(good, shapes.items())
        return [] if self._fall is None else self._told(self._fall, now_us)

    def _bucket(self, now_us: int) -> _Sum:
        """Where lines of this moment are counted.  What is too old, or of a time to come, is from
        now on what is usual."""
        while self._window and not 0 <= now_us - self._window[0].since_us < WINDOW_US:
            old = self._window.popleft()
            self._known.good += old.good
            self._known.bad += old.bad
        if self._known.total > KNOWN_MOST:
            self._known.good //= 2
            self._known.bad //= 2
        start = now_us - now_us % BUCKET_US
        if not self._window or self._window[-1].since_us != start:
            self._window.append(_Sum(start))
        return self._window[-1]

    # --- what follows

    def _found(self, now_us: int) -> _Fall | None:
        recent = _Sum(now_us)
        for one in reversed(self._window):
            recent.add(one.good, one.shapes.items())
            if recent.total >= ENOUGH:
                break
        usual = self._known.good / self._known.total if self._known.total >= KNOWN_LEAST else 1.0
        if recent.total < LEAST or recent.good >= usual * FALLEN * recent.total:
            return None
        self._window.clear()
        return _Fall(usual, recent, _Sum(now_us))

    def _told(self, fall: _Fall, now_us: int) -> list[Notice]:
        """The notice of a fall or of its end, if it is due."""
        if fall.after.total >= LEAST:
            if fall.after.good >= fall.usual * BACK * fall.after.total:
                self._fall = None
                return [self._notice(fall, fall.after, now_us)] if fall.told else []
            fall.after.since_us = fall.by.since_us
            fall.by, fall.after = fall.after, _Sum(now_us)
        if fall.told or not (self._told_us is None or abs(now_us - self._told_us) >= PAUSE_US):
            return []
        fall.told, self._told_us = True, now_us
        return [self._notice(fall, fall.by, now_us)]

    def _notice(self, fall: _Fall, lines: _Sum, now_us: int) -> Notice:
        programs: Counter[str] = Counter()
        for shape, count in lines.shapes.items():
            programs[shape.program] += count
        told = Fallen(
            over=self._fall is None,
            since_us=fall.by.since_us,
            understood=lines.good,
            total=lines.total,
            usual=fall.usual,
            programs=tuple(programs.most_common(SHOWN)),
            shapes=tuple((*shape, count) for shape, count in lines.shapes.most_common(SHOWN)),
        )
        return self._word(told, now_us)
