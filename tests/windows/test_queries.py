"""What is asked of a host: all that matters, and never more comparisons than Windows takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.windows.fake_win32 import Event, event, predicate
from usersessionmon.windows.channels import FORWARDED, LSM, SECURITY, WANTED
from usersessionmon.windows.queries import query_of, record_query, wanted_ids


def of_id(number: int, age_ms: int = 0) -> Event:
    return event(LSM, 1, number, age_ms=age_ms)


@given(
    ids=st.sets(st.integers(0, 9999), min_size=1, max_size=60),
    since_ms=st.none() | st.integers(0, 10**12),
)
def test_every_wanted_id_is_asked_for(ids: set[int], since_ms: int | None) -> None:
    fits = predicate(query_of(ids, since_ms))  # refuses more than twenty comparisons
    assert all(fits(of_id(one)) for one in ids)
    if since_ms is not None:
        assert not any(fits(of_id(one, since_ms + 1)) for one in ids)


@pytest.mark.parametrize("channel", WANTED)
def test_of_a_channel_nothing_but_what_matters_travels(channel: str) -> None:
    fits = predicate(query_of(WANTED[channel]))
    assert {one for one in range(10_000) if fits(of_id(one))} == WANTED[channel]


def test_a_collectors_channel_is_asked_for_all_of_them() -> None:
    assert wanted_ids(FORWARDED) == frozenset().union(*WANTED.values())
    fits = predicate(query_of(wanted_ids(FORWARDED)))
    assert all(fits(of_id(one)) for one in wanted_ids(FORWARDED))


def test_the_words_are_those_of_windows() -> None:
    """As it is written down in Microsoft's documentation of event queries."""
    assert query_of({21, 23, 24, 25}, 28_800_000) == (
        "*[System[(EventID=21 or (EventID >= 23 and EventID <= 25)) and "
        "TimeCreated[timediff(@SystemTime) <= 28800000]]]"
    )
    assert record_query(7) == "*[System[(EventRecordID=7)]]"
    assert "EventID=4616" in query_of(wanted_ids(SECURITY))
