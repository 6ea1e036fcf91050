"""Servers asked once, of which one hangs, against a double of pywin32."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.windows.fake_win32 import World, event, fill
from tests.windows.support import BOTH, RDS, fake
from usersessionmon.clock import ManualClock
from usersessionmon.windows.asking import SILENT_SECONDS, Look, ask, past
from usersessionmon.windows.channels import LSM
from usersessionmon.windows.errors import sentence
from usersessionmon.windows.eventlog import Session
from usersessionmon.windows.live import LiveEventLog
from usersessionmon.windows.settings import WindowsServer


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        made.host("rds-1", *BOTH)
        yield made


@pytest.fixture
def as_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing ends a wait that has no time-out."""

    class Queue(queue.Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            assert timeout is not None and timeout < 1.0
            return super().get(block, timeout)

    monkeypatch.setattr(queue, "Queue", Queue)


def end_threads() -> None:
    for one in threading.enumerate():
        if one.name.startswith("windows "):
            one.join()


def test_a_server_that_hangs_is_given_up_and_what_it_says_later_is_not_heard(
    world: World, as_on_windows: None
) -> None:
    clock, released = ManualClock(), threading.Event()

    def what(_server: WindowsServer, _session: Session) -> Iterator[int | None]:
        yield 1
        released.wait()
        yield 2

    answers = ask([RDS], LiveEventLog(), clock, what)
    try:
        assert next(answers).found == 1
        clock.advance(SILENT_SECONDS + 1)
        answer = next(answers)
        assert (answer.server, answer.found) == (RDS, None)
        assert answer.error is not None
        assert "did not answer in time" in sentence(answer.error)
        released.set()
        assert list(answers) == []
    finally:
        released.set()
        end_threads()


def test_one_that_says_nothing_yet_is_not_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, looked, came = ManualClock(), threading.Semaphore(0), threading.Semaphore(0)
    times = 5
    looks = list(range(times))

    class Queue(queue.Queue[Any]):
        """Nothing is there at first, each time that it is looked at."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if not looks:
                return super().get(block, timeout)
            looks.pop()
            looked.release()
            came.acquire()
            raise queue.Empty

    def what(_server: WindowsServer, _session: Session) -> Iterator[int | None]:
        for _ in range(times):
            looked.acquire()
            clock.advance(SILENT_SECONDS - 1)
            yield None
            came.release()
        yield 1

    monkeypatch.setattr(queue, "Queue", Queue)
    assert [one.found for one in ask([RDS], LiveEventLog(), clock, what)] == [1]
    end_threads()


def test_records_of_no_interest_are_signs_of_life(world: World) -> None:
    """As are queries that take long: a big log is none that hangs."""
    fill(world.hosts["rds-1"].channels[LSM], [event(LSM, number) for number in (1, 2, 3)])
    world.slow = 2
    session = LiveEventLog().open("rds-1", "")
    try:
        found = list(past(Look((), None, False, lambda *_: None), RDS, session))
    finally:
        session.close()
    assert found == [None] * (2 + 3 + 2)
