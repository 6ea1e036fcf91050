"""Whatever is queued, answered, restarted and dropped, in any order: every notice is delivered, set
aside, dropped and counted, or still waits; none comes twice unless a delivery was not answered."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feishu_double import Received
from tests.notify.support import Post, login, logout, notice, post_office, server
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Dropped, Posted
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.trouble import dropped_notice
from usersessionmon.store import drops
from usersessionmon.store.db import transaction
from usersessionmon.store.drops import Policy
from usersessionmon.store.outbox import SqliteOutbox, enqueue
from usersessionmon.store.outbox_view import Wanted, entries, report

ANSWERS = (
    *("ok", "ok", "code:11232", "status:503", "close", "code:77777", "code:19001", "429:40"),
    *("code:19036", "code:19036", "deliver-cut", "deliver-short", "html"),
)
USER = re.compile(r"\bu(\d+)\b")


@dataclass(frozen=True)
class Queue:
    many: int
    abnormal: bool
    held: int
    bundle: str
    most: int


@dataclass(frozen=True)
class Pass:
    seconds: float


@dataclass(frozen=True)
class Restart:
    killed: bool


@dataclass(frozen=True)
class Old:
    """What waits is looked through for its age, in days."""

    days: int


QUEUES = st.builds(
    Queue,
    many=st.sampled_from([1, 1, 2, 5, 30]),
    abnormal=st.booleans(),
    held=st.sampled_from([0, 0, 0, 5, 700]),
    bundle=st.sampled_from(["", "", "", "night", "daily"]),
    most=st.sampled_from([0, 3, 20]),
)
ACTIONS = st.lists(
    st.one_of(
        QUEUES,
        QUEUES,
        st.sampled_from(ANSWERS),
        st.sampled_from(ANSWERS),
        st.builds(Pass, st.sampled_from([0.5, 3, 31, 200, 3600, 90_000])),
        st.builds(Restart, st.booleans()),
        st.builds(Old, st.sampled_from([1, 3])),
    ),
    max_size=25,
)


@dataclass
class Ledger:
    """What was queued, and what became of it."""

    post: Post
    kinds: dict[int, tuple[Severity, str]] = field(default_factory=dict)
    """Severity and bundle of each user's notice."""
    dropped: list[str] = field(default_factory=list)
    """The digest lines of what was dropped."""
    announced: list[Dropped] = field(default_factory=list)

    def worker(self) -> DeliveryWorker:
        return DeliveryWorker(
            self.post.channel(),
            lambda: SqliteOutbox(self.post.path),
            self.post.clock,
            self.post.waker,
            announce=self.word,
        )

    def word(self, dropped: Dropped, now_us: int) -> Notice:
        self.announced.append(dropped)
        return dropped_notice(dropped, now_us, server())

    def waiting(self) -> dict[int, str]:
        found = entries(self.post.writer, Wanted("feishu", aside=False))
        return {one.number: one.notice.digest for one in found}

    def queue(self, what: Queue) -> None:
        new = []
        for _ in range(what.many):
            user = len(self.kinds)
            at_us = self.post.clock.now_us()
            change = (
                logout(f"u{user}", abnormal=True, at_us=at_us)
                if what.abnormal
                else login(f"u{user}", at_us=at_us)
            )
            held = at_us + what.held * 1_000_000 if what.held else None
            made = notice(change)
            self.kinds[user] = (made.severity, what.bundle)
            new.append(Posted(made, ("feishu",), held, what.bundle))
        before = self.waiting()
        with transaction(self.post.writer):
            enqueue(self.post.writer, new, self.post.clock.now_us(), Policy(what.most, 0))
        self.note(before, [one.notice.digest for one in new])

    def old(self, days: int) -> None:
        before = self.waiting()
        with transaction(self.post.writer):
            drops.keep_to_age(self.post.writer, Policy(0, days), self.post.clock.now_us())
        self.note(before, [])

    def note(self, before: dict[int, str], new: list[str]) -> None:
        after = self.waiting()
        gone = [digest for number, digest in before.items() if number not in after]
        there = list(after.values())
        self.dropped += gone + [digest for digest in new if digest not in there]

    def play(self, action: Queue | Pass | Restart | Old | str) -> None:
        match action:
            case Queue():
                self.queue(action)
            case Old(days):
                self.old(days)
            case Pass(seconds):
                self.post.run(seconds)
            case Restart(killed):
                if not killed:
                    self.post.worker.close()
                self.post.worker = self.worker()
            case str():
                self.post.double.script(action)


