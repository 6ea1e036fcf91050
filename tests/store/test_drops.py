"""What is dropped when too much waits or for too long: in order, counted, announced once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notify.support import NOW_US, create_tables, login, logout, notice, posted, server
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Dropped, Posted
from usersessionmon.notify.trouble import dropped_notice
from usersessionmon.store import drops, outbox
from usersessionmon.store.db import transaction
from usersessionmon.store.drops import Policy
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.outbox_view import report

DAY_US = 86_400_000_000


class Desk:
    """An outbox with a bound, filled by hand; ``a`` is its channel."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self.writer = create_tables(path)
        self.outbox = SqliteOutbox(path)
        self.policy = policy
        self.begun: list[Dropped] = []

    def put(
        self, *severities: str, at_us: int = NOW_US, channels: tuple[str, ...] = ("a",)
    ) -> None:
        notices = [
            notice(logout(abnormal=True, at_us=at_us) if one == "abnormal" else login(at_us=at_us))
            for one in severities
        ]
        with transaction(self.writer):
            self.begun += outbox.enqueue(
                self.writer, posted(*notices, channels=channels), at_us, self.policy
            )

    def numbers(self, channel: str = "a") -> list[int]:
        return sorted(one.number for one in self.outbox.waiting(channel, 1000, NOW_US * 2))

    def age(self, now_us: int) -> bool:
        with transaction(self.writer):
            begun, more = drops.keep_to_age(self.writer, self.policy, now_us)
        self.begun += begun
        return more

    def announce(self) -> Notice | None:
        """What the worker would send of it, if anything."""
        before = set(self.numbers())
        self.outbox.announce("a", NOW_US, lambda dropped: dropped_notice(dropped, NOW_US, server()))
        new = [one for one in self.outbox.waiting("a", 1000, NOW_US) if one.number not in before]
        return new[0].notice if new else None

    def check_count(self) -> None:
        """The counter that the triggers keep is what is there."""
        rows = self.writer.execute(
            "SELECT name, waiting, (SELECT count(*) FROM deliveries d WHERE d.channel = name"
            " AND d.aside_us IS NULL) FROM channels"
        ).fetchall()
        assert all(kept == counted for _, kept, counted in rows), rows


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "state.db", Policy(4, 7))
    yield made
    made.check_count()
    made.outbox.close()
    made.writer.close()


def test_the_routine_goes_before_the_abnormal_and_the_oldest_first(desk: Desk) -> None:
    desk.put("routine", "abnormal", "routine", "abnormal")
    assert desk.numbers() == [1, 2, 3, 4] and not desk.begun
    desk.put("routine")
    assert desk.numbers() == [2, 3, 4, 5]
    desk.put("abnormal", "abnormal")
    assert desk.numbers() == [2, 4, 6, 7]
    desk.put("abnormal")
    assert desk.numbers() == [4, 6, 7, 8]
    (one,) = report(desk.writer, NOW_US)
    assert (one.waiting, one.dropped) == (4, 4)
    assert desk.writer.execute("SELECT count(*) FROM notices").fetchone() == (4,)


def test_a_routine_one_has_no_place_among_the_abnormal(desk: Desk) -> None:
    desk.put(*["abnormal"] * 4)
    desk.put("routine")
    assert desk.numbers() == [1, 2, 3, 4]
    assert [(one.routine, one.abnormal) for one in desk.begun] == [(1, 0)]


def test_many_at_once_are_dropped_at_once(desk: Desk) -> None:
    desk.put(*["routine"] * 50, *["abnormal"] * 2)
    assert desk.numbers() == [49, 50, 51, 52]


def test_each_channel_has_its_own_bound(desk: Desk) -> None:
    desk.put(*["routine"] * 4, channels=("a", "b"))
    desk.put("routine", channels=("b",))
    assert desk.numbers("a") == [1, 2, 3, 4] and desk.numbers("b") == [2, 3, 4, 5]
    assert [one.channel for one in desk.begun] == ["b"]


