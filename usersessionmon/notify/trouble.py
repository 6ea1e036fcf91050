"""Notices that the monitor itself had trouble: its state was damaged and is made anew; notices had
to be dropped."""

from __future__ import annotations

from usersessionmon.model import Notice, Severity

from .base import Dropped
from .sanitize import one_word
from .words import Server


def damaged_notice(
    *,
    file: str,
    sessions: int,
    notices: int,
    told_us: int,
    now_us: int,
    server: Server,
) -> Notice:
    """``file``: where the damaged state is kept.  ``sessions`` and ``notices`` could be read of it;
    what happened until ``told_us`` is not told again."""
    say = server.say
    pairs = [
        *server.pairs(),
        ("发现时间", say.time_us(now_us)),
        ("问题", say("状态数据库已损坏，已移到一旁，并由日志重建")),
        ("旧文件", file),
        ("已找回", say("{} 条历史会话，{} 条待发通知").format(sessions, notices)),
        ("不再重复", say("{} 及以前的事件").format(say.time_us(told_us))),
        ("可能缺失", say("日志范围以前的会话，以及损坏前片刻的通知")),
    ]
    host = one_word(server.name)
    return Notice(
        kind="trouble",
        severity=Severity.ABNORMAL,
        title=say("监控异常通知"),
        pairs=say.pairs(pairs),
        digest=f"{say.time_us(now_us)} {say('监控异常')} - - {host} {say('状态数据库已损坏')}",
        at_us=now_us,
        host=server.name,
    )


def dropped_notice(dropped: Dropped, now_us: int, server: Server) -> Notice:
    """What a channel will never get."""
    say = server.say
    count = say("普通 {} 条，异常 {} 条").format(dropped.routine, dropped.abnormal)
    first, last = say.time_us(dropped.first_us), say.time_us(dropped.last_us)
    pairs = [
        *server.pairs(),
        ("渠道", dropped.channel),
        ("丢弃数量", count),
        ("事件时间", say("{} 至 {}").format(first, last)),
        ("原因", say("待发的通知过多或等待过久（见 outbox.max_notices、outbox.max_days）")),
    ]
    host = one_word(server.name)
    return Notice(
        kind="trouble",
        severity=Severity.ABNORMAL,
        title=say("通知丢弃通知"),
        pairs=say.pairs(pairs),
        digest=f"{say.time_us(now_us)} {say('通知丢弃')} - - {host} {count}",
        at_us=now_us,
        host=server.name,
    )
