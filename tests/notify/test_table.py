"""The decision table, row by row, and its traps: worker, outbox file and bot over a real socket,
time by hand.  Of each answer: its class, its schedule, that nothing is lost, and that nothing comes
twice unless a delivery was not answered."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feishu_double import TOKEN
from tests.notify.support import SECRET, Post, feishu, login, logout, post_office
from usersessionmon.model import Severity
from usersessionmon.notify import split
from usersessionmon.notify.base import Answer
from usersessionmon.notify.http import HttpClient

PAUSES = {
    Answer.THROTTLED: [30, 60, 120, 240, 480, 600, 600],
    Answer.TRANSIENT: [2, 4, 8, 16, 32, 64, 128, 256, 300, 300],
    Answer.CONFIGURATION: [60, 120, 240, 480, 600, 600],
    Answer.UNKNOWN: [2, 4, 8, 16, 32, 64, 128, 256, 300],
}
MOST = {
    Answer.THROTTLED: 600,
    Answer.TRANSIENT: 300,
    Answer.CONFIGURATION: 600,
    Answer.UNKNOWN: 300,
}
ROWS = [
    ("code:11232", Answer.THROTTLED),
    ("code:9499:Too Many Requests", Answer.THROTTLED),
    ("code:9499:too many request, slow down", Answer.THROTTLED),
    ("code:99991400", Answer.THROTTLED),
    ("status:429", Answer.THROTTLED),
    ("close", Answer.TRANSIENT),
    ("short", Answer.TRANSIENT),
    ("reset", Answer.TRANSIENT),
    ("status:408", Answer.TRANSIENT),
    ("status:500", Answer.TRANSIENT),
    ("status:502", Answer.TRANSIENT),
    ("status:503", Answer.TRANSIENT),
    ("status:504", Answer.TRANSIENT),
    ("html", Answer.TRANSIENT),
    ("body:", Answer.TRANSIENT),
    ("big", Answer.TRANSIENT),
    ("code:19001", Answer.CONFIGURATION),
    ("code:19021", Answer.CONFIGURATION),
    ("code:19022", Answer.CONFIGURATION),
    ("code:19024", Answer.CONFIGURATION),
    ("code:19007", Answer.CONFIGURATION),
    ("redirect", Answer.CONFIGURATION),
    ("status:301", Answer.CONFIGURATION),
    ("status:307", Answer.CONFIGURATION),
    ("status:308", Answer.CONFIGURATION),
    ("status:401", Answer.CONFIGURATION),
    ("status:403", Answer.CONFIGURATION),
    ("status:404", Answer.CONFIGURATION),
    ("status:407", Answer.CONFIGURATION),
    ("code:77777", Answer.UNKNOWN),
    ("code:9499:something new", Answer.UNKNOWN),
    ('body:{"msg": "no code"}', Answer.UNKNOWN),
    ('body:{"code": "0"}', Answer.UNKNOWN),
    ('body:{"code": true}', Answer.UNKNOWN),
    ("status:418", Answer.UNKNOWN),
]
TIMEOUTS = ["hang", "drip", "drip-head"]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with post_office(tmp_path) as made:
        yield made


def check_schedule(post: Post, step: str, answer: Answer, pauses: list[int]) -> None:
    """One notice, refused so often; each time it waits as the table says, and is kept."""
    for count, wanted in enumerate(pauses, 1):
        post.double.script(step)
        wait = post.step()
        assert len(post.double.requests()) == count
        check_pause(post, answer, wanted, wait, count)
        post.clock.advance(wait - 0.01)
        assert 0 < post.step() <= 0.02, "not before its time"
        assert len(post.double.requests()) == count
        post.clock.advance(0.02)
    assert len(post.waiting()) == 1 and not post.double.texts()


def check_pause(post: Post, answer: Answer, wanted: float, wait: float, count: int) -> None:
    assert 0.8 * wanted <= wait <= 1.2 * wanted, "jitter is at most 20 %"
    assert wait <= MOST[answer]
    state = post.reader.state("feishu")
    assert (state.answer, state.failures_in_row) == (answer, count)
    assert state.retry_us == pytest.approx(post.clock.now_us() + wait * 1e6, abs=2)


@pytest.mark.parametrize(("step", "answer"), ROWS)
def test_row(post: Post, step: str, answer: Answer) -> None:
    pauses = PAUSES[answer]
    post.queue(login())
    check_schedule(post, step, answer, pauses)
    assert post.step() == 0
    assert len(post.double.texts()) == 1 and not post.waiting(), "nothing lost, nothing twice"
    state = post.reader.state("feishu")
    assert (state.answer, state.failures_in_row, state.retry_us) == (Answer.DELIVERED, 0, None)
    assert not post.double.elsewhere, "a redirect is not followed"
    post.clock.advance(60)
    post.double.script(step)
    post.queue(login("next"))
    assert post.step() <= 1.2 * pauses[0], "back-off starts anew after a delivery"


@pytest.mark.parametrize("step", TIMEOUTS)
def test_row_of_whatever_takes_too_long(tmp_path: Path, step: str) -> None:
    with post_office(tmp_path) as post:
        post.worker = post.new_worker(post.channel(seconds=0.3))
        post.queue(login())
        check_schedule(post, step, Answer.TRANSIENT, [2, 4])
        post.worker = post.new_worker()
        post.run(1)
        assert len(post.double.texts()) == 1


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("case", "word"), [("refused", "refused"), ("dns", "resolved"), ("tls", "TLS")]
)
def test_row_of_what_cannot_be_reached(
    post: Post, case: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    urls = {
        "refused": f"http://127.0.0.1:{unused_port()}/hook/{TOKEN}",
        "dns": f"https://nowhere.invalid/hook/{TOKEN}",
        "tls": post.double.url.replace("http:", "https:"),
    }
    post.worker = post.new_worker(feishu(urls[case], SECRET, HttpClient(seconds=5)))
    post.queue(login())
    for count, wanted in enumerate(PAUSES[Answer.TRANSIENT][:5], 1):
        wait = post.step()
        check_pause(post, Answer.TRANSIENT, wanted, wait, count)
        post.clock.advance(wait + 0.01)
    said = post.reader.state("feishu").said
    assert word in said and TOKEN not in said + caplog.text
    post.worker = post.new_worker()
    post.run(1)
    assert len(post.double.texts()) == 1 and not post.waiting()


def test_throttled_pauses_the_whole_channel(post: Post) -> None:
    post.double.script("code:11232")
    post.queue(login("a"))
    post.step()
    post.queue(logout("b", abnormal=True))
    post.run(25)
    assert len(post.double.requests()) == 1
    post.run(20)
    assert len(post.double.texts()) == 2


@pytest.mark.parametrize("seconds", [1, 95, 700, 3600])
def test_retry_after_is_obeyed_and_never_shortened(post: Post, seconds: int) -> None:
    post.double.script(f"429:{seconds}")
    post.queue(login())
    assert post.step() == seconds
    post.clock.advance(seconds - 0.1)
    post.step()
    assert len(post.double.requests()) == 1
    post.clock.advance(0.2)
    post.step()
    assert len(post.double.texts()) == 1


def test_ten_unknown_answers_in_a_row_are_taken_for_configuration(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.double.always = "code:77777"
    post.queue(login())
    for _ in range(9):
        post.clock.advance(post.step() + 0.001)
    assert post.reader.state("feishu").answer is Answer.UNKNOWN
    for wanted in PAUSES[Answer.CONFIGURATION]:
        wait = post.step()
        assert 0.8 * wanted <= wait <= 1.2 * wanted
        assert post.reader.state("feishu").answer is Answer.CONFIGURATION
        post.clock.advance(wait + 0.001)
    assert sum("HELD" in one.getMessage() for one in caplog.records) == 1
    (left,) = post.waiting()
    assert left.attempts == 15, "each of them may have arrived"


def test_nine_unknown_answers_and_another_one_are_not_ten(post: Post) -> None:
    post.queue(login())
    post.double.script(*["code:77777"] * 9, "status:500", "code:77777")
    for _ in range(11):
        post.clock.advance(post.step() + 0.001)
    assert post.reader.state("feishu").answer is Answer.UNKNOWN


@pytest.mark.parametrize("step", ["deliver-cut", "deliver-short", "deliver-hang"])
def test_an_unanswered_delivery_alone_comes_twice_and_says_so(tmp_path: Path, step: str) -> None:
    with post_office(tmp_path, step) as post:
        post.worker = post.new_worker(post.channel(seconds=0.3))
        post.queue(login(), logout())
        post.run(10)
        first, second, third = post.double.texts()
        assert "通知编号" not in first and "\n通知编号：1（" in second
        assert second.startswith(first) and third.startswith("用户登出通知")


def test_an_unanswered_digest_comes_twice_and_says_so(post: Post) -> None:
    post.double.script("deliver-cut")
    post.queue(*(login(f"user{number}") for number in range(12)))
    post.clock.advance(60)
    post.run(60)
    first, second = post.double.texts()
    assert "重发" not in first and "，重发，通知编号 1–12\n" in second
    assert first.split("\n")[1:] == second.split("\n")[1:]


@pytest.mark.parametrize("step", ["code:19007", "code:11232", "status:403", "429:5"])
def test_a_refusal_that_cannot_have_arrived_is_no_repeat(post: Post, step: str) -> None:
    post.double.script(step)
    post.queue(login())
    post.run(100)
    (text,) = post.double.texts()
    assert "通知编号" not in text


def test_a_new_start_probes_at_once(post: Post) -> None:
    post.double.script("code:19001", "code:19001")
    post.queue(login())
    post.clock.advance(post.step() + 0.001)
    assert post.step() >= 120
    post.worker.stop(1)
    post.abandon()
    assert post.step() == 0
    assert len(post.double.texts()) == 1


def test_configuration_is_loud_once_and_status_has_it(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "usersessionmon.delivery")
    post.double.always = "code:19024"
    post.queue(login())
    post.run(7200)
    state = post.reader.state("feishu")
    assert state.answer is Answer.CONFIGURATION and "通知" in state.said and state.retry_us
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    post.double.always = ""
    post.run(700)
    assert caplog.records[-1].getMessage() == "delivery to feishu: works again"
    assert len(post.double.texts()) == 1


def test_the_log_tells_each_change_of_state(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "usersessionmon.delivery")
    post.queue(login())
    for step in ("status:503", "html", "code:11232", "code:77777", "code:19001", "code:19007"):
        post.double.script(step)
        post.clock.advance(post.step() + 0.001)
    post.run(10)
    told = [one.getMessage().split(": ")[1] for one in caplog.records]
    assert told == [
        "transient",
        "throttled",
        "unknown",
        "HELD until this is mended",
        "HELD until this is mended",
        "works again",
    ]
    assert TOKEN not in caplog.text and SECRET not in caplog.text


# Traps


def test_each_try_is_signed_anew(post: Post) -> None:
    post.double.always = "code:19021"
    post.queue(login())
    post.run(8000)
    post.double.always = ""
    post.run(600)
    assert len(post.double.texts()) == 1, "the double takes no signature older than an hour"
    stamps = [one.payload["timestamp"] for one in post.double.requests() if one.payload]
    assert len(set(stamps)) == len(stamps)


def test_fields_are_queued_and_not_bodies(post: Post) -> None:
    post.queue(login("王芳"))
    (fields,) = post.writer.execute("SELECT fields FROM notices").fetchone()
    assert set(json.loads(fields)) >= {"title", "pairs", "digest", "at_us"}
    held = "\n".join(post.writer.iterdump())
    assert "timestamp" not in held and TOKEN not in held and SECRET not in held


def test_every_message_has_the_keyword_in_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Singles, halves, digests, late ones, repeats; by text and by card."""
    monkeypatch.setattr(split, "LONG", 0)
    for card in (False, True):
        folder = tmp_path / str(card)
        folder.mkdir()
        with post_office(folder, "code:11246", "code:19036", "deliver-cut", card=card) as post:
            post.queue(login(), logout(abnormal=True))
            post.run(30)
            for number in range(20):
                post.queue(login(f"user{number}"))
            post.clock.advance(100)
            post.run(60)
            texts = post.double.texts()
            assert len(texts) > 3
            assert all("通知" in text.split("\n")[0] for text in texts)
            assert not post.waiting()


def test_the_reserve_is_for_the_abnormal(post: Post) -> None:
    post.queue(*(login(f"user{number}") for number in range(80)))
    post.run(25)
    post.queue(*(logout(f"bad{number}", abnormal=True) for number in range(10)), login("late"))
    post.run(5)
    texts = post.double.texts()
    assert len(texts) == 90 and "late" not in "\n".join(texts)
    assert {one.notice.severity for one in post.waiting()} == {Severity.ROUTINE}
    post.run(60)
    assert all(one.accepted for one in post.double.requests()), "below the platform's limits"
