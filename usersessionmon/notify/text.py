"""The wording of notices: a change in words, and a batch of notices as one text.

Chinese is written where it is used; ``words`` has the English.  Values stay raw in a
``Notice`` (each channel makes them harmless); the one line for digests is made harmless here,
because its words are told apart by blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from usersessionmon.contract import event_line
from usersessionmon.model import (
    WINDOWS,
    Change,
    ChangeKind,
    Doubt,
    Finding,
    NamedBy,
    Notice,
    Reason,
    Severity,
)

from .base import Queued
from .desktop import digest_words, domain_of, ended_by, state_of
from .sanitize import harmless, in_order, one_word, visible
from .unusual import GRAVE, sentence
from .words import Server, Speaker, Voice

LATE_SECONDS = 30
LINE_LIMIT = 500
"""Of a digest's line, and of one that a template made."""

_REASONS = {
    Reason.USER: "主动退出",
    Reason.NETWORK: "网络断开",
    Reason.TIMEOUT: "超时",
    Reason.KILLED: "被终止",
    Reason.SHUTDOWN: "关机",
    Reason.REBOOT: "重启",
    Reason.UNKNOWN: "未知",
}
_WORDS = {
    ChangeKind.LOGIN: "登录",
    ChangeKind.LOGOUT: "登出",
    ChangeKind.LOGIN_FAILED: "登录失败",
    ChangeKind.ELEVATION: "提权",
}
TITLES = {
    ChangeKind.LOGIN: "用户登录通知",
    ChangeKind.LOGOUT: "用户登出通知",
    ChangeKind.LOGIN_FAILED: "登录失败通知",
    ChangeKind.ELEVATION: "提权通知",
}
_TIMES = {
    ChangeKind.LOGIN: "登录时间",
    ChangeKind.LOGOUT: "登出时间",
    ChangeKind.LOGIN_FAILED: "失败时间",
    ChangeKind.ELEVATION: "提权时间",
}


def notice_of(change: Change, server: Server, findings: Sequence[Finding] = ()) -> Notice:
    """A change in words.  ``findings``: what is unusual about it."""
    say = server.say
    pairs = [
        *server.pairs(change.host),
        ("用户名", say.user(change.user)),
        ("IP地址", change.ip),
        (_TIMES[change.kind], say.time(change.time)),
        *_DETAILS[change.kind](say, change),
        *(("注意", sentence(say, finding)) for finding in findings),
    ]
    abnormal = change.kind is ChangeKind.LOGOUT and change.abnormal
    grave = abnormal or any(finding.oddity in GRAVE for finding in findings)
    words = [_digest_line(say, change, server.of(change.host))]
    words += [sentence(say, finding, digest=True) for finding in findings]
    return Notice(
        kind=change.kind.value,
        severity=Severity.ABNORMAL if grave else Severity.ROUTINE,
        title=say(TITLES[change.kind]),
        pairs=say.pairs(pairs),
        digest=" ".join(words),
        at_us=change.time.us,
        user=change.user,
        ip=change.ip,
        host=server.of(change.host),
        people=_people(change),
        event=event_line(change),
    )


def _people(change: Change) -> tuple[str, ...]:
    """By what names the person may be known.  What a comment calls a key proves nothing; and people
    type Windows' names as they like."""
    key = None if change.key_named_by is NamedBy.COMMENT else change.key_name
    names = [key, change.login_user, change.user]
    if change.service == WINDOWS:
        names += [name and name.casefold() for name in names]
    return tuple(dict.fromkeys(name for name in names if name))


def test_notice(server: Server, now_us: int) -> Notice:
    """What ``setup`` and ``test-notify`` send."""
    say = server.say
    at = say.time_us(now_us)
    pairs = [
        *server.pairs(),
        ("发送时间", at),
        ("说明", say("这是一条测试通知，收到即表示配置正确")),
    ]
    return Notice(
        kind="test",
        severity=Severity.ROUTINE,
        title=say("测试通知"),
        pairs=say.pairs(pairs),
        digest=f"{at} {say('测试')} - - {_word(server.name)}",
        at_us=now_us,
        host=server.name,
    )


