"""The notices of the monitor about itself, and the daily report."""

from __future__ import annotations

from datetime import UTC

import pytest

from tests.notify.support import NOW_US, queued, server
from usersessionmon.model import Notice, PersonDay, Report, Severity
from usersessionmon.notify.base import Answer
from usersessionmon.notify.report import covered, report_notice, well_notice
from usersessionmon.notify.text import render_text
from usersessionmon.notify.watched import broken_notice, down_notice, fallen_notice
from usersessionmon.notify.words import Speaker, Voice

HOUR = 3_600_000_000
DAY = 24 * HOUR


def told(what: Notice, language: str = "zh") -> list[str]:
    text = render_text([queued(1, what)], now_us=what.at_us, voice=Voice(UTC, language))
    return text.split("\n")


def report(*people: PersonDay, more: int = 0, language: str = "zh") -> Notice:
    found = Report(
        NOW_US - DAY, NOW_US, people, more, 5, 2, 1, 12, (("203.0.113.9", 10), ("", 2)),
        (("root", 12),), 9999, 10_000, NOW_US - 60_000_000, 3, 4,
    )  # fmt: skip
    return report_notice(found, NOW_US, server(language))


ALICE = PersonDay("alice", 3, 1, 7500.4, ("198.51.100.7", "192.0.2.1"), False, ("root", "pg"))
NOBODY = PersonDay(None, 1, 0, 0.0, (), False, ())


def test_the_report_line_for_line() -> None:
    made = report(ALICE, NOBODY, more=2)
    assert told(made) == [
        "每日会话报告通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "统计时段：2026-11-20 08:15:30 至 2026-11-21 08:15:30",
        "登录情况：4 人，5 次会话",
        "用户会话：alice：3 次，2小时5分，在线，来自 198.51.100.7, 192.0.2.1，提权为 root, pg",
        "用户会话：-：1 次，0秒",
        "其余用户：2 人",
        "当前在线：2 个会话",
        "异常结束：1 次",
        "失败登录：12 次",
        "失败来源：203.0.113.9 (10), 未知 (2)",
        "失败账户：root (12)",
        "日志识别：9999 / 10000 行（99.9%）",
        "最近日志：2026-11-21 08:14:30",
        "待发通知：3 条",
        "已丢弃通知：4 条",
    ]
    assert (made.kind, made.severity) == ("report", Severity.ROUTINE)
    assert made.digest == "2026-11-21 08:15:30 每日会话报告 - - web-1 4 人，5 次会话"


def test_a_day_without_anybody() -> None:
    empty = Report(NOW_US - DAY, NOW_US, (), 0, 0, 0, 0, 0, (), (), 0, 0, None, 0, 0)
    assert told(report_notice(empty, NOW_US, server()))[4:] == [
        "登录情况：无人登录",
        "当前在线：0 个会话",
        "失败登录：无",
        "日志识别：没有日志",
    ]


def test_hostile_names_in_the_report_are_harmless_and_bounded() -> None:
    name = '<at user_id="all"></at>\n用户登录通知\u202e' + "😀" * 1000
    many = tuple(f"2001:db8::{number:x}" for number in range(50))
    person = PersonDay(name, 1, 0, 1.0, many, True, (name,) * 50)
    lines = told(report(*([person] * 100)))
    assert len(lines) < 120 and max(map(len, lines)) < 500
    assert not any("<" in line or "\u202e" in line for line in lines)
    assert lines.count("用户登录通知") == 0


def test_all_is_well() -> None:
    made = well_notice(NOW_US - DAY, NOW_US - HOUR, 7, 8, 3, 0, NOW_US, server=server())
    assert told(made)[0] == "监控正常通知"
    assert told(made)[3:] == [
        "运行自：2026-11-20 08:15:30",
        "统计时段：2026-11-21 07:15:30 至 2026-11-21 08:15:30",
        "日志识别：7 / 8 行（87.5%）",
        "当前在线：3 个会话",
        "待发通知：0 条",
    ]
    assert (made.kind, made.severity) == ("heartbeat", Severity.ROUTINE)


