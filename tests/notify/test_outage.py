"""A webhook that is down for an hour: through the real outbox file and the worker, time by hand."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.notify.support import NOW_US, Post, login, logout, notice, post_office, posted
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.store.db import transaction
from usersessionmon.store.outbox import SqliteOutbox, enqueue

EVENTS = 500
EVERY = 3600 / EVENTS


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with post_office(tmp_path) as made:
        yield made


def told_time(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def an_hour_of_events(post: Post) -> dict[str, str]:
    """Every tenth is abnormal; gives each user's time, as a digest has it."""
    times = {}
    for number in range(EVENTS):
        user, at_us = f"user{number:03}", post.clock.now_us()
        bad = number % 10 == 3
        post.queue(logout(user, abnormal=True, at_us=at_us) if bad else login(user, at_us=at_us))
        times[user] = told_time(at_us)
        post.run(EVERY)
    return times


@pytest.mark.parametrize("outage", ["status:503", "close", "code:19007", "code:11232"])
def test_an_hour_without_the_webhook(post: Post, outage: str) -> None:
    post.double.always = outage
    times = an_hour_of_events(post)
    assert len(post.waiting()) == EVENTS and not post.double.texts()
    before = len(post.double.requests())
    post.double.always = ""
    post.run(700)
    came = post.double.requests()[before:]
    assert all(one.accepted for one in came), "within the budget: the bot's limits refused nothing"
    assert not post.waiting() and not post.asides()
    lines = [line for one in came for line in one.text.split("\n")[1:]]
    told = {line.split()[3]: " ".join(line.split()[:2]) for line in lines}
    assert told == times, "each line with its original time"
    assert len(lines) == EVENTS, "none twice"
    check_messages([one.text for one in came])


def check_messages(texts: list[str]) -> None:
    """Few digests; those of the abnormal alone and first; each late, and oldest first."""
    assert len(texts) <= 8
    words: list[str] = []
    for text in texts:
        title, *lines = text.split("\n")
        assert title.startswith("会话通知汇总：") and "延迟送达" in title
        assert lines == sorted(lines)
        found = {line.split()[2] for line in lines}
        assert len(found) == 1, "never the abnormal with the routine"
        words += found
    assert words == sorted(words, key=lambda word: word != "登出")
    assert words[0] == "登出"


class Sink:
    """Takes digests up to 20 KB and keeps nothing: what is measured is the worker."""

    name, address = "feishu", "nowhere"

    def __init__(self) -> None:
        self.taken = 0
        self.largest = 0

    def fits(self, batch: list[Queued], *, now_us: int) -> int:
        return len(batch)

    def is_plain(self, batch: list[Queued]) -> bool:
        return True

    def send(self, batch: list[Queued], *, now_us: int) -> Result:
        self.taken += len(batch)
        self.largest = max(self.largest, len(batch))
        return Result(Answer.DELIVERED, "taken")

    def close(self) -> None: ...


def peak_of(path: Path, waiting: int) -> int:
    """Bytes of Python's at most while a worker empties an outbox in which so many wait."""
    with post_office(path) as post:
        with transaction(post.writer):
            for number in range(waiting):
                enqueue(post.writer, posted(notice(login(f"user{number}"))), NOW_US)
        post.clock.advance(3600)
        sink = Sink()
        outbox = SqliteOutbox(post.path)
        worker = DeliveryWorker(sink, lambda: outbox, post.clock, post.waker)  # type: ignore[arg-type]
        tracemalloc.start()
        while sink.taken < waiting:
            post.clock.advance(worker.step(post.clock.now_us()) + 0.5)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        worker.step(post.clock.now_us())
        worker.close()
        assert not post.waiting() and sink.largest == 200
        return peak


def test_memory_does_not_grow_with_what_waits(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("warm", "few", "many")]
    for folder in folders:
        folder.mkdir()
    peak_of(folders[0], 250)
    few, many = peak_of(folders[1], 500), peak_of(folders[2], 5000)
    assert many < 1.2 * few + 250_000, f"{few} bytes for 500, {many} for 5,000"
