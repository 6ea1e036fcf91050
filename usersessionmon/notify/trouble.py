"""The notice that the monitor itself had trouble: its state was damaged and is made anew."""

from __future__ import annotations

from datetime import tzinfo

from usersessionmon.model import Notice, Severity

from .sanitize import harmless
from .words import Speaker


def damaged_notice(
    *,
    file: str,
    sessions: int,
    notices: int,
    told_us: int,
    now_us: int,
    server_name: str,
    server_ip: str | None,
    zone: tzinfo,
    language: str = "zh",
) -> Notice:
    """``file``: where the damaged state is kept.  ``sessions`` and ``notices`` could be read of it;
    what happened until ``told_us`` is not told again."""
    say = Speaker(language, zone)
    pairs = [
        ("服务器", server_name),
        ("服务器IP", server_ip),
        ("发现时间", say.time_us(now_us)),
        ("问题", say("状态数据库已损坏，已移到一旁，并由日志重建")),
        ("旧文件", file),
        ("已找回", say("{} 条历史会话，{} 条待发通知").format(sessions, notices)),
        ("不再重复", say("{} 及以前的事件").format(say.time_us(told_us))),
        ("可能缺失", say("日志范围以前的会话，以及损坏前片刻的通知")),
    ]
    host = harmless(server_name).replace(" ", "␣")
    return Notice(
        kind="trouble",
        severity=Severity.ABNORMAL,
        title=say("监控异常通知"),
        pairs=tuple((say(name), value) for name, value in pairs if value),
        digest=f"{say.time_us(now_us)} {say('监控异常')} - - {host} {say('状态数据库已损坏')}",
        at_us=now_us,
    )