def test_a_share_is_never_rounded_up_to_all() -> None:
    say = Speaker("zh", UTC)
    assert covered(say, 99_999, 100_000) == "99999 / 100000 行（99.9%）"
    assert covered(say, 5, 5) == "5 / 5 行（100.0%）"


def test_it_was_down() -> None:
    made = down_notice(NOW_US - 2 * HOUR, NOW_US, True, False, server=server())
    assert told(made)[0] == "监控中断通知"
    assert told(made)[3:] == [
        "中断时段：2026-11-21 06:15:30 至 2026-11-21 08:15:30",
        "中断时长：2小时",
        "正常停止：否",
        "期间主机重启：是",
        "说明：其间的登录和登出若仍在日志中，随后补发",
    ]
    assert (made.kind, made.severity) == ("trouble", Severity.ABNORMAL)
    unknown = down_notice(NOW_US - HOUR, NOW_US, None, True, server=server())
    assert "正常停止：是" in told(unknown)
    assert not any(line.startswith("期间主机重启") for line in told(unknown))


def fallen(over: bool, language: str = "zh") -> Notice:
    shapes = [("sshd", "Odd {word} from {ip}", 40), ("su", "x" * 500, 1)]
    programs = [("sshd", 40), ("su", 1)]
    return fallen_notice(
        over, NOW_US, 9, 50, 0.995, programs, shapes, NOW_US + HOUR, server=server(language)
    )


def test_fewer_lines_are_understood() -> None:
    lines = told(fallen(over=False))
    assert lines[0] == "监控覆盖率下降通知"
    assert lines[3:8] == [
        "日志识别：9 / 50 行（18.0%）",
        "以往：99.5%",
        "察觉时间：2026-11-21 08:15:30",
        "程序：sshd (40), su (1)",
        "未识别：(40 条) sshd: Odd {word} from {ip}",
    ]
    assert lines[8].endswith("…") and len(lines[8]) <= 110
    assert told(fallen(over=True))[0] == "监控覆盖率恢复通知"
    assert told(fallen(over=True))[3:] == [
        "日志识别：9 / 50 行（18.0%）",
        "察觉时间：2026-11-21 08:15:30",
        "恢复时间：2026-11-21 09:15:30",
        "说明：大多数日志又能识别了",
    ]


def broken(over: bool, answer: str, language: str = "zh") -> Notice:
    return broken_notice(
        over, "ops", answer, "code 19024: <at> Key Words\nNot Found", NOW_US, 3, NOW_US + HOUR,
        server=server(language),
    )  # fmt: skip


def test_a_channel_does_not_deliver() -> None:
    made = broken(False, "configuration")
    assert made.not_to == "ops"
    assert told(made)[0] == "通知渠道异常通知"
    assert told(made)[3:] == [
        "渠道：ops",
        "原因：配置有误",
        "答复：code 19024: ＜at＞ Key Words Not Found",
        "未送达自：2026-11-21 08:15:30",
        "待发通知：3 条",
    ]
    assert "原因：没有答复" in told(broken(False, ""))
    over = broken(True, "configuration")
    assert over.not_to == "ops"
    assert told(over)[0] == "通知渠道恢复通知"
    assert told(over)[3:] == [
        "渠道：ops",
        "未送达自：2026-11-21 08:15:30",
        "恢复时间：2026-11-21 09:15:30",
        "待发通知：3 条",
    ]


@pytest.mark.parametrize("answer", ["", *Answer])
def test_every_answer_has_its_words(answer: str) -> None:
    for language in ("zh", "en"):
        assert told(broken(False, answer, language), language)


def test_in_english_with_the_keyword() -> None:
    made = [
        report(ALICE, NOBODY, more=2, language="en"),
        well_notice(NOW_US, NOW_US, 1, 2, 3, 4, NOW_US, server=server("en")),
        down_notice(NOW_US, NOW_US + HOUR, True, True, server=server("en")),
        *(fallen(over, "en") for over in (False, True)),
        *(broken(over, "transient", "en") for over in (False, True)),
    ]
    for one in made:
        lines = told(one, "en")
        assert lines[0].endswith(" · 通知")
        assert not any("\u3000" <= letter <= "\u9fff" for line in lines[1:] for letter in line)
        assert not any("\u3000" <= letter <= "\u9fff" for letter in one.digest)
