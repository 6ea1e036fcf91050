"""What is told of a followed file: each thing once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from usersessionmon.clock import Clock

ABSENT = 2.0
"""Seconds without the file before it is said: between renaming and making anew there is a gap."""
GONE = (FileNotFoundError, NotADirectoryError)


class Notes:
    """Collects sentences; remembers what is wrong, so that only a change is told."""

    def __init__(self, path: Path, zone: tzinfo, clock: Clock) -> None:
        self.trouble = ""
        """Why the file cannot be read; empty when it can."""
        self._path = path
        self._zone = zone
        self._clock = clock
        self._pending: list[str] = []
        self._failed = False
        self._absent_since: float | None = None

    def collect(self) -> tuple[str, ...]:
        """What there is to tell since the last time."""
        pending, self._pending = self._pending, []
        self._failed = False
        return tuple(pending)

    def say(self, text: str, about: Path | None = None) -> None:
        self._pending.append(f"{about or self._path}: {text}")

    def failed(self, error: OSError) -> None:
        """The file is there and cannot be opened or read."""
        self._failed = True
        self._wrong(f"cannot be read: {error.strerror}")

    def absent(self, *, at_once: bool) -> None:
        """The file is not there; ``at_once``: not in the middle of a rotation."""
        now = self._clock.monotonic()
        if self._absent_since is None:
            self._absent_since = now
        if at_once or now - self._absent_since >= ABSENT:
            self._wrong("is not there; waiting for it")

    def present(self) -> None:
        """The file is there and open."""
        self._absent_since = None
        if self.trouble and not self._failed:
            self.trouble = ""
            self.say("can be read again")

    def missing_since(self, us: int) -> None:
        shown = "an unknown time"
        with suppress(OverflowError, ValueError):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
            shown = moment.astimezone(self._zone).isoformat(" ", "seconds")
        self.say(
            f"the file that was read last is not there any more: lines written since {shown} "
            "may be missing"
        )

    def _wrong(self, text: str) -> None:
        if text != self.trouble:
            self.trouble = text
            self.say(text)
