"""The zone that the C library knows, against the same zone's file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.system.zone import LibraryZone

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.datetimes(datetime(1996, 1, 1), datetime(2037, 1, 1))  # noqa: DTZ001
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module", autouse=True)
def in_berlin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@given(MOMENTS)
def test_moments_are_what_the_zone_file_says(moment: datetime) -> None:
    utc = moment.replace(tzinfo=UTC)
    here = utc.astimezone(LibraryZone())
    assert here.isoformat() == utc.astimezone(BERLIN).isoformat()
    assert here.astimezone(UTC) == utc


@given(MOMENTS, st.sampled_from([0, 1]))
def test_wall_clocks_too(wall: datetime, fold: int) -> None:
    given = wall.replace(fold=fold)
    assert LibraryZone().utcoffset(given) == BERLIN.utcoffset(given)


def test_the_hour_that_comes_twice() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    here = [(first + HOUR * later).astimezone(LibraryZone()) for later in (0, 1)]
    assert [one.isoformat() for one in here] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]
    assert LibraryZone().tzname(here[0]) == "UTC+02:00"


class Refused(datetime):
    """As every moment before 1970 on Windows."""

    def astimezone(self, _zone: tzinfo | None = None) -> Refused:
        raise OSError(22, "Invalid argument")


def test_what_the_library_refuses_has_the_standard_time() -> None:
    zone = LibraryZone()
    early = Refused(1950, 7, 1, tzinfo=zone)
    assert zone.utcoffset(early) == HOUR == zone.utcoffset(None)
    assert zone.fromutc(early).isoformat() == "1950-07-01T01:00:00+01:00"
