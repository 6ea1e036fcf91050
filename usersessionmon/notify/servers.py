"""The notices about Windows servers whose event logs cannot be read, and about their return."""

from __future__ import annotations

from collections.abc import Sequence

from usersessionmon.model import Notice, Severity

from .sanitize import harmless, one_word
from .words import Server

_MOST = 10
"""Servers that are named."""
_WHY = {
    "connecting": "正在连接",
    "back-off": "无法连接",
    "denied": "没有读取权限",
    "incomplete": "缺少必要的日志通道",
    "refused": "账户被拒绝，不再重试",
}


def away_notice(
    over: bool, away: Sequence[tuple[str, str, str, int]], now_us: int, *, server: Server
) -> Notice:
    """``away``: (name, state, the last error, since when) of each; ``over``: they are back."""
    say = server.say
    title = "服务器读取恢复通知" if over else "服务器读取异常通知"
    about = (
        "其间的记录若仍在日志中，随后补发"
        if over
        else "服务器的事件日志无法读取，登录和登出可能漏报"
    )
    pairs: list[tuple[str, str | None]] = [*server.pairs()]
    for name, state, error, since_us in away[:_MOST]:
        told = say("{}，自 {}").format(say(_WHY.get(state, "无法连接")), say.time_us(since_us))
        if over:
            told = say("已恢复，自 {} 起中断").format(say.time_us(since_us))
        pairs.append(("被读取的服务器", f"{harmless(name, 60)}: {told}"))
        if error and not over:
            pairs.append(("原因", harmless(error, 400)))
    if len(away) > _MOST:
        pairs.append(("另有", say("{} 台").format(len(away) - _MOST)))
    names = ", ".join(one_word(name) for name, *_ in away[:_MOST])
    words = say("服务器读取恢复" if over else "服务器无法读取")
    return Notice(
        kind="trouble",
        severity=Severity.ABNORMAL,
        title=say(title),
        pairs=say.pairs([*pairs, ("说明", say(about))]),
        digest=f"{say.time_us(now_us)} {words} - - {one_word(server.name)} {names}",
        at_us=now_us,
        host=server.name,
    )
