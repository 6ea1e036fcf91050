"""Which logins and logouts are told by themselves, which as a person's arrival and departure, and
which only in a day's sum.

Nothing is folded that is unusual: what is abnormal, doubted, or has a finding is told in its own
notice, whoever it is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from usersessionmon.model import Change, ChangeKind

from .fold_settings import FoldSettings
from .presence import Presences
from .purposes import Purposes
from .shelf import Shelf
from .stay import Told, is_unusual, told_alone
from .watch import Seen


class Folding:
    """Both kinds of folding; a connection with a purpose is no part of a person's stay."""

    def __init__(self, settings: FoldSettings) -> None:
        self.presences = Presences(settings)
        self.purposes = Purposes(settings)
        self._of_purposes = 0

    @property
    def shelves(self) -> Sequence[Shelf[Any]]:
        return (*self.presences.shelves, *self.purposes.shelves)

    @property
    def folded(self) -> int:
        """Changes that were not told by themselves."""
        return self.presences.folded + self._of_purposes

    def see(self, change: Change, seen: Seen, *, news: bool) -> list[Told]:
        """What is to be told after a change, in order.  ``news``: False for what was told before,
        which is counted already."""
        told = self.presences.advance(change.host, change.time.us)
        findings, silent = seen.findings, seen.silent
        if change.kind is ChangeKind.ELEVATION:
            return [*told, *told_alone(change, findings, silent=silent)]
        of_person = self.presences.knows(change)
        if seen.quiet and not of_person and not self.purposes.knows(change):
            return [*told, *told_alone(change, findings, silent=silent)]
        purpose = None if of_person else self.purposes.of(change)
        if purpose is not None:
            return [*told, *self._counted(purpose, change, seen, news=news)]
        if change.kind is ChangeKind.LOGIN:
            return [*told, *self.presences.login(change, findings, silent=silent)]
        if change.kind is ChangeKind.LOGOUT:
            return [*told, *self.presences.logout(change, findings, silent=silent)]
        return [*told, *told_alone(change, findings, silent=silent)]

    def _counted(self, purpose: str, change: Change, seen: Seen, *, news: bool) -> list[Told]:
        if self.purposes.is_told(purpose):
            return told_alone(change, seen.findings, silent=seen.silent)
        alone = is_unusual(change, seen.findings)
        if news and not seen.quiet:
            self.purposes.count(purpose, change, alone=alone)
        if alone:
            return told_alone(change, seen.findings, silent=seen.silent)
        self._of_purposes += change.kind is not ChangeKind.LOGIN_FAILED and not seen.silent
        return []
