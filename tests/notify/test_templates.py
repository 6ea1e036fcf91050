"""The user's own texts: what may stand in them, and that nothing gets lost or comes alive."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.support import login, logout, moment, queued, server
from usersessionmon.config import Settings, load
from usersessionmon.errors import UserError
from usersessionmon.model import (
    Change,
    ChangeKind,
    Doubt,
    Finding,
    NamedBy,
    Notice,
    Oddity,
    Reason,
    Severity,
)
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.settings import TemplateSettings
from usersessionmon.notify.templates import HOLES, fill, mistakes, parse
from usersessionmon.notify.text import render_text
from usersessionmon.notify.words import Voice

FAILURES = Finding(Oddity.SUCCESS_AFTER_FAILURES, times=7, seconds=60)
ROOT = Finding(Oddity.ROOT_PASSWORD, "198.51.100.7")
EVIL = '<at user_id="all"></at>\n用户名：root\u2028\u202e[x](http://evil.example)'


def word(change: Change, *findings: Finding, language: str = "zh", **texts: str) -> Notice:
    return OwnTexts(TemplateSettings(**texts)).word(change, server(language), findings)


def told(made: Notice, *, after: float = 0, language: str = "zh") -> list[str]:
    now_us = made.at_us + round(after * 1_000_000)
    return render_text([queued(1, made)], now_us=now_us, voice=Voice(UTC, language)).split("\n")


def test_without_a_template_nothing_changes() -> None:
    assert told(word(login()))[0] == "用户登录通知"
    assert told(word(login(), logout="通知 {user}"))[0] == "用户登录通知"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", ["用户登录通知", "用户登出通知", "User login notice · 通知"])
def test_no_other_notice_takes_a_logins_or_a_logouts_title(name: str, language: str) -> None:
    failed = login(name)._replace(kind=ChangeKind.LOGIN_FAILED)
    made = word(failed, language=language, login_failed="{user} 失败通知")
    assert made.title == ("登录失败通知" if language == "zh" else "Failed login notice · 通知")
    own = word(failed, language=language, login_failed=name)
    assert name not in own.title


def test_a_login_may_be_called_so_in_either_language() -> None:
    made = word(login(), language="en", login="用户登录通知 {user}")
    assert made.title == "用户登录通知 alice"


def test_the_holes_are_filled_and_only_they() -> None:
    text = "{host} 登录通知\n{user} 来自 {ip}（{server_ip}）\n{{{user}}} {{user}}\n\n时间 {time}\n"
    assert told(word(login("管理员"), login=text)) == [
        "web-1 登录通知",
        "管理员 来自 198.51.100.7（192.0.2.10）",
        "{管理员} {user}",
        "",
        "时间 2026-11-21 08:15:30",
    ]
    nested = word(login("{ip}{{x}}"), login="通知\n{user}")
    assert told(nested)[1] == "{ip}{{x}}", "what is filled in is not read again"


def test_what_is_not_known_takes_its_line_with_it() -> None:
    text = "{user} 通知\n键 {key}\n端口 {port}\n方式 {method} {tty}\n完"
    assert told(word(login(None), login=text)) == ["- 通知", "完"]
    known = login()._replace(method="password", tty="pts/0", port=50022)
    assert told(word(known, login=text))[1:] == ["端口 50022", "方式 password pts/0", "完"]


FULL = Change(
    ChangeKind.LOGIN, moment(), "web-1", "sshd", user="alice", ip="198.51.100.7",
    client_host="client.example", port=50022, method="publickey", key_fingerprint="SHA256:abc",
    session="s-1", valid_user=False, times=3, reason=Reason.NETWORK, abnormal=True, duration=61.0,
    inferred=True, target_user="root", command="/bin/ls", tty="pts/0", login_time=moment(),
    doubt=Doubt.NO_PROCESS, key_name="laptop", key_named_by=NamedBy.COMMENT,
    login_user="bob", login_from="192.0.2.99",
    domain="CORP", again=True, kept=True, by_user="bob", by_ip="192.0.2.99",
)  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", ChangeKind)
def test_every_hole_has_a_value_where_all_is_known(kind: ChangeKind, language: str) -> None:
    text = "通知\n" + "\n".join(f"{name}={{{name}}}" for name in HOLES[kind])
    made = word(FULL._replace(kind=kind), ROOT, language=language, **{kind.value: text})
    lines = [line.partition("=") for line in told(made, language=language)[1:]]
    assert [name for name, _, _ in lines if name != "unusual"] == [
        name for name in HOLES[kind] if name != "unusual"
    ]
    assert all(value for _, _, value in lines)


def test_the_values_are_as_the_built_in_text_says_them() -> None:
    text = "通知\n{login_time} {duration} {reason} {abnormal}"
    assert told(word(logout(abnormal=True)._replace(login_time=moment()), logout=text))[1:] == [
        "2026-11-21 08:15:30 1小时2分3秒 网络断开 是"
    ]
    named = login()._replace(key_fingerprint="SHA256:abc")
    assert told(word(named, login="通知\n{key}"))[1] == "SHA256:abc"
    named = named._replace(key_name="laptop", key_named_by=NamedBy.COMMENT)
    assert told(word(named, login="通知\n{key}"))[1] == "laptop（公钥注释）"


def test_what_is_unusual_is_not_lost() -> None:
    doubted = login()._replace(doubt=Doubt.NO_PROCESS)
    plain = told(word(doubted, FAILURES, ROOT, login="通知\n{user}"))
    assert plain[1:] == [
        "alice",
        "核对：日志所说的进程不存在，可能是伪造的日志",
        "注意：此前来自同一地址的失败 7 次，最近一次在 1分之前",
        "注意：高权限账户以密码登录（198.51.100.7）",
    ]
    made = word(doubted, FAILURES, ROOT, login="通知\n！{unusual} {key}\n{user}")
    assert told(made)[1:] == [
        "！日志所说的进程不存在，可能是伪造的日志 -",
        "！此前来自同一地址的失败 7 次，最近一次在 1分之前 -",
        "！高权限账户以密码登录（198.51.100.7） -",
        "alice",
    ]
    assert made.severity is Severity.ABNORMAL
    assert told(word(login(), login="通知\n！{unusual}\n{user}"))[1:] == ["alice"]


def test_late_and_again_are_still_said_and_the_digest_is_the_built_in_one() -> None:
    made = word(login(), login="通知\n{user}")
    assert told(made, after=100)[1:] == ["alice", "延迟送达：1分40秒"]
    assert made.digest == word(login()).digest


def test_english_lines_without_names_are_bare_too() -> None:
    text = "Hello 通知\n{user}: {reason}"
    lines = told(word(logout(), language="en", logout=text), language="en")
    assert lines == ["Hello 通知", "alice: left by themselves"]


def test_nobody_can_push_the_keyword_out_or_take_another_notices_title() -> None:
    long = told(word(login("x" * 4000), login="{user} {host} {user} {user} 登录通知"))
    assert long[0].endswith(" 登录通知") and len(long[0]) <= 80
    failed = Change(ChangeKind.LOGIN_FAILED, moment(), "web-1", "sshd", user="用户登录")
    assert told(word(failed, login_failed="{user}通知"))[0] == "登录失败通知"
    assert told(word(login(), login="用户登录通知 {user}"))[0] == "用户登录通知 alice"


def test_hostile_values_stay_within_their_line() -> None:
    change = login(EVIL)._replace(client_host=EVIL, method=EVIL)
    lines = told(word(change, login="通知 {user}\n{user} {client_host}\n{method}"))
    assert len(lines) == 3
    assert not set("".join(lines)) & set("<>\u2028\u202e\n") and "](" not in "".join(lines)
    assert lines[2].startswith('＜at user_id="all"＞＜/at＞ 用户名：root')


@given(st.text(st.characters(), max_size=300), st.text(max_size=300))
def test_whatever_the_values_are_the_lines_are_the_templates(user: str, command: str) -> None:
    change = Change(ChangeKind.ELEVATION, moment(), "web-1", "sudo", user=user, command=command)
    lines = told(word(change, elevation="{user} 通知\n<{user}>\n{command}|{command}\n完"))
    assert 3 <= len(lines) <= 4 and "通知" in lines[0]
    assert lines[1].startswith("＜") and lines[1].endswith("＞") and lines[-1] == "完"


def test_the_whole_is_bounded_and_what_is_unusual_comes_all_the_same() -> None:
    greedy = "通知\n" + "{user}{user}{user}{user}\n" * 28 + "{unusual}"
    lines = told(word(login("😀" * 100), ROOT, login=greedy))
    assert len("\n".join(lines).encode()) < 8000
    assert lines[-1] == "…" and lines[-2].startswith("高权限账户")


@given(st.text("{}通知user! .[0]:\n\\%$", max_size=60))
def test_what_is_accepted_can_be_filled(text: str) -> None:
    if not list(mistakes("login", text)) and parse(text):
        title, lines, _ = fill(parse(text), {"user": "alice"}, ["x"])
        assert "通知" in title and len(lines) <= text.count("\n") + 1


def refused(tmp_path: Path, text: str, key: str = "login") -> list[str]:
    path = tmp_path / "config.yaml"
    block = "\n".join(f"    {line}" for line in text.split("\n"))
    path.write_text(f"language: zh\ntemplates:\n  {key}: |\n{block}\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        load(path)
    for line in error.value.lines:
        assert line.startswith(f"{path}:3: templates.{key}: ")
    return [line.partition(f"{key}: ")[2] for line in error.value.lines]


def test_an_unknown_hole_names_line_key_and_the_nearest(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, "通知\n{usr}")
    assert problem.startswith("line 2: nothing is called {usr} (did you mean user?); known here")
    (problem,) = refused(tmp_path, "通知 {duration}", "login")
    assert "nothing is called {duration}" in problem, "a login has none"
    assert len(refused(tmp_path, "通知\n{usr}\n{hots}")) == 2


@pytest.mark.parametrize(
    "bad",
    [
        "{user!r}",
        "{user:>9}",
        "{user.name}",
        "{user[0]}",
        "{}",
        "{ user }",
        "{user",
        "user}",
        "{0.x}",
    ],
)
def test_only_names_may_stand_in_braces(tmp_path: Path, bad: str) -> None:
    (problem,) = refused(tmp_path, f"通知\n{bad}")
    assert problem.startswith("line 2: ") and "a name and nothing else" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("登录\n通知", "the first line must contain 通知"),
        ("通知 {unusual}", "needs a line of its own"),
        ("通知{user}{user}{user}{user}{user}", "at most 4 names"),
        ("通知" + "x" * 48, "48 characters"),
        ("通知\n" + "x\n" * 30, "at most 30 lines"),
        ("通知\n" + "通" * 1400, "4096 bytes"),
    ],
)
def test_what_a_bot_or_a_body_could_not_take_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    (problem,) = refused(tmp_path, text)
    assert words in problem


def test_an_empty_template_is_none(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("templates:\n  login: ''\n  logout:\n", encoding="utf-8")
    assert load(path).templates == Settings().templates