_DOUBTS = {
    Doubt.NO_PROCESS: "日志所说的进程不存在，可能是伪造的日志",
    Doubt.OTHER_PROCESS: "日志所说的进程不是 sshd，可能是伪造的日志",
    Doubt.EARLIER_SESSION: "日志所说的进程早已登录过，可能是伪造的日志",
}


_NAMED_BY = {NamedBy.COMMENT: "{}（公钥注释）", NamedBy.CERTIFICATE: "{}（证书）"}
"""A comment is whatever the account's owner wrote: it must not pass for more."""


def _key(say: Speaker, change: Change) -> str | None:
    form = None if change.key_named_by is None else _NAMED_BY.get(change.key_named_by)
    if change.key_name is None or form is None:
        return change.key_name
    return say(form).format(change.key_name)


def _login(say: Speaker, change: Change) -> Iterable[tuple[str, str | None]]:
    yield "核对", None if change.doubt is None else say(_DOUBTS[change.doubt])
    yield "客户端", change.client_host
    yield "域", domain_of(change)
    yield "会话", state_of(say, change)
    yield "登录方式", change.method
    yield "密钥指纹", change.key_fingerprint
    yield "密钥", _key(say, change)
    yield "推断", say("日志中没有登录记录，由现状得出") if change.inferred else None
    yield "服务", change.service if change.service != "sshd" else None
    yield "终端", change.tty


def _logout(say: Speaker, change: Change) -> Iterable[tuple[str, str | None]]:
    yield "会话时长", None if change.duration is None else say.span(change.duration)
    yield "登录时间", None if change.login_time is None else say.time(change.login_time)
    yield "结束方式", None if change.reason is None else say(_REASONS[change.reason])
    yield "异常", say("是") if change.abnormal else None
    yield from ended_by(say, change)
    yield "会话", state_of(say, change)
    yield "域", domain_of(change)
    yield "推断", say("日志中没有结束记录，由现状得出") if change.inferred else None
    yield "服务", change.service if change.service != "sshd" else None
    yield "终端", change.tty


def _failed(say: Speaker, change: Change) -> Iterable[tuple[str, str | None]]:
    yield "失败次数", str(change.times)
    yield "账户", say("不存在") if change.valid_user is False else None
    yield from _login(say, change)


def _elevation(say: Speaker, change: Change) -> Iterable[tuple[str, str | None]]:
    person = say.user(change.login_user)
    if person is not None and change.inferred:
        person = say("{}（推断）").format(person)
    yield "域", domain_of(change)
    yield "登录用户", person
    yield "来源", change.login_from
    yield "密钥", _key(say, change)
    yield "目标用户", say.user(change.target_user)
    yield "命令", change.command
    yield "服务", change.service
    yield "终端", change.tty


_Details = Callable[[Speaker, Change], Iterable[tuple[str, str | None]]]
_DETAILS: dict[ChangeKind, _Details] = {
    ChangeKind.LOGIN: _login,
    ChangeKind.LOGOUT: _logout,
    ChangeKind.LOGIN_FAILED: _failed,
    ChangeKind.ELEVATION: _elevation,
}


def _digest_line(say: Speaker, change: Change, host: str | None) -> str:
    """``2026-11-21 08:15:30 登录 alice 198.51.100.7 web-1`` and, for some, more words."""
    words = [
        say.time_us(change.time.us) or _word(change.time.text),
        say(_WORDS[change.kind]),
        _word(say.user(change.user)),
        _word(change.ip),
        _word(host),
    ]
    if change.kind is ChangeKind.LOGOUT:
        if change.reason is not None:
            words.append(say(_REASONS[change.reason]))
        if change.duration is not None:
            words.append(say.span(change.duration))
    elif change.kind is ChangeKind.LOGIN_FAILED and change.times != 1:
        words.append(f"×{change.times}")
    elif change.kind is ChangeKind.ELEVATION and change.target_user is not None:
        words.append(f"→ {_word(say.user(change.target_user))}")
    return " ".join([*words, *digest_words(say, change)])


