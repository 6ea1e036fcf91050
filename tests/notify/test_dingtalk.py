"""A DingTalk robot: signature, codes, sizes, who is called."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.robots import DingTalkDouble
from tests.notify.support import NOW_US, login, logout, notice, queued
from tests.notify.test_robots import SECRET, VOICE, dingtalk
from usersessionmon.model import Notice
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.dingtalk import BODY_LIMIT, DingTalkChannel, classify, sign
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.secret import Secret

A = Answer


@pytest.mark.parametrize(
    ("timestamp", "secret", "expected"),
    [
        (1795248930000, "SECusm-test-secret", "E5N7h++2pMCkBtfgGT9sWu96HvUkQX0/RytatpI0eOU="),
        (1700000000123, "密钥", "iyce6INBKwv6TKZlfc6cpAfWx/oMPXwTbDvebXKUMLQ="),
    ],
)
def test_signature(timestamp: int, secret: str, expected: str) -> None:
    """The vectors are openssl's."""
    assert sign(secret, timestamp) == expected


@pytest.mark.parametrize(
    ("code", "message", "answer"),
    [
        (0, "ok", A.DELIVERED),
        (-1, "系统繁忙", A.TRANSIENT),
        (130101, "send too fast, exceed 20 times per minute", A.THROTTLED),
        (410100, "发送速度太快而限流", A.THROTTLED),
        (90030, "webhook over limit", A.THROTTLED),
        (310000, "keywords not in content", A.CONFIGURATION),
        (300001, "token is not exist", A.CONFIGURATION),
        (300005, "token is not exist", A.CONFIGURATION),
        (400101, "access_token不存在", A.CONFIGURATION),
        (400102, "机器人已停用", A.CONFIGURATION),
        (400106, "机器人不存在", A.CONFIGURATION),
        (400013, "群已被解散", A.CONFIGURATION),
        (40035, "缺少参数 access_token", A.CONFIGURATION),
        (40035, "缺少参数 json", A.PAYLOAD),
        (400105, "不支持的消息类型", A.PAYLOAD),
        (430101, "含有不安全的外链", A.PAYLOAD),
        (430102, "含有不合适的文本", A.PAYLOAD),
        (430103, "含有不合适的图片", A.PAYLOAD),
        (430104, "含有不合适的内容", A.PAYLOAD),
        (460101, "message too long, exceed 20000 bytes", A.PAYLOAD),
        (43004, "无效的HTTP HEADER Content-Type", A.UNKNOWN),
        (88, "?", A.UNKNOWN),
    ],
)
def test_table_of_codes(code: int, message: str, answer: Answer) -> None:
    body = json.dumps({"errcode": code, "errmsg": message}).encode()
    assert classify(200, body)[0] is answer


def test_the_gateways_own_block_has_no_errcode() -> None:
    blocked = b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"24ce"}'
    assert classify(200, blocked) == (A.THROTTLED, "code 1111: deny")
    assert classify(200, b'{"status":0,"punish":"deny"}')[0] is not A.THROTTLED
    assert classify(200, b'{"errcode":310000,"status":1111,"punish":"deny"}')[0] is A.CONFIGURATION


@given(st.integers(100, 599), st.binary(max_size=200))
def test_junk_is_never_delivered(status: int, body: bytes) -> None:
    assert classify(status, body)[0] is not A.DELIVERED


@pytest.mark.parametrize(
    ("code", "message", "word"),
    [
        (310000, "keywords not in content, more: […]", "通知"),
        (310000, "description:关键词不匹配;solution:…", "通知"),
        (310000, "sign not match", "clock"),
        (310000, "invalid timestamp", "clock"),
        (310000, "description:机器人发送签名不匹配;…签名的时间戳必须都放在调用的网址中", "clock"),
        (310000, "ip 192.0.2.1 not in whitelist", "list of IPs"),
        (310000, "description:来源IP不在白名单内", "list of IPs"),
        (310000, "?", "keyword, signature and IPs"),
        (300005, "token is not exist", "webhook_url"),
        (400102, "机器人已停用", "enable"),
        (400013, "群已被解散", "another"),
        (40035, "缺少参数 access_token", "webhook_url"),
    ],
)
def test_configuration_says_what_to_do(code: int, message: str, word: str) -> None:
    body = json.dumps({"errcode": code, "errmsg": message}).encode()
    assert word in classify(200, body)[1].partition(message)[2]


