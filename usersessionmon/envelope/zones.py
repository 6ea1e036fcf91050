"""Local time → instant: offsets, the hour that occurs twice, the hour that never was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from usersessionmon.model import Moment

from .stamp import DAY_SECONDS, EPOCH_ORDINAL

SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_BELOW, _STEP_ABOVE = 20 * 60, 10 * 60
"""How far (seconds) a step back may be from the size of the clock change to be taken for it: 40 to
70 minutes where it is an hour."""
# Only names that mean one offset wherever they are used; CST and IST are three countries' each.
_NAMED = {
    "UTC": "+00:00",
    "GMT": "+00:00",
    "WET": "+00:00",
    "WEST": "+01:00",
    "CET": "+01:00",
    "CEST": "+02:00",
    "EET": "+02:00",
    "EEST": "+03:00",
    "MSK": "+03:00",
    "JST": "+09:00",
    "KST": "+09:00",
    "EDT": "-04:00",
    "PDT": "-07:00",
    "PST": "-08:00",
}

Saved = dict[str, int | str | None]


class PlainDay(NamedTuple):
    """A day on which the offset does not change."""

    midnight_us: int
    """When it begins, in microseconds since the epoch."""
    offset: str


class LocalTime:
    """One zone; lines must come in the order of the log, because the first of the two equal hours
    is told from the second by the step back between them."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._folded: int | None = None
        """The day (ordinal) whose second equal hour has begun."""
        self._last: int | None = None
        """Local seconds of the last line on a day with a clock change."""
        self._day = EPOCH_ORDINAL
        self._plain = self._look_at_day(EPOCH_ORDINAL)

    def plain_day(self, day: int) -> PlainDay | None:
        """What holds for the whole day, or None when the clock is changed on it."""
        if day != self._day:
            self._day, self._plain = day, self._look_at_day(day)
        return self._plain

    def _look_at_day(self, day: int) -> PlainDay | None:
        begin = datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone)
        offset = begin.utcoffset() or timedelta()
        if (begin + timedelta(days=1)).utcoffset() != offset:
            return None
        return PlainDay(_us(day, 0, offset), _text(offset))

    def moment(self, day: int, seconds: int, fraction: str) -> Moment:
        """The instant of a local time; a time that was skipped is shifted forward."""
        plain = self.plain_day(day)
        if plain is not None:
            us = plain.midnight_us + seconds * SECOND_US + fraction_us(fraction)
            return Moment(us, show(day, seconds, fraction, plain.offset))
        first = datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone)
        first += timedelta(seconds=seconds)
        early = first.utcoffset() or timedelta()
        late = first.replace(fold=1).utcoffset() or timedelta()
        if early > late:
            self._look_for_step(day, seconds, early - late)
        self._last = day * DAY_SECONDS + seconds
        offset = late if early > late and self._folded == day else early
        us = _us(day, seconds, offset)
        if early < late:  # the clock jumped over this time
            return Moment(us + fraction_us(fraction), _show(us, late, fraction))
        return Moment(us + fraction_us(fraction), show(day, seconds, fraction, _text(offset)))

    def at(self, seconds: int, fraction: str) -> Moment:
        """An instant that was written as seconds since the epoch, shown in this zone."""
        offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(self._zone).utcoffset()
        us = seconds * SECOND_US
        return Moment(us + fraction_us(fraction), _show(us, offset or timedelta(), fraction))

    def offset_of(self, name: str, day: int, seconds: int) -> str | None:
        """The offset (``+01:00``) that an abbreviation means, this zone's own meaning first."""
        local = datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone)
        local += timedelta(seconds=seconds)
        for moment in (local, local.replace(fold=1)):
            if moment.tzname() == name:
                return _text(moment.utcoffset() or timedelta())
        return _NAMED.get(name)

    def save(self) -> Saved:
        return {"folded_day": self._folded, "last_local": self._last}

    def restore(self, saved: Saved) -> None:
        folded, last = saved.get("folded_day"), saved.get("last_local")
        self._folded = folded if isinstance(folded, int) else None
        self._last = last if isinstance(last, int) else None

    def _look_for_step(self, day: int, seconds: int, change: timedelta) -> None:
        if self._last is None or self._folded == day:
            return
        step = self._last - (day * DAY_SECONDS + seconds)
        size = change // timedelta(seconds=1)
        if size - _STEP_BELOW <= step <= size + _STEP_ABOVE:
            self._folded = day


def with_offset(day: int, seconds: int, fraction: str, offset: str) -> Moment:
    """The instant of a time that was written with its offset (``Z``, ``+hh:mm``)."""
    us = _us(day, seconds, _delta(offset)) + fraction_us(fraction)
    return Moment(us, show(day, seconds, fraction, offset))


def show(day: int, seconds: int, fraction: str, offset: str) -> str:
    """RFC 3339."""
    minutes, second = divmod(seconds, 60)
    clock = f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"
    point = "." if fraction else ""
    return f"{date.fromordinal(day).isoformat()}T{clock}{point}{fraction}{offset}"


def day_start_us(day: int, offset: str) -> int:
    """When a day begins at an offset, in microseconds since the epoch."""
    return _us(day, 0, _delta(offset))


def local_day(us: int, zone: tzinfo) -> int:
    """The ordinal of the day that an instant falls on; one out of all range counts as the first
    or the last of those that any log may have."""
    low, high = datetime(1970, 1, 2, tzinfo=UTC), datetime(9998, 12, 30, tzinfo=UTC)
    try:
        instant = _EPOCH + timedelta(microseconds=us)
    except OverflowError:
        instant = high if us > 0 else low
    return min(max(instant, low), high).astimezone(zone).toordinal()


def fraction_us(fraction: str) -> int:
    """Microseconds of 0 to 9 digits behind the point."""
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def _us(day: int, seconds: int, offset: timedelta) -> int:
    local = (day - EPOCH_ORDINAL) * DAY_SECONDS + seconds
    return local * SECOND_US - offset // timedelta(microseconds=1)


def _show(us: int, offset: timedelta, fraction: str) -> str:
    local = us // SECOND_US + offset // timedelta(seconds=1)
    day, seconds = divmod(local, DAY_SECONDS)
    return show(day + EPOCH_ORDINAL, seconds, fraction, _text(offset))


def _delta(offset: str) -> timedelta:
    if offset == "Z":
        return timedelta()
    size = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    return -size if offset[0] == "-" else size


def _text(offset: timedelta) -> str:
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{'-' if offset < timedelta() else '+'}{minutes // 60:02}:{minutes % 60:02}"
