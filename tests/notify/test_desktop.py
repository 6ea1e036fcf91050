"""What only Windows tells, in notices: whose account, what becomes of the desktop, who took it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.support import login, logout, notice, server
from tests.notify.test_text import told
from usersessionmon.model import Change, ChangeKind, Reason, Severity
from usersessionmon.notify import text
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.settings import TemplateSettings

THERE = "203.0.113.9"


def arrived(**more: object) -> Change:
    change = login()._replace(
        service="windows", host="SRV01", domain="CORP", tty="rdp", method=None
    )
    return change._replace(**more)  # type: ignore[arg-type]


def left(**more: object) -> Change:
    change = logout()._replace(service="windows", host="SRV01", domain="CORP", tty="rdp")
    return change._replace(**more)  # type: ignore[arg-type]


def thrown_out(**more: object) -> Change:
    said = {"reason": Reason.KILLED, "abnormal": True, "kept": True, "by_user": "bob"}
    return left(**(said | {"by_ip": THERE} | more))


def lines(change: Change, language: str = "zh") -> list[str]:
    return told(text.notice_of(change, server(language)), language=language)[4:]


def digest(change: Change, language: str = "zh") -> str:
    return text.notice_of(change, server(language)).digest.partition(" SRV01")[2]


def test_a_reconnection_says_so_and_no_method() -> None:
    assert lines(arrived(again=True))[1:] == [
        "域：CORP", "会话：重新连接，程序一直在运行", "服务：windows", "终端：rdp",
    ]  # fmt: skip
    assert digest(arrived(again=True)) == " 重新连接"
    assert not any("会话" in line or "登录方式" in line for line in lines(arrived()))
    assert digest(arrived()) == ""


def test_who_was_thrown_out_and_by_whom_is_one_notice() -> None:
    told_of = text.notice_of(thrown_out(), server())
    assert (told_of.kind, told_of.severity) == ("logout", Severity.ABNORMAL)
    assert told_of.title == "用户登出通知"
    assert told_of.user == "alice"
    shown = lines(thrown_out())
    assert shown[2:6] == [
        "结束方式：被终止", "异常：是", f"结束者：bob（{THERE}）", "会话：已断开，程序仍在运行",
    ]  # fmt: skip
    assert digest(thrown_out()).endswith(f"被终止 1小时2分3秒 会话保留 由 bob {THERE} 结束")
    assert f"By whom: bob ({THERE})" in lines(thrown_out(), "en")
    assert digest(thrown_out(), "en").endswith(f"disconnected by bob {THERE}")


def test_an_administrator_at_the_host_has_no_address() -> None:
    assert "结束者：bob" in lines(thrown_out(by_ip=None))
    assert digest(thrown_out(by_ip=None)).endswith(" 由 bob 结束")
    assert "结束者：(空)" in lines(thrown_out(by_ip=None, by_user=""))


@pytest.mark.parametrize("name", ["alice", "Alice", "ALICE"])
def test_whoever_replaces_their_own_connection_is_no_other(name: str) -> None:
    shown = lines(thrown_out(by_user=name))
    assert f"被取代：本人从 {THERE} 重新连接" in shown
    assert not any(line.startswith(("结束者", "会话：")) for line in shown)
    assert digest(thrown_out(by_user=name)).endswith(f"1小时2分3秒 本人从 {THERE} 重新连接")
    assert "被取代：本人从别处重新连接" in lines(thrown_out(by_user=name, by_ip=None))
    assert digest(thrown_out(by_user=name, by_ip=None)).endswith(" 本人从别处重新连接")


def test_who_disconnects_leaves_a_session_that_lives_on() -> None:
    assert "会话：已断开，程序仍在运行" in lines(left(kept=True))
    assert digest(left(kept=True)).endswith(" 会话保留")
    assert not any(line.startswith("会话：") for line in lines(left()))


@pytest.mark.parametrize(
    ("host", "domain", "shown"),
    [
        ("SRV01", "CORP", True),
        ("SRV01", "SRV01", False),
        ("SRV01.corp.example", "srv01", False),
        ("WIN-ABCDEFGHIJKLMN", "WIN-ABCDEFGHIJK", False),  # a NetBIOS name has 15 characters
        ("SRV01", "SRV0", True),
        ("SRV01", ".", False),
        ("SRV01", "", False),
        ("SRV01", None, False),
        (None, "CORP", True),
    ],
)
@pytest.mark.parametrize("kind", list(ChangeKind))
def test_a_domain_is_told_where_it_is_not_the_hosts_own(
    kind: ChangeKind, host: str | None, domain: str | None, shown: bool
) -> None:
    change = arrived(kind=kind, host=host, domain=domain)
    assert (f"域：{domain}" in told(text.notice_of(change, server()))) is shown


def test_what_linux_tells_stays_as_it_was() -> None:
    for change in (login(), logout()):
        names = {name for name, _ in notice(change).pairs}
        assert not names & {"域", "会话", "结束者", "被取代"}


@given(st.text(max_size=300), st.sampled_from([None, THERE]))
def test_a_name_is_no_address_and_no_line(name: str, place: str | None) -> None:
    """However long a name is, the address behind it is seen; nothing of it is a line of its own."""
    change = thrown_out(by_user=f"x{name}", by_ip=place)
    shown = lines(change)
    assert len(shown) == len(lines(thrown_out(by_ip=place)))
    assert place is None or any(line.endswith(f"（{THERE}）") for line in shown)
    assert "\n" not in digest(change)


def test_own_words_have_their_holes() -> None:
    settings = TemplateSettings(
        login="通知\n{domain}/{user}\n回来：{reconnected}",
        logout="通知 {user}\n被 {by_user} 从 {by_ip}\n断开：{disconnected}",
    )
    texts = OwnTexts(settings)

    def pairs(change: Change) -> list[str]:
        return [value for _, value in texts.word(change, server()).pairs]

    assert pairs(arrived(again=True)) == ["CORP/alice", "回来：是"]
    assert pairs(arrived()) == ["CORP/alice"]
    assert pairs(thrown_out()) == [f"被 bob 从 {THERE}", "断开：是"]
    assert pairs(left()) == []


def test_own_words_never_lose_who_ended_it() -> None:
    texts = OwnTexts(TemplateSettings(logout="通知 {user}\n{reason}"))
    told_of = texts.word(thrown_out(), server())
    assert told_of.pairs == (("", "被终止"), ("结束者", f"bob（{THERE}）"))


def test_whom_it_concerns_is_known_in_any_letters() -> None:
    assert text.notice_of(thrown_out(user="ALICE"), server()).people == ("ALICE", "alice")
    assert text.notice_of(thrown_out(user=None), server()).people == ()
    assert notice(logout("ALICE")).people == ("ALICE",)


def test_programs_get_the_event_with_the_notice() -> None:
    event = json.loads(text.notice_of(thrown_out(), server()).event)
    assert (event["by_user"], event["by_ip"], event["disconnected"]) == ("bob", THERE, True)
