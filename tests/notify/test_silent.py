"""The notices about a silent log."""

from __future__ import annotations

from datetime import UTC

from tests.notify.support import NOW_US, queued
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.silent import silent_notice
from usersessionmon.notify.text import render_text
from usersessionmon.notify.words import Server, Voice


def notice(over: bool, last_us: int | None = NOW_US, language: str = "zh") -> Notice:
    return silent_notice(
        over, NOW_US + 400_000_000, last_us, 2, NOW_US + (900_000_000 if over else 400_000_000),
        source="/var/log/auth.log", server=Server("web 1", "192.0.2.10", (), UTC, language),
    )  # fmt: skip


def told(what: Notice, language: str = "zh") -> list[str]:
    text = render_text([queued(1, what)], now_us=what.at_us, voice=Voice(UTC, language))
    return text.split("\n")


def test_line_for_line() -> None:
    made = notice(over=False)
    assert told(made) == [
        "日志静默通知",
        "服务器：web 1",
        "服务器IP：192.0.2.10",
        "日志：/var/log/auth.log",
        "最近：2026-11-21 08:15:30",
        "察觉时间：2026-11-21 08:22:10",
        "新连接：2",
        "说明：有人连上 sshd，日志却没有新内容",
    ]
    assert (made.kind, made.severity) == ("trouble", Severity.ABNORMAL)
    assert made.digest == "2026-11-21 08:22:10 日志静默 - - web␣1 /var/log/auth.log"


def test_its_end() -> None:
    made = notice(over=True, last_us=None)
    assert told(made)[0] == "日志恢复通知"
    assert told(made)[4:] == [
        "察觉时间：2026-11-21 08:22:10",
        "恢复时间：2026-11-21 08:30:30",
        "说明：日志恢复；其间的登录和登出可能未被记录",
    ]


def test_in_english_with_the_keyword() -> None:
    for over in (False, True):
        lines = told(notice(over, language="en"), "en")
        assert lines[0].endswith(" · 通知")
        assert not any(ord(letter) > 0x2FFF for line in lines[1:] for letter in line)
