"""The notices about a log that is silent while people come and go, and about its end."""

from __future__ import annotations

from usersessionmon.model import Notice, Severity

from .sanitize import harmless, one_word
from .words import Server


def silent_notice(
    over: bool,
    since_us: int,
    last_us: int | None,
    connections: int,
    now_us: int,
    *,
    source: str,
    server: Server,
) -> Notice:
    """``connections`` that began after sshd's last line, read at ``last_us``, were not told of by
    ``source``; noticed at ``since_us``.  ``over``: it speaks again."""
    say = server.say
    title = "日志恢复通知" if over else "日志静默通知"
    about = "日志恢复；其间的登录和登出可能未被记录" if over else "有人连上 sshd，日志却没有新内容"
    pairs = [
        *server.pairs(),
        ("日志", source),
        ("最近", None if last_us is None else say.time_us(last_us)),
        ("察觉时间", say.time_us(since_us)),
        ("恢复时间", say.time_us(now_us) if over else None),
        ("新连接", None if over else str(connections)),
        ("说明", say(about)),
    ]
    words = say("日志恢复" if over else "日志静默")
    return Notice(
        kind="trouble",
        severity=Severity.ABNORMAL,
        title=say(title),
        pairs=say.pairs(pairs),
        digest=f"{say.time_us(now_us)} {words} - - {one_word(server.name)} {harmless(source)}",
        at_us=now_us,
        host=server.name,
    )
