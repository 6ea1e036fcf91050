"""From changes to notices: what is unusual about each, what many failures add up to, and what is
not told because somebody configured it so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from usersessionmon.detect.fold_settings import FoldSettings
from usersessionmon.detect.folding import Folding
from usersessionmon.detect.purposes import plain
from usersessionmon.detect.stay import Told
from usersessionmon.detect.watch import Watch
from usersessionmon.model import Bout, Change, ChangeKind, Company, Finding, Notice


@dataclass(frozen=True, slots=True)
class Telling:
    """``told_us``: what happened until then is known to people already, and is not told again; the
    detectors learn from it all the same."""

    word: Callable[[Change, Sequence[Finding]], Notice]
    tell: Callable[[Bout], Notice]
    kinds: frozenset[ChangeKind]
    watch: Watch
    """It saves what ``folding`` remembers, too."""
    folding: Folding = field(default_factory=lambda: Folding(FoldSettings()))
    accompany: Callable[[Notice, Change, Company], Notice] = lambda notice, _change, _with: notice
    """Adds to a notice what goes with its change."""

    def __post_init__(self) -> None:
        self.watch.keep(self.folding.shelves)

    def of(self, changes: Iterable[Change], told_us: int | None) -> list[Notice]:
        """The notices that follow from changes, in order."""
        notices: list[Notice] = []
        for change in changes:
            seen = self.watch.see(change)
            notices += self._bouts(seen.over, told_us)
            news = _is_news(change.time.us, told_us)
            notices += self._told(self.folding.see(change, seen, news=news), told_us)
            notices += self._bouts(seen.begun, told_us)
        return notices

    def tick(self, monotonic: float, told_us: int | None) -> list[Notice]:
        """Time has passed at the log's end (``Watch.tick``, ``Presences.tick``)."""
        told = self._told(self.folding.presences.tick(monotonic), told_us)
        return [*self._bouts(self.watch.tick(monotonic), told_us), *told]

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to tell; None: nothing waits."""
        waits = (self.watch.patience(monotonic), self.folding.presences.patience(monotonic))
        return min((wait for wait in waits if wait is not None), default=None)

    def facts(self) -> dict[str, str]:
        """What ``status`` shows."""
        return {
            "quieted": str(self.watch.quieted),
            "in_maintenance": str(self.watch.in_maintenance),
            "folded": str(self.folding.folded),
            "purposes": json.dumps(plain(self.folding.purposes.tallies())),
        }

    def _told(self, told: Iterable[Told], told_us: int | None) -> list[Notice]:
        return [
            self._worded(one)
            for one in told
            if one.change.kind in self.kinds and _is_news(one.at_us, told_us)
        ]

    def _worded(self, told: Told) -> Notice:
        """A departure is shown with the times of the whole stay."""
        change, company = told.change, told.company
        shown = change
        if company is not None and company.connections:
            shown = change._replace(duration=company.duration, login_time=company.begun)
        notice = self.word(shown, told.findings)
        if told.at_us > change.time.us:
            notice = replace(notice, clear_us=told.at_us)
        return notice if company is None else self.accompany(notice, change, company)

    def _bouts(self, bouts: Iterable[Bout], told_us: int | None) -> list[Notice]:
        return [self.tell(bout) for bout in bouts if _is_news(bout.at_us, told_us)]


def _is_news(us: int, told_us: int | None) -> bool:
    return told_us is None or us > told_us
