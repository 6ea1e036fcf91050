"""The contract's texts, line for line, and what else a notice may say."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.support import NOW_US, login, logout, moment, notice, queued
from usersessionmon.model import (
    Change,
    ChangeKind,
    Link,
    Moment,
    NamedBy,
    Notice,
    Reason,
    Severity,
)
from usersessionmon.notify import text
from usersessionmon.notify.text import notice_of, render_text
from usersessionmon.notify.words import Server, Voice


def told(what: Notice, *, after: float = 0, attempts: int = 0, language: str = "zh") -> list[str]:
    now_us = what.at_us + round(after * 1_000_000)
    batch = [queued(123, what, attempts=attempts)]
    return render_text(batch, now_us=now_us, voice=Voice(UTC, language)).split("\n")


def test_login_line_for_line() -> None:
    assert told(notice(login())) == [
        "用户登录通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "用户名：alice",
        "IP地址：198.51.100.7",
        "登录时间：2026-11-21 08:15:30",
    ]


def test_logout_line_for_line() -> None:
    assert told(notice(logout(abnormal=True))) == [
        "用户登出通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "用户名：alice",
        "IP地址：198.51.100.7",
        "登出时间：2026-11-21 08:15:30",
        "会话时长：1小时2分3秒",
        "结束方式：网络断开",
        "异常：是",
    ]


def test_further_lines_follow() -> None:
    change = login()._replace(
        method="publickey", key_fingerprint="SHA256:abc", tty="pts/0", service="cockpit"
    )
    assert told(notice(change))[6:] == [
        "登录方式：publickey",
        "密钥指纹：SHA256:abc",
        "服务：cockpit",
        "终端：pts/0",
    ]
    found = login()._replace(inferred=True)
    assert told(notice(found))[6:] == ["推断：日志中没有登录记录，由现状得出"]
    ended = logout()._replace(inferred=True, login_time=moment(), reason=Reason.REBOOT)
    assert told(notice(ended))[6:] == [
        "会话时长：1小时2分3秒",
        "登录时间：2026-11-21 08:15:30",
        "结束方式：重启",
        "推断：日志中没有结束记录，由现状得出",
    ]


def test_unknown_is_left_out_and_never_invented() -> None:
    bare = Change(ChangeKind.LOGOUT, moment(), None, "sshd")
    made = notice_of(bare, Server("db-2", None, (), UTC))
    assert told(made) == ["用户登出通知", "服务器：db-2", "登出时间：2026-11-21 08:15:30"]
    assert made.digest == "2026-11-21 08:15:30 登出 - - db-2"


def test_an_empty_name_is_readable() -> None:
    assert "用户名：(空)" in told(notice(login("")))
    assert notice(login("")).digest == "2026-11-21 08:15:30 登录 (空) 198.51.100.7 web-1"


def test_another_host_has_no_address_of_this_one() -> None:
    here = Server("shown-name", "192.0.2.10", {"web-1", "web-1.example"}, UTC)
    made = notice_of(login()._replace(host="far"), here)
    assert told(made)[1:3] == ["服务器：far", "用户名：alice"]


def test_this_host_goes_by_its_configured_name() -> None:
    made = notice_of(login(), Server("门户", "192.0.2.1", {"web-1"}, UTC))
    assert told(made)[1:3] == ["服务器：门户", "服务器IP：192.0.2.1"]


def test_times_are_in_the_zone_and_no_calendar_is_too_small() -> None:
    east = timezone(timedelta(hours=8))
    made = notice_of(login(), Server("w", None, (), east))
    assert "登录时间：2026-11-21 16:15:30" in told(made)
    odd = login()._replace(time=Moment(10**20, "9999-12-31T23:59:59Z"))
    assert "登录时间：9999-12-31T23:59:59Z" in told(notice(odd))


def test_failure_and_elevation() -> None:
    failed = Change(
        ChangeKind.LOGIN_FAILED,
        moment(),
        "web-1",
        "sshd",
        user="root toor",
        ip="203.0.113.9",
        valid_user=False,
        times=3,
    )
    assert told(notice(failed))[0] == "登录失败通知"
    assert told(notice(failed))[5:] == [
        "失败时间：2026-11-21 08:15:30",
        "失败次数：3",
        "账户：不存在",
    ]
    assert notice(failed).digest == ("2026-11-21 08:15:30 登录失败 root␣toor 203.0.113.9 web-1 ×3")
    su = Change(
        ChangeKind.ELEVATION,
        moment(),
        "web-1",
        "sudo",
        user="alice",
        target_user="root",
        command="/bin/ls <x>",
    )
    lines = told(notice(su))
    assert lines[0] == "提权通知"
    assert lines[-3:] == ["目标用户：root", "命令：/bin/ls ＜x＞", "服务：sudo"]
    assert notice(su).digest == "2026-11-21 08:15:30 提权 alice - web-1 → root"


def test_an_elevation_names_the_person_and_from_where() -> None:
    su = Change(
        ChangeKind.ELEVATION, moment(), "web-1", "su", user="root", target_user="postgres",
        login_user="alice", login_from="198.51.100.7", link=Link.TTY,
        key_name="laptop", key_named_by=NamedBy.CONFIG,
    )  # fmt: skip
    assert told(notice(su))[4:] == [
        "提权时间：2026-11-21 08:15:30",
        "登录用户：alice",
        "来源：198.51.100.7",
        "密钥：laptop",
        "目标用户：postgres",
        "服务：su",
    ]
    concluded = su._replace(link=Link.ONLY, inferred=True)
    assert "登录用户：alice（推断）" in told(notice(concluded))
    assert "Logged in as: alice (concluded)" in told(notice(concluded, "en"), language="en")


def test_who_named_a_key_is_said_where_it_proves_nothing() -> None:
    named = login()._replace(key_name="alice@laptop", key_named_by=NamedBy.CONFIG)
    assert told(notice(named))[-1] == "密钥：alice@laptop"
    comment = named._replace(key_named_by=NamedBy.COMMENT)
    assert told(notice(comment))[-1] == "密钥：alice@laptop（公钥注释）"
    assert told(notice(comment, "en"), language="en")[-1] == (
        "Key: alice@laptop (comment in authorized_keys)"
    )
    certificate = named._replace(key_named_by=NamedBy.CERTIFICATE)
    assert told(notice(certificate))[-1] == "密钥：alice@laptop（证书）"
    evil = comment._replace(key_name="<at id=all></at>\nIP地址：1.1.1.1")
    assert len(told(notice(evil))) == len(told(notice(comment)))
    assert "<at" not in told(notice(evil))[-1]


def test_severity() -> None:
    assert notice(logout(abnormal=True)).severity is Severity.ABNORMAL
    assert notice(logout()).severity is Severity.ROUTINE


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0秒"), (59.9, "59秒"), (60, "1分"), (3600, "1小时"), (90061, "25小时1分1秒")],
)
def test_spans(seconds: float, shown: str) -> None:
    assert f"会话时长：{shown}" in told(notice(logout()._replace(duration=seconds)))


def test_late_and_again_are_marked_after_everything_else() -> None:
    assert not any("延迟" in line for line in told(notice(login()), after=30))
    late = told(notice(login()), after=31)
    assert late[:6] == told(notice(login())) and late[6:] == ["延迟送达：31秒"]
    again = told(notice(login()), attempts=1)
    assert again[6:] == ["通知编号：123（重发，先前一条可能已送达）"]


def test_a_digest_is_its_own_title_and_a_line_an_event_oldest_first() -> None:
    batch = [
        queued(5, notice(logout("bob", abnormal=True, at_us=NOW_US + 2_000_000))),
        queued(4, notice(login("alice"))),
    ]
    shown = render_text(batch, now_us=NOW_US + 3_000_000, voice=Voice(UTC)).split("\n")
    assert shown == [
        "会话通知汇总：2 条",
        "2026-11-21 08:15:30 登录 alice 198.51.100.7 web-1",
        "2026-11-21 08:15:32 登出 bob 198.51.100.7 web-1 网络断开 1小时2分3秒",
    ]
    late = render_text(batch, now_us=NOW_US + 300_000_000, voice=Voice(UTC)).split("\n")
    assert late[0] == "会话通知汇总：2 条，延迟送达" and late[1:] == shown[1:]
    again = [queued(7, notice(login()), attempts=2), queued(9, notice(login()))]
    title, first, second = render_text(again, now_us=NOW_US, voice=Voice(UTC)).split("\n")
    assert title == "会话通知汇总：2 条，含重发"
    assert first == f"{shown[1]} 重发#7" and second == shown[1], "which of them is one"
    again = [queued(number, notice(login()), attempts=1) for number in (9, 7, 8)]
    title = render_text(again, now_us=NOW_US, voice=Voice(UTC)).split("\n")[0]
    assert title == "会话通知汇总：3 条，重发，通知编号 7–9"


@pytest.mark.parametrize("name", ["אבג", "ابوبكر", "١٢٣", "a-אבג"])
def test_a_name_that_runs_leftward_draws_no_address_with_it(name: str) -> None:
    """By the bidirectional algorithm a number behind such a letter is shown on its other side, a
    number behind a mark U+200E is not."""
    batch = [queued(1, notice(login(name))), queued(2, notice(login()))]
    lines = render_text(batch, now_us=NOW_US, voice=Voice(UTC)).split("\n")
    assert lines[1] == f"2026-11-21 08:15:30 登录 {name}\u200e 198.51.100.7 web-1"
    assert lines[2] == "2026-11-21 08:15:30 登录 alice 198.51.100.7 web-1"


def test_english_has_no_chinese_but_the_keyword() -> None:
    changes = [
        login(""),
        logout(abnormal=True)._replace(inferred=True, login_time=moment()),
        Change(ChangeKind.LOGIN_FAILED, moment(), None, "sshd", times=2, valid_user=False),
        Change(ChangeKind.ELEVATION, moment(), None, "su", target_user=""),
        *(logout()._replace(reason=reason, client_host="c") for reason in Reason),
    ]
    notices = [notice(change, "en") for change in changes]
    notices.append(text.test_notice(Server("w", None, (), UTC, "en"), NOW_US))
    for made in notices:
        lines = told(made, after=100, attempts=1, language="en")
        assert "通知" in lines[0]
        assert not re.search("[\u3000-\u9fff]", "".join(lines[1:]) + made.digest)
    batch = [queued(number, made, attempts=1) for number, made in enumerate(notices)]
    digest = render_text(batch, now_us=NOW_US + 10**9, voice=Voice(UTC, "en"))
    assert not re.search("[\u3000-\u9fff]", digest.replace("通知", "", 1))


def test_only_logins_and_logouts_bear_their_titles() -> None:
    made = text.test_notice(Server("w", "192.0.2.1", (), UTC), NOW_US)
    assert told(made)[0] == "测试通知"
    assert told(made)[1:4] == ["服务器：w", "服务器IP：192.0.2.1", "发送时间：2026-11-21 08:15:30"]


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_no_value_can_add_a_line_or_ring_the_group(user: str, host: str, method: str) -> None:
    change = login(user)._replace(host=host, method=method, client_host=user, key_fingerprint=user)
    made = notice(change)
    shown = told(made)
    assert len(shown) == 1 + len(made.pairs)
    assert shown[0] == "用户登录通知"
    assert not set("".join(shown)) & set("<>&\x1b\u202e")
    digest = render_text([queued(1, made), queued(2, made)], now_us=NOW_US, voice=Voice(UTC)).split(
        "\n"
    )
    assert len(digest) == 3 and len(digest[1].split(" ")) == 6