def _word(text: str | None) -> str:
    """Foreign text as one word, so that it cannot pass for two."""
    return one_word(text) if text else "-"


class Page(NamedTuple):
    """What is to be shown, harmless: a title, and lines as (name, value); without a name the value
    is the whole line."""

    title: str
    pairs: tuple[tuple[str, str], ...]


def render_page(batch: Sequence[Queued], *, now_us: int, voice: Voice) -> Page:
    """One notice, or several as a digest.

    ``now_us`` is the moment of sending: what is older than a minute says so.
    """
    say = voice.say
    if len(batch) == 1 and not batch[0].bundle:
        return _single(say, batch[0], now_us)
    title, *lines = _digest(say, batch, now_us)
    return Page(title, tuple(("", line) for line in lines))


def render_lines(batch: Sequence[Queued], *, now_us: int, voice: Voice) -> list[str]:
    """``render_page`` as lines; the first is the title."""
    page = render_page(batch, now_us=now_us, voice=voice)
    return [page.title, *(line_of(voice.say, *pair) for pair in page.pairs)]


def render_text(batch: Sequence[Queued], *, now_us: int, voice: Voice) -> str:
    """``render_lines`` as one text."""
    return "\n".join(render_lines(batch, now_us=now_us, voice=voice))


def line_of(say: Speaker, name: str, value: str) -> str:
    """``名称：值``"""
    if not name:
        return value
    return f"{name}{': ' if say.language == 'en' else '：'}{value}"


def _single(say: Speaker, queued: Queued, now_us: int) -> Page:
    notice = queued.notice
    pairs = [_harmless_pair(name, value) for name, value in notice.pairs]
    if _is_late(queued, now_us):
        pairs.append((say("延迟送达"), say.span((now_us - notice.at_us) / 1_000_000)))
    if queued.attempts:
        number = say("{}（重发，先前一条可能已送达）").format(queued.number)
        pairs.append((say("通知编号"), number))
    return Page(harmless(notice.title), tuple(pairs))


def _harmless_pair(name: str, value: str) -> tuple[str, str]:
    return harmless(name), visible(value) if name else harmless(value, LINE_LIMIT)


_DIGESTS = {
    "": "会话通知汇总：{} 条",
    "night": "夜间会话通知汇总：{} 条",
    "daily": "每日会话通知汇总：{} 条",
}
"""The titles by bundle."""


def _digest(say: Speaker, batch: Sequence[Queued], now_us: int) -> list[str]:
    """The title says what holds of the whole, so that every further line is one event.  What is of
    a bundle is of the same one."""
    ordered = sorted(batch, key=lambda queued: (queued.notice.at_us, queued.number))
    title = say(_DIGESTS.get(batch[0].bundle, _DIGESTS[""])).format(len(batch))
    if any(_is_late(queued, now_us) for queued in batch):
        title += say("，延迟送达")
    again = sorted(queued.number for queued in batch if queued.attempts)
    mixed = 0 < len(again) < len(batch)
    if mixed:  # each line that is one says so
        title += say("，含重发")
    elif again:
        span = f"{again[0]}–{again[-1]}" if len(again) > 1 else again[0]
        title += say("，重发，通知编号 {}").format(span)
    lines = [in_order(harmless(queued.notice.digest, LINE_LIMIT)) for queued in ordered]
    marks = [say("重发#{}").format(one.number) if one.attempts else "" for one in ordered]
    if mixed:
        lines = [f"{line} {mark}".rstrip() for line, mark in zip(lines, marks, strict=True)]
    return [title, *lines]


def _is_late(queued: Queued, now_us: int) -> bool:
    """What was held on purpose, or not clear before, is late only when it comes later than that."""
    since_us = max(queued.notice.at_us, queued.notice.clear_us, queued.held_us or 0)
    return now_us - since_us > LATE_SECONDS * 1_000_000