def users_in(text: str) -> set[int]:
    return {int(number) for number in USER.findall(text)}


def told(one: Received) -> list[tuple[int, str]]:
    """Whom a message tells of, each with the mark of the part that it is."""
    title, *lines = one.text.split("\n")
    if "汇总" in title:
        return [
            (int(found[1]), line.partition("（")[2])
            for line in lines
            if (found := USER.search(line))
        ]
    mark = title.partition("（")[2]
    return [(int(found[1]), mark) for line in lines if (found := USER.search(line))]


def check_no_repeat(came: list[Received]) -> None:
    by_key: dict[tuple[int, str], list[str]] = defaultdict(list)
    for one in came:
        for key in told(one):
            by_key[key].append(one.step)
    for key, steps in by_key.items():
        assert all(step.startswith("deliver-") for step in steps[:-1]), (key, steps)


def check_messages(ledger: Ledger, came: list[Received]) -> None:
    """No message mixes severities or bundles; a bundle is told in its own digest alone."""
    titles = {"night": "夜间会话通知汇总", "daily": "每日会话通知汇总"}
    for one in came:
        kinds = {ledger.kinds[user] for user, _ in told(one)}
        assert len(kinds) <= 1, one.text
        for _, bundle in kinds:
            assert not bundle or one.text.startswith(titles[bundle])
        assert "通知" in one.text.split("\n")[0]


@settings(max_examples=80)  # each over a real socket and a real file
@given(actions=ACTIONS)
def test_every_notice_has_its_end(actions: list[Queue | Pass | Restart | Old | str]) -> None:
    with tempfile.TemporaryDirectory() as folder, post_office(Path(folder)) as post:
        ledger = Ledger(post)
        post.worker = ledger.worker()
        for action in actions:
            ledger.play(action)
            post.clock.advance(1)
            check_sums(ledger)
        check_accounts(ledger)
        post.double._script.clear()
        post.run(5000)
        check_accounts(ledger)
        check_sums(ledger)
        assert not ledger.waiting(), "in the end all goes out"
        counted = sum(one.routine + one.abnormal for one in ledger.announced)
        assert counted == len(ledger.dropped), "every drop is told"
        check_no_repeat(post.double.notices())
        check_messages(ledger, post.double.notices())


def check_sums(ledger: Ledger) -> None:
    """What is announced and what is still to be announced are what was dropped."""
    found = {one.channel: one for one in report(ledger.post.writer, ledger.post.clock.now_us())}
    total = found["feishu"].dropped if found else 0
    (open_,) = ledger.post.writer.execute(
        "SELECT coalesce(sum(dropped_routine + dropped_abnormal), 0) FROM channels"
    ).fetchone()
    counted = sum(one.routine + one.abnormal for one in ledger.announced)
    assert counted + open_ == total == len(ledger.dropped)


def check_accounts(ledger: Ledger) -> None:
    """Whoever was queued is somewhere."""
    aside = entries(ledger.post.writer, Wanted("feishu", aside=True))
    places = [
        *(one.text for one in ledger.post.double.notices()),
        *(one.notice.digest for one in aside),
        *ledger.waiting().values(),
        *ledger.dropped,
    ]
    assert users_in("\n".join(places)) == set(ledger.kinds)
