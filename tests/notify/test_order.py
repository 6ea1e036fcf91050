"""What goes with what, and what first: held bundles, the abnormal, drops, and who asks to try."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notify.support import NOW_US, Post, login, logout, notice, post_office
from usersessionmon.clock import ManualClock
from usersessionmon.model import Change
from usersessionmon.notify import courier
from usersessionmon.notify.base import Posted
from usersessionmon.store import drops, outbox_view
from usersessionmon.store.db import transaction
from usersessionmon.store.drops import Policy
from usersessionmon.store.outbox import enqueue
from usersessionmon.store.outbox_view import Wanted


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with post_office(tmp_path) as made:
        yield made


def put(post: Post, change: Change, held: float = 0.0, bundle: str = "") -> None:
    """Queue for ``held`` seconds from now."""
    until = post.clock.now_us() + round(held * 1e6) if held else None
    with transaction(post.writer):
        enqueue(
            post.writer, [Posted(notice(change), ("feishu",), until, bundle)], post.clock.now_us()
        )


def now_login(post: Post, user: str) -> Change:
    return login(user, at_us=post.clock.now_us())


def lines(text: str) -> list[str]:
    return text.split("\n")


# What is held


def test_the_worker_looks_when_the_held_is_due(post: Post) -> None:
    put(post, now_login(post, "a"), held=7.5)
    assert post.step() == pytest.approx(7.5), "sooner than it would look anyway"
    assert not post.double.requests()
    post.clock.advance(7.5)
    post.step()
    assert len(post.double.texts()) == 1 and "延迟送达" not in post.double.texts()[0]


def test_what_is_held_long_is_looked_for_as_ever(post: Post) -> None:
    put(post, now_login(post, "a"), held=3600)
    assert post.step() == courier.IDLE_SECONDS
    post.run(3599)
    assert not post.double.requests()
    post.run(2)
    assert len(post.double.texts()) == 1


def test_a_bundle_of_one_is_a_digest_of_one_line(post: Post) -> None:
    put(post, now_login(post, "alice"), held=8 * 3600, bundle="night")
    post.run(8 * 3600 + 30)
    (text,) = post.double.texts()
    assert lines(text) == [
        "夜间会话通知汇总：1 条",
        "2026-11-21 08:15:30 登录 alice 198.51.100.7 web-1",
    ]


def test_bundles_are_never_mixed_and_have_titles_of_their_own(post: Post) -> None:
    for number in range(6):
        put(post, now_login(post, f"n{number}"), held=60 - number, bundle="night")
        put(post, now_login(post, f"d{number}"), held=60 - number, bundle="daily")
        put(post, now_login(post, f"x{number}"), held=60 - number)
        post.clock.advance(1)
    post.run(300)
    night = [text for text in post.double.texts() if text.startswith("夜间会话通知汇总：6 条\n")]
    daily = [text for text in post.double.texts() if text.startswith("每日会话通知汇总：6 条\n")]
    (one,), (other,) = night, daily
    assert all(f" n{number} " in one and f" d{number} " in other for number in range(6))
    assert " d" not in one and " x" not in one and " n" not in other and " x" not in other
    rest = "\n".join(text for text in post.double.texts() if text not in (one, other))
    assert all(f"x{number}" in rest for number in range(6))
    for text in post.double.texts():
        assert "通知" in lines(text)[0] and "延迟送达" not in text


def test_a_bundle_that_comes_after_its_time_is_late(post: Post) -> None:
    put(post, now_login(post, "a"), held=100, bundle="night")
    post.double.always = "status:503"
    post.run(1000)
    post.double.always = ""
    post.run(1000)
    (text,) = post.double.texts()
    assert lines(text)[0].startswith("夜间会话通知汇总：1 条，延迟送达")


def test_a_bundle_beyond_one_message_is_several(post: Post) -> None:
    for number in range(450):
        put(post, now_login(post, f"user{number:03}"), held=60, bundle="night")
    post.run(200)
    texts = post.double.texts()
    assert len(texts) == 3 and all(text.startswith("夜间会话通知汇总：") for text in texts)
    told = "\n".join(texts)
    assert all(told.count(f"user{number:03}") == 1 for number in range(450))


def test_what_is_no_bundle_goes_before_it(post: Post) -> None:
    put(post, now_login(post, "held"), held=1, bundle="night")
    post.clock.advance(2)
    put(post, now_login(post, "now"))
    post.run(5)
    assert "用户名：now" in post.double.texts()[0] and " held " in post.double.texts()[1]


# The abnormal first


def test_of_a_backlog_the_abnormal_have_messages_of_their_own_before_the_routine(
    post: Post,
) -> None:
    post.double.always = "close"
    for number in range(60):
        if number % 20 == 7:
            put(post, logout(f"bad{number}", abnormal=True, at_us=post.clock.now_us()))
        else:
            put(post, now_login(post, f"user{number}"))
        post.run(10)
    post.double.always = ""
    post.run(400)
    first, second = post.double.texts()
    title, *told = lines(first)
    assert title.startswith("会话通知汇总：3 条，延迟送达")
    assert [line.split()[3] for line in told] == ["bad7", "bad27", "bad47"]
    title, *told = lines(second)
    assert title.startswith("会话通知汇总：57 条") and told == sorted(told) and len(told) == 57


def test_a_single_abnormal_one_of_a_backlog_is_told_in_full(post: Post) -> None:
    for number in range(20):
        put(post, now_login(post, f"user{number}"))
    put(post, logout("eve", abnormal=True))
    post.clock.advance(100)
    post.run(30)
    first, second = post.double.texts()
    assert first.startswith("用户登出通知\n") and "用户名：eve" in first and "延迟送达" in first
    assert lines(second)[0].startswith("会话通知汇总：20 条")


def test_of_a_burst_too_the_abnormal_go_first(post: Post) -> None:
    for number in range(300):
        put(post, login(f"user{number}"))
    for name in ("eve", "mallory"):
        put(post, logout(name, abnormal=True))
    post.run(60)
    first, second, third = post.double.texts()[:3]
    assert "用户名：eve" in first and "用户名：mallory" in second, "few of them: each in full"
    assert lines(third)[0].startswith("会话通知汇总：")
    assert all(one.accepted for one in post.double.requests())


def test_a_burst_of_the_abnormal_is_a_digest_too(post: Post) -> None:
    put(post, login("first"))
    for number in range(120):
        put(post, logout(f"bad{number}", abnormal=True))
    post.run(60)
    first, second = post.double.texts()
    assert len(lines(first)) == 121 and all(f" bad{number} " in first for number in range(120))
    assert "用户名：first" in second


# Who asks to try at once


def nudge(post: Post) -> None:
    with transaction(post.writer):
        outbox_view.nudge(post.writer, ["feishu"], post.clock.now_us())


@pytest.mark.parametrize("step", ["code:19001", "code:11232", "close", "code:77777"])
def test_a_nudge_ends_a_pause(post: Post, step: str) -> None:
    post.double.script(step, step, step, step, step)
    put(post, login())
    for _ in range(5):
        post.clock.advance(post.step() + 0.001)
    assert post.step() == 0 or post.double.texts()
    post.double.script(step)
    put(post, login("b"))
    pause = post.step()
    assert pause > 1
    post.clock.advance(1)
    assert post.step() == pytest.approx(pause - 1), "nobody asked"
    nudge(post)
    assert post.step() == 0
    assert len(post.double.texts()) == 2
    assert post.step() == courier.IDLE_SECONDS, "a nudge counts once"


def test_a_nudge_that_fails_makes_a_new_pause(post: Post) -> None:
    post.double.always = "code:19001"
    put(post, login())
    post.step()
    nudge(post)
    assert 120 <= post.step() <= 144
    assert post.step() > 100 and len(post.double.requests()) == 2


def test_a_nudge_does_not_override_what_the_server_asked_for(post: Post) -> None:
    post.double.script("429:95")
    put(post, login())
    assert post.step() == 95
    nudge(post)
    post.clock.advance(94.9)
    post.step()
    assert len(post.double.requests()) == 1
    post.clock.advance(0.2)
    post.step()
    assert len(post.double.texts()) == 1


def test_an_old_nudge_is_none_after_a_new_start(post: Post) -> None:
    post.double.script("ok", "code:19001")
    put(post, login())
    nudge(post)
    post.step()
    post.abandon()
    put(post, login("b"))
    assert post.step() >= 60
    assert post.step() > 50 and len(post.double.requests()) == 2


def test_what_was_refused_goes_out_when_it_is_asked_for(post: Post) -> None:
    post.double.refused_text = "："
    put(post, login())
    post.run(30)
    count = len(post.asides())
    assert count == 1 and not post.waiting()
    post.double.refused_text = ""
    with transaction(post.writer):
        assert outbox_view.retry(post.writer, Wanted("feishu"), post.clock.now_us()) == count
    post.run(15)
    assert len(post.double.texts()) == count and not post.asides() and not post.waiting()


# What was dropped


def test_what_is_dropped_in_an_outage_is_told_as_soon_as_it_is_over(post: Post) -> None:
    post.double.always = "status:503"
    policy = Policy(5, 0)
    for number in range(12):
        with transaction(post.writer):
            put_one = [Posted(notice(now_login(post, f"user{number}")), ("feishu",))]
            enqueue(post.writer, put_one, post.clock.now_us(), policy)
        post.run(60)
    assert len(post.waiting()) == 5, "no announcement takes a place while nothing gets through"
    post.double.always = ""
    post.run(400)
    first, second, *rest = post.double.texts()
    assert "用户名：user7" in first
    assert lines(second)[0] == "通知丢弃通知"
    assert "丢弃数量：普通 7 条，异常 0 条" in second
    assert "事件时间：2026-11-21 08:15:30 至 2026-11-21 08:21:30" in second
    assert len(rest) == 4 and not any("丢弃" in text for text in rest)


def test_it_is_told_when_nothing_is_left_at_all(post: Post) -> None:
    post.double.always = "status:503"
    put(post, now_login(post, "a"))
    post.run(60)
    with transaction(post.writer):
        drops.keep_to_age(post.writer, Policy(0, 1), post.clock.now_us() + 2 * 86_400_000_000)
    post.double.always = ""
    post.run(400)
    (text,) = post.double.texts()
    assert lines(text)[0] == "通知丢弃通知" and "普通 1 条" in text


def test_a_new_start_tells_what_was_dropped(post: Post) -> None:
    with transaction(post.writer):
        enqueue(
            post.writer,
            [Posted(notice(login(f"u{number}")), ("feishu",)) for number in range(4)],
            NOW_US,
            Policy(2, 0),
        )
    post.abandon()
    post.run(10)
    texts = post.double.texts()
    assert lines(texts[0])[0] == "通知丢弃通知", "the abnormal first"
    assert len(texts) == 3


def test_a_locked_outbox_announces_later_and_once(
    post: Post, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr("usersessionmon.store.outbox.BUSY_MS", 10)
    with transaction(post.writer):
        enqueue(
            post.writer,
            [Posted(notice(login(f"u{number}")), ("feishu",)) for number in range(3)],
            NOW_US,
            Policy(2, 0),
        )
    with transaction(post.writer):
        assert post.step() > 0
    post.run(60)
    told = [text for text in post.double.texts() if "丢弃" in text]
    assert len(told) == 1


def test_a_pause_is_watched_by_the_thread(post: Post) -> None:
    """The thread sleeps no longer than ``IDLE_SECONDS``, whatever ``step`` says."""
    slept: list[float] = []

    class Waker:
        def wait(self, seconds: float) -> bool:
            slept.append(seconds)
            post.worker._stopping.set()
            return False

        def wake(self) -> None: ...

    post.double.script("code:19001")
    put(post, login())
    post.worker = post.new_worker(clock=ManualClock(NOW_US))
    post.worker._waker = Waker()  # type: ignore[assignment]
    post.worker._run()
    assert slept == [courier.IDLE_SECONDS]
