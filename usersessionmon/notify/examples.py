"""One example of every notice that there is, for ``notices preview`` and for tests.

Whoever makes a new kind of notice adds a line to ``EXAMPLES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from usersessionmon.model import (
    Bout,
    Change,
    ChangeKind,
    Doubt,
    Finding,
    Forged,
    Forger,
    Moment,
    NamedBy,
    Notice,
    Oddity,
    Reason,
    Scope,
)

from .base import Queued
from .forged import forged_notice
from .silent import silent_notice
from .text import test_notice
from .trouble import damaged_notice
from .unusual import bout_notice
from .words import Server

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_HOUR = 3600 * _SECOND
_DAY = 24 * _HOUR
_KEY = "SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE"
_ADDRESS, _STRANGER = "198.51.100.7", "203.0.113.9"


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
            ChangeKind.LOGIN, self.at(), self.server.name, "sshd", user="alice", ip=_ADDRESS,
            port=50022, method="publickey", key_fingerprint=_KEY, session="s-1",
        )  # fmt: skip

    def logout(self) -> Change:
        return Change(
            ChangeKind.LOGOUT, self.at(), self.server.name, "sshd", user="alice", ip=_ADDRESS,
            port=50022, session="s-1", reason=Reason.USER, duration=2671.0,
            login_time=self.at(2671 * _SECOND),
        )  # fmt: skip


Example = Callable[[Stage], Sequence[Queued]]


def _one(make: Callable[[Stage], Notice], *, ago_us: int = 0, attempts: int = 0) -> Example:
    """A notice that is sent at once, unless it happened ``ago_us`` microseconds before."""

    def queue(stage: Stage) -> Sequence[Queued]:
        then = Stage(stage.server, stage.word, stage.now_us - ago_us)
        return [Queued(1001, make(then), then.now_us, attempts)]

    return queue


def _login(stage: Stage) -> Notice:
    named = stage.login()._replace(key_name="alice@laptop", key_named_by=NamedBy.CONFIG)
    return stage.word(named, ())


def _logout(stage: Stage) -> Notice:
    return stage.word(stage.logout(), ())


def _abnormal(stage: Stage) -> Notice:
    return stage.word(stage.logout()._replace(reason=Reason.NETWORK, abnormal=True), ())


def _failed(stage: Stage) -> Notice:
    failed = Change(
        ChangeKind.LOGIN_FAILED, stage.at(), stage.server.name, "sshd", user="oracle",
        ip=_STRANGER, port=40022, method="password", valid_user=False, times=3,
    )  # fmt: skip
    return stage.word(failed, ())


def _elevation(stage: Stage) -> Notice:
    sudo = Change(
        ChangeKind.ELEVATION, stage.at(), stage.server.name, "sudo", user="alice",
        target_user="root", command="/usr/bin/systemctl restart nginx", tty="pts/0",
        login_user="alice", login_from=_ADDRESS, session="s-1",
    )  # fmt: skip
    return stage.word(sudo, ())


def _found_at_login(stage: Stage) -> Notice:
    since = stage.now_us - 90 * _DAY
    findings = [
        Finding(Oddity.SUCCESS_AFTER_FAILURES, times=23, seconds=95),
        Finding(Oddity.FIRST_LOGIN, total=412, since_us=since),
        Finding(Oddity.FIRST_NETWORK, "203.0.113.0/24", total=42, since_us=since),
        Finding(Oddity.FIRST_ADDRESS, _STRANGER, total=42, since_us=since),
        Finding(Oddity.ROOT_PASSWORD, _STRANGER),
        Finding(Oddity.OUTSIDE_HOURS, "Mon-Fri 08:00-19:00"),
        Finding(Oddity.UNUSUAL_HOUR, "02:00-05:00", times=1, total=42),
        Finding(Oddity.TWO_PLACES, "198.51.100.0/24", times=1),
    ]
    stranger = stage.login()._replace(
        user="root", ip=_STRANGER, method="password", key_fingerprint=None, doubt=Doubt.NO_PROCESS
    )
    return stage.word(stranger, findings)


def _found_at_logout(stage: Stage) -> Notice:
    findings = [
        Finding(Oddity.LONG_SESSION, seconds=24 * 3600),
        Finding(Oddity.LONGER_THAN_USUAL, total=20, seconds=5400),
        Finding(Oddity.ABNORMAL_AGAIN, times=3, seconds=24 * 3600),
    ]
    long = stage.logout()._replace(
        reason=Reason.TIMEOUT, abnormal=True, duration=90061.0, login_time=stage.at(90061 * _SECOND)
    )
    return stage.word(long, findings)


def _bout(scope: Scope, subject: str, names: tuple[str, ...], *, over: bool) -> Example:
    def make(stage: Stage) -> Notice:
        bout = Bout(
            scope, over, stage.server.name, subject, began_us=stage.now_us - _HOUR,
            last_us=stage.now_us - 2 * _SECOND, at_us=stage.now_us, times=1024 if over else 10,
            names=names, more=over, minutes=30 if over else 10,
        )  # fmt: skip
        return bout_notice(bout, stage.server)

    return _one(make)


def _forged(stage: Stage) -> Notice:
    writer = Forger(stage.server.name, "sshd", 1000, "/usr/bin/logger", "logger", "session-3.scope")
    lines = Forged({writer: 12}, 0, stage.now_us - _HOUR, stage.now_us)
    return forged_notice(lines, stage.now_us, stage.server)


def _silent(*, over: bool) -> Example:
    def make(stage: Stage) -> Notice:
        began, last = stage.now_us - _HOUR, stage.now_us - 3 * _HOUR
        return silent_notice(
            over, began, last, 4, stage.now_us, source="/var/log/auth.log", server=stage.server
        )

    return _one(make)


def _damaged(stage: Stage) -> Notice:
    return damaged_notice(
        file="/var/lib/user-session-monitor/state.db.damaged-1", sessions=1234, notices=2,
        told_us=stage.now_us - _HOUR, now_us=stage.now_us, server=stage.server,
    )  # fmt: skip


def _test(stage: Stage) -> Notice:
    return test_notice(stage.server, stage.now_us)


def _digest(stage: Stage) -> Sequence[Queued]:
    return [
        Queued(number, make(then), then.now_us, 0)
        for number, make in enumerate((_login, _failed, _elevation, _abnormal), start=1001)
        for then in [Stage(stage.server, stage.word, stage.now_us - (1005 - number) * _HOUR)]
    ]


_NAMES = ("admin", "oracle", "postgres", "test", "git", "ubuntu")
_ADDRESSES = (_STRANGER, "203.0.113.77")

EXAMPLES: Mapping[str, Example] = {
    "login": _one(_login),
    "logout": _one(_logout),
    "logout_abnormal": _one(_abnormal),
    "login_failed": _one(_failed),
    "elevation": _one(_elevation),
    "unusual_login": _one(_found_at_login),
    "unusual_logout": _one(_found_at_logout),
    "failures": _bout(Scope.ADDRESS, _STRANGER, _NAMES, over=False),
    "failures_over": _bout(Scope.ADDRESS, _STRANGER, _NAMES, over=True),
    "failures_account": _bout(Scope.ACCOUNT, "root", _ADDRESSES, over=False),
    "failures_host": _bout(Scope.HOST, "", _ADDRESSES, over=False),
    "sweep": _bout(Scope.SWEEP, _STRANGER, _NAMES, over=False),
    "sweep_over": _bout(Scope.SWEEP, _STRANGER, _NAMES, over=True),
    "forged": _one(_forged),
    "silent": _silent(over=False),
    "silent_over": _silent(over=True),
    "damaged": _one(_damaged),
    "test": _one(_test),
    "late": _one(_login, ago_us=_HOUR),
    "repeated": _one(_login, attempts=1),
    "digest": _digest,
}
