"""Why something is unusual, in words, and the two notices about many failures."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from tests.notify.support import NOW_US, login, queued, server
from usersessionmon.model import Bout, ChangeKind, Finding, Notice, Oddity, Scope, Severity
from usersessionmon.notify.routing import Router
from usersessionmon.notify.sanitize import VALUE_LIMIT
from usersessionmon.notify.settings import RouteSettings
from usersessionmon.notify.text import notice_of, render_text
from usersessionmon.notify.unusual import bout_notice
from usersessionmon.notify.words import Voice

MINUTE_US = 60_000_000
NET = "2001:db8:aaaa:bbbb::/64"
LONG = {
    Oddity.TWO_PLACES: f"{NET}, {NET}",
    Oddity.ROOT_PASSWORD: "keyboard-interactive/pam",
    Oddity.UNUSUAL_HOUR: "23:00-02:00",
}


def lines(made: Notice, language: str = "zh") -> list[str]:
    text = render_text([queued(1, made)], now_us=made.at_us, voice=Voice(UTC, language))
    return text.split("\n")


def told(finding: Finding, language: str = "zh") -> list[str]:
    """The lines that a login's notice has because of it."""
    made = notice_of(login(), server(language), [finding])
    plain = notice_of(login(), server(language))
    assert made.title == plain.title
    return lines(made, language)[len(plain.pairs) + 1 :]


