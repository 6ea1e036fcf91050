"""What holds of every channel that posts: the traps of HTTP, secrets, repeats, the platforms'
rates."""

from __future__ import annotations

import json
import random
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble
from tests.notify.robots import (
    DINGTALK_TOKEN,
    HOOK_TOKEN,
    WECOM_KEY,
    DingTalkDouble,
    WebhookDouble,
    WeComDouble,
)
from tests.notify.support import (
    NOW_US,
    create_tables,
    login,
    logout,
    notice,
    posted,
    queued,
)
from usersessionmon.clock import ManualClock, Waker
from usersessionmon.model import Notice
from usersessionmon.notify.base import Answer, Result
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.dingtalk import DingTalkChannel
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.registry import budget_of, channel_of
from usersessionmon.notify.robot import called, integer, uncalled
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.settings import (
    ChannelSettings,
    DingTalkSettings,
    PersonSettings,
    WebhookSettings,
    WeComSettings,
)
from usersessionmon.notify.webhook import WebhookChannel
from usersessionmon.notify.wecom import WeComChannel
from usersessionmon.notify.words import Voice
from usersessionmon.store.db import transaction
from usersessionmon.store.outbox import SqliteOutbox, enqueue

SECRET = "SEC+usm/test-secret=="
TOKENS = (DINGTALK_TOKEN, WECOM_KEY, HOOK_TOKEN, SECRET)
VOICE = Voice(
    UTC,
    people={
        "alice": PersonSettings("ou_1", "ding-1", "we-1"),
        "bob": PersonSettings(dingtalk="d2"),
    },
)


def dingtalk(url: str, client: HttpClient, voice: Voice = VOICE) -> BatchChannel:
    where = Secret("ops.webhook_url", url), Secret("ops.secret", SECRET)
    return DingTalkChannel("ops", *where, client=client, voice=voice)


def wecom(url: str, client: HttpClient, voice: Voice = VOICE) -> BatchChannel:
    return WeComChannel("ops", Secret("ops.webhook_url", url), client=client, voice=voice)


def webhook(url: str, client: HttpClient, voice: Voice = VOICE) -> BatchChannel:
    where = Secret("ops.url", url), Secret("ops.secret", SECRET)
    return WebhookChannel("ops", *where, client=client, voice=voice)


Make = Callable[[str, HttpClient], BatchChannel]
KINDS: list[tuple[Make, Callable[..., FeishuDouble], dict[str, Any]]] = [
    (dingtalk, DingTalkDouble, {"secret": SECRET, "keyword": "通知"}),
    (wecom, WeComDouble, {}),
    (webhook, WebhookDouble, {"key": SECRET.encode()}),
]
each = pytest.mark.parametrize("kind", KINDS, ids=["dingtalk", "wecom", "webhook"])
Kind = tuple[Make, Callable[..., FeishuDouble], dict[str, Any]]


def double_of(kind: Kind, *script: str, **options: Any) -> FeishuDouble:
    return kind[1](script=script, **kind[2], **options)


def send(kind: Kind, double: FeishuDouble, *, attempts: int = 0, seconds: float = 5) -> Result:
    channel = kind[0](double.url, HttpClient(seconds=seconds))
    try:
        what = notice(login("管理员"))
        return channel.send([queued(7, what, attempts=attempts)], now_us=double.clock.now_us())
    finally:
        channel.close()


@each
def test_a_notice_arrives(kind: Kind) -> None:
    with double_of(kind) as double:
        result = send(kind, double)
        assert result.answer is Answer.DELIVERED, result.said
        (one,) = double.notices()
        assert "管理员".encode() in one.body, "Chinese goes as UTF-8, not escaped"
        assert one.headers["content-type"] == "application/json; charset=utf-8"
        assert one.text.startswith(
            "用户登录通知\n服务器：web-1\n服务器IP：192.0.2.10\n用户名：管理员\n"
        )


@each
@pytest.mark.parametrize("step", ["hang", "drip", "drip-head"])
def test_a_server_that_does_not_end_is_given_up(kind: Kind, step: str) -> None:
    with double_of(kind, step) as double:
        assert send(kind, double, seconds=0.4).answer is Answer.TRANSIENT


