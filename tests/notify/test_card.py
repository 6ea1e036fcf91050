"""Cards: colours, fields, and calls that stand alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from tests.notify.support import NOW_US, login, logout, notice, queued, server
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Queued
from usersessionmon.notify.examples import EXAMPLES
from usersessionmon.notify.feishu import FeishuChannel
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.settings import PersonSettings, TemplateSettings
from usersessionmon.notify.stage import Stage
from usersessionmon.notify.words import Voice

PEOPLE = {f"p{number}": PersonSettings(feishu=f"ou_{number}") for number in range(30)}
PEOPLE["wecom-only"] = PersonSettings(wecom="w")


def message(*batch: Queued, card: bool = True, language: str = "zh") -> dict[str, Any]:
    bot = FeishuChannel(
        Secret("url", "https://x/hook/y"),
        Secret("secret"),
        client=HttpClient(),
        voice=Voice(UTC, language, PEOPLE),
        card=card,
    )
    made: dict[str, Any] = json.loads(bot.body(batch, now_us=NOW_US))
    return made


def card_of(*batch: Queued, language: str = "zh") -> dict[str, Any]:
    card: dict[str, Any] = message(*batch, language=language)["card"]
    return card


def colour(name: str, language: str = "zh") -> str:
    here, texts = server(language), OwnTexts(TemplateSettings())
    stage = Stage(here, lambda change, found: texts.word(change, here, found), NOW_US)
    return str(card_of(*EXAMPLES[name](stage), language=language)["header"]["template"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_colour_says_how_bad_it_is(language: str) -> None:
    shades: dict[str, set[str]] = {}
    for name in EXAMPLES:
        shades.setdefault(colour(name, language), set()).add(name)
    assert shades == {
        "blue": {"login", "login_again", "login_claimed", "late", "repeated", "arrival"},
        "indigo": {"claim", "claim_released"},
        "grey": {"logout", "departure"},
        "yellow": {"login_failed", "failures_day", "sweep_day"},
        "purple": {"elevation"},
        "turquoise": {"report", "heartbeat", "daily"},
        "green": {
            "test", "failures_over", "sweep_over", "silent_over", "coverage_over", "channel_over",
            "servers_over",
        },
        "orange": {"silent", "damaged", "dropped", "down", "coverage", "channel", "servers"},
        "red": {
            "logout_abnormal", "logout_taken_over", "logout_replaced", "unusual_login",
            "unusual_logout", "failures", "failures_account",
            "failures_host", "sweep", "forged", "digest", "digest_night",
        },
    }  # fmt: skip


def test_a_digest_is_red_as_soon_as_one_of_it_is_abnormal() -> None:
    calm = [queued(1, notice(login())), queued(2, notice(logout()))]
    assert card_of(*calm)["header"]["template"] == "blue"
    bad = queued(3, notice(logout(abnormal=True)))
    assert card_of(*calm, bad)["header"]["template"] == "red"


def test_short_lines_stand_side_by_side_in_their_order() -> None:
    change = login()._replace(method="publickey", key_fingerprint="SHA256:" + "m" * 43)
    card = card_of(queued(1, notice(change)))
    assert card["header"]["title"] == {"tag": "plain_text", "content": "用户登录通知"}
    (element,) = card["elements"]
    shown = [(field["text"]["content"], field["is_short"]) for field in element["fields"]]
    assert shown == [
        ("服务器：web-1", True),
        ("服务器IP：192.0.2.10", True),
        ("用户名：alice", True),
        ("IP地址：198.51.100.7", True),
        ("登录时间：2026-11-21 08:15:30", True),
        ("登录方式：publickey", True),
        ("密钥指纹：SHA256:" + "m" * 43, False),
    ]
    wide = card_of(queued(1, notice(login("管" * 20))))["elements"][0]["fields"]
    assert [field["is_short"] for field in wide] == [True, True, False, True, True]


def test_lines_of_ones_own_take_the_whole_width_and_blank_ones_are_left_out() -> None:
    texts = OwnTexts(TemplateSettings(login="通知\n{user}\n\n{ip}"))
    (element,) = card_of(queued(1, texts.word(login(), server())))["elements"]
    assert element["fields"] == [
        {"is_short": False, "text": {"tag": "plain_text", "content": text}}
        for text in ("alice", "198.51.100.7")
    ]
    (element,) = card_of(queued(1, replace(notice(login()), pairs=())))["elements"]
    assert element == {"tag": "div", "text": {"tag": "plain_text", "content": "-"}}


def calling(*names: str) -> Notice:
    return replace(notice(logout(abnormal=True)), people=names, severity=Severity.ABNORMAL)


def test_who_is_called_stands_in_elements_that_hold_nothing_else() -> None:
    _, *calls = card_of(queued(1, calling("p1", "stranger", "p2", "wecom-only")))["elements"]
    assert calls == [
        {"tag": "div", "text": {"tag": "lark_md", "content": f"<at id=ou_{number}></at>"}}
        for number in (1, 2)
    ]


def text_of(*batch: Queued) -> list[str]:
    return str(message(*batch, card=False)["content"]["text"]).split("\n")


def test_a_text_calls_in_lines_at_its_end() -> None:
    lines = text_of(queued(1, calling("p1", "stranger", "p2")))
    assert lines[-3:] == ["异常：是", '<at user_id="ou_1"></at>', '<at user_id="ou_2"></at>']
    assert not any("<" in line for line in text_of(queued(1, calling("stranger"))))


def test_a_digest_calls_everybody_once_and_not_more_than_twenty() -> None:
    batch = [queued(number, calling(f"p{number}", "p0")) for number in range(30)]
    lines = text_of(*batch)
    assert lines[31:] == [f'<at user_id="ou_{number}"></at>' for number in (0, *range(1, 20))]
    assert len(card_of(*batch)["elements"]) == 21
