"""What examples of notices are made with: a server, a moment, a login and a logout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from usersessionmon.model import Change, ChangeKind, Finding, Moment, Notice, Reason

from .words import Server

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
KEY = "SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE"
ADDRESS, STRANGER = "198.51.100.7", "203.0.113.9"


@dataclass(frozen=True, slots=True)
class Stage:
    """What examples are made with."""

    server: Server
    word: Callable[[Change, Sequence[Finding]], Notice]
    """A change in words, as the configuration has it."""
    now_us: int

    def at(self, ago_us: int = 0) -> Moment:
        us = self.now_us - ago_us
        return Moment(us, (_EPOCH + timedelta(microseconds=us)).isoformat())

    def login(self) -> Change:
        return Change(
            ChangeKind.LOGIN, self.at(), self.server.name, "sshd", user="alice", ip=ADDRESS,
            port=50022, method="publickey", key_fingerprint=KEY, session="s-1",
        )  # fmt: skip

    def logout(self) -> Change:
        return Change(
            ChangeKind.LOGOUT, self.at(), self.server.name, "sshd", user="alice", ip=ADDRESS,
            port=50022, session="s-1", reason=Reason.USER, duration=2671.0,
            login_time=self.at(2671 * SECOND),
        )  # fmt: skip