def send(double: DingTalkDouble, *notices: Notice, now_us: int | None = None) -> Result:
    channel = dingtalk(double.url, HttpClient(seconds=5))
    try:
        return channel.send(batch_of(*notices), now_us=now_us or double.clock.now_us())
    finally:
        channel.close()


def batch_of(*notices: Notice) -> list[Queued]:
    return [queued(number, one) for number, one in enumerate(notices, 1)]


def test_the_signature_is_of_the_moment_of_sending() -> None:
    with DingTalkDouble(secret=SECRET) as double:
        now_us = double.clock.now_us()
        assert send(double, notice(login()), now_us=now_us).answer is A.DELIVERED
        late = send(double, notice(login()), now_us=now_us - 3_700_000_000)
        assert late.answer is A.CONFIGURATION
        assert late.said.endswith("(the signature was refused: check secret and this host's clock)")


def test_a_keyword_that_no_notice_has_is_named() -> None:
    with DingTalkDouble(secret=SECRET, keyword="监控报警") as double:
        result = send(double, notice(login()))
        assert result.answer is A.CONFIGURATION and "set its keyword to 通知" in result.said


def test_without_a_secret_nothing_is_signed() -> None:
    with DingTalkDouble() as double:
        where = Secret("ops.webhook_url", double.url), Secret("ops.secret")
        channel = DingTalkChannel("ops", *where, client=HttpClient(seconds=5), voice=VOICE)
        result = channel.send(batch_of(notice(login())), now_us=NOW_US)
        assert result.answer is A.DELIVERED
        assert "http://127.0.0.1:" + str(double.port) + double.requests()[0].path == double.url
        channel.close()


def test_the_right_ones_are_called_and_the_text_shows_it() -> None:
    with DingTalkDouble(secret=SECRET, keyword="通知") as double:
        ended = notice(logout(abnormal=True))
        send(double, replace(ended, people=("alice", "unknown", "bob")))
        send(double, replace(ended, people=("bob",)), replace(ended, people=("alice",)))
        send(double, replace(ended, people=()))
        assert double.rung() == [{"ding-1", "d2"}, {"ding-1", "d2"}, set()]
        first, digest, quiet = double.texts()
        assert first.splitlines()[-1] == "@ding-1 @d2"
        assert digest.splitlines()[-1] == "@d2 @ding-1"
        assert "@" not in quiet


def test_a_name_that_calls_everybody_calls_nobody() -> None:
    with DingTalkDouble(secret=SECRET, keyword="通知") as double:
        for name in ("@all", "@所有人", "x @ding-1", '<at user_id="all"></at>', "a\n@all"):
            assert send(double, notice(login(name))).answer is A.DELIVERED
        assert not any("@" in text for text in double.texts())
        assert double.rung() == [set()] * 5


@pytest.mark.parametrize("name", ["管" * 100, "😀" * 100, '"\\' * 50, "a"])
def test_fits_is_the_most_that_the_body_holds(name: str) -> None:
    channel = dingtalk("https://x/robot/send?access_token=y", HttpClient())
    assert isinstance(channel, DingTalkChannel)
    batch = [queued(number, notice(login(name))) for number in range(1000)]
    count = channel.fits(batch, now_us=NOW_US)
    assert len(channel.request(batch[:count], now_us=NOW_US).body) <= BODY_LIMIT
    assert len(channel.request(batch[: count + 1], now_us=NOW_US).body) > BODY_LIMIT
    assert channel.fits(batch[:1], now_us=NOW_US) == 1
    channel.close()


def test_what_no_body_holds_is_refused_here() -> None:
    with DingTalkDouble(secret=SECRET) as double:
        long = replace(notice(login()), pairs=(("说明", "管" * 100),) * 70)
        result = send(double, long)
        assert result.answer is A.PAYLOAD and "20000 are allowed" in result.said
        assert double.requests() == []