def test_each_finding_is_one_line_that_says_why() -> None:
    first = Finding(Oddity.FIRST_NETWORK, place=NET, total=42, since_us=NOW_US)
    assert told(first) == [f"注意：此用户首次从 {NET} 登录（自 2026-11-21 起已知 42 次登录）"]
    assert told(first, "en") == [
        f"Unusual: this user's first login from {NET} (42 logins known since 2026-11-21)"
    ]
    guessed = Finding(Oddity.SUCCESS_AFTER_FAILURES, times=12, seconds=90)
    assert told(guessed) == ["注意：此前来自同一地址的失败 12 次，最近一次在 1分30秒之前"]
    assert told(guessed, "en") == [
        "Unusual: follows 12 failures from the same address, the last 1m 30s before"
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("oddity", Oddity)
def test_every_sentence_is_there_and_is_not_cut(oddity: Oddity, language: str) -> None:
    finding = Finding(oddity, LONG.get(oddity, NET), 12345, 12345, 86_400.0, NOW_US)
    (line,) = told(finding, language)
    assert not line.endswith("…")
    assert "{" not in line
    assert len(line) <= VALUE_LIMIT + 10


def test_several_are_several_lines_and_words_of_the_digest() -> None:
    found = [
        Finding(Oddity.ROOT_PASSWORD, place="password"),
        Finding(Oddity.TWO_PLACES, place="client with <at> blanks", times=1),
    ]
    made = notice_of(login(), server(), found)
    assert [name for name, _ in made.pairs[-2:]] == ["注意", "注意"]
    assert made.digest == (
        "2026-11-21 08:15:30 登录 alice 198.51.100.7 web-1 高权限账户以密码登录（password） "
        "此用户同时还从另外 1 个网络在线：client␣with␣＜at＞␣blanks"
    )
    assert made.severity is Severity.ABNORMAL
    assert notice_of(login(), server(), found[1:]).severity is Severity.ROUTINE


def bout(scope: Scope = Scope.ADDRESS, *, over: bool = False, **more: Any) -> Bout:
    values: dict[str, Any] = {
        "subject": "" if scope is Scope.HOST else "203.0.113.9",
        "began_us": NOW_US - 5 * MINUTE_US,
        "last_us": NOW_US,
        "at_us": NOW_US + (30 * MINUTE_US if over else 0),
        "times": 10,
        "names": ("root", "admin"),
        "more": False,
        "minutes": 30 if over else 10,
        "host": "web-1",
    }
    return Bout(scope=scope, over=over, **{**values, **more})


def test_the_beginning_line_for_line() -> None:
    made = bout_notice(bout(), server())
    assert lines(made) == [
        "大量登录失败告警通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "IP地址：203.0.113.9",
        "开始时间：2026-11-21 08:10:30",
        "最近：2026-11-21 08:15:30",
        "失败次数：10",
        "涉及账户：2 个 (root, admin)",
        "说明：10 分钟内来自同一地址的失败过多；平息后汇总",
    ]
    assert made.severity is Severity.ABNORMAL
    assert made.digest == "2026-11-21 08:15:30 大量登录失败告警 - 203.0.113.9 web-1 ×10"


@pytest.mark.parametrize(
    ("scope", "subject", "route", "fits"),
    [
        (Scope.ADDRESS, "203.0.113.9", RouteSettings(("ops",), hosts=("web-*",)), True),
        (Scope.ADDRESS, "203.0.113.9", RouteSettings(("ops",), networks=("203.0.113.0/24",)), True),
        (Scope.SWEEP, "2001:db8::/64", RouteSettings(("ops",), networks=("2001:db8::/32",)), True),
        (Scope.ADDRESS, "203.0.113.9", RouteSettings(("ops",), networks=("192.0.2.0/24",)), False),
        (Scope.ACCOUNT, "root", RouteSettings(("ops",), users=("root",)), True),
        (Scope.ACCOUNT, "root", RouteSettings(("ops",), networks=("203.0.113.0/24",)), False),
        (Scope.HOST, "", RouteSettings(("ops",), hosts=("web-1",)), True),
        (Scope.HOST, "", RouteSettings(("ops",), users=("root",)), False),
    ],
)
def test_many_failures_are_routed_by_what_they_are_about(
    scope: Scope, subject: str, route: RouteSettings, fits: bool
) -> None:
    made = bout_notice(bout(scope, subject=subject), server())
    (posted,) = Router(("feishu", "ops"), [route]).post([made], NOW_US)
    assert tuple(posted.channels) == (("ops",) if fits else ("feishu", "ops"))


@pytest.mark.parametrize(("scope", "called"), [(Scope.ACCOUNT, ("alice",)), (Scope.ADDRESS, ())])
def test_many_failures_on_an_account_call_its_owner(scope: Scope, called: tuple[str, ...]) -> None:
    made = bout_notice(bout(scope, subject="alice"), server())
    (posted,) = Router(("feishu",), people={"alice"}).post([made], NOW_US)
    assert posted.notice.people == called


def test_the_end_line_for_line() -> None:
    names = tuple(f"10.0.0.{n}" for n in range(50))
    over = bout(Scope.ACCOUNT, over=True, subject="root", times=70_000, names=names, more=True)
    made = bout_notice(over, server("en"))
    assert lines(made, "en") == [
        "Failed logins have ceased · 通知",
        "Server: web-1",
        "Server IP: 192.0.2.10",
        "User: root",
        "Began: 2026-11-21 08:10:30",
        "Last: 2026-11-21 08:15:30",
        "Attempts: 70000",
        "Addresses: more than 50 (10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, …)",
        "About: no further failures for 30 minutes",
    ]
    assert made.severity is Severity.ROUTINE
    assert made.digest == "2026-11-21 08:45:30 failures-ceased root - web-1 ×70000"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("scope", Scope)
def test_its_title_is_a_notices_and_no_logins(scope: Scope, over: bool, language: str) -> None:
    made = bout_notice(bout(scope, over=over), server(language))
    titles = [notice_of(login()._replace(kind=kind), server(language)).title
              for kind in ChangeKind]  # fmt: skip
    assert "通知" in made.title
    assert not any(word in made.title for word in ("用户登录通知", "用户登出通知", *titles))
    assert not any(line.endswith("…") for line in lines(made, language))


def test_names_are_an_attackers_and_are_made_harmless() -> None:
    nasty = ("a\nIP地址：192.0.2.1", '<at user_id="all"></at>', "x" * 500, "", "b", "c", "d")
    made = lines(bout_notice(bout(host="far", subject="2001:db8::/64", names=nasty), server()))
    assert made[:3] == ["大量登录失败告警通知", "服务器：far", "IP地址：2001:db8::/64"]
    assert len(made) == 8
    assert "<" not in "".join(made)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_day_of_it_says_that_it_goes_on(language: str) -> None:
    for scope in Scope:
        made = bout_notice(bout(scope, day=True), server(language))
        first, *rest = lines(made, language)
        assert made.severity is Severity.ROUTINE and "通知" in first
        assert any(("一天的合计" if language == "zh" else "sum of a day") in line for line in rest)
        assert ("持续" if language == "zh" else "go") in made.title
