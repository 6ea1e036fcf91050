"""Saved and loaded between any two changes, the detectors find what they would have found."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.detect.bouts import MOST
from usersessionmon.detect.recent import HOSTS
from usersessionmon.detect.settings import (
    DetectSettings,
    FailureSettings,
    FirstFromSettings,
    FirstLoginSettings,
    HourSettings,
    LengthSettings,
    Near,
    QuietSettings,
    SweepSettings,
)
from usersessionmon.detect.watch import Seen, Watch
from usersessionmon.model import Change, ChangeKind, Moment
from usersessionmon.store import db
from usersessionmon.store.detectors import read_detectors, write_detectors

from .people import DAY, MINUTE, MORNING, SECOND, Saved, change, failed, login, see, watch

QUICK = DetectSettings(
    failures=FailureSettings(address=3, account=4, host=6, quiet_minutes=5, most=2),
    sweep=SweepSettings(names=2, quiet_minutes=5, most=1),
    first_from=FirstFromSettings(scope=Near.ADDRESS, logins=2),
    first_login=FirstLoginSettings(days=1),
    hours=HourSettings(logins=3),
    session_length=LengthSettings(sessions=2),
)
QUIET = QuietSettings(methods=("hostbased",))
STEPS = st.sampled_from([0, SECOND, MINUTE, 7 * MINUTE, 5 * 60 * MINUTE, DAY, -DAY])
SAID = st.fixed_dictionaries(
    {
        "user": st.sampled_from(["alice", "bob", "root", "x\u7ba1", None]),
        "ip": st.sampled_from(["198.51.100.7", "198.51.100.8", "2001:db8::1", None]),
        "host": st.sampled_from(["web-1", "web-2", None]),
        "session": st.sampled_from(["a", "b", None]),
        "service": st.sampled_from(["sshd", "windows"]),
        "login_time": st.sampled_from([None, Moment(MORNING, ""), Moment(MORNING + SECOND, "")]),
        "by_user": st.sampled_from([None, "bob", "Alice"]),
        "method": st.sampled_from(["password", "hostbased", None]),
        "valid_user": st.sampled_from([True, False, None]),
        "times": st.integers(1, 3),
        "abnormal": st.booleans(),
        "duration": st.sampled_from([None, 10.0, 4000.0, 1e6]),
    }
)


@st.composite
def stories(draw: st.DrawFn) -> list[Change]:
    at, found = 0, []
    for _ in range(draw(st.integers(1, 60))):
        at += draw(STEPS)
        kind = draw(st.sampled_from([*ChangeKind, ChangeKind.LOGIN_FAILED]))
        said: dict[str, Any] = draw(SAID)
        found.append(change(kind, at, **said))
    return found


def quick() -> Watch:
    return watch(QUICK, QUIET)


def plain(seen: Seen) -> tuple[object, ...]:
    return (*seen.over, seen.silent, *seen.findings, *seen.begun)


@given(stories(), st.sets(st.integers(0, 60)))
def test_cut_anywhere_it_finds_the_same(story: list[Change], cuts: set[int]) -> None:
    whole = [plain(seen) for seen in see(quick(), story)]
    taken, saved, pieces = quick(), Saved(), []
    for number, item in enumerate(story):
        pieces.append(plain(taken.see(item)))
        if number in cuts:
            taken = saved.restart(taken, quick())
    assert pieces == whole


def test_a_full_table_forgets_the_same_after_a_restart() -> None:
    """Through the state's database, with more hosts than are remembered, and more in bouts."""
    rng = random.Random(7)
    story = [
        failed(at * 20_000, host=f"h{n}", ip=f"10.0.0.{rng.randrange(3)}", user=f"u{at % 7}")
        for at, n in enumerate(rng.choices(range(HOSTS + 400), k=8 * HOSTS))
    ]
    settings = DetectSettings(failures=FailureSettings(address=3, host=12))
    whole = [plain(seen) for seen in see(watch(settings), story)]
    connection = db.connect(Path(":memory:"))
    db.migrate(connection)
    taken, pieces = watch(settings), []
    for number, item in enumerate(story):
        pieces.append(plain(taken.see(item)))
        if rng.random() < 0.02 or number % 1000 == 0:
            with db.transaction(connection):
                write_detectors(connection, taken.drain())
        if number % 2000 == 1999:
            write_detectors(connection, taken.drain())
            taken = watch(settings)
            assert taken.load(read_detectors(connection)) == 0
    sizes = dict(taken.sizes())
    connection.close()
    assert pieces == whole
    assert sizes["failures.few"] == HOSTS
    assert sizes["address.many"] == MOST


def test_what_a_detector_remembered_goes_when_it_is_switched_off() -> None:
    saved, taken = Saved(), watch()
    see(taken, [login(0), login(1)])
    off = watch(DetectSettings(first_from=FirstFromSettings(enabled=False)))
    saved.save(saved.restart(taken, off))
    assert saved.rows
    assert not any(name.startswith("first_from") for name in saved.rows)


def test_half_a_surrogate_pair_can_be_saved() -> None:
    connection = db.connect(Path(":memory:"))
    db.migrate(connection)
    taken, again = quick(), quick()
    see(taken, [failed(n, user="\ud800", host="\ud801", ip=None) for n in range(3)])
    write_detectors(connection, taken.drain())
    assert again.load(read_detectors(connection)) == 0
    connection.close()
    last = failed(4, user="\ud800", host="\ud801", ip=None)
    assert plain(again.see(last)) == plain(taken.see(last))
    assert len(plain(quick().see(last))) == 1


def test_rows_that_cannot_be_understood_are_told_and_forgotten() -> None:
    taken = watch()
    rows = [("two_places\nweb-1\nalice", text) for text in ("{", "5", "[1,2,3]")]
    assert taken.load(rows) == 3
    assert taken.drain() == {rows[0][0]: None}