def test_what_was_refused_is_not_in_the_way(desk: Desk) -> None:
    desk.put(*["routine"] * 4)
    desk.outbox.set_aside("a", [1, 2], NOW_US, "no")
    desk.put("routine", "routine")
    assert desk.numbers() == [3, 4, 5, 6] and not desk.begun


def test_zero_is_no_bound(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "state.db", Policy(0, 0))
    desk.put(*["routine"] * 50)
    assert not desk.age(NOW_US + 99 * DAY_US)
    assert len(desk.numbers()) == 50
    desk.outbox.close()
    desk.writer.close()


def test_the_oldest_go_by_age_though_nothing_new_comes(desk: Desk) -> None:
    desk.put("routine", "abnormal", at_us=NOW_US)
    desk.put("routine", at_us=NOW_US + DAY_US)
    assert not desk.age(NOW_US + 7 * DAY_US)
    assert desk.numbers() == [1, 2, 3]
    assert not desk.age(NOW_US + 7 * DAY_US + 1)
    assert desk.numbers() == [3]
    (one,) = desk.begun
    assert (one.routine, one.abnormal) == (1, 1)


def test_a_step_by_age_is_short(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drops, "STEP", 3)
    desk.put("abnormal", "routine", "routine", "routine")
    assert desk.age(NOW_US + 8 * DAY_US)
    assert desk.numbers() == [1], "the routine first"
    assert not desk.age(NOW_US + 8 * DAY_US)
    assert desk.numbers() == []


def test_the_age_of_what_is_held_begins_when_it_may_be_sent(desk: Desk) -> None:
    held = Posted(notice(login()), ("a",), NOW_US + 5 * DAY_US, "daily")
    with transaction(desk.writer):
        outbox.enqueue(desk.writer, [held], NOW_US, desk.policy)
    desk.age(NOW_US + 11 * DAY_US)
    assert desk.numbers() == [1]
    desk.age(NOW_US + 13 * DAY_US)
    assert desk.numbers() == []


def test_the_announcement_has_the_sum_and_the_times(desk: Desk) -> None:
    desk.put(*["routine"] * 4)
    desk.put("routine", at_us=NOW_US + 60_000_000)
    desk.put(*["abnormal"] * 5, at_us=NOW_US + 120_000_000)
    assert desk.outbox.errand("a").dropped == 6
    told = desk.announce()
    assert told is not None
    assert told.severity is Severity.ABNORMAL and told.kind == "trouble"
    assert told.title == "通知丢弃通知"
    pairs = dict(told.pairs)
    assert pairs["丢弃数量"] == "普通 5 条，异常 1 条" and pairs["渠道"] == "a"
    assert pairs["事件时间"] == "2026-11-21 08:15:30 至 2026-11-21 08:17:30"
    assert desk.outbox.errand("a").dropped == 0, "what is told is told once"
    assert desk.announce() is None


def test_one_announcement_waits_at_a_time_and_is_never_dropped(desk: Desk) -> None:
    desk.put(*["abnormal"] * 5)
    assert desk.announce() is not None
    desk.put(*["abnormal"] * 9)
    assert 6 in desk.numbers() and len(desk.numbers()) == 4
    desk.age(NOW_US + 99 * DAY_US)
    assert desk.numbers() == [6]
    assert desk.outbox.errand("a").dropped == 0 and desk.announce() is None
    desk.outbox.delivered("a", [6], NOW_US)
    told = desk.announce()
    assert told is not None and dict(told.pairs)["丢弃数量"] == "普通 0 条，异常 13 条"


def test_the_beginning_is_reported_again_after_an_announcement(desk: Desk) -> None:
    desk.put(*["routine"] * 5)
    desk.put("routine")
    assert len(desk.begun) == 1, "once, not for each"
    desk.announce()
    desk.put("routine")
    assert len(desk.begun) == 2


