"""Budget and back-off, with time as a number."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.notify.base import Answer
from usersessionmon.notify.pace import Backoff, Budget


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=300))
def test_no_window_ever_holds_more_than_the_limits(tries: list[tuple[bool, float]]) -> None:
    budget = Budget()
    now = 1000.0
    sent: list[tuple[float, bool]] = []
    for urgent, later in tries:
        now += later
        if budget.wait(now, urgent=urgent) == 0:
            assert budget.free(now, urgent=urgent) > 0
            budget.spend(now)
            sent.append((now, urgent))
    for at, urgent in sent:
        before = [one for one, _ in sent if at - 60 < one <= at]
        assert len(before) <= (90 if urgent else 80)
        assert sum(at - 1 < one for one in before) <= 4


def test_waiting_as_long_as_it_says_is_enough() -> None:
    budget = Budget()
    now = 50.0
    for _ in range(80):
        now += budget.wait(now)
        budget.spend(now)
    assert now == pytest.approx(50 + 19)
    assert budget.free(now) == 0 and budget.free(now, urgent=True) == 10
    assert budget.wait(now) == pytest.approx(41)
    assert budget.wait(now, urgent=True) == pytest.approx(1)


def test_unlimited() -> None:
    budget = Budget.unlimited()
    for _ in range(1000):
        budget.spend(1.0)
    assert budget.wait(1.0) == 0 and budget.free(1.0) > 1000


@pytest.mark.parametrize(
    ("answer", "first", "most"),
    [
        (Answer.THROTTLED, 30, 600),
        (Answer.TRANSIENT, 2, 300),
        (Answer.UNKNOWN, 2, 300),
        (Answer.CONFIGURATION, 60, 600),
    ],
)
def test_schedules(answer: Answer, first: float, most: float) -> None:
    backoff = Backoff(random.Random(7))
    for times in range(2000):
        wanted = min(most, first * 2 ** min(times, 30))
        pause = backoff.pause(answer)
        assert 0.8 * wanted <= pause <= min(most, 1.2 * wanted)
    backoff.reset()
    assert backoff.pause(answer) <= 1.2 * first


def test_each_class_counts_for_itself() -> None:
    backoff = Backoff(random.Random(7))
    for _ in range(6):
        backoff.pause(Answer.TRANSIENT)
    assert backoff.pause(Answer.THROTTLED) <= 36
    assert backoff.pause(Answer.TRANSIENT) >= 128
