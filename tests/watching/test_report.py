"""The daily report: from the state's own tables, once a day, over restarts and changes of the
clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.notify.support import NOW_US, login, posted
from tests.notify.support import notice as of_change
from usersessionmon.model import (
    Batch,
    Change,
    ChangeKind,
    Moment,
    Notice,
    Reason,
    Report,
    SessionView,
    Severity,
)
from usersessionmon.store import counts, db, outbox, state
from usersessionmon.watching.report import DailyReport
from usersessionmon.watching.settings import ReportSettings

BERLIN = ZoneInfo("Europe/Berlin")
END, MORE = Batch([], None, at_end=True), Batch([], None, at_end=False)
SECOND, HOUR = 1_000_000, 3_600_000_000
DAY = 24 * HOUR


class Desk:
    """A state in a file, and reports of it."""

    def __init__(
        self, connection: sqlite3.Connection, at: str, zone: tzinfo, top: int = 20
    ) -> None:
        self.connection = connection
        self._settings = ReportSettings(at, top)
        self._zone = zone
        self.told: list[tuple[Report, int]] = []
        self.daily = self.made()

    def made(self) -> DailyReport:
        def word(report: Report, now_us: int) -> Notice:
            self.told.append((report, now_us))
            return Notice("report", Severity.ROUTINE, "", (), "", now_us)

        made = DailyReport(self._settings, self._zone, self.connection, word)
        made.load(state.read_facts(self.connection))
        return made

    def turn(self, now_us: int, batch: Batch = END) -> int:
        """One turn of the main loop; how many notices it gave."""
        notices = self.daily.turn(batch, now_us)
        if notices or "report_us" not in state.read_facts(self.connection):
            self.save()
        return len(notices)

    def save(self) -> None:
        with db.transaction(self.connection):
            state.write_facts(self.connection, self.daily.save())

    def restart(self) -> None:
        self.daily = self.made()

    def until_told(self, now_us: int) -> Report:
        """The report that is due."""
        for _ in range(1000):
            if self.turn(now_us):
                return self.told[-1][0]
            assert self.daily.patience(now_us) == 0.0
        raise AssertionError("it never came")

    def write(self, *views: SessionView) -> None:
        with db.transaction(self.connection):
            state.write_engine(self.connection, {}, {}, views)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(db.connect(tmp_path / "state.db")) as made:
        db.migrate(made)
        yield made


def us(text: str, zone: tzinfo = UTC) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=zone)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def session(
    number: int, user: str | None, login_us: int, logout_us: int | None, *, ip: str | None = None,
    abnormal: bool = False, became: tuple[str, ...] = (),
) -> SessionView:  # fmt: skip
    end = None if logout_us is None else Moment(logout_us, "")
    return SessionView(
        f"s{number}", "web-1", "sshd", user, ip or f"198.51.100.{number % 250}", 1, "password",
        None, Moment(login_us, ""), end,
        None if logout_us is None else (logout_us - login_us) / SECOND,
        None if end is None else Reason.USER, abnormal, False, "open" if end is None else "closed",
        None, became=became,
    )  # fmt: skip


def test_who_was_on_how_long_and_from_where(connection: sqlite3.Connection) -> None:
    desk = Desk(connection, "08:30", UTC)
    begin, due = us("2026-11-20T08:30:00"), us("2026-11-21T08:30:00")
    desk.turn(begin)
    desk.write(
        session(1, "alice", begin - 9 * HOUR, begin - HOUR),  # over before
        session(2, "alice", begin - 2 * HOUR, begin + HOUR, abnormal=True),  # half of it before
        session(3, "alice", begin + HOUR, begin + 2 * HOUR, ip="192.0.2.9", became=("root",)),
        session(4, "bob", due - HOUR, None),
        session(5, None, begin + HOUR, begin + HOUR),
    )
    with db.transaction(connection):
        state.add_coverage(connection, {"sshd": 90}, {"sshd": 10})
        state.write_facts(connection, {"last_line_us": str(due - SECOND)})
        outbox.enqueue(connection, posted(of_change(login())), NOW_US)
        failed = Change(ChangeKind.LOGIN_FAILED, Moment(due - 2 * HOUR, ""), "web-1", "sshd",
                        user="root", ip="203.0.113.9", times=7)  # fmt: skip
        counts.add_failures(connection, [failed], due)
    found = desk.until_told(due)
    assert (found.since_us, found.until_us) == (begin, due)
    by_name = {one.user: one for one in found.people}
    alice, bob = by_name["alice"], by_name["bob"]
    assert (alice.sessions, alice.on_now, alice.seconds) == (2, 0, 2 * 3600.0)
    assert set(alice.addresses) == {"198.51.100.2", "192.0.2.9"} and alice.became == ("root",)
    assert (bob.sessions, bob.on_now, bob.seconds) == (1, 1, 3600.0)
    assert (found.sessions, found.on_now, found.abnormal, found.more_people) == (4, 1, 1, 0)
    assert (found.failures, found.failed_from) == (7, (("203.0.113.9", 7),))
    assert found.failed_as == (("root", 7),)
    assert (found.understood, found.lines, found.last_line_us) == (90, 100, due - SECOND)
    assert (found.waiting, found.dropped) == (1, 0)


def test_each_report_goes_on_where_the_last_one_ended(connection: sqlite3.Connection) -> None:
    desk = Desk(connection, "08:30", UTC)
    due = us("2026-11-21T08:30:00")
    desk.turn(due - DAY)
    with db.transaction(connection):
        state.add_coverage(connection, {"sshd": 90}, {})
        connection.execute(
            "INSERT INTO channels (name, said, failures_in_row, dropped_total) VALUES ('f','',0,5)"
        )
    assert (desk.until_told(due).lines, desk.told[-1][0].dropped) == (90, 5)
    with db.transaction(connection):
        state.add_coverage(connection, {"sshd": 7}, {"sshd": 3})
    desk.restart()
    found = desk.until_told(due + DAY)
    assert (found.since_us, found.understood, found.lines, found.dropped) == (due, 7, 10, 0)
    with db.transaction(connection):  # a new state in the place of a damaged one
        connection.execute("UPDATE coverage SET understood = 4, not_understood = 0")
    assert desk.until_told(due + 2 * DAY).lines == 4


def test_once_a_day_over_restarts_and_late_when_nobody_was_there(
    connection: sqlite3.Connection,
) -> None:
    desk = Desk(connection, "08:30", UTC)
    begin = us("2026-11-18T10:00:00")
    now = begin
    while now < begin + 3 * DAY:  # a turn in five minutes, and a restart before each
        desk.restart()
        desk.turn(now)
        if desk.daily.patience(now) == 0.0:
            desk.turn(now + SECOND)
        now += 300 * SECOND
    assert [at for _, at in desk.told] == [us(f"2026-11-{day}T08:30:00") for day in (19, 20, 21)]
    late = us("2026-11-25T14:00:00")  # it was down for four days
    desk.restart()
    assert desk.turn(late, MORE) == 0  # not before all is read that happened meanwhile
    found = desk.until_told(late)
    assert (found.since_us, found.until_us) == (us("2026-11-21T08:30:00"), late)
    assert desk.turn(late + HOUR) == 0
    desk.until_told(us("2026-11-26T08:30:00"))
    desk.restart()
    found = desk.until_told(us("2027-01-26T08:30:00"))
    assert found.until_us - found.since_us == 7 * DAY


@pytest.mark.parametrize(
    ("at", "days", "told"),
    [
        ("02:30", ("2026-03-28", "2026-03-31"), ["28T02:30", "29T03:30", "30T02:30"]),
        ("02:30", ("2026-10-24", "2026-10-27"), ["24T02:30", "25T02:30", "26T02:30"]),
    ],
)
def test_the_clock_that_jumps(
    connection: sqlite3.Connection, at: str, days: tuple[str, str], told: list[str]
) -> None:
    desk = Desk(connection, at, BERLIN)
    first, last = (us(f"{day}T00:00:00", BERLIN) for day in days)
    for now in range(first, last, 600 * SECOND):
        desk.restart()
        desk.turn(now)
        if desk.daily.patience(now) == 0.0:
            desk.turn(now)
    clock = [datetime.fromtimestamp(when / SECOND, BERLIN) for _, when in desk.told]
    assert [f"{one:%dT%H:%M}" for one in clock] == told
    assert clock[-1].fold == 0


def test_a_clock_that_is_set_back_brings_no_second_one(connection: sqlite3.Connection) -> None:
    desk = Desk(connection, "08:30", UTC)
    due = us("2026-11-21T08:30:00")
    desk.turn(due - DAY)
    desk.until_told(due + SECOND)
    for now in range(due - 3 * HOUR, due + 3 * HOUR, 600 * SECOND):
        desk.restart()
        assert desk.turn(now) == 0 and desk.daily.patience(now) != 0.0
    wrong = us("2036-01-01T09:00:00")  # far ahead, and then mended
    desk.until_told(wrong)
    assert desk.turn(due + HOUR) == 0
    assert desk.until_told(due + DAY).since_us == due + HOUR


def test_many_sessions_are_read_in_small_steps(connection: sqlite3.Connection) -> None:
    desk = Desk(connection, "08:30", UTC, top=3)
    due = us("2026-11-21T08:30:00")
    desk.turn(due - DAY)
    before = [session(n, "old", due - 3 * DAY + n, due - 2 * DAY) for n in range(3000)]
    during = [session(n, f"u{n % 40}", due - HOUR, due - HOUR + n) for n in range(3000, 7000)]
    desk.write(*before, *during, session(7001, "open", due - 9 * DAY, None))
    steps = 0
    while not desk.turn(due):
        steps += 1
        if steps == 2:  # who leaves meanwhile is not lost
            desk.write(session(7001, "open", due - 9 * DAY, due + 1))
    found = desk.told[-1][0]
    assert 8 <= steps <= 10  # and never looked at what is older
    assert found.sessions == 4001 and found.more_people == 38
    assert [one.sessions for one in found.people] == [100, 100, 100]


def test_names_and_addresses_are_bounded(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usersessionmon.watching.summary.PEOPLE_MOST", 10)
    monkeypatch.setattr("usersessionmon.watching.summary.ADDRESSES_MOST", 5)
    desk = Desk(connection, "08:30", UTC)
    due = us("2026-11-21T08:30:00")
    desk.turn(due - DAY)
    desk.write(*(session(n, f"u{n:03d}", due - HOUR, due - 1) for n in range(100)))
    found = desk.until_told(due)
    assert len(found.people) == 11 and found.people[0].user == "…"
    assert found.people[0].sessions == 90 and found.people[0].more
    assert len(found.people[0].addresses) == 5


def test_facts_that_make_no_sense_are_as_if_there_were_none(
    connection: sqlite3.Connection,
) -> None:
    with db.transaction(connection):
        state.write_facts(connection, {"report_us": "soon", "report_read": "a b"})
    desk = Desk(connection, "08:30", UTC)
    due = us("2026-11-21T08:30:00")
    assert desk.turn(due - HOUR) == 0
    assert desk.until_told(due).since_us == due - HOUR