@each
def test_a_redirect_is_not_followed(kind: Kind) -> None:
    with double_of(kind, "redirect") as double:
        result = send(kind, double)
        assert result.answer is Answer.CONFIGURATION
        assert "redirects are not followed: check" in result.said
        assert double.elsewhere == 0


@each
@pytest.mark.parametrize("step", ["close", "short", "deliver-cut", "status:500", "status:408"])
def test_what_may_pass_is_tried_again(kind: Kind, step: str) -> None:
    with double_of(kind, step) as double:
        if kind[0] is webhook and step == "short":
            double.script("close")  # its answers have no body that could be cut
            send(kind, double)
        assert send(kind, double).answer is Answer.TRANSIENT


@each
def test_too_many_requests_are_throttled_and_the_server_says_how_long(kind: Kind) -> None:
    with double_of(kind, "429:95") as double:
        result = send(kind, double)
        assert (result.answer, result.retry_after) == (Answer.THROTTLED, 95.0)


@pytest.mark.parametrize("kind", KINDS[:2], ids=["dingtalk", "wecom"])
@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("html", Answer.TRANSIENT),
        ("body:", Answer.TRANSIENT),
        ("big", Answer.TRANSIENT),
        ("body:[]", Answer.UNKNOWN),
        ("body:0", Answer.UNKNOWN),
        ("body:{}", Answer.UNKNOWN),
        ('body:{"errcode":"0"}', Answer.UNKNOWN),
        ('body:{"errcode":false}', Answer.UNKNOWN),
        ('body:{"errcode":0.0}', Answer.UNKNOWN),
        ('body:{"errcode":null}', Answer.UNKNOWN),
        ('body:{"code":0,"errmsg":"ok"}', Answer.UNKNOWN),
        ('body:{"errcode":0}', Answer.DELIVERED),
        ('body:{"errcode":0,"errmsg":"ok"}', Answer.DELIVERED),
        ("code:424242", Answer.UNKNOWN),
        ("status:404", Answer.CONFIGURATION),
        ("status:413", Answer.PAYLOAD),
        ("status:418", Answer.UNKNOWN),
    ],
)
def test_only_an_integer_nought_is_a_delivery(kind: Kind, step: str, answer: Answer) -> None:
    with double_of(kind, step) as double:
        assert send(kind, double).answer is answer


@each
def test_after_a_cut_the_notice_comes_again_and_says_so(kind: Kind, tmp_path: Path) -> None:
    clock = ManualClock(NOW_US)
    with (
        double_of(kind, "deliver-cut", clock=clock) as double,
        WorkerOf(kind[0](double.url, HttpClient(seconds=5)), tmp_path / "state.db", clock) as (
            worker,
            queue,
        ),
    ):
        queue(1)
        pause = worker.step(clock.now_us())
        assert 2 <= pause <= 2.4
        clock.advance(pause)
        worker.step(clock.now_us())
        first, again = double.texts()
        assert "通知编号" not in first
        assert "通知编号：1（重发，先前一条可能已送达）" in again


class WorkerOf:
    """A worker over a queue in a file; ``queue(n)`` puts n logins in, ``queue(0, it)`` a notice."""

    def __init__(
        self,
        channel: BatchChannel,
        path: Path,
        clock: ManualClock,
        settings: ChannelSettings | None = None,
    ) -> None:
        self._clock = clock
        self._waker = Waker()
        self._writer = create_tables(path)
        budget = budget_of(settings, {}) if settings else None
        self._worker = DeliveryWorker(
            channel, lambda: SqliteOutbox(path), clock, self._waker, budget, random.Random(1)
        )

    def __enter__(self) -> tuple[DeliveryWorker, Callable[..., None]]:
        return self._worker, self._queue

    def __exit__(self, *_: object) -> None:
        self._worker.stop(2)
        self._worker.close()
        self._writer.close()
        self._waker.close()

    def _queue(self, count: int, *more: Notice) -> None:
        notices = [*(notice(login(f"user{number}")) for number in range(count)), *more]
        with transaction(self._writer):
            enqueue(self._writer, posted(*notices, channels=("ops",)), self._clock.now_us())


