"""Ended sessions go in small steps, the oldest first, and the file shrinks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from usersessionmon.model import Moment, Reason, SessionView
from usersessionmon.store import db, retention, state
from usersessionmon.store.place import open_state
from usersessionmon.store.retention import STEP, Limits

DAY = 86_400_000_000
ONE = SessionView(
    "", "web-1", "sshd", "alice", "192.0.2.7", 1, "password", None, Moment(0, "then"),
    Moment(0, "then"), 1.0, Reason.USER, abnormal=False, inferred=False, state="closed", tty=None,
)  # fmt: skip


def _fill(folder: Path, count: int) -> None:
    """One session a day."""
    rows = [
        replace(ONE, session=f"{day:06}", login_time=Moment(day * DAY, "x"),
                logout_time=Moment(day * DAY, "x" * 200))
        for day in range(count)
    ]  # fmt: skip
    rows.append(replace(ONE, session="on", state="open", logout_time=None))
    rows.append(replace(ONE, session="long", logout_time=Moment((count - 1) * DAY, "x")))
    with closing(open_state(folder)) as connection, db.transaction(connection):
        state.write_engine(connection, {}, {}, rows)


def _left(folder: Path, limits: Limits, now_day: int) -> tuple[list[str], int]:
    """The sessions that are left, and how many steps it took."""
    steps = 1
    with closing(open_state(folder)) as connection:
        while retention.step(connection, limits, now_day * DAY):
            steps += 1
        left = [view.session for view in state.sessions(connection, state.Query())]
    return left, steps


def test_the_old_go_and_who_is_on_or_has_just_left_stays(tmp_path: Path) -> None:
    _fill(tmp_path, 3000)
    size = (tmp_path / "state.db").stat().st_size
    left, steps = _left(tmp_path, Limits(100, 0), 3000)
    assert sorted(left) == [f"{day:06}" for day in range(2900, 3000)] + ["long", "on"]
    assert steps > 2900 // STEP
    assert (tmp_path / "state.db").stat().st_size < size / 4


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    _fill(tmp_path, 1200)
    left, _ = _left(tmp_path, Limits(0, 50), 99_999)
    assert sorted(left) == [f"{day:06}" for day in range(1150, 1200)] + ["on"]


def test_without_limits_all_stay(tmp_path: Path) -> None:
    _fill(tmp_path, 20)
    assert len(_left(tmp_path, Limits(0, 0), 99_999)[0]) == 22
