"""The webhook: the specification's signature, ids that outlive a repeat, the JSON."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.notify.robots import WebhookDouble
from tests.notify.support import NOW_US, login, logout, notice, queued
from tests.notify.test_robots import VOICE, webhook
from usersessionmon.contract import event_object
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.webhook import (
    BODY_LIMIT,
    NOTICES_LIMIT,
    WebhookChannel,
    classify,
    id_of,
    sign,
)
from usersessionmon.notify.words import Voice

A = Answer
KEY = b"24 bytes or more of a key"
SPEC_SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    ("secret", "message_id", "timestamp", "body", "expected"),
    [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "plain secret",
            "usm_1",
            1795248930,
            b"{}",
            "v1,Lm8vMu/5dUZA4QG8N+PslTG+2xp+iEI4RisEsJv9mBM=",
        ),
    ],
)
def test_signature(
    secret: str, message_id: str, timestamp: int, body: bytes, expected: str
) -> None:
    """The first is the vector that the specification's libraries are tested with; both are
    openssl's too."""
    assert sign(secret, message_id, timestamp, body) == expected


def test_what_only_looks_like_a_key_of_the_specification_is_one_itself() -> None:
    with WebhookDouble(key=b"whsec_no base64!") as double:
        assert send(double, secret="whsec_no base64!").answer is A.DELIVERED


@pytest.mark.parametrize(
    ("statuses", "answer"),
    [
        ((200, 201, 202, 204, 299), A.DELIVERED),
        ((429,), A.THROTTLED),
        ((408, 500, 502, 503, 504, 599), A.TRANSIENT),
        ((400, 413, 415, 422), A.PAYLOAD),
        ((300, 301, 302, 307, 308, 401, 403, 404, 405, 407, 410), A.CONFIGURATION),
        ((100, 402, 409, 418, 451), A.UNKNOWN),
    ],
)
def test_table_of_statuses(statuses: tuple[int, ...], answer: Answer) -> None:
    for status in statuses:
        assert classify(status)[0] is answer, status


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "check secret and url"),
        (403, "check secret and url"),
        (404, "check url"),
        (405, "check url"),
        (407, "check proxy"),
        (410, "check url"),
    ],
)
def test_configuration_says_what_to_do(status: int, advice: str) -> None:
    assert classify(status)[1].endswith(f"{advice})")


def send(
    double: WebhookDouble,
    *batch: Queued,
    secret: str = SPEC_SECRET,
    now_us: int = 0,
    voice: Voice = VOICE,
) -> Result:
    where = Secret("ops.url", double.url), Secret("ops.secret", secret)
    channel = WebhookChannel("ops", *where, client=HttpClient(seconds=5), voice=voice)
    try:
        what = batch or (queued(1, notice(login())),)
        return channel.send(what, now_us=now_us or double.clock.now_us())
    finally:
        channel.close()


def test_what_is_signed_is_taken_and_nothing_else() -> None:
    with WebhookDouble(key=KEY) as double:
        assert send(double).answer is A.DELIVERED
        assert send(double, secret="wrong").answer is A.CONFIGURATION
        assert send(double, secret="").answer is A.CONFIGURATION
        assert "webhook-signature" not in double.requests()[-1].headers
        late = send(double, now_us=double.clock.now_us() - 400_000_000)
        assert late.answer is A.CONFIGURATION


@pytest.mark.parametrize("step", ["html", "body:", "big", "body:no"])
def test_any_2xx_is_a_delivery_whatever_it_says(step: str) -> None:
    with WebhookDouble(script=[step]) as double:
        assert send(double) == Result(A.DELIVERED, "HTTP 200")


def test_the_json() -> None:
    zone = timezone(timedelta(hours=8))
    change = login("管理员", at_us=NOW_US + 250_000)
    routine, grave = notice(change), notice(logout(abnormal=True))
    batch = [queued(8, grave, attempts=2), queued(9, replace(routine, host=None))]
    with WebhookDouble(key=KEY) as double:
        assert send(double, *batch, voice=Voice(zone)).answer is A.DELIVERED
        (one,) = double.requests()
    assert one.payload is not None
    assert set(one.payload) == {"version", "sent", "notices"}
    assert one.payload["version"] == 1
    assert datetime.fromisoformat(one.payload["sent"]).utcoffset() == timedelta(hours=8)
    first, second = one.payload["notices"]
    assert (first["number"], second["number"]) == (8, 9), "in the order of events"
    assert (first["attempt"], second["attempt"]) == (3, 1)
    assert (first["kind"], first["severity"]) == ("logout", "abnormal")
    assert (second["kind"], second["severity"]) == ("login", "routine")
    assert (first["host"], second["host"]) == ("web-1", None)
    assert second["title"] == "用户登录通知"
    assert second["text"][:3] == ["服务器：web-1", "服务器IP：192.0.2.10", "用户名：管理员"]
    assert second["time"] == "2026-11-21T16:15:30.250000+08:00"
    assert second["event"] == event_object(change)
    assert set(first) == {
        *("id", "number", "attempt", "kind", "severity", "title", "text", "time", "host", "event")
    }


