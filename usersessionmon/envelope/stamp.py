"""The date and time at the beginning of a log line, in every form that loggers write.

Only shapes are read here; which year or zone is meant where none is written is decided elsewhere.
Every expression is anchored and bounded, so that hostile lines cost linear time.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

MONTHS = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),
        start=1,
    )
}
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Outside of these no log was written; the margin keeps every conversion of zones possible."""
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DAY_SECONDS = 86_400


class Stamp(NamedTuple):
    """What is written, and where the rest of the line begins."""

    year: int | None
    month: int
    day: int
    seconds: int
    """Of the day, 0 … 86399; a leap second is the second before it."""
    fraction: str
    """0 to 9 digits."""
    offset: str | None
    """``Z``, ``+hh:mm`` or ``-hh:mm``; None: not written."""
    zone_name: str
    """An abbreviation such as CET, where one stands in place of the offset."""
    end: int
    """Where the stamp ends; what follows is a blank, a colon or nothing."""
    clock_at: int
    """Where ``hh:mm:ss`` begins; -1 when the stamp has no such part."""


_WEEKDAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
_CLOCK = rb"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?! [AP]M )"
# would be a host's name where it is no zone's
_ZONE = rb"(?: (UTC|GMT|WES?T|CES?T|EES?T|MSK|[JK]ST|[ECMP][DS]T|BST|IST)(?= ))?"
_END = rb"(?=[ :\t]|$)"
# `Nov 21 08:15:30`, the day padded or not; some relays write the year after the day, or before it
_BSD = re.compile(rb"([A-Z][a-z][a-z]) {1,2}(\d{1,2})(?: (\d{4}))? " + _CLOCK + _ZONE + _END)
_LED_BY_YEAR = re.compile(rb"(\d{4}) (?:\1 )?([A-Z][a-z][a-z]) {1,2}(\d{1,2}) " + _CLOCK + _END)
# OpenWrt, vsftpd: `Sat Nov 21 08:15:30 2026`
_CTIME = re.compile(_WEEKDAY + rb"([A-Z][a-z][a-z]) {1,2}(\d{1,2}) " + _CLOCK + rb" (\d{4})" + _END)
_ISO = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt _]"
    + _CLOCK
    + rb"(?:([Zz])| ?([+-]\d\d)(?::?(\d\d))?|"
    + _ZONE
    + rb")"
    + _END
)
# journalctl -o short-full: `Sat 2026-11-21 08:15:30 CET`, or `+08` for zones without letters
_FULL = re.compile(
    _WEEKDAY
    + rb"(\d{4})-(\d\d)-(\d\d) "
    + _CLOCK
    + rb" (?:([A-Z]{1,6})|([+-]\d\d)(?::?(\d\d))?)"
    + _END
)
_EPOCH = re.compile(rb"(\d{9,11})(?:\.(\d{1,9}))?(?= )")
# svlogd, multilog and s6-log: seconds behind 2 ** 62 and ten more, and nanoseconds
_TAI64N = re.compile(rb"@([0-9a-f]{16})([0-9a-f]{8})(?= )")
_TAI_ZERO = 2**62 + 10
_EPOCH_LAST = 99_999_999_999


def read_stamp(line: bytes) -> Stamp | None:
    """The stamp at the line's very beginning, or None when it has none that is known and valid."""
    first = line[:1]
    if first.isdigit():
        if line[4:5] == b"-":
            return _iso(line)
        if line[4:5] == b" ":
            return _led_by_year(line)
        return None
    if line[3:4] != b" ":
        return None
    if line[4:5].isdigit() and line[8:9] == b"-":
        return _full(line)
    return _bsd(line) or _ctime(line)


def read_epoch(line: bytes) -> tuple[int, str, int] | None:
    """Seconds since the epoch, fraction, and where the stamp ends (journalctl -o short-unix,
    TAI64N)."""
    if line.startswith(b"@"):
        return _tai64n(line)
    found = _EPOCH.match(line)
    if found is None:
        return None
    seconds, fraction = found.groups(b"")
    return int(seconds), fraction.decode(), found.end()


def _tai64n(line: bytes) -> tuple[int, str, int] | None:
    found = _TAI64N.match(line)
    if found is None:
        return None
    seconds, nanoseconds = int(found[1], 16) - _TAI_ZERO, int(found[2], 16)
    if not 0 < seconds <= _EPOCH_LAST or nanoseconds >= 1_000_000_000:
        return None
    return seconds, f"{nanoseconds:09}", found.end()


def ordinal(year: int, month: int, day: int) -> int | None:
    """The day's proleptic Gregorian ordinal, or None when there is no such day in a log."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def _bsd(line: bytes) -> Stamp | None:
    found = _BSD.match(line)
    if found is None:
        return None
    month, day, year, *clock, zone = found.groups()
    stamp = _make(year, MONTHS.get(month), day, clock, found.end(), found.start(4))
    return stamp._replace(zone_name=zone.decode()) if stamp and zone else stamp


def _led_by_year(line: bytes) -> Stamp | None:
    found = _LED_BY_YEAR.match(line)
    if found is None:
        return None
    year, month, day, *clock = found.groups()
    return _make(year, MONTHS.get(month), day, clock, found.end(), found.start(4))


def _ctime(line: bytes) -> Stamp | None:
    found = _CTIME.match(line)
    if found is None:
        return None
    month, day, *clock, year = found.groups()
    return _make(year, MONTHS.get(month), day, clock, found.end(), found.start(3))


def _iso(line: bytes) -> Stamp | None:
    found = _ISO.match(line)
    if found is None:
        return None
    year, month, day, *clock, zulu, hours, minutes, zone = found.groups()
    stamp = _make(year, int(month), day, clock, found.end(), found.start(4))
    if stamp is None:
        return None
    if zulu or (line[10:11] == b"_" and not hours):  # svlogd -tt, in UTC always
        return stamp._replace(offset="Z")
    if zone:
        return stamp._replace(zone_name=zone.decode())
    return _with_offset(stamp, hours, minutes) if hours else stamp


def _full(line: bytes) -> Stamp | None:
    found = _FULL.match(line)
    if found is None:
        return None
    year, month, day, *clock, name, hours, minutes = found.groups()
    stamp = _make(year, int(month), day, clock, found.end(), found.start(4))
    if stamp is None:
        return None
    return stamp._replace(zone_name=name.decode()) if name else _with_offset(stamp, hours, minutes)


def _with_offset(stamp: Stamp, hours: bytes, minutes: bytes | None) -> Stamp | None:
    if int(hours[1:]) > 23 or int(minutes or b"0") > 59:
        return None
    return stamp._replace(offset=f"{hours.decode()}:{(minutes or b'00').decode()}")


def _make(
    year: bytes | None,
    month: int | None,
    day: bytes,
    clock: list[bytes | None],
    end: int,
    clock_at: int,
) -> Stamp | None:
    hour, minute, second = (int(part or b"0") for part in clock[:3])
    if month is None or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 60:
        return None
    # In a leap year every day that exists in any year does.
    if ordinal(2000 if year is None else int(year), month, int(day)) is None:
        return None
    return Stamp(
        None if year is None else int(year),
        month,
        int(day),
        hour * 3600 + minute * 60 + min(second, 59),
        (clock[3] or b"").decode(),
        None,
        "",
        end,
        clock_at,
    )
