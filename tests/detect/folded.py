"""What the tests of folding share: a telling whose notices are seen as what they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from usersessionmon.detect.fold_settings import FoldSettings
from usersessionmon.detect.folding import Folding
from usersessionmon.detect.settings import (
    AbnormalSettings,
    DetectSettings,
    FirstFromSettings,
    FirstLoginSettings,
    HourSettings,
    LengthSettings,
    MaintenanceSettings,
    PlacesSettings,
    QuietSettings,
    RootSettings,
)
from usersessionmon.detect.stay import Told
from usersessionmon.model import Change, ChangeKind

from .people import Saved, watch

BLIND = DetectSettings(
    first_from=FirstFromSettings(enabled=False),
    first_login=FirstLoginSettings(enabled=False),
    root_password=RootSettings(enabled=False),
    hours=HourSettings(enabled=False),
    two_places=PlacesSettings(enabled=False),
    session_length=LengthSettings(enabled=False),
    abnormal_logout=AbnormalSettings(enabled=False),
)
"""Nothing is unusual but what is abnormal."""


@dataclass
class Folded:
    """A folding behind a watch, which can be started again at will."""

    settings: FoldSettings
    detect: DetectSettings = BLIND
    quiet: QuietSettings = field(default_factory=QuietSettings)
    maintenance: MaintenanceSettings = field(default_factory=MaintenanceSettings)
    saved: Saved = field(default_factory=Saved)

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.watch = watch(self.detect, self.quiet, self.maintenance)
        self.folding = Folding(self.settings)
        self.watch.keep(self.folding.shelves)

    def restart(self, settings: FoldSettings | None = None) -> None:
        self.saved.save(self.watch)
        self.settings = settings or self.settings
        self._open()
        assert self.watch.load(self.saved.rows.items()) == 0

    def see(self, *changes: Change, news: bool = True) -> list[Told]:
        return [
            told
            for change in changes
            for told in self.folding.see(change, self.watch.see(change), news=news)
        ]

    def last(self) -> list[Told]:
        """What is told when nothing happens any more."""
        self.folding.presences.tick(0.0)
        return self.folding.presences.tick(1e6)


def short(told: Iterable[Told]) -> list[str]:
    """``login s1``, ``logout s1 +2`` (others are on), ``logout s3 x12`` (of twelve)."""
    found = []
    for one in told:
        words = [one.change.kind.value, str(one.change.session)]
        if one.company is not None and one.company.others:
            words.append(f"+{one.company.others}")
        if one.company is not None and one.company.connections:
            words.append(f"x{one.company.connections}")
        found.append(" ".join(words))
    return found


def of(told: Iterable[Told], kind: ChangeKind) -> list[Change]:
    return [one.change for one in told if one.change.kind is kind]