def test_a_notice_without_an_event_says_null() -> None:
    with WebhookDouble() as double:
        send(double, queued(1, replace(notice(login()), event="")), secret="")
        assert double.requests()[0].payload["notices"][0]["event"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    "name", ["a\x00\x1b[31m\r\nb", "\ud800half", "</script>", '"}]', "😀" * 1000, "\u202egnp"]
)
def test_hostile_names_make_valid_json(name: str) -> None:
    change = login(name)
    with WebhookDouble(key=KEY) as double:
        what = replace(notice(change), host=name)
        assert send(double, queued(1, what)).answer is A.DELIVERED
        (one,) = double.requests()
    assert one.payload is not None
    (told,) = one.payload["notices"]
    raw = name.replace("\ud800", "\ufffd")
    assert told["event"]["user"] == raw and told["host"] == raw, "raw for programs"
    assert not any(line != line.strip("\r\n") or "<" in line for line in told["text"])


def test_a_time_that_no_calendar_has_is_null() -> None:
    with WebhookDouble() as double:
        send(double, queued(1, replace(notice(login()), at_us=10**20)), secret="")
        assert double.requests()[0].payload["notices"][0]["time"] is None  # type: ignore[index]


def test_a_repeat_has_the_same_id_and_nothing_else_has() -> None:
    one, two = queued(1, notice(login())), queued(2, notice(login()))
    with WebhookDouble(key=KEY) as double:
        batches: list[tuple[Queued, ...]] = [
            (one,),
            (replace(one, attempts=1),),
            (two,),
            (one, two),
            (replace(two, attempts=3), one),
        ]
        for batch in batches:
            assert send(double, *batch).answer is A.DELIVERED
        single, again, other, both, both_again = double.ids()
        notices = [one["id"] for one in _told(double)]
    assert single == again and both == both_again
    assert len({single, other, both}) == 3
    assert notices == [id_of(one), id_of(one), id_of(two), *(id_of(one), id_of(two)) * 2]


def _told(double: WebhookDouble) -> list[dict[str, Any]]:
    return [one for request in double.requests() for one in (request.payload or {})["notices"]]


def test_ids_of_two_hosts_and_of_two_states_differ() -> None:
    here = queued(1, notice(login()))
    there = replace(here, notice=replace(here.notice, host="web-2"))
    anew = replace(here, queued_us=here.queued_us + 1)
    ids = [id_of(here), id_of(there), id_of(anew)]
    assert len(set(ids)) == 3
    assert all(one.startswith("usm_") and "." not in one and one.isascii() for one in ids)


def test_at_most_a_hundred_notices_go_at_once() -> None:
    channel = webhook("https://x/in", HttpClient())
    batch = [queued(number, notice(login("a"))) for number in range(150)]
    assert channel.fits(batch, now_us=NOW_US) == NOTICES_LIMIT
    channel.close()


def test_and_at_most_256_kib() -> None:
    channel = webhook("https://x/in", HttpClient())
    assert isinstance(channel, WebhookChannel)
    made = notice(login("管理员😀"))
    long = replace(made, pairs=(("说明", "😀" * 100),) * 20)
    batch = [queued(number, long) for number in range(100)]
    count = channel.fits(batch, now_us=NOW_US)
    assert 1 < count < NOTICES_LIMIT
    assert len(channel.request(batch[:count], now_us=NOW_US).body) <= BODY_LIMIT
    assert len(channel.request(batch[: count + 1], now_us=NOW_US).body) > BODY_LIMIT
    channel.close()


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_lines_of_the_readmes_verify_it(readme: str) -> None:
    text = (Path(__file__).parents[2] / readme).read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    shown: dict[str, Any] = {}
    exec(code, shown)
    is_genuine = shown["is_genuine"]
    with WebhookDouble(key=KEY) as double:
        send(double)
        (one,) = double.requests()
    assert is_genuine(one.headers, one.body, KEY)
    assert not is_genuine(one.headers, one.body + b" ", KEY)
    assert not is_genuine(one.headers, one.body, KEY + b"x")
    assert not is_genuine(one.headers | {"webhook-id": "usm_1"}, one.body, KEY)
    late = str(int(one.headers["webhook-timestamp"]) - 400)
    assert not is_genuine(one.headers | {"webhook-timestamp": late}, one.body, KEY)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_show_what_is_sent(readme: str) -> None:
    text = (Path(__file__).parents[2] / readme).read_text(encoding="utf-8")
    found = re.findall(r"^```json\n(\{\"version\".*?)^```$", text, re.DOTALL | re.MULTILINE)
    (shown,) = map(json.loads, found)
    with WebhookDouble() as double:
        send(double, secret="")
        sent = double.requests()[0].payload
    assert sent is not None
    assert list(shown) == list(sent)
    (was,), (told,) = shown["notices"], sent["notices"]
    assert list(was) == list(told)
    assert set(was["event"]) <= set(told["event"])
    assert {name: type(value) for name, value in was.items()} == {
        name: type(value) for name, value in told.items()
    }
