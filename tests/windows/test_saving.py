"""The engine for Windows, saved and loaded between any two records, concludes the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.model import ChangeKind
from usersessionmon.windows.engine import Desktops

from .building import LSM, SECURITY, SYSTEM, Host

USERS = st.sampled_from(["alice", "bob", "Carol"])
SESSIONS = st.integers(1, 3)
LUIDS = st.integers(16, 22).map(hex)
STEPS = st.one_of(
    st.tuples(st.just("logon"), USERS, LUIDS, st.sampled_from([2, 3, 10, 11])),
    st.tuples(st.just("logoff"), USERS, LUIDS, st.sampled_from([4634, 4647])),
    st.tuples(st.just("desktop"), st.sampled_from([21, 23, 24, 25]), USERS, SESSIONS),
    st.tuples(st.just("why"), SESSIONS, st.sampled_from([0, 2, 3, 5, 11, 12])),
    st.tuples(st.just("give"), st.just(LSM), st.just(32)),
    st.tuples(st.just("give"), st.just(SECURITY), st.just(4608)),
    st.tuples(st.just("give"), st.just(SYSTEM), st.sampled_from([6005, 6006, 6008])),
)
STORIES = st.lists(st.tuples(st.floats(0, 40), STEPS), max_size=30)


def lived(
    story: list[tuple[float, tuple[Any, ...]]], channels: tuple[str, ...], *, reload: bool
) -> Host:
    host = Host(*channels, patient=False)
    host.reload = reload
    now = 0.0
    for seconds, (name, *values) in story:
        host.wait(now, min(seconds, 16.0))
        now += seconds
        getattr(host, name)(now, *values)
    host.wait(now, 16.0)
    return host


@given(STORIES, st.sampled_from([(SECURITY, LSM, SYSTEM), (SECURITY,), (LSM, SYSTEM)]))
def test_saved_between_any_two_records(
    story: list[tuple[float, tuple[Any, ...]]], channels: tuple[str, ...]
) -> None:
    straight = lived(story, channels, reload=False)
    assert lived(story, channels, reload=True).changes == straight.changes


@given(STORIES, st.sampled_from([(SECURITY, LSM, SYSTEM), (SECURITY,), (LSM, SYSTEM)]))
def test_whatever_happens_no_row_ends_twice_or_without_having_begun(
    story: list[tuple[float, tuple[Any, ...]]], channels: tuple[str, ...]
) -> None:
    host = lived(story, channels, reload=False)
    inside: dict[str, int] = {}
    for change in host.changes:
        assert change.session is not None
        if change.kind is ChangeKind.LOGIN:
            inside[change.session] = inside.get(change.session, 0) + 1
        elif change.kind is ChangeKind.LOGOUT:
            assert change.duration is None or change.duration >= 0
            if change.login_time is not None:
                inside[change.session] -= 1
    assert all(count >= 0 for count in inside.values())
    there = list(host.engine.open_sessions())
    assert len(there) == sum(inside.values())
    assert len({row.row or row.session for row in there}) == len(there)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"origin": "x", "conns": 5}', "null"])
def test_what_is_no_saved_log_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Desktops.load([text])


def test_nothing_is_news_after_it_was_saved() -> None:
    host = Host(LSM).desktop(0, 21, "alice", 1)
    assert host.engine.has_news()
    logs, rows = host.engine.drain()
    assert set(logs) == {"srv"}
    assert [row.state for row in rows] == ["open"]
    assert not host.engine.has_news()
