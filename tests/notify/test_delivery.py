"""Delivery at work: worker, outbox file and bot over a real socket, time by hand.  The decision
table's rows are in ``test_table``."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble, Received
from tests.notify.support import (
    SECRET,
    Post,
    feishu,
    login,
    logout,
    notice,
    post_office,
    real_clock,
)
from usersessionmon.clock import Waker
from usersessionmon.notify import courier, split
from usersessionmon.notify.base import Answer
from usersessionmon.notify.delivery import drain
from usersessionmon.notify.http import HttpClient
from usersessionmon.store import outbox as store
from usersessionmon.store.db import transaction


@pytest.fixture
def all_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "LONG", 0)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with post_office(tmp_path) as made:
        yield made


def users(double: FeishuDouble) -> list[str]:
    """Whom the single notices that arrived were about."""
    return [
        line.removeprefix("用户名：")
        for text in double.texts()
        for line in text.split("\n")
        if line.startswith("用户名：")
    ]


def events(text: str) -> int:
    """How many events a digest tells."""
    title, *lines = text.split("\n")
    assert "通知" in title and "用户登" not in title
    return len(lines)


def test_each_notice_at_once_by_itself_and_gone_when_delivered(post: Post) -> None:
    post.queue(login("alice"), logout("alice"))
    assert post.step() == 0
    assert post.step() == 0
    assert post.step() == courier.IDLE_SECONDS
    first, second = post.double.texts()
    assert first.startswith("用户登录通知") and second.startswith("用户登出通知")
    assert not post.waiting()
    assert post.reader.state("feishu").answer is Answer.DELIVERED


def test_twenty_people_come_and_go_each_in_their_own_notice(post: Post) -> None:
    names = [f"user{number}" for number in range(20)]
    for name in names:
        post.queue(login(name), logout(name))
    post.run(30)
    assert sorted(users(post.double)) == sorted(names * 2)
    assert len(post.double.texts()) == len(post.double.requests()) == 40, "never over the limit"


def test_a_burst_beyond_the_budget_becomes_digests_and_nothing_is_lost(post: Post) -> None:
    for number in range(500):
        post.queue(login(f"user{number}"))
    post.run(300)
    texts = post.double.texts()
    assert len(texts) == len(post.double.requests()) < 50
    assert not post.waiting()
    told = "\n".join(texts)
    assert all(f" user{number} " in told for number in range(500))
    assert sum(events(text) for text in texts) == 500


def test_a_steady_stream_beyond_the_budget(post: Post) -> None:
    for number in range(240):
        post.queue(login(f"user{number:03}"))
        post.run(0.3)
    post.run(120)
    assert all(one.accepted for one in post.double.requests())
    told = "\n".join(post.double.texts())
    assert all(told.count(f"user{number:03}") == 1 for number in range(240))


def test_the_abnormal_has_a_reserve_and_goes_first(post: Post) -> None:
    for number in range(80):
        post.queue(login(f"user{number}"))
    post.run(25)
    assert len(post.double.texts()) == 80
    post.queue(login("late"), logout("eve", abnormal=True))
    post.run(1)
    assert "用户名：eve" in post.double.texts()[-1] and "late" not in post.double.texts()[-1]
    post.run(60)
    assert "用户名：late" in post.double.texts()[-1]


def test_what_piled_up_while_the_channel_was_down_is_one_digest(post: Post) -> None:
    post.double.always = "status:503"
    for number in range(12):
        post.queue(login(f"user{number}"))
    post.run(400)
    assert not post.double.texts()
    post.double.always = ""
    post.run(400)
    (text,) = post.double.texts()
    assert events(text) == 12 and "延迟送达" in text.split("\n")[0]


def test_a_short_backlog_is_told_one_by_one_and_says_that_it_is_late(post: Post) -> None:
    post.double.always = "code:19007"
    post.queue(login("alice"), logout("alice"))
    post.run(100)
    post.double.always = ""
    post.run(300)
    assert len(post.double.texts()) == 2
    assert all("\n延迟送达：" in text for text in post.double.texts())


def test_a_pause_holds_new_notices_too(post: Post) -> None:
    post.double.script("code:11232")
    post.queue(login("a"))
    post.step()
    post.queue(logout("b", abnormal=True))
    post.run(20)
    assert len(post.double.requests()) == 1
    post.run(20)
    assert users(post.double) == ["b", "a"]


def test_nothing_is_lost_while_it_is_held_for_days(post: Post) -> None:
    post.double.always = "code:19001"
    for hour in range(48):
        post.queue(login(f"user{hour}"))
        post.run(3600)
    assert len(post.waiting()) == 48
    post.double.always = ""
    post.run(600)
    (text,) = post.double.texts()
    assert events(text) == 48


@pytest.mark.usefixtures("all_is_long")
@pytest.mark.parametrize(
    "step", ["code:9499:Bad Request", "code:19002", "code:19036", "code:11246", "status:413"]
)
def test_a_refused_text_is_split_down_to_a_line_and_what_is_refused_still_is_set_aside(
    post: Post, step: str
) -> None:
    post.double.refused_text = "：poison"
    post.double.refused_with = step
    post.queue(login("poison"), login("next"))
    assert post.step() == 0 and post.step() == 0
    assert users(post.double) == ["next"], "the next notice goes on"
    post.run(1000)
    told = sorted(line for text in post.double.texts()[1:] for line in text.split("\n")[1:])
    whole = [f"{name}：{value}" for name, value in notice(login("poison")).pairs]
    assert told == sorted(line for line in whole if "poison" not in line), "all but the one line"
    (aside,) = post.asides()
    assert aside.notice.pairs == (("用户名", "poison"),) and aside.said
    assert not post.waiting()
    bodies = [one.body for one in post.double.requests()]
    assert len(set(bodies)) == len(bodies), "never the same bytes again"


@pytest.mark.usefixtures("all_is_long")
def test_the_halves_say_what_they_are_of(post: Post) -> None:
    post.double.script("code:19036", "code:19036")
    post.queue(login())
    post.run(10)
    titles = [text.split("\n")[0] for text in post.double.texts()]
    assert titles == ["用户登录通知（2/2）", "用户登录通知（1.1/2）", "用户登录通知（1.2/2）"]
    assert not post.asides() and not post.waiting()


@pytest.mark.usefixtures("all_is_long")
def test_the_halves_wait_for_the_outbox(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_MS", 10)
    post.double.script("code:19036")
    post.queue(login())
    with transaction(post.writer):
        assert post.step() > 0, "the halves cannot be written"
    post.run(100)
    assert len(post.double.texts()) == 2 and len(post.double.requests()) == 3


def test_a_refused_card_falls_back_to_text(tmp_path: Path) -> None:
    with post_office(tmp_path, "code:11246", "ok", card=True) as post:
        post.queue(login("a"))
        post.run(1)
        post.queue(login("b"))
        post.run(1)
        kinds = [one.payload["msg_type"] for one in post.double.requests() if one.payload]
        assert kinds == ["interactive", "text", "interactive"]
        assert len(post.double.texts()) == 2


@pytest.mark.usefixtures("all_is_long")
def test_a_card_whose_text_is_refused_too_is_split_as_text(tmp_path: Path) -> None:
    with post_office(tmp_path, "code:11246", "code:19036", card=True) as post:
        post.queue(login("a"), login("b"))
        post.run(5)
        kinds = [one.payload["msg_type"] for one in post.double.requests() if one.payload]
        assert kinds == ["interactive", "text", "interactive", "text", "text"]
        assert sorted(users(post.double)) == ["a", "b"]
        assert not post.asides()


@pytest.mark.usefixtures("all_is_long")
def test_a_refused_digest_is_split_until_the_poison_is_found(post: Post) -> None:
    post.double.refused_text = "poison"
    for number in range(40):
        post.queue(login("poison" if number == 13 else f"user{number}"))
    post.clock.advance(3600)
    post.run(600)
    told = "\n".join(post.double.texts())
    assert all((f"user{number}" in told) is (number != 13) for number in range(40))
    assert "登录时间" in told, "the other lines of the poisoned one"
    bodies = [one.body for one in post.double.requests()]
    assert len(set(bodies)) == len(bodies), "never the same bytes again"
    (aside,) = post.asides()
    assert aside.notice.pairs == (("用户名", "poison"),)
    assert not post.waiting()


def test_a_digest_is_never_above_20_kb(post: Post) -> None:
    for number in range(600):
        post.queue(login(f"{number:03}" + "管" * 97))
    post.clock.advance(100)
    post.run(120)
    assert all(len(one.body) <= 20_000 and one.accepted for one in post.double.requests())
    told = "\n".join(post.double.texts())
    assert all(told.count(f" {number:03}管") == 1 for number in range(600))


def test_the_log_is_loud_once_for_each_change(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "usersessionmon.delivery")
    post.queue(login())
    post.double.always = "code:19022"
    post.run(3600)
    post.double.always = "code:19021"
    post.run(3600)
    post.double.always = ""
    post.run(3600)
    levels = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert [level for level, _ in levels] == ["ERROR", "ERROR", "INFO"]
    assert "HELD" in levels[0][1] and "allowed IPs" in levels[0][1]
    assert "clock" in levels[1][1]
    assert post.double.url not in caplog.text and "abcd" not in caplog.text


def test_a_locked_outbox_neither_kills_nor_sends_twice(
    post: Post, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "BUSY_MS", 10)
    post.queue(login("a"), login("b"))
    with transaction(post.writer):
        assert post.step() > 0
        for _ in range(20):
            post.run(10)
        assert not post.double.texts(), "that it is sent must be written down first"
    post.run(60)
    assert users(post.double) == ["a", "b"] and not post.waiting()
    troubled = [one for one in caplog.records if "outbox" in one.getMessage()]
    assert len(troubled) == 2


def test_what_was_sent_is_written_down_at_the_end(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_MS", 10)
    post.queue(login("a"))
    with locked_while_sent(post):
        post.step()
    assert len(post.waiting()) == 1
    post.worker.close()
    assert not post.waiting()


@contextmanager
def locked_while_sent(post: Post) -> Iterator[None]:
    """The outbox is locked from the moment on when the bot has a notice."""
    locks: list[sqlite3.Connection] = []

    def lock(_one: Received) -> None:
        locks.append(sqlite3.connect(post.path, check_same_thread=False, isolation_level=None))
        locks[0].execute("BEGIN IMMEDIATE")

    post.double.told = lock
    yield
    locks[0].close()


def test_a_short_text_that_is_refused_is_set_aside_whole(post: Post) -> None:
    post.double.script("code:19002")
    post.queue(login("alice"), login("bob"))
    post.run(60)
    assert users(post.double) == ["bob"]
    assert [one.number for one in post.asides()] == [1]


def test_whoever_is_killed_while_sending_says_so_afterwards(post: Post) -> None:
    post.queue(login("alice"))
    (one,) = post.waiting()
    post.reader.begin("feishu", [one.number], post.clock.now_us())  # and then kill -9
    post.worker = post.new_worker()
    post.run(1)
    (text,) = post.double.texts()
    assert "通知编号：1（重发，先前一条可能已送达）" in text


def test_what_could_not_arrive_is_no_repeat(tmp_path: Path) -> None:
    with post_office(tmp_path) as post:
        gone = feishu("http://127.0.0.1:9/hook/x", SECRET, HttpClient(seconds=5))
        post.worker = post.new_worker(gone)
        post.queue(login("alice"))
        post.step()
        assert [one.attempts for one in post.waiting()] == [0]


def test_a_new_start_keeps_the_pace(post: Post) -> None:
    for number in range(120):
        post.queue(login(f"user{number:03}"))
        if number % 30 == 29:
            post.run(8)
            post.worker.close()
            post.worker = post.new_worker()
    post.run(120)
    assert all(one.accepted for one in post.double.requests())
    told = "\n".join(post.double.texts())
    assert all(told.count(f"user{number:03}") == 1 for number in range(120))


def test_an_unreadable_outbox_is_waited_for(tmp_path: Path) -> None:
    with post_office(tmp_path) as post:
        post.queue(login())
        post.writer.execute("ALTER TABLE notices RENAME TO gone")
        assert 0 < post.step() <= 60
        post.run(100)
        post.writer.execute("ALTER TABLE gone RENAME TO notices")
        post.run(100)
        assert len(post.double.texts()) == 1


# The thread


def test_the_thread_sends_when_it_is_woken_and_drains(tmp_path: Path) -> None:
    with post_office(tmp_path) as post:
        post.double.clock = real_clock()
        post.clock.us = real_clock().now_us()
        post.worker.stop(0)
        post.worker = post.new_worker(clock=real_clock())
        post.worker.start()
        for name in ("a", "b", "c"):
            post.queue(login(name))
            post.waker.wake()
        told = Waker()
        assert drain([post.worker], 5, real_clock(), told)
        assert users(post.double) == ["a", "b", "c"] and not post.waiting()
        assert drain([post.worker], 5, real_clock(), told), "nothing to do is drained too"
        told.close()
        assert post.worker.stop(5)


@pytest.mark.parametrize("step", ["hang", "drip", "drip-head"])
def test_stop_is_bounded_whatever_the_webhook_does(tmp_path: Path, step: str) -> None:
    with post_office(tmp_path, step) as post:
        post.clock.us = real_clock().now_us()
        post.double.clock = real_clock()
        post.worker.stop(0)
        post.worker = post.new_worker(post.channel(seconds=30), real_clock())
        post.queue(login())
        post.worker.start()
        post.double.wait_for_requests(1)
        begun = time.monotonic()
        assert post.worker.stop(1.0), "its thread ends, for its exchange is cut"
        assert time.monotonic() - begun < 2
        (left,) = post.waiting()
        assert left.attempts == 1, "it may have arrived: the next start shows its number"
        assert not any(one.name == "delivery-feishu" for one in threading.enumerate())


def test_a_bug_does_not_end_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("usersessionmon.notify.delivery.IDLE_SECONDS", 0.01)
    with post_office(tmp_path) as post:
        post.double.clock = real_clock()
        post.clock.us = real_clock().now_us()
        post.worker.stop(0)
        channel = post.channel()
        good = channel.send
        calls = [0]

        def flawed(*arguments: object, **named: object) -> object:
            calls[0] += 1
            if calls[0] == 1:
                raise KeyError("flaw")
            return good(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(channel, "send", flawed)
        post.worker = post.new_worker(channel, real_clock())
        post.queue(login())
        post.worker.start()
        assert post.double.wait_for(1, 5)
        assert post.worker.stop(5)
    assert "KeyError" in caplog.text


def test_changes_keep_their_own_time_in_a_digest(post: Post) -> None:
    for second in range(20):
        post.queue(login(f"u{second}", at_us=post.clock.now_us() - second * 1_000_000))
    post.clock.advance(31)
    post.run(5)
    (text,) = post.double.texts()
    lines = text.split("\n")[1:]
    assert lines == sorted(lines) and len(lines) == 20
