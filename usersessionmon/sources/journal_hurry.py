"""Seeing a login milliseconds after it was logged, although journald tells only later.

An entry can be read as soon as it is written, but journald wakes its readers 250 to 500 ms later.
logind writes a file in ``/run/systemd/sessions`` when a session begins and, some 50 ms before
PAM's line, when one ends: that is the sign to look very often for a moment.  For all the rest a
look each quarter of a second costs next to nothing.
"""

from __future__ import annotations

from pathlib import Path

from usersessionmon.clock import Clock, WakeUp

from .wake import PathWatcher

SESSIONS = "/run/systemd/sessions"
CALM_SECONDS = 0.25
HASTE_SECONDS = 0.005
HASTE_LASTS = 0.25


class Hurry:
    """How long the journal may be left alone.  ``nudge`` may be called from any thread."""

    def __init__(self, clock: Clock, wake: WakeUp) -> None:
        self._clock = clock
        self._wake = wake
        self._until = float("-inf")
        self._watcher: PathWatcher | None = None

    def watch(self, directory: str) -> str:
        """Be nudged by what happens in ``directory``, now or when it appears.

        Returns why that is not possible, for people, or nothing.
        """
        self._watcher = PathWatcher(self.nudge)
        self._watcher.watch_directory(Path(directory))
        return self._watcher.degraded

    def nudge(self) -> None:
        """Something is about to be logged."""
        self._until = self._clock.monotonic() + HASTE_LASTS
        self._wake()

    def patience(self) -> float:
        """Seconds until the next look."""
        return HASTE_SECONDS if self._clock.monotonic() < self._until else CALM_SECONDS

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
