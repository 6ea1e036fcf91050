"""Changes by hand for the detectors' tests, and a watch that is saved and loaded at will."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from usersessionmon.detect.settings import DetectSettings, MaintenanceSettings, QuietSettings
from usersessionmon.detect.watch import Seen, Watch
from usersessionmon.model import Bout, Change, ChangeKind, Finding, Moment, Oddity, Reason

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
MORNING = 1_795_219_200_000_000 + 8 * HOUR
"""2026-11-21 08:00 UTC, a Saturday."""
TOLD = (ChangeKind.LOGIN, ChangeKind.LOGOUT)


def change(kind: ChangeKind, at: int = 0, **more: Any) -> Change:
    """Something that happened ``at`` microseconds after the morning began."""
    said: dict[str, Any] = {"host": "web-1", "service": "sshd", "user": "alice"}
    said |= {"ip": "198.51.100.7"}
    return Change(kind, Moment(MORNING + at, ""), **{**said, **more})


def login(at: int = 0, **more: Any) -> Change:
    return change(ChangeKind.LOGIN, at, **{"session": f"s{at}", **more})


def logout(at: int = 0, **more: Any) -> Change:
    return change(ChangeKind.LOGOUT, at, **{"reason": Reason.USER, **more})


def failed(at: int = 0, **more: Any) -> Change:
    return change(ChangeKind.LOGIN_FAILED, at, **{"method": "password", **more})


def watch(
    detect: DetectSettings | None = None,
    quiet: QuietSettings | None = None,
    maintenance: MaintenanceSettings | None = None,
    zone: tzinfo = UTC,
    kinds: Collection[ChangeKind] = TOLD,
) -> Watch:
    return Watch(
        detect or DetectSettings(),
        quiet or QuietSettings(),
        maintenance or MaintenanceSettings(),
        zone,
        kinds,
    )


@dataclass
class Saved:
    """What the state's table does with ``drain``, in memory."""

    rows: dict[str, str] = field(default_factory=dict)

    def save(self, taken: Watch) -> None:
        for name, body in taken.drain().items():
            self.rows.pop(name, None)
            if body is not None:
                self.rows[name] = body

    def restart(self, old: Watch, new: Watch) -> Watch:
        self.save(old)
        assert new.load(self.rows.items()) == 0
        return new


def see(taken: Watch, changes: Iterable[Change]) -> list[Seen]:
    return [taken.see(item) for item in changes]


def findings(taken: Watch, *changes: Change) -> tuple[Finding, ...]:
    """What is unusual about the last of the changes."""
    return see(taken, changes)[-1].findings


def oddities(taken: Watch, *changes: Change) -> list[Oddity]:
    return [finding.oddity for finding in findings(taken, *changes)]


def bouts(taken: Watch, changes: Iterable[Change]) -> list[Bout]:
    """All that many failures led to."""
    return [bout for seen in see(taken, changes) for bout in (*seen.over, *seen.begun)]


def short(told: Sequence[Bout]) -> list[str]:
    """``address begins 10`` and ``address over 12``."""
    return [f"{bout.scope} {'over' if bout.over else 'begins'} {bout.times}" for bout in told]
