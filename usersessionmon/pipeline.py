"""Records in, changes out: rules, then trust, then sessions.  The one way through.

``run``, ``scan``, ``demo`` and ``rules explain`` all use it, so that they conclude the same.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from usersessionmon.byheart.lane import ByHeart
from usersessionmon.model import Change, Event, Means, Record, SessionView
from usersessionmon.rules.coverage import Shape, Shapes
from usersessionmon.rules.forgeries import Forgeries
from usersessionmon.rules.matcher import RuleSet
from usersessionmon.rules.trust import Verdict, judge
from usersessionmon.sessions.engine import Engine
from usersessionmon.windows.engine import Desktops

MAX_PROGRAMS = 256
"""Programs that are counted apart; their names are foreign text."""
LOG = logging.getLogger("usersessionmon")
_LOSS = Means.LOSS
_NOTHING = Means.NOTHING  # looked up once: this is asked of every line


class Pipeline:
    """The stages without I/O, and what they counted."""

    def __init__(
        self,
        rules: RuleSet,
        engine: Engine,
        mark_boot: Callable[[Record], Record] | None = None,
        shapes: Shapes | None = None,
        desktops: Desktops | None = None,
    ) -> None:
        """``mark_boot`` completes a live text log's records with the boot that the host knows.
        ``shapes`` are told of the lines that no rule understands."""
        self.rules = rules
        self.engine = engine
        self.desktops = desktops or Desktops()
        """The engine for records of Windows event logs; by default that of a replay."""
        self._mark_boot = mark_boot
        self.shapes = shapes
        self.missed: Callable[[Record, Shape], None] = lambda _record, _shape: None
        """Told of the lines that no rule understands, where there are ``shapes``."""
        self._heart = ByHeart(rules, engine)
        self.understood: Counter[str] = Counter()
        self.not_understood: Counter[str] = Counter()
        self.verdicts: Counter[Verdict] = Counter()
        self.forgeries = Forgeries()
        self.losses = 0
        """How often the logger itself said that it dropped lines."""
        self.faults = 0
        """Lines on which the program itself failed; 0, or report it."""

    def process(self, records: Iterable[Record], *, more: bool = False) -> list[Change]:
        """What the records lead to, in order.

        ``more``: others follow, or ``finish``, before anything is asked of the engine; so what is
        known by heart need not be told to it.
        """
        changes: list[Change] = []
        take, counts = self._heart.take, self.understood
        mark = self._mark_boot
        for record in records:
            try:
                if mark is not None:
                    record = mark(record)
                found = take(record) if record.windows is None else self.desktops.take(record)
                if found is None:
                    found = self._one(record)
                elif record.program in counts:
                    counts[record.program] += 1
                else:
                    self._count(counts, record.program)
                if found:
                    changes += found
            except Exception:  # a fault of ours: one line lost is better than all
                self.faults += 1
                LOG.exception("a line of %s could not be dealt with", record.program[:50])
                changes += self.engine.rescue()
        return changes if more else changes + self._heart.settle() + self.engine.rescue()

    def finish(self) -> list[Change]:
        """Nothing follows: conclude all that waits."""
        return self._heart.settle() + self.engine.finish() + self.desktops.finish()

    def tick(self, monotonic: float) -> list[Change]:
        """Time has passed at the log's end (``Engine.tick``, ``Desktops.tick``)."""
        return self.engine.tick(monotonic) + self.desktops.tick(monotonic)

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to conclude; None: nothing waits."""
        waits = (self.engine.patience(monotonic), self.desktops.patience(monotonic))
        return min((wait for wait in waits if wait is not None), default=None)

    def has_news(self) -> bool:
        """Whether there is anything to save."""
        return self.engine.has_news() or self.desktops.has_news()

    def ended(self) -> tuple[SessionView, ...]:
        """The sessions that ended since the last call, for one who saves nothing."""
        return (*self.engine.skim(), *self.desktops.skim())

    def open_sessions(self) -> Iterator[SessionView]:
        """The rows of everybody who is on."""
        for _, view in self.engine.open_sessions():
            yield view
        yield from self.desktops.open_sessions()

    def one(self, record: Record) -> list[Change]:
        """What one record leads to."""
        return self.process((record,))

    def _one(self, record: Record) -> list[Change]:
        table = self.rules.table(record.program)
        if table is None or record.text not in table.quiet:
            event = self.rules.match(record)
            if event is None:
                self._count(self.not_understood, record.program)
                if self.shapes is not None:
                    self.missed(record, self.shapes.add(record))
                return self._heart.pass_by(record)
            if event.means is not _NOTHING:
                self._count(self.understood, record.program)
                return self._feed(event)
            if table is not None:
                table.hush(record.text)
        self._count(self.understood, record.program)
        return self._heart.pass_by(record)

    def _feed(self, event: Event) -> list[Change]:
        if event.record.trusted is not None:  # a text log proves nothing, and is believed
            believed = judge(event, self.verdicts, self.forgeries)
            if believed is None:
                return []
            event = believed
        if event.means is _LOSS:
            self.losses += 1
        return self._heart.feed(event)

    def _count(self, counts: Counter[str], program: str) -> None:
        counts[program if program in counts or len(counts) < MAX_PROGRAMS else "…"] += 1

    @property
    def forged(self) -> int:
        """Lines that were written in the name of a daemon by somebody else."""
        return self.verdicts[Verdict.FORGED]

    def take_counts(self) -> tuple[Counter[str], Counter[str]]:
        """(understood, not understood) by program since the last call."""
        taken = self.understood, self.not_understood
        self.understood, self.not_understood = Counter(), Counter()
        return taken
