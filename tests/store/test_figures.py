"""How the channels stand, counted over a real outbox."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.notify.support import NOW_US, login, notice
from usersessionmon.model import Moment, SessionView
from usersessionmon.notify.base import Answer, ChannelState, Posted
from usersessionmon.store import db, state
from usersessionmon.store.figures import Figures, Standing, dropped, figures, standings
from usersessionmon.store.outbox import SqliteOutbox, enqueue

SECOND = 1_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with closing(db.connect(path)) as connection:
        db.migrate(connection)
    return path


def post(path: Path, channel: str, queued_us: int, held_us: int | None = None) -> None:
    with closing(db.connect(path)) as connection, db.transaction(connection):
        enqueue(connection, [Posted(notice(login()), [channel], held_us)], queued_us)


def look(path: Path, now_us: int) -> tuple[list[Standing], Figures]:
    with closing(db.connect(path)) as connection:
        return standings(connection, ["ops", "mail"], now_us), figures(connection, now_us)


def test_what_waits_and_what_is_held_on_purpose(file: Path) -> None:
    nothing = Standing("ops", 0, None, None, "", None, None)
    assert look(file, NOW_US) == ([nothing, nothing._replace(channel="mail")], Figures(0, 0, 0, 0))
    post(file, "ops", NOW_US)
    post(file, "ops", NOW_US - SECOND, held_us=NOW_US + 10 * SECOND)
    (ops, mail), found = look(file, NOW_US + SECOND)
    assert (ops.waiting, ops.oldest_us, mail.waiting, found.waiting) == (1, NOW_US, 0, 1)
    (ops, _), found = look(file, NOW_US + 10 * SECOND)
    assert (ops.waiting, ops.oldest_us, found.waiting) == (2, NOW_US, 2)


def test_held_back_it_waits_only_since_it_may_go(file: Path) -> None:
    post(file, "ops", NOW_US, held_us=NOW_US + 3600 * SECOND)
    (ops, _), _ = look(file, NOW_US + 3601 * SECOND)
    assert ops.oldest_us == NOW_US + 3600 * SECOND


def test_what_is_refused_for_good_waits_no_more_and_the_answer_is_known(file: Path) -> None:
    post(file, "ops", NOW_US)
    outbox = SqliteOutbox(file)
    outbox.save_state("ops", ChannelState(Answer.PAYLOAD, "too large", 1, NOW_US, NOW_US + 1))
    outbox.set_aside("ops", [1], NOW_US, "too large")
    outbox.close()
    (ops, _), found = look(file, NOW_US + SECOND)
    assert ops == Standing("ops", 0, None, Answer.PAYLOAD, "too large", NOW_US, NOW_US + 1)
    assert found.waiting == 0


def test_lines_and_who_is_on(file: Path) -> None:
    with closing(db.connect(file)) as connection, db.transaction(connection):
        state.add_coverage(connection, {"sshd": 5, "su": 2}, {"sshd": 1})
        view = SessionView(
            "s1", "web-1", "sshd", "alice", None, None, None, None, Moment(NOW_US, ""), None,
            None, None, False, False, "open", None,
        )  # fmt: skip
        state.write_engine(connection, {}, {}, [view])
    assert look(file, NOW_US)[1] == Figures(7, 1, 1, 0)
    with closing(db.connect(file)) as connection:
        assert dropped(connection) == 0