URL = "https://example.com/robot/send?key=0123456789abcdef"
ROBOTS: list[tuple[Kind, ChannelSettings]] = [
    (KINDS[0], DingTalkSettings(webhook_url=URL)),
    (KINDS[1], WeComSettings(webhook_url=URL)),
]


@pytest.mark.parametrize(("kind", "settings"), ROBOTS, ids=["dingtalk", "wecom"])
def test_the_usual_budget_never_has_a_robot_blocked(
    kind: Kind, settings: ChannelSettings, tmp_path: Path
) -> None:
    clock = ManualClock(NOW_US)
    with double_of(kind, clock=clock) as double:
        channel = kind[0](double.url, HttpClient(seconds=5))
        with WorkerOf(channel, tmp_path / "state.db", clock, settings) as (worker, queue):
            until = clock.monotonic() + 300
            while clock.monotonic() < until:
                queue(2)
                clock.advance(max(worker.step(clock.now_us()) % 15, 1.0))
            assert len(double.requests()) > 60
            assert len(double.notices()) == len(double.requests()), "nothing was refused"


@pytest.mark.parametrize(("kind", "settings"), ROBOTS, ids=["dingtalk", "wecom"])
def test_a_blocked_robot_is_left_alone_and_nothing_is_lost(
    kind: Kind, settings: ChannelSettings, tmp_path: Path
) -> None:
    """The block is ten minutes long; each pause is longer than the one before."""
    clock = ManualClock(NOW_US)
    with double_of(kind, clock=clock) as double:
        others = [queued(number, notice(login())) for number in range(21)]
        channel = kind[0](double.url, HttpClient(seconds=5))
        for other in others:
            last = channel.send([other], now_us=clock.now_us())
        assert last.answer is Answer.THROTTLED
        before, delivered = len(double.requests()), len(double.texts())
        with WorkerOf(channel, tmp_path / "state.db", clock, settings) as (worker, queue):
            queue(1)
            pauses: list[float] = []
            while len(double.texts()) == delivered:
                pauses.append(worker.step(clock.now_us()))
                clock.advance(pauses[-1] + 0.001)
            pauses.pop()  # after the delivery there was none
            assert all(pause >= least for pause, least in zip(pauses, PAUSES, strict=True))
            assert len(double.requests()) - before == len(pauses) + 1 <= 6
            assert "用户名：user0" in double.texts()[-1]


PAUSES = (30, 60, 120, 240, 480)


@each
@pytest.mark.parametrize("code", [0, 310000, 93000, 45002, 424242, 130101, 300001])
def test_no_answer_brings_a_secret_out(kind: Kind, code: int) -> None:
    with double_of(kind) as double:
        send(kind, double)
        (sent,) = double.requests()
        whole = f"http://127.0.0.1:{double.port}{sent.path}"
        echoes = [
            *(double.url, whole, *TOKENS, urllib.parse.quote(SECRET, ""), sent.path),
            "\u200b".join(DINGTALK_TOKEN),
            urllib.parse.quote(double.url, ""),
            "x" * 150 + DINGTALK_TOKEN + WECOM_KEY + HOOK_TOKEN,
        ]
        for echo in echoes:
            answer = {"errcode": code, "errmsg": echo, "status": 1, "punish": echo}
            double.script("body:" + json.dumps(answer))
            said = send(kind, double).said
            tokens = [one for one in TOKENS if one in double.url or one == SECRET]
            if kind[0] is wecom:
                tokens.remove(SECRET)  # it has none
            for token in tokens:
                assert token not in said
                assert urllib.parse.quote(token, "") not in said
            signature = urllib.parse.parse_qs(urllib.parse.urlsplit(sent.path).query).get("sign")
            assert signature is None or signature[0] not in said
            assert len(said) <= 300