def test_what_is_just_being_sent_may_be_dropped(desk: Desk) -> None:
    desk.put(*["routine"] * 4)
    in_flight = desk.outbox.waiting("a", 1, NOW_US)[0].number
    desk.put("routine")
    half = notice(login())
    desk.outbox.tried("a", [in_flight], NOW_US, "timed out")
    desk.outbox.set_plain("a", [in_flight])
    desk.outbox.split("a", in_flight, [half, half])
    desk.outbox.set_aside("a", [in_flight], NOW_US, "no")
    desk.outbox.delivered("a", [in_flight], NOW_US)
    assert desk.numbers() == [2, 3, 4, 5]


def test_refused_ones_beyond_what_is_kept_are_counted_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "KEPT_ASIDE", 1)
    desk.put("routine", "abnormal")
    desk.outbox.set_aside("a", [1], NOW_US, "no")
    desk.outbox.set_aside("a", [2], NOW_US + 1, "no")
    assert desk.outbox.errand("a").dropped == 1


def test_states_of_before_have_their_waiting_counted(tmp_path: Path) -> None:
    from importlib import resources

    from usersessionmon.store.db import connect

    folder = resources.files("usersessionmon.store") / "migrations"
    connection = connect(tmp_path / "old.db")
    connection.executescript((folder / "0002_outbox.sql").read_text(encoding="utf-8"))
    connection.execute("INSERT INTO notices VALUES (1, 1, '{}')")
    for channel, aside in (("a", None), ("b", 7)):
        connection.execute(
            "INSERT INTO deliveries (channel, number, routine, queued_us, aside_us)"
            " VALUES (?, 1, 1, 1, ?)",
            (channel, aside),
        )
    connection.executescript((folder / "0007_policy.sql").read_text(encoding="utf-8"))
    found = connection.execute("SELECT name, waiting FROM channels ORDER BY 1").fetchall()
    assert found == [("a", 1), ("b", 0)]
    connection.close()


def test_at_the_bound_an_event_costs_no_scan(tmp_path: Path) -> None:
    """Steps of SQLite's machine, which do not depend on how busy the host is."""

    def cost(many: int) -> int:
        desk = Desk(tmp_path / f"{many}.db", Policy(many, 0))
        desk.put(*["abnormal"] * 5, *["routine"] * many)
        steps = [0]

        def count() -> int:
            steps[0] += 1
            return 0

        desk.writer.set_progress_handler(count, 10)
        desk.put("routine")
        desk.writer.set_progress_handler(None, 10)
        assert len(desk.begun) == 1
        desk.outbox.close()
        desk.writer.close()
        return steps[0]

    assert cost(4000) < 3 * cost(40)


def test_a_rolled_back_transaction_counts_nothing(desk: Desk) -> None:
    desk.put(*["routine"] * 4)
    desk.writer.execute("BEGIN IMMEDIATE")
    outbox.enqueue(desk.writer, posted(notice(login()), channels=("a",)), NOW_US, desk.policy)
    desk.writer.execute("ROLLBACK")
    assert desk.numbers() == [1, 2, 3, 4] and desk.outbox.errand("a").dropped == 0


def test_a_clock_that_was_years_ahead_holds_nothing_for_years(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "state.db", Policy(0, 7))
    ahead, hour_us = NOW_US + 3650 * DAY_US, DAY_US // 24
    for queued_us in (ahead, NOW_US + hour_us):
        night = Posted(notice(login()), ("a",), queued_us + 8 * hour_us, "night")
        with transaction(desk.writer):
            outbox.enqueue(
                desk.writer, [night, *posted(notice(login()), channels=("a",))], queued_us
            )
    assert not desk.age(NOW_US)
    (first, _) = desk.outbox.waiting("a", 9, NOW_US)
    assert first.queued_us == NOW_US, "of a future that is none any more"
    assert desk.outbox.due_us("a", NOW_US) == NOW_US + 8 * hour_us, "no longer than was meant"
    assert desk.outbox.due_us("a", NOW_US + 8 * hour_us) == NOW_US + 9 * hour_us, "a small step"
    desk.age(NOW_US + 8 * DAY_US)
    assert desk.numbers() == [], "and it grows old"
