"""Examples of what is told beside single events: of failures, of the log, of the monitor itself."""

from __future__ import annotations

from collections.abc import Callable

from usersessionmon.model import (
    Bout,
    Claim,
    Forged,
    Forger,
    Notice,
    PersonDay,
    Report,
    Scope,
    Tally,
)

from .base import Answer, Dropped
from .claimed import claim_notice
from .folded import daily_notice
from .forged import forged_notice
from .report import report_notice, well_notice
from .servers import away_notice
from .silent import silent_notice
from .stage import ADDRESS, DAY, HOUR, SECOND, STRANGER, Stage
from .trouble import damaged_notice, dropped_notice
from .unusual import bout_notice
from .watched import broken_notice, down_notice, fallen_notice

Make = Callable[[Stage], Notice]
_NAMES = ("admin", "oracle", "postgres", "test", "git", "ubuntu")


def bout(scope: Scope, *, over: bool = False, day: bool = False) -> Make:
    """Many failures."""
    by_name = scope in {Scope.ADDRESS, Scope.SWEEP}
    subject = {Scope.ACCOUNT: "root", Scope.HOST: ""}.get(scope, STRANGER)

    def make(stage: Stage) -> Notice:
        found = Bout(
            scope, over, stage.server.name, subject, began_us=stage.now_us - HOUR,
            last_us=stage.now_us - 2 * SECOND, at_us=stage.now_us, times=1024 if over else 10,
            names=_NAMES if by_name else (STRANGER, ADDRESS), more=over, minutes=30 if over else 10,
            day=day,
        )  # fmt: skip
        return bout_notice(found, stage.server)

    return make


def claimed(*, released: bool) -> Make:
    def make(stage: Stage) -> Notice:
        made_us = stage.now_us - HOUR if released else stage.now_us
        claim = Claim(stage.server.name, "bob", "bob", "v2.3", made_us, stage.now_us + 2 * HOUR)
        if released:
            claim = claim._replace(released_us=stage.now_us, released_by="bob")
        return claim_notice(claim, stage.server)

    return make


def forged(stage: Stage) -> Notice:
    writer = Forger(stage.server.name, "sshd", 1000, "/usr/bin/logger", "logger", "session-3.scope")
    lines = Forged({writer: 12}, 0, stage.now_us - HOUR, stage.now_us)
    return forged_notice(lines, stage.now_us, stage.server)


def silent(*, over: bool) -> Make:
    def make(stage: Stage) -> Notice:
        began, last = stage.now_us - HOUR, stage.now_us - 3 * HOUR
        return silent_notice(
            over, began, last, 4, stage.now_us, source="/var/log/auth.log", server=stage.server
        )

    return make


def damaged(stage: Stage) -> Notice:
    return damaged_notice(
        file="/var/lib/user-session-monitor/state.db.damaged-1", sessions=1234, notices=2,
        told_us=stage.now_us - HOUR, now_us=stage.now_us, server=stage.server,
    )  # fmt: skip


def dropped(stage: Stage) -> Notice:
    lost = Dropped("feishu", 120, 3, stage.now_us - 2 * DAY, stage.now_us - DAY)
    return dropped_notice(lost, stage.now_us, stage.server)


def down(stage: Stage) -> Notice:
    began = stage.now_us - HOUR
    return down_notice(began, stage.now_us, True, False, server=stage.server)


def fallen(*, over: bool) -> Make:
    def make(stage: Stage) -> Notice:
        shapes = [] if over else [("sshd", "Admitted NAME at ADDRESS", 31)]
        return fallen_notice(
            over, stage.now_us - HOUR, 195 if over else 60, 200, 0.99, [("sshd", 140)], shapes,
            stage.now_us, server=stage.server,
        )  # fmt: skip

    return make


def broken(*, over: bool) -> Make:
    def make(stage: Stage) -> Notice:
        said = "code 19001: param invalid: incoming webhook access token invalid"
        return broken_notice(
            over, "ops", Answer.CONFIGURATION, said, stage.now_us - HOUR, 7, stage.now_us,
            server=stage.server,
        )  # fmt: skip

    return make


def away(*, over: bool) -> Make:
    def make(stage: Stage) -> Notice:
        began = stage.now_us - HOUR
        found = [
            ("rds-1", "back-off", "not reachable (error 1722)", began),
            ("rds-2", "denied", "Security: access denied (error 5)", began),
        ]
        return away_notice(over, found, stage.now_us, server=stage.server)

    return make


def report(stage: Stage) -> Notice:
    people = (
        PersonDay("alice", 3, 1, 7500.0, (ADDRESS,), False, ("root",)),
        PersonDay("bob", 1, 0, 2671.0, (STRANGER,), False, ()),
    )
    day = Report(
        stage.now_us - DAY, stage.now_us, people, more_people=0, sessions=4, on_now=1, abnormal=1,
        failures=57, failed_from=((STRANGER, 57),), failed_as=(("root", 40), ("admin", 17)),
        understood=4210, lines=4212, last_line_us=stage.now_us - 9 * SECOND, waiting=0, dropped=0,
    )  # fmt: skip
    return report_notice(day, stage.now_us, stage.server)


def heartbeat(stage: Stage) -> Notice:
    return well_notice(
        stage.now_us - 3 * DAY, stage.now_us - DAY, 4210, 4212, 1, 0, stage.now_us,
        server=stage.server,
    )  # fmt: skip


def daily(stage: Stage) -> Notice:
    backup = Tally("backup", stage.now_us - DAY, 24, 24, 0, 0, (ADDRESS,), False, 312.0)
    ansible = Tally("ansible", stage.now_us - DAY, 90, 90, 2, 1, (ADDRESS, STRANGER), False, 41.0)
    return daily_notice([backup, ansible], stage.now_us - DAY, stage.now_us, stage.server)