@pytest.mark.parametrize(
    ("address", "tokens"),
    [
        ("/send?key=0123456789abcdef&v=0123", ["0123456789abcdef"]),
        ("/send?key=01%2F23%2B45", ["01/23+45", "01%2F23%2B45"]),
        ("/hook/0123456789abcdef?v=1", ["0123456789abcdef"]),
        ("/hook?0123456789abcdef", ["0123456789abcdef"]),
        ("/hook/0123456789abcdef", ["0123456789abcdef"]),
    ],
)
def test_wherever_the_token_stands_it_is_hidden(address: str, tokens: list[str]) -> None:
    with WeComDouble() as double:
        channel = wecom(f"http://127.0.0.1:{double.port}{address}", HttpClient(seconds=5))
        for echo in [*tokens, f"http://127.0.0.1:{double.port}{address}"]:
            double.script(f"code:424242:{echo}")
            said = channel.send([queued(1, notice(login()))], now_us=NOW_US).said
            assert said == "code 424242: ****"
        channel.close()


@each
def test_the_parts_show_no_secret(kind: Kind) -> None:
    with double_of(kind) as double:
        channel = kind[0](double.url, HttpClient())
        for token in TOKENS:
            assert token not in channel.address
            assert token not in repr(channel)
        channel.close()


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (DingTalkSettings(webhook_url=URL), "…/send?key=****cdef"),
        (WeComSettings(webhook_url=URL), "…/send?key=****cdef"),
        (WebhookSettings(url="https://u:pw@ops.example.com:8443/s3cret"), None),
    ],
)
def test_each_kind_is_made_from_its_settings(
    settings: ChannelSettings, address: str | None
) -> None:
    channel = channel_of("ops", "channels.ops", settings, VOICE)
    assert channel.name == "ops"
    assert channel.address == (address or "https://ops.example.com:8443/…")
    assert channel.is_plain([])
    channel.close()


@each
def test_a_new_webhook_and_secret_need_no_restart(kind: Kind, tmp_path: Path) -> None:
    """They are read from their files at each sending."""
    url, secret = tmp_path / "url", tmp_path / "secret"
    with double_of(kind) as double:
        url.write_text(f"http://127.0.0.1:{double.port}/gone\n", encoding="utf-8")
        secret.write_text("wrong", encoding="utf-8")
        files: dict[Any, ChannelSettings] = {
            dingtalk: DingTalkSettings(webhook_url_file=str(url), secret_file=str(secret)),
            wecom: WeComSettings(webhook_url_file=str(url)),
            webhook: WebhookSettings(url_file=str(url), secret_file=str(secret)),
        }
        channel = channel_of("ops", "channels.ops", files[kind[0]], VOICE)
        batch = [queued(1, notice(login()))]
        now_us = double.clock.now_us()
        assert channel.send(batch, now_us=now_us).answer is Answer.CONFIGURATION
        url.write_text(f"{double.url}\n", encoding="utf-8")
        secret.write_text(SECRET, encoding="utf-8")
        assert channel.send(batch, now_us=now_us).answer is Answer.DELIVERED
        channel.close()


def calling(*names: str) -> Iterator[Any]:
    for number, name in enumerate(names):
        yield queued(number, replace(notice(logout(abnormal=True)), people=(name,)))


def test_who_is_called() -> None:
    voice = replace(
        VOICE, people={f"p{number}": PersonSettings(wecom=f"w{number}") for number in range(30)}
    )
    batch = list(calling("p3", "nobody", "p1", "p3"))
    assert called(batch, voice, lambda person: person.wecom) == ["w3", "w1"]
    assert called(batch, voice, lambda person: person.dingtalk) == []
    many = list(calling(*(f"p{number}" for number in range(30))))
    assert called(many, voice, lambda person: person.wecom) == [f"w{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("用户名：@all", "用户名：＠all"),
        ("用户名：@所有人", "用户名：＠所有人"),
        ("用户名：管理员@所有人", "用户名：管理员＠所有人"),
        ("x@all", "x＠all"),
        ("用户名：wang@example.com", "用户名：wang@example.com"),
        ("a@@all @@", "a＠＠all ＠＠"),
        ("CORP\\alice", "CORP\\alice"),
    ],
)
def test_no_foreign_text_looks_like_a_call(line: str, shown: str) -> None:
    assert uncalled(line) == shown


def test_an_integer_is_one() -> None:
    assert integer({"n": 3, "w": "words"}, "n", "w") == (3, "words")
    for value in (True, "3", 3.0, None, [3]):
        assert integer({"n": value, "w": "words"}, "n", "w") == (None, "")
