"""A WeCom robot: codes, 2048 bytes, who is called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.robots import WeComDouble
from tests.notify.support import NOW_US, login, logout, notice, queued
from tests.notify.test_robots import WorkerOf, wecom
from usersessionmon.clock import ManualClock
from usersessionmon.model import Notice
from usersessionmon.notify.base import Answer, Result
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.wecom import TEXT_LIMIT, WeComChannel, classify

A = Answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (0, A.DELIVERED),
        (-1, A.TRANSIENT),
        (45009, A.THROTTLED),
        (45033, A.THROTTLED),
        (93000, A.CONFIGURATION),
        (93004, A.CONFIGURATION),
        (93008, A.CONFIGURATION),
        (93017, A.CONFIGURATION),
        (60020, A.CONFIGURATION),
        (40008, A.PAYLOAD),
        (40033, A.PAYLOAD),
        (40058, A.PAYLOAD),
        (40063, A.PAYLOAD),
        (44004, A.PAYLOAD),
        (45002, A.PAYLOAD),
        (47001, A.PAYLOAD),
        (50001, A.UNKNOWN),
    ],
)
def test_table_of_codes(code: int, answer: Answer) -> None:
    body = json.dumps({"errcode": code, "errmsg": "words"}).encode()
    found, said = classify(200, body)
    assert found is answer
    assert ("(" in said) == (answer is A.CONFIGURATION), "advice for what can be mended"


@given(st.integers(100, 599), st.binary(max_size=200))
def test_junk_is_never_delivered(status: int, body: bytes) -> None:
    assert classify(status, body)[0] is not A.DELIVERED


def send(double: WeComDouble, *notices: Notice) -> Result:
    channel = wecom(double.url, HttpClient(seconds=5))
    try:
        batch = [queued(number, one) for number, one in enumerate(notices, 1)]
        return channel.send(batch, now_us=double.clock.now_us())
    finally:
        channel.close()


def test_a_wrong_key_says_what_to_mend() -> None:
    with WeComDouble() as double:
        double.url += "x"
        result = send(double, notice(login()))
        assert result.answer is A.CONFIGURATION
        assert "93000" in result.said and "check webhook_url" in result.said


def test_the_right_ones_are_called() -> None:
    with WeComDouble() as double:
        ended = notice(logout(abnormal=True))
        send(double, replace(ended, people=("bob", "alice", "unknown")))
        send(double, ended, replace(ended, people=("alice",)))
        send(double, replace(ended, people=("bob",)))
        assert double.rung() == [{"we-1"}, {"we-1"}, set()], "bob has no id there"


def test_a_name_that_calls_somebody_calls_nobody() -> None:
    with WeComDouble() as double:
        for name in ("<@all>", "<@we-1>", "@all", "<<@we-1>>", "＜@we-1＞", "&lt;@all&gt;"):
            assert send(double, notice(login(name))).answer is A.DELIVERED
        assert double.rung() == [set()] * 6
        assert not any("@" in text or "<" in text for text in double.texts())


@pytest.mark.parametrize("name", ["管" * 100, "😀" * 100, '"\\' * 50, "a"])
def test_fits_is_the_most_that_2048_bytes_hold(name: str) -> None:
    channel = wecom("https://x/send?key=y", HttpClient())
    assert isinstance(channel, WeComChannel)
    batch = [queued(number, notice(login(name))) for number in range(100)]
    count = channel.fits(batch, now_us=NOW_US)

    def size(many: int) -> int:
        body = json.loads(channel.request(batch[:many], now_us=NOW_US).body)
        return len(body["text"]["content"].encode("utf-8"))

    assert size(count) <= TEXT_LIMIT < size(count + 1)
    assert channel.fits(batch[:1], now_us=NOW_US) == 1
    channel.close()


@pytest.mark.parametrize(("extra", "answer"), [(0, A.DELIVERED), (1, A.PAYLOAD)])
def test_the_limit_is_bytes_of_the_text_to_the_last(extra: int, answer: Answer) -> None:
    short = replace(notice(login()), title="通知", pairs=())
    full = "通知" + "\n说明：" + "管" * 90
    lines = (2048 - len("通知".encode())) // (len(full.encode()) - len("通知".encode()))
    pairs = (("说明", "管" * 90),) * lines
    text = "通知" + ("\n说明：" + "管" * 90) * lines
    left = 2048 + extra - len(text.encode()) - len("\n说：".encode())
    what = replace(short, pairs=(*pairs, ("说", "a" * left)))
    with WeComDouble(clock=ManualClock(NOW_US)) as double:
        assert left <= 100
        assert send(double, what).answer is answer
        assert len(double.requests()) == 1 - extra, "what is too long is refused here"


def test_a_notice_that_is_longer_arrives_in_parts(tmp_path: Path) -> None:
    clock = ManualClock(NOW_US)
    pairs = tuple((f"说明{number}", "管" * 80) for number in range(20))
    what = replace(notice(login()), pairs=pairs)
    with WeComDouble(clock=clock) as double:
        channel = wecom(double.url, HttpClient(seconds=5))
        with WorkerOf(channel, tmp_path / "state.db", clock) as (worker, queue):
            queue(0, what)
            for _ in range(12):
                clock.advance(worker.step(clock.now_us()) + 0.001)
        told = "\n".join(double.texts())
        assert all(told.count(f"说明{number}：") == 1 for number in range(20))
        assert len(double.texts()) > 2
        assert all(text.splitlines()[0].count("通知") for text in double.texts())
