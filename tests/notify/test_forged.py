"""The notice about lines in another's name."""

from __future__ import annotations

import dataclasses
from datetime import UTC
from typing import Any

from tests.notify.support import NOW_US, queued, server
from usersessionmon.model import Forged, Forger, Notice, Severity
from usersessionmon.notify.forged import forged_notice
from usersessionmon.notify.text import render_text
from usersessionmon.notify.words import Voice

LOGGER = Forger("web-1", "sshd", 1000, "/usr/bin/logger", "logger", "session-3.scope")


def notice(counts: dict[Forger, int], *, more: int = 0, **given: Any) -> Notice:
    forged = Forged(counts, more, NOW_US, NOW_US + 60_000_000)
    here = dataclasses.replace(server(), **given)
    return forged_notice(forged, NOW_US + 60_000_000, here)


def told(what: Notice, language: str = "zh") -> list[str]:
    text = render_text([queued(1, what)], now_us=what.at_us, voice=Voice(UTC, language))
    return text.split("\n")


def test_line_for_line() -> None:
    made = notice({LOGGER: 11, LOGGER._replace(program="sudo", uid=1001, unit=None): 1})
    assert told(made) == [
        "可疑日志通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "冒充：sshd×11 sudo×1",
        "写入者：uid=1000 exe=/usr/bin/logger comm=logger unit=session-3.scope ×11",
        "写入者：uid=1001 exe=/usr/bin/logger comm=logger ×1",
        "最早：2026-11-21 08:15:30",
        "最近：2026-11-21 08:16:30",
        "说明：有人以登录程序的名义写日志；这些日志未被采信",
    ]
    assert made.severity is Severity.ABNORMAL
    assert made.digest == "2026-11-21 08:16:30 可疑日志 - - web-1 sshd×11 sudo×1"


def test_in_english_with_the_keyword() -> None:
    lines = told(notice({LOGGER: 1}, language="en"), "en")
    assert lines[0] == "Suspicious log lines · 通知"
    assert lines[3] == "In the name of: sshd×1"
    assert not any(ord(letter) > 0x2FFF for line in lines[1:] for letter in line)


def test_of_windows_the_account_is_told_as_windows_names_it() -> None:
    other = Forger("web-1", "sshd", 65534, None, None, None, "S-1-5-21-1-2-3-1001")
    assert "写入者：sid=S-1-5-21-1-2-3-1001 ×4" in told(notice({other: 4}))


def test_many_writers_are_summed_and_other_hosts_named() -> None:
    counts = {LOGGER._replace(uid=uid, host="db-2"): 2000 - uid for uid in range(1000, 1010)}
    lines = told(notice(counts, more=7))
    writers = [line for line in lines if line.startswith("写入者")]
    assert len(writers) == 5 and writers[0].startswith("写入者：host=db-2 uid=1000 ")
    assert f"其他写入者：{sum(2000 - uid for uid in range(1005, 1010)) + 7} 条" in lines


def test_what_the_writer_chose_cannot_pass_for_a_line_of_ours() -> None:
    """A process names itself and its program as it likes."""
    evil = LOGGER._replace(comm="x\n用户登录通知\x1b[31m", exe="/home/m/a b\n服务器：web-2 <at>")
    lines = told(notice({evil: 1}))
    assert len(lines) == 7
    assert not any("\x1b" in line or "<at>" in line for line in lines)
    digest = notice({evil._replace(program="a\nb c"): 1}).digest
    assert "\n" not in digest
