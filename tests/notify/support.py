"""What the tests of delivery share: notices, an outbox in a real file, a worker over the double."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from importlib import resources
from pathlib import Path

from tests.feishu_double import FeishuDouble
from usersessionmon.clock import Clock, ManualClock, SystemClock, Waker
from usersessionmon.model import Change, ChangeKind, Moment, Notice, Reason
from usersessionmon.notify.base import Posted, Queued
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.feishu import FeishuChannel
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.pace import Budget
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.text import notice_of
from usersessionmon.notify.trouble import dropped_notice
from usersessionmon.notify.words import Server, Voice
from usersessionmon.store.db import connect, transaction
from usersessionmon.store.outbox import SqliteOutbox, enqueue
from usersessionmon.store.outbox_view import Entry, Wanted, entries

NOW_US = 1_795_248_930_000_000  # 2026-11-21 08:15:30 UTC
SECRET = "usm-test-secret"


def moment(us: int = NOW_US) -> Moment:
    return Moment(us, "2026-11-21T08:15:30+00:00")


def login(user: str | None = "alice", *, at_us: int = NOW_US) -> Change:
    return Change(ChangeKind.LOGIN, moment(at_us), "web-1", "sshd", user=user, ip="198.51.100.7")


def logout(user: str = "alice", *, abnormal: bool = False, at_us: int = NOW_US) -> Change:
    reason = Reason.NETWORK if abnormal else Reason.USER
    return Change(
        ChangeKind.LOGOUT,
        moment(at_us),
        "web-1",
        "sshd",
        user=user,
        ip="198.51.100.7",
        reason=reason,
        abnormal=abnormal,
        duration=3723.4,
    )


def notice(change: Change, language: str = "zh") -> Notice:
    return notice_of(change, server(language))


def server(language: str = "zh") -> Server:
    return Server("web-1", "192.0.2.10", {"web-1"}, UTC, language)


def posted(*notices: Notice, channels: Sequence[str] = ("feishu",)) -> list[Posted]:
    return [Posted(one, channels) for one in notices]


def queued(number: int, what: Notice, *, attempts: int = 0, plain: bool = False) -> Queued:
    return Queued(number, what, NOW_US, attempts, plain)


def create_tables(path: Path) -> sqlite3.Connection:
    """The outbox's own tables, without those of the other migrations."""
    folder = resources.files("usersessionmon.store") / "migrations"
    connection = connect(path)
    for name in ("0002_outbox.sql", "0007_policy.sql"):
        connection.executescript((folder / name).read_text(encoding="utf-8"))
    return connection


def feishu(url: str, secret: str, client: HttpClient, *, card: bool = False) -> FeishuChannel:
    """A channel to a bot, with the address and the secret given as such."""
    where = Secret("feishu.webhook_url", url), Secret("feishu.secret", secret)
    return FeishuChannel(*where, client=client, voice=Voice(UTC), card=card)


class Post:
    """A queue in a file, a bot, and a worker whose time stands still until it is moved."""

    def __init__(self, path: Path, double: FeishuDouble, clock: ManualClock, card: bool) -> None:
        self.path = path
        self.double = double
        self.clock = clock
        self.waker = Waker()
        self.writer = create_tables(path)
        self.reader = SqliteOutbox(path)
        self.card = card
        self.worker = self.new_worker()

    def channel(self, seconds: float = 1.0) -> FeishuChannel:
        client = HttpClient(seconds=seconds)
        return feishu(self.double.url, SECRET, client, card=self.card)

    def new_worker(
        self, channel: BatchChannel | None = None, clock: Clock | None = None
    ) -> DeliveryWorker:
        self.in_use = channel or self.channel()
        return DeliveryWorker(
            self.in_use,
            lambda: SqliteOutbox(self.path),
            clock or self.clock,
            self.waker,
            Budget(),
            random.Random(1),
            announce=lambda dropped, now_us: dropped_notice(dropped, now_us, server()),
        )

    def abandon(self) -> None:
        """The process is killed: a new worker, which knows what is in the file."""
        self.worker = self.new_worker()

    def queue(self, *changes: Change) -> None:
        with transaction(self.writer):
            enqueue(self.writer, posted(*map(notice, changes)), self.clock.now_us())

    def step(self) -> float:
        return self.worker.step(self.clock.now_us())

    def run(self, seconds: float) -> None:
        """Let the worker do all that it wants to within ``seconds`` of the clock's time."""
        until = self.clock.monotonic() + seconds
        while True:
            wait = self.step()
            left = until - self.clock.monotonic()
            if wait >= left:
                self.clock.advance(max(0.0, left))
                return
            self.clock.advance(wait + 0.000_01 if wait else 0.0)

    def asides(self) -> list[Entry]:
        """What the bot refused for good."""
        return entries(self.writer, Wanted("feishu", aside=True))

    def waiting(self) -> Sequence[Queued]:
        return self.reader.waiting("feishu", 1000, self.clock.now_us())

    def close(self) -> None:
        self.worker.stop(2)
        self.worker.close()
        self.reader.close()
        self.writer.close()
        self.waker.close()


@contextmanager
def post_office(path: Path, *script: str, card: bool = False) -> Iterator[Post]:
    clock = ManualClock(NOW_US)
    with FeishuDouble(secret=SECRET, keyword="通知", script=script, clock=clock) as double:
        post = Post(path / "state.db", double, clock, card)
        try:
            yield post
        finally:
            post.close()


def real_clock() -> Clock:
    return SystemClock()
