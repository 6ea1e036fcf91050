"""Examples of what is told of single events."""

from __future__ import annotations

from usersessionmon.model import (
    WINDOWS,
    Change,
    ChangeKind,
    Claim,
    Company,
    Doubt,
    Finding,
    NamedBy,
    Notice,
    Oddity,
    Reason,
)

from .claimed import with_claim
from .folded import in_company
from .stage import ADDRESS, DAY, HOUR, SECOND, STRANGER, Stage


def login(stage: Stage) -> Notice:
    named = stage.login()._replace(key_name="alice@laptop", key_named_by=NamedBy.CONFIG)
    return stage.word(named, ())


def claimed(stage: Stage) -> Notice:
    until_us = stage.now_us + 2 * HOUR
    claim = Claim(stage.server.name, "bob", "bob", "v2.3", stage.now_us - HOUR, until_us)
    return with_claim(stage.word(stage.login(), ()), claim, stage.now_us, stage.server.say)


def logout(stage: Stage) -> Notice:
    return stage.word(stage.logout(), ())


def abnormal(stage: Stage) -> Notice:
    return stage.word(stage.logout()._replace(reason=Reason.NETWORK, abnormal=True), ())


def reconnected(stage: Stage) -> Notice:
    return stage.word(_desktop(stage.login())._replace(again=True), ())


def taken_over(stage: Stage) -> Notice:
    """Somebody else came in, and whoever was there had to go."""
    return stage.word(_displaced(stage)._replace(by_user="bob", by_ip=STRANGER), ())


def replaced(stage: Stage) -> Notice:
    """The same person from another place."""
    return stage.word(_displaced(stage)._replace(by_user="alice", by_ip=STRANGER), ())


def _displaced(stage: Stage) -> Change:
    change = _desktop(stage.logout())
    return change._replace(reason=Reason.KILLED, abnormal=True, kept=True)


def _desktop(change: Change) -> Change:
    return change._replace(
        service=WINDOWS, host="RDP-01", domain="CORP", tty="rdp", method=None,
        key_fingerprint=None, port=None,
    )  # fmt: skip


def failed(stage: Stage) -> Notice:
    failed = Change(
        ChangeKind.LOGIN_FAILED, stage.at(), stage.server.name, "sshd", user="oracle",
        ip=STRANGER, port=40022, method="password", valid_user=False, times=3,
    )  # fmt: skip
    return stage.word(failed, ())


def elevation(stage: Stage) -> Notice:
    sudo = Change(
        ChangeKind.ELEVATION, stage.at(), stage.server.name, "sudo", user="alice",
        target_user="root", command="/usr/bin/systemctl restart nginx", tty="pts/0",
        login_user="alice", login_from=ADDRESS, session="s-1",
    )  # fmt: skip
    return stage.word(sudo, ())


def found_at_login(stage: Stage) -> Notice:
    since = stage.now_us - 90 * DAY
    findings = [
        Finding(Oddity.SUCCESS_AFTER_FAILURES, times=23, seconds=95),
        Finding(Oddity.FIRST_LOGIN, total=412, since_us=since),
        Finding(Oddity.FIRST_NETWORK, "203.0.113.0/24", total=42, since_us=since),
        Finding(Oddity.FIRST_ADDRESS, STRANGER, total=42, since_us=since),
        Finding(Oddity.ROOT_PASSWORD, STRANGER),
        Finding(Oddity.OUTSIDE_HOURS, "Mon-Fri 08:00-19:00"),
        Finding(Oddity.UNUSUAL_HOUR, "02:00-05:00", times=1, total=42),
        Finding(Oddity.TWO_PLACES, "198.51.100.0/24", times=1),
    ]
    stranger = stage.login()._replace(
        user="root", ip=STRANGER, method="password", key_fingerprint=None, doubt=Doubt.NO_PROCESS
    )
    return stage.word(stranger, findings)


def found_at_logout(stage: Stage) -> Notice:
    findings = [
        Finding(Oddity.LONG_SESSION, seconds=24 * 3600),
        Finding(Oddity.LONGER_THAN_USUAL, total=20, seconds=5400),
        Finding(Oddity.ABNORMAL_AGAIN, times=3, seconds=24 * 3600),
    ]
    long = stage.logout()._replace(
        reason=Reason.TIMEOUT, abnormal=True, duration=90061.0, login_time=stage.at(90061 * SECOND)
    )
    return stage.word(long, findings)


def arrival(stage: Stage) -> Notice:
    company = Company(others=2, addresses=(ADDRESS, STRANGER))
    change = stage.login()
    return in_company(stage.word(change, ()), change, company, stage.server.say)


def departure(stage: Stage) -> Notice:
    company = Company(connections=12, addresses=(ADDRESS, STRANGER))
    change = stage.logout()
    return in_company(stage.word(change, ()), change, company, stage.server.say)
