"""Bodies, signatures and the table of answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feishu_double import TOKEN, FeishuDouble, answer_body
from tests.notify.support import NOW_US, SECRET, feishu, login, notice, queued
from usersessionmon.notify.base import Answer, Result
from usersessionmon.notify.feishu import BODY_LIMIT, FeishuChannel, classify, sign
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.robot import retry_after


@pytest.mark.parametrize(
    ("timestamp", "secret", "expected"),
    [
        (1599360473, "demo", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
        (1661860880, "xxx", "QnWVTSBe6FmQDE0bG6X0mURbI+DnvVyu1h+j5dHOjrU="),
        (1700000000, "usm-test-secret", "2RRIM6LknlsI4p4QNtAXFy1vYQiIY1hgdnr0PIJbCB4="),
    ],
)
def test_signature(timestamp: int, secret: str, expected: str) -> None:
    assert sign(secret, timestamp) == expected


def said(code: int, message: str = "") -> bytes:
    return answer_body(code, message)


A = Answer


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, said(0), A.DELIVERED),
        (201, said(0), A.DELIVERED),
        (200, b'{"StatusCode":0,"StatusMessage":"success"}', A.DELIVERED),
        (200, b'{"code":19001,"StatusCode":0}', A.CONFIGURATION),
        (200, b'{"code":null,"StatusCode":0}', A.UNKNOWN),
        (200, b'{"code":"0"}', A.UNKNOWN),
        (200, b'{"code":false}', A.UNKNOWN),
        (200, b'{"code":0.0}', A.UNKNOWN),
        (200, b'{"msg":"success"}', A.UNKNOWN),
        (200, b"[]", A.UNKNOWN),
        (200, b"0", A.UNKNOWN),
        (200, b"<html>portal</html>", A.TRANSIENT),
        (200, b"", A.TRANSIENT),
        (204, b"", A.TRANSIENT),
        (200, b"\xff\xfe\x00", A.TRANSIENT),
        (200, b"[" * 60_000, A.TRANSIENT),
        (200, b'{"code":' + b"9" * 6000 + b"}", A.TRANSIENT),
        (400, said(0), A.UNKNOWN),
        (302, said(0), A.CONFIGURATION),
        (500, said(0), A.TRANSIENT),
        (200, said(11232), A.THROTTLED),
        (200, said(9499, "Too Many Requests"), A.THROTTLED),
        (429, b"", A.THROTTLED),
        (429, said(0), A.THROTTLED),
        (400, said(99991400), A.THROTTLED),
        (200, said(99991400), A.THROTTLED),
        (408, b"", A.TRANSIENT),
        (502, b"<html>", A.TRANSIENT),
        (599, b"", A.TRANSIENT),
        (200, said(9499, "Bad Request"), A.PAYLOAD),
        (400, said(9499, "Bad Request"), A.PAYLOAD),
        (200, said(9499, "something else"), A.UNKNOWN),
        (200, said(19002), A.PAYLOAD),
        (200, said(19036), A.PAYLOAD),
        (200, said(11246), A.PAYLOAD),
        (413, b"", A.PAYLOAD),
        (200, said(19001), A.CONFIGURATION),
        (200, said(19021), A.CONFIGURATION),
        (200, said(19022), A.CONFIGURATION),
        (200, said(19024), A.CONFIGURATION),
        (200, said(19007), A.CONFIGURATION),
        (301, b"", A.CONFIGURATION),
        (308, b"", A.CONFIGURATION),
        (401, b"", A.CONFIGURATION),
        (403, b"", A.CONFIGURATION),
        (404, b"", A.CONFIGURATION),
        (407, b"", A.CONFIGURATION),
        (200, said(12345), A.UNKNOWN),
        (200, said(-1), A.UNKNOWN),
        (418, b"", A.UNKNOWN),
    ],
)
def test_table_of_answers(status: int, body: bytes, answer: Answer) -> None:
    assert classify(status, body)[0] is answer


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_has_a_class_and_junk_is_never_delivered(status: int, body: bytes) -> None:
    answer, _ = classify(status, body)
    assert answer is not Answer.DELIVERED


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (19001, "token"),
        (19021, "clock"),
        (19022, "allowed IPs"),
        (19024, "通知"),
        (19007, "enable"),
    ],
)
def test_configuration_says_what_to_do(code: int, word: str) -> None:
    assert word in classify(200, said(code))[1]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("0", 1.0),
        ("99999999999999999999", 3600.0),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("Sat, 21 Nov 2026 08:17:30 GMT", 120.0),
        ("Sat, 21 Nov 1999 08:17:30 GMT", 1.0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW_US) == seconds


def channel(url: str, *, card: bool = False, secret: str = SECRET) -> FeishuChannel:
    return feishu(url, secret, HttpClient(seconds=5), card=card)


def send(double: FeishuDouble, *, now_us: int = NOW_US, card: bool = False) -> Result:
    bot = channel(double.url, card=card)
    try:
        return bot.send([queued(1, notice(login("管理员")))], now_us=now_us)
    finally:
        bot.close()


def test_text_over_the_wire() -> None:
    with FeishuDouble(secret=SECRET, keyword="通知") as double:
        now_us = double.clock.now_us()
        assert send(double, now_us=now_us).answer is Answer.DELIVERED
        (one,) = double.requests()
        assert "管理员".encode() in one.body, "Chinese goes as UTF-8, not escaped"
        assert one.headers["content-type"] == "application/json; charset=utf-8"
        assert one.text.startswith("用户登录通知\n服务器：web-1\n")


def test_card_over_the_wire() -> None:
    with FeishuDouble(secret=SECRET, keyword="通知") as double:
        assert send(double, now_us=double.clock.now_us(), card=True).answer is Answer.DELIVERED
        (one,) = double.requests()
        assert one.payload is not None and one.payload["msg_type"] == "interactive"
        assert one.text.startswith("用户登录通知\n服务器：web-1\n")
        tags = json.dumps(one.payload["card"])
        assert "lark_md" not in tags and '"markdown"' not in tags


def test_the_signature_is_of_the_moment_of_sending() -> None:
    with FeishuDouble(secret=SECRET) as double:
        now_us = double.clock.now_us()
        assert send(double, now_us=now_us - 3_500_000_000).answer is Answer.DELIVERED
        late = send(double, now_us=now_us - 3_700_000_000)
        assert late.answer is Answer.CONFIGURATION and "19021" in late.said


def test_what_the_server_says_is_shown_without_token_and_secret() -> None:
    with FeishuDouble() as double:
        echo = json.dumps({"code": 19001, "msg": f"\x1b[1m{double.url} {TOKEN} {SECRET}"})
        double.script("body:" + echo)
        result = send(double)
    assert result.answer is Answer.CONFIGURATION
    assert TOKEN not in result.said and SECRET not in result.said and "\x1b" not in result.said


def test_names_of_the_parts_hide_the_secrets() -> None:
    bot = channel(f"https://open.feishu.cn/open-apis/bot/v2/hook/{TOKEN}")
    assert bot.address == "…/hook/****abcd"
    assert TOKEN not in repr(bot) and SECRET not in repr(bot)
    bot.close()


@pytest.mark.parametrize("card", [False, True])
@pytest.mark.parametrize("name", ["管" * 100, '"\\' * 50, "a"], ids=["wide", "escaped", "short"])
def test_fits_is_the_most_that_20_kb_hold(name: str, card: bool) -> None:
    bot = channel("https://x/hook/y", card=card)
    batch = [queued(number, notice(login(name))) for number in range(1000)]
    count = bot.fits(batch, now_us=NOW_US)
    assert len(bot.body(batch[:count], now_us=NOW_US)) <= BODY_LIMIT
    assert len(bot.body(batch[: count + 1], now_us=NOW_US)) > BODY_LIMIT
    assert bot.fits(batch[:1], now_us=NOW_US) == 1
    bot.close()


def test_plain_notices_go_as_text_where_cards_are_the_rule() -> None:
    bot = channel("https://x/hook/y", card=True)
    made = notice(login())
    assert not bot.is_plain([queued(1, made)])
    assert bot.is_plain([queued(1, made), queued(2, made, plain=True)])
    body = json.loads(bot.body([queued(1, made, plain=True)], now_us=NOW_US))
    assert body["msg_type"] == "text"
    bot.close()
