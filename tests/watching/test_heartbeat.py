"""Signs of life: over a real socket to the URL, and to the chat."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.beat_double import TOKEN, BeatDouble
from usersessionmon.clock import ManualClock
from usersessionmon.model import Batch, Notice, Severity
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.secret import Secret
from usersessionmon.store.figures import Figures
from usersessionmon.watching.health import Health
from usersessionmon.watching.heartbeat import Chat, Heartbeat, Well
from usersessionmon.watching.pinger import Outcome, Pinger, failing, host_of

NOW = 1_795_248_930_000_000
SECOND, HOUR = 1_000_000, 3_600_000_000
END = Batch([], None, at_end=True)
FIGURES = Figures(800, 12, 3, 1)


class Desk:
    """A heartbeat whose state is saved whenever it is asked, unless ``stuck``."""

    def __init__(self, url: str, *, fail: bool = True) -> None:
        self.clock = ManualClock(NOW)
        self.wrong: list[str] = []
        self.stuck = False
        health = Health()
        health.ask(lambda: self.wrong)
        self.pinger = Pinger(Secret("heartbeat.url", url), HttpClient(seconds=2), self.clock)
        self.beat = Heartbeat(
            self.pinger, health, lambda _now: FIGURES, self.clock, minutes=5, fail=fail
        )

    def after(self, seconds: int) -> None:
        """Turns of a main loop that saves each minute."""
        for second in range(seconds):
            self.clock.advance(1)
            if self.stuck:
                self.beat.unsaved(self.clock.us)
            else:
                assert self.beat.turn(END, self.clock.us) == []
                if second % 60 == 0:
                    self.beat.save()
            self.settle()

    def settle(self) -> None:
        """What was begun is over; the clock stands still meanwhile."""
        thread = self.pinger._thread
        if thread is not None:
            thread.join(10)


@contextmanager
def desk_of(double: BeatDouble, *, fail: bool = True) -> Iterator[Desk]:
    desk = Desk(double.url, fail=fail)
    try:
        yield desk
    finally:
        desk.pinger.close()


def test_one_line_every_so_many_minutes_once_the_state_is_saved() -> None:
    with BeatDouble() as double, desk_of(double) as desk:
        desk.after(1)
        assert double.posts == []  # nothing was saved yet
        desk.after(1)
        assert double.posts == [("", "ok lines=812 waiting=1 open=3")]
        desk.after(299)
        assert len(double.posts) == 1
        desk.after(1 + 600)
        assert double.posts == [("", "ok lines=812 waiting=1 open=3")] * 4
        facts = desk.beat.save()
    assert facts["heartbeat_said"] == "HTTP 200" and facts["heartbeat_ok"] == "1"
    assert TOKEN not in str(facts)


def test_what_is_wrong_is_said_at_once_and_that_it_is_over() -> None:
    with BeatDouble() as double, desk_of(double) as desk:
        desk.after(100)
        desk.wrong = ["channel ops delivers nothing: configuration", "the log is silent"]
        desk.after(10)
        assert double.posts[1:] == [("/fail", "; ".join(desk.wrong))]
        desk.wrong = []
        desk.after(50)
        assert len(double.posts) == 2
        desk.after(1)
        assert double.posts[2:] == [("", "ok lines=812 waiting=1 open=3")]


def test_where_failures_cannot_be_told_nothing_is_sent() -> None:
    with BeatDouble() as double, desk_of(double, fail=False) as desk:
        desk.wrong = ["the log is silent"]
        desk.after(900)
        desk.stuck = True
        desk.after(900)
        assert double.posts == []
        desk.wrong, desk.stuck = [], False
        desk.after(10)
        assert [path for path, _ in double.posts] == [""]


def test_a_state_that_cannot_be_saved_is_told_and_is_no_sign_of_life() -> None:
    with BeatDouble() as double, desk_of(double) as desk:
        desk.after(61)
        desk.stuck = True
        desk.after(600)
    assert [path for path, _ in double.posts] == ["", "/fail", "/fail"]
    assert {text for path, text in double.posts if path} == {"the state cannot be written"}


def test_a_loop_that_turns_without_saving_gives_no_sign() -> None:
    with BeatDouble() as double, desk_of(double) as desk:
        for _ in range(1000):
            desk.clock.advance(1)
            desk.beat.turn(END, desk.clock.us)
        desk.settle()
        assert double.posts == []


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (404, {}, "HTTP 404"),
        (500, {}, "HTTP 500"),
        (302, {"Location": "/elsewhere"}, "HTTP 302"),
    ],
)
def test_an_answer_that_is_none_is_told_once_for_each_change(
    status: int, headers: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "usersessionmon"),
        BeatDouble(status, headers) as double,
        desk_of(double) as desk,
    ):
        desk.after(700)
        assert len(double.posts) == 3  # and none elsewhere
        outcome = desk.pinger.outcome
        assert outcome is not None and (outcome.ok, outcome.said) == (False, said)
        double.status = 200
        desk.after(700)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"heartbeat to http://127.0.0.1/****: {words}" for words in (said, "HTTP 200")]


def test_a_service_that_hangs_holds_nobody_and_ends_with_the_program() -> None:
    with BeatDouble() as double:
        desk = Desk(double.url)
        double.hang.clear()
        desk.beat.save()
        for _ in range(3):
            desk.clock.advance(300)
            begun = time.monotonic()
            desk.beat.turn(END, desk.clock.us)
            desk.beat.save()
            assert time.monotonic() - begun < 0.5
        assert len(double.wait_for(1)) == 1  # one at a time
        begun = time.monotonic()
        desk.pinger.close()
        assert time.monotonic() - begun < 1.5
        assert desk.pinger._thread is not None and not desk.pinger._thread.is_alive()


def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    with BeatDouble() as double:
        url = double.url
    desk = Desk(url)
    desk.after(2)
    outcome = desk.pinger.outcome
    assert isinstance(outcome, Outcome) and not outcome.ok and TOKEN not in str(outcome)
    assert TOKEN not in caplog.text
    desk.pinger.close()


def test_a_url_in_a_file_may_change(tmp_path: Path) -> None:
    file = tmp_path / "url"
    with BeatDouble() as first, BeatDouble() as second:
        file.write_text(f"{first.url}\n")
        clock = ManualClock(NOW)
        pinger = Pinger(Secret("heartbeat.url", "", str(file)), HttpClient(), clock)
        desk = Desk(first.url)
        desk.pinger = desk.beat._pinger = pinger
        desk.after(2)
        file.write_text(f"{second.url}/\n")
        desk.after(300)
        pinger.close()
        assert (len(first.posts), len(second.posts)) == (1, 1)


def test_the_address_of_a_failure() -> None:
    assert failing("https://hc.example/key/slug") == "https://hc.example/key/slug/fail"
    assert failing("https://hc.example/key/") == "https://hc.example/key/fail"
    assert failing("https://hc.example/key?rid=1") == "https://hc.example/key/fail?rid=1"
    assert host_of("https://user:word@hc.example:8443/key/slug?rid=1") == "https://hc.example/****"


# --- the chat


class Talk:
    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.figures = FIGURES
        self.told: list[Well] = []
        self.chat = self.made()

    def made(self) -> Chat:
        def word(well: Well, now_us: int) -> Notice:
            self.told.append(well)
            return Notice("heartbeat", Severity.ROUTINE, "", (), "", now_us)

        health = Health()
        health.ask(lambda: self.wrong)
        return Chat(health, lambda _now: self.figures, word, hours=6, started_us=NOW)

    def turn(self, now_us: int, batch: Batch = END) -> int:
        kept = self.chat.save()
        self.chat = self.made()  # a restart before each turn
        self.chat.load(kept)
        return len(self.chat.turn(batch, now_us))


def test_all_is_well_every_so_many_hours() -> None:
    talk = Talk()
    times = range(NOW, NOW + 25 * HOUR, HOUR // 4)
    told = [now for now in times if talk.turn(now)]
    assert told == [NOW + hours * HOUR for hours in (6, 12, 18, 24)]
    assert talk.told[0] == Well(NOW, NOW, 0, 0, 3, 1)
    talk.figures = Figures(900, 20, 5, 0)
    assert talk.turn(NOW + 30 * HOUR) == 1
    assert talk.told[-1] == Well(NOW, NOW + 24 * HOUR, 100, 108, 5, 0)
    talk.figures = Figures(7, 0, 5, 0)  # of a new state
    assert talk.turn(NOW + 36 * HOUR) == 1
    assert talk.told[-1][2:4] == (7, 7)


def test_while_something_is_wrong_it_waits() -> None:
    talk = Talk()
    talk.turn(NOW)
    talk.wrong = ["the log is silent"]
    assert talk.turn(NOW + 7 * HOUR) == 0
    talk.wrong = []
    assert talk.turn(NOW + 8 * HOUR, Batch([], None, at_end=False)) == 0
    assert talk.turn(NOW + 8 * HOUR) == 1
    assert talk.turn(NOW + 13 * HOUR) == 0


def test_facts_of_the_chat_that_make_no_sense_are_as_if_there_were_none() -> None:
    talk = Talk()
    talk.chat.load({"chat_us": "soon", "chat_read": "x"})
    assert talk.turn(NOW) == 0 and talk.turn(NOW + 6 * HOUR) == 1
