"""From changes to notices: what is unusual about each, what many failures add up to, and what is
not told because somebody configured it so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from usersessionmon.detect.watch import Watch
from usersessionmon.model import Bout, Change, ChangeKind, Finding, Notice


@dataclass(frozen=True, slots=True)
class Telling:
    """``told_us``: what happened until then is known to people already, and is not told again; the
    detectors learn from it all the same."""

    word: Callable[[Change, Sequence[Finding]], Notice]
    tell: Callable[[Bout], Notice]
    kinds: frozenset[ChangeKind]
    watch: Watch

    def of(self, changes: Iterable[Change], told_us: int | None) -> list[Notice]:
        """The notices that follow from changes, in order."""
        notices: list[Notice] = []
        for change in changes:
            seen = self.watch.see(change)
            notices += self._bouts(seen.over, told_us)
            if change.kind in self.kinds and not seen.silent and _is_news(change.time.us, told_us):
                notices.append(self.word(change, seen.findings))
            notices += self._bouts(seen.begun, told_us)
        return notices

    def tick(self, monotonic: float, told_us: int | None) -> list[Notice]:
        """Time has passed at the log's end (``Watch.tick``)."""
        return self._bouts(self.watch.tick(monotonic), told_us)

    def facts(self) -> dict[str, str]:
        """What ``status`` shows."""
        return {
            "quieted": str(self.watch.quieted),
            "in_maintenance": str(self.watch.in_maintenance),
        }

    def _bouts(self, bouts: Iterable[Bout], told_us: int | None) -> list[Notice]:
        return [self.tell(bout) for bout in bouts if _is_news(bout.at_us, told_us)]


def _is_news(us: int, told_us: int | None) -> bool:
    return told_us is None or us > told_us
