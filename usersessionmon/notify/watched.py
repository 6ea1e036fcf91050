"""The notices of the monitor about itself: it was down, it understands less than before, a channel
does not deliver."""

from __future__ import annotations

from collections.abc import Sequence

from usersessionmon.model import Notice, Severity

from .base import Answer
from .report import covered
from .sanitize import harmless, one_word
from .words import Server

_REBOOTED = {True: "是", False: "否", None: None}
_ANSWERS = {
    Answer.THROTTLED: "超出频率限制",
    Answer.TRANSIENT: "暂时不可用",
    Answer.PAYLOAD: "拒收内容",
    Answer.CONFIGURATION: "配置有误",
    Answer.UNKNOWN: "答复无法识别",
    Answer.DELIVERED: "曾送达",
}
_SHAPE = 90
"""Characters of a line's shape."""


def down_notice(
    from_us: int, to_us: int, rebooted: bool | None, in_order: bool, *, server: Server
) -> Notice:
    """Nobody watched between the two moments."""
    say = server.say
    again = _REBOOTED[rebooted]
    span = say.span((to_us - from_us) / 1_000_000)
    pairs = [
        *server.pairs(),
        ("中断时段", say("{} 至 {}").format(say.time_us(from_us), say.time_us(to_us))),
        ("中断时长", span),
        ("正常停止", say("是" if in_order else "否")),
        ("期间主机重启", None if again is None else say(again)),
        ("说明", say("其间的登录和登出若仍在日志中，随后补发")),
    ]
    return _trouble("监控中断通知", "监控中断", span, say.pairs(pairs), to_us, server)


def fallen_notice(
    over: bool,
    since_us: int,
    understood: int,
    total: int,
    usual: float,
    programs: Sequence[tuple[str, int]],
    shapes: Sequence[tuple[str, str, int]],
    now_us: int,
    *,
    server: Server,
) -> Notice:
    """Of the last ``total`` lines only so many were ``understood``, where ``usual`` (0 to 1) is the
    share that is; noticed at ``since_us``.  ``over``: it is back."""
    say = server.say
    share = covered(say, understood, total)
    about = "大多数日志又能识别了" if over else "能识别的日志明显变少：登录和登出可能漏报"
    pairs = [
        *server.pairs(),
        ("日志识别", share),
        ("以往", None if over else f"{100 * usual:.1f}%"),
        ("察觉时间", say.time_us(since_us)),
        ("恢复时间", say.time_us(now_us) if over else None),
        ("程序", None if over else _programs(programs)),
        *(("未识别", None if over else _shape(say("{} 条"), one)) for one in shapes),
        ("说明", say(about)),
    ]
    title = "监控覆盖率恢复通知" if over else "监控覆盖率下降通知"
    words = "覆盖率恢复" if over else "覆盖率下降"
    return _trouble(title, words, share, say.pairs(pairs), now_us, server)


def broken_notice(
    over: bool,
    channel: str,
    answer: str,
    said: str,
    since_us: int,
    waiting: int,
    now_us: int,
    *,
    server: Server,
) -> Notice:
    """``channel`` has delivered nothing since ``since_us``, and was last answered so; for the
    others.  ``over``: it works again."""
    say = server.say
    known = say(_ANSWERS[Answer(answer)]) if answer else say("没有答复")
    pairs = [
        *server.pairs(),
        ("渠道", channel),
        ("原因", None if over else known),
        ("答复", None if over else harmless(said)),
        ("未送达自", say.time_us(since_us)),
        ("恢复时间", say.time_us(now_us) if over else None),
        ("待发通知", say("{} 条").format(waiting)),
    ]
    title = "通知渠道恢复通知" if over else "通知渠道异常通知"
    words = "渠道恢复" if over else "渠道异常"
    detail = channel if over else f"{channel} {known}"
    return _trouble(title, words, detail, say.pairs(pairs), now_us, server, not_to=channel)


def _trouble(
    title: str,
    words: str,
    detail: str,
    pairs: tuple[tuple[str, str], ...],
    us: int,
    server: Server,
    not_to: str = "",
) -> Notice:
    say = server.say
    return Notice(
        kind="trouble",
        severity=Severity.ABNORMAL,
        title=say(title),
        pairs=pairs,
        digest=f"{say.time_us(us)} {say(words)} - - {one_word(server.name)} {harmless(detail)}",
        at_us=us,
        host=server.name,
        not_to=not_to,
    )


def _programs(programs: Sequence[tuple[str, int]]) -> str | None:
    return ", ".join(f"{harmless(name, 30)} ({lines})" for name, lines in programs) or None


def _shape(form: str, one: tuple[str, str, int]) -> str:
    program, text, lines = one
    return f"({form.format(lines)}) {harmless(program, 30)}: {harmless(text, _SHAPE)}"
