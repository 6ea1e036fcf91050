"""The durable queue, in a real file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.support import NOW_US, create_tables, login, logout, notice, posted
from usersessionmon.errors import TroubleError
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Answer, ChannelState, Posted
from usersessionmon.store import outbox as module
from usersessionmon.store import outbox_view
from usersessionmon.store.db import connect, migrate, migrations, transaction
from usersessionmon.store.outbox import SqliteOutbox, enqueue
from usersessionmon.store.outbox_view import Wanted, entries, report


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = create_tables(tmp_path / "state.db")
    yield connection
    connection.close()


@pytest.fixture
def outbox(tmp_path: Path, writer: sqlite3.Connection) -> Iterator[SqliteOutbox]:
    made = SqliteOutbox(tmp_path / "state.db")
    yield made
    made.close()


def put(writer: sqlite3.Connection, *users: str, channels: tuple[str, ...] = ("a",)) -> None:
    with transaction(writer):
        enqueue(writer, posted(*(notice(login(user)) for user in users), channels=channels), NOW_US)


def numbers(outbox: SqliteOutbox, channel: str = "a") -> list[int]:
    return [queued.number for queued in outbox.waiting(channel, 1000, NOW_US)]


def test_what_goes_in_comes_out(writer: sqlite3.Connection, outbox: SqliteOutbox) -> None:
    made = [notice(login("管理员")), notice(logout())]
    with transaction(writer):
        enqueue(writer, posted(*made, channels=("a",)), NOW_US)
    got = outbox.waiting("a", 10, NOW_US)
    assert [queued.notice for queued in got] == made
    assert [(one.number, one.queued_us, one.attempts, one.plain) for one in got] == [
        (1, NOW_US, 0, False),
        (2, NOW_US, 0, False),
    ]


@given(text=st.text(st.characters(), max_size=20))
def test_any_text_survives(text: str) -> None:
    made = Notice("login", Severity.ROUTINE, text, ((text, text),), text, NOW_US)
    assert module.notice_of(module.fields_of(made)) == made
    module.fields_of(made).encode("ascii")


def test_half_a_surrogate_pair_can_be_stored(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    put(writer, "\udcff")
    assert ("用户名", "\udcff") in outbox.waiting("a", 1, NOW_US)[0].notice.pairs


def test_a_rolled_back_transaction_leaves_nothing(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    writer.execute("BEGIN IMMEDIATE")
    enqueue(writer, posted(notice(login()), channels=("a",)), NOW_US)
    writer.execute("ROLLBACK")
    assert outbox.depth("a", NOW_US) == 0


def test_abnormal_first_then_by_number(writer: sqlite3.Connection, outbox: SqliteOutbox) -> None:
    put(writer, "x", "y")
    with transaction(writer):
        enqueue(writer, posted(notice(logout(abnormal=True)), channels=("a",)), NOW_US)
    put(writer, "z")
    assert numbers(outbox) == [3, 1, 2, 4]
    assert [one.number for one in outbox.waiting("a", 2, NOW_US)] == [3, 1]
    assert outbox.depth("a", NOW_US) == 4


def test_each_channel_has_its_own_queue_and_the_last_one_cleans_up(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    put(writer, "x", "y", channels=("a", "b"))
    outbox.delivered("a", [1, 2], NOW_US)
    assert numbers(outbox) == [] and numbers(outbox, "b") == [1, 2]
    outbox.delivered("b", [1, 2], NOW_US)
    assert writer.execute("SELECT count(*) FROM notices").fetchone() == (0,)


def test_no_channel_no_row(writer: sqlite3.Connection) -> None:
    put(writer, "x", channels=())
    assert writer.execute("SELECT count(*) FROM notices").fetchone() == (0,)


def test_numbers_are_never_used_again(writer: sqlite3.Connection, outbox: SqliteOutbox) -> None:
    put(writer, "x", "y")
    outbox.delivered("a", [1, 2], NOW_US)
    put(writer, "z")
    assert numbers(outbox) == [3]


def test_tries_are_counted_and_plain_is_kept(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    put(writer, "x", "y")
    outbox.tried("a", [2], NOW_US, "timed out")
    outbox.tried("a", [2], NOW_US, "timed out")
    outbox.set_plain("a", [1])
    first, second = outbox.waiting("a", 10, NOW_US)
    assert (first.attempts, first.plain) == (0, True)
    assert (second.attempts, second.plain) == (2, False)


def test_set_aside_is_kept_with_the_answer_and_bounded(
    writer: sqlite3.Connection, outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_ASIDE", 2)
    put(writer, "x", "y", "z", "last")
    for number in (1, 2, 3):
        outbox.set_aside("a", [number], NOW_US + number, "code 19002")
    assert numbers(outbox) == [4]
    kept = entries(writer, Wanted("a", aside=True))[::-1]
    assert [(one.number, one.said, one.aside_us) for one in kept] == [
        (3, "code 19002", NOW_US + 3),
        (2, "code 19002", NOW_US + 2),
    ]
    assert kept[0].notice == notice(login("z"))
    assert writer.execute("SELECT number FROM notices ORDER BY 1").fetchall() == [(2,), (3,), (4,)]


def test_state_survives(outbox: SqliteOutbox, tmp_path: Path) -> None:
    assert outbox.state("a") == ChannelState()
    state = ChannelState(Answer.THROTTLED, "code 11232", 3, NOW_US, NOW_US + 1, NOW_US + 2)
    outbox.save_state("a", state)
    outbox.delivered("a", [], NOW_US + 9)
    again = SqliteOutbox(tmp_path / "state.db")
    assert again.state("a") == ChannelState(
        Answer.THROTTLED, "code 11232", 3, NOW_US + 9, NOW_US + 1, NOW_US + 2
    )
    again.close()
    again.close()


def test_report_for_status(
    writer: sqlite3.Connection, outbox: SqliteOutbox, tmp_path: Path
) -> None:
    put(writer, "x", "y", "z", channels=("a", "b"))
    outbox.delivered("a", [1], NOW_US)
    outbox.set_aside("a", [2], NOW_US, "no")
    outbox.save_state("c", ChannelState(Answer.DELIVERED, "code 0", 0, NOW_US))
    reader = connect(tmp_path / "state.db", read_only=True)
    got = {one.channel: one for one in report(reader, NOW_US)}
    reader.close()
    assert list(got) == ["a", "b", "c"]
    assert (got["a"].waiting, got["a"].oldest_us, got["a"].set_aside) == (1, NOW_US, 1)
    assert (got["b"].waiting, got["b"].set_aside) == (3, 0)
    assert (got["c"].waiting, got["c"].oldest_us) == (0, None)
    assert got["c"].state.delivered_us == NOW_US


def test_a_locked_file_is_trouble_and_passes(
    writer: sqlite3.Connection, outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_MS", 10)
    put(writer, "x")
    with transaction(writer), pytest.raises(TroubleError, match="locked"):
        outbox.delivered("a", [1], NOW_US)
    assert numbers(outbox) == [1]
    outbox.delivered("a", [1], NOW_US)
    assert numbers(outbox) == []


def test_a_full_disk_is_trouble_and_passes(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    put(writer, "x")
    connection = outbox._connection()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(TroubleError, match="full"):
        outbox.save_state("a", ChannelState(said="x" * 100_000))
    assert outbox.state("a") == ChannelState() and numbers(outbox) == [1]
    connection.execute("PRAGMA max_page_count=1000000")
    outbox.save_state("a", ChannelState(said="x"))


def test_a_file_without_tables_is_trouble(tmp_path: Path) -> None:
    made = SqliteOutbox(tmp_path / "other.db")
    with pytest.raises(TroubleError, match="no such table"):
        made.depth("a", NOW_US)
    made.close()


def test_the_waiting_query_needs_no_sorting(writer: sqlite3.Connection) -> None:
    plan = writer.execute(
        "EXPLAIN QUERY PLAN SELECT number FROM deliveries WHERE channel = 'a' AND aside_us IS NULL"
        " AND bundle = '' AND (held_us IS NULL OR held_us <= 7) ORDER BY routine, number LIMIT 5"
    ).fetchall()
    text = " ".join(str(row) for row in plan)
    assert "COVERING INDEX deliveries_waiting" in text and "TEMP B-TREE" not in text


def test_it_goes_with_the_other_migrations(tmp_path: Path) -> None:
    if [number for number, _ in migrations()][:2] != [1, 2]:
        pytest.skip("the first migration is not there yet")
    connection = connect(tmp_path / "whole.db")
    migrate(connection)
    put(connection, "x")
    assert report(connection, NOW_US)[0].waiting == 1
    connection.close()


def hold(
    writer: sqlite3.Connection, user: str, held_us: int | None = None, bundle: str = ""
) -> None:
    with transaction(writer):
        enqueue(writer, [Posted(notice(login(user)), ("a",), held_us, bundle)], NOW_US)


def test_what_is_held_waits_for_its_moment(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    hold(writer, "x", NOW_US + 10)
    hold(writer, "y", NOW_US + 20)
    hold(writer, "z")
    assert numbers(outbox) == [3] and outbox.depth("a", NOW_US) == 1
    assert outbox.due_us("a", NOW_US) == NOW_US + 10
    assert [one.number for one in outbox.waiting("a", 9, NOW_US + 10)] == [1, 3]
    assert outbox.waiting("a", 9, NOW_US + 10)[0].held_us == NOW_US + 10
    assert outbox.due_us("a", NOW_US + 10) == NOW_US + 20
    assert outbox.due_us("a", NOW_US + 20) is None and outbox.due_us("b", NOW_US) is None
    (found,) = report(writer, NOW_US + 10)
    assert (found.waiting, found.held, found.oldest_us) == (3, 1, NOW_US)
    outbox.delivered("a", [3], NOW_US)
    assert report(writer, NOW_US + 15)[0].oldest_us == NOW_US + 10, "held on purpose is not stuck"


def test_bundles_come_after_what_has_none_and_one_after_the_other(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    for bundle in ("night", "daily", "", "night", "daily", ""):
        hold(writer, "x", None, bundle)
    with transaction(writer):
        enqueue(writer, posted(notice(logout(abnormal=True)), channels=("a",)), NOW_US)
    assert numbers(outbox) == [7, 3, 6, 2, 5, 1, 4]
    assert [one.number for one in outbox.waiting("a", 4, NOW_US)] == [7, 3, 6, 2]


def test_halves_go_on_as_the_whole_did(writer: sqlite3.Connection, outbox: SqliteOutbox) -> None:
    hold(writer, "x", NOW_US - 5)
    outbox.set_plain("a", [1])
    outbox.tried("a", [1], NOW_US, "cut")
    half = [notice(login("one")), notice(logout("two"))]
    outbox.split("a", 1, half)
    got = outbox.waiting("a", 9, NOW_US)
    assert [one.notice for one in got] == half
    assert [(one.number, one.queued_us, one.attempts, one.plain, one.held_us) for one in got] == [
        (2, NOW_US, 0, True, NOW_US - 5),
        (3, NOW_US, 0, True, NOW_US - 5),
    ]
    assert writer.execute("SELECT number FROM notices ORDER BY 1").fetchall() == [(2,), (3,)]


def test_the_state_that_is_saved_leaves_the_counters_alone(
    writer: sqlite3.Connection, outbox: SqliteOutbox
) -> None:
    put(writer, "x")
    with transaction(writer):
        outbox_view.nudge(writer, ["a"], 77)
    outbox.save_state("a", ChannelState(Answer.THROTTLED, "code 11232", 3))
    assert outbox.errand("a").nudged_us == 77
    assert writer.execute("SELECT waiting FROM channels").fetchone() == (1,)


def test_tried_again_and_given_up_by_hand(writer: sqlite3.Connection, outbox: SqliteOutbox) -> None:
    put(writer, "x", "y", "z", channels=("a", "b"))
    outbox.set_plain("a", [1])
    outbox.set_aside("a", [1, 2], NOW_US, "code 19002")
    with transaction(writer):
        assert outbox_view.retry(writer, Wanted("a", [1, 3]), NOW_US + 5) == 1
    first = outbox.waiting("a", 9, NOW_US)[0]
    assert (first.number, first.plain, first.queued_us) == (1, True, NOW_US + 5)
    assert numbers(outbox) == [1, 3]
    with transaction(writer):
        assert outbox_view.drop(writer, Wanted(aside=True)) == 1
        assert outbox_view.drop(writer, Wanted(None, [3])) == 2
    assert numbers(outbox) == [1] and numbers(outbox, "b") == [1, 2]
    assert writer.execute("SELECT name, waiting FROM channels ORDER BY 1").fetchall() == [
        ("a", 1),
        ("b", 2),
    ]
    assert writer.execute("SELECT number FROM notices ORDER BY 1").fetchall() == [(1,), (2,)]


def test_a_damaged_states_queue_is_taken_over_as_it_was(
    writer: sqlite3.Connection, tmp_path: Path
) -> None:
    hold(writer, "x", NOW_US + 9, "night")
    put(writer, "y")
    other = create_tables(tmp_path / "new.db")
    rows = writer.execute(module.waiting_query(writer))
    with transaction(other):
        assert module.copy_waiting(rows, other) == 2
    again = SqliteOutbox(tmp_path / "new.db")
    held, plain = sorted(again.waiting("a", 9, NOW_US + 9), key=lambda one: one.number)
    assert (held.bundle, held.held_us, plain.bundle) == ("night", NOW_US + 9, "")
    again.close()
    other.close()


def test_the_queue_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    old = connect(tmp_path / "old.db")
    folder = resources.files("usersessionmon.store") / "migrations"
    old.executescript((folder / "0002_outbox.sql").read_text(encoding="utf-8"))
    old.execute("INSERT INTO notices VALUES (7, 5, ?)", (module.fields_of(notice(login())),))
    old.execute(
        "INSERT INTO deliveries (channel, number, routine, queued_us) VALUES ('a', 7, 1, 5)"
    )
    new = create_tables(tmp_path / "new.db")
    with transaction(new):
        assert module.copy_waiting(old.execute(module.waiting_query(old)), new) == 1
    assert entries(new, Wanted("a"))[0].number == 7
    old.close()
    new.close()


def test_what_a_later_version_added_is_left_out() -> None:
    made = notice(login())
    later = module.fields_of(made)[:-1] + ', "later": [1]}'
    assert module.notice_of(later) == made
