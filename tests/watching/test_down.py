"""That nobody watched for a while is known from the facts of the last life."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from usersessionmon.model import Batch
from usersessionmon.store import db, state
from usersessionmon.store.damage import set_aside
from usersessionmon.store.place import open_state
from usersessionmon.watching.down import ALIVE, BOOT, STOPPED, Alive, Down, begun, down_of

NOW = 1_795_248_930_000_000
SECOND = 1_000_000
LEAST = 300.0


def after(seconds: float, *, now: str | None = "b1", **kept: str) -> Down | None:
    facts = begun(NOW, "b1") | kept
    return down_of(facts, NOW + round(seconds * SECOND), now, LEAST)


def test_not_on_the_very_first_start() -> None:
    assert down_of({}, NOW, "b1", LEAST) is None
    assert down_of({ALIVE: "yesterday"}, NOW, "b1", LEAST) is None


def test_only_when_it_was_long() -> None:
    assert after(300) is None
    assert after(300.000001) == Down(NOW, NOW + 300_000_001, False, False)
    assert after(-86400) is None  # the clock was set back


@pytest.mark.parametrize(
    ("before", "boot", "rebooted"),
    [("b1", "b1", False), ("b1", "b2", True), ("", "b2", None), ("b1", None, None)],
)
def test_whether_the_host_was_rebooted(before: str, boot: str | None, rebooted: bool) -> None:
    down = after(301, now=boot, **{BOOT: before})
    assert down is not None and down.rebooted is rebooted


def test_whether_somebody_stopped_it() -> None:
    down = after(301, **{STOPPED: str(NOW)})
    assert down is not None and down.in_order


def test_what_is_told_is_not_told_again() -> None:
    """A life that ends at once leaves the facts of its beginning."""
    later = NOW + 10 * 3600 * SECOND
    assert down_of(begun(NOW, "b1"), later, "b1", LEAST) is not None
    assert down_of(begun(later, "b1"), later + SECOND, "b1", LEAST) is None


def test_each_turn_moves_what_is_kept() -> None:
    alive = Alive(NOW)
    assert alive.save() == {ALIVE: str(NOW)}
    assert alive.turn(Batch([], None, at_end=True), NOW + 5) == []
    assert alive.save() == {ALIVE: str(NOW + 5)}


def test_a_damaged_state_forgets_nothing_of_it(tmp_path: Path) -> None:
    kept = {**begun(NOW, "b1"), "report_us": "5", "chat_us": "6"}
    with closing(open_state(tmp_path)) as connection, db.transaction(connection):
        state.write_facts(connection, kept | {"report_read": "90 10"})
    set_aside(tmp_path, "a test says so", NOW + SECOND)
    with closing(open_state(tmp_path)) as connection:
        facts = state.read_facts(connection)
    assert facts["report_us"] == "5" and facts["chat_us"] == "6"
    assert "report_read" not in facts  # the lines are counted anew
    assert down_of(facts, NOW + 301 * SECOND, "b2", LEAST) == Down(
        NOW, NOW + 301 * SECOND, True, False
    )
