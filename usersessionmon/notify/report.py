"""The daily report, and the notice that all is well."""

from __future__ import annotations

from collections.abc import Iterable

from usersessionmon.model import Notice, PersonDay, Report, Severity

from .sanitize import harmless, one_word
from .words import Server, Speaker

_ADDRESSES, _NAMES = 4, 4
"""So many are named of a user."""
_VALUE = 40
"""Characters of each."""


def report_notice(report: Report, now_us: int, server: Server) -> Notice:
    """Who was on, how long and from where; failures; how much of the log was understood."""
    say = server.say
    count = say("{} 人，{} 次会话").format(len(report.people) + report.more_people, report.sessions)
    pairs = [
        *server.pairs(),
        ("统计时段", say("{} 至 {}").format(*map(say.time_us, (report.since_us, report.until_us)))),
        ("登录情况", count if report.sessions else say("无人登录")),
        *(("用户会话", _person(say, one)) for one in report.people),
        ("其余用户", say("{} 人").format(report.more_people) if report.more_people else None),
        ("当前在线", say("{} 个会话").format(report.on_now)),
        ("异常结束", say("{} 次").format(report.abnormal) if report.abnormal else None),
        ("失败登录", _failures(say, report)),
        ("失败来源", _named(say, report.failed_from) if report.failures else None),
        ("失败账户", _named(say, report.failed_as) if report.failures else None),
        ("日志识别", covered(say, report.understood, report.lines)),
        ("最近日志", None if report.last_line_us is None else say.time_us(report.last_line_us)),
        ("待发通知", say("{} 条").format(report.waiting) if report.waiting else None),
        ("已丢弃通知", say("{} 条").format(report.dropped) if report.dropped else None),
    ]
    words = f"{say('每日会话报告')} - - {one_word(server.name)} {count}"
    return _made("report", say("每日会话报告通知"), say.pairs(pairs), words, now_us, server)


def well_notice(
    started_us: int,
    since_us: int,
    understood: int,
    total: int,
    on_now: int,
    waiting: int,
    now_us: int,
    *,
    server: Server,
) -> Notice:
    """The monitor has run since ``started_us``; of ``total`` lines since ``since_us`` so many were
    ``understood``."""
    say = server.say
    pairs = [
        *server.pairs(),
        ("运行自", say.time_us(started_us)),
        ("统计时段", say("{} 至 {}").format(say.time_us(since_us), say.time_us(now_us))),
        ("日志识别", covered(say, understood, total)),
        ("当前在线", say("{} 个会话").format(on_now)),
        ("待发通知", say("{} 条").format(waiting)),
    ]
    words = f"{say('监控正常')} - - {one_word(server.name)}"
    return _made("heartbeat", say("监控正常通知"), say.pairs(pairs), words, now_us, server)


def covered(say: Speaker, understood: int, lines: int) -> str:
    """``120 / 125 行（96.0%）``, never rounded up to all of them."""
    if not lines:
        return say("没有日志")
    share = min(1000 * understood // lines, 1000) / 10
    return say("{} / {} 行（{}%）").format(understood, lines, share)


def _made(
    kind: str, title: str, pairs: tuple[tuple[str, str], ...], words: str, us: int, server: Server
) -> Notice:
    return Notice(
        kind=kind,
        severity=Severity.ROUTINE,
        title=title,
        pairs=pairs,
        digest=f"{server.say.time_us(us)} {words}",
        at_us=us,
        host=server.name,
    )


def _person(say: Speaker, one: PersonDay) -> str:
    """``alice：3 次，2小时5分，在线，来自 …，提权为 root``"""
    name = say.user(one.user)
    parts = [say("{} 次").format(one.sessions), say.span(one.seconds)]
    if one.on_now:
        parts.append(say("在线"))
    if one.addresses:
        more = one.more or len(one.addresses) > _ADDRESSES
        parts.append(say("来自 {}").format(_listed(one.addresses[:_ADDRESSES], more=more)))
    if one.became:
        names = _listed(one.became[:_NAMES], more=len(one.became) > _NAMES)
        parts.append(say("提权为 {}").format(names))
    return say("{}：{}").format(harmless(name or "-", _VALUE), say("，").join(parts))


def _listed(names: Iterable[str], *, more: bool) -> str:
    return ", ".join([*(harmless(name, _VALUE) for name in names), *(["…"] if more else [])])


def _failures(say: Speaker, report: Report) -> str:
    """They are counted by the hour, and the last one is not over."""
    return say("{} 次").format(report.failures) if report.failures else say("无")


def _named(say: Speaker, found: Iterable[tuple[str, int]]) -> str | None:
    named = [f"{harmless(name or say('未知'), _VALUE)} ({times})" for name, times in found]
    return ", ".join(named) or None
