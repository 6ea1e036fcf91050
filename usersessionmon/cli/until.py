"""Until when: the ways in which people say a moment that is yet to come."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from usersessionmon.errors import UserError

from .output import cell, micros_text

MOST_DAYS = 30
_MOST_US = MOST_DAYS * 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPAN = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def until(text: str, zone: tzinfo, now_us: int) -> int:
    """``17:00`` (the next), ``2026-11-22 17:00``, RFC 3339, or a span from now (``2h``), in
    microseconds UTC.  Raises UserError."""
    us = _span(text)
    if us is not None:
        return _within("--until", text, now_us + us, now_us)
    try:
        us = _clock(text, zone, now_us) or _date(text, zone)
    except (ValueError, OverflowError):
        us = None
    if us is None:
        today = micros_text(now_us, zone)[:10]
        raise UserError(
            f"--until {cell(text)}: is no time; give 17:00, '{today} 17:00', {today}T17:00:00Z, "
            "or for how long: 2h, 90m, 1d"
        )
    return _within("--until", text, us, now_us)


def lasting(text: str, now_us: int) -> int:
    """The end of a span (``2h``, ``90m``, ``1d``, ``1h30m``) from now.  Raises UserError."""
    us = _span(text)
    if us is None:
        raise UserError(f"--for {cell(text)}: is no span; give 2h, 90m, 1d or 1h30m")
    return _within("--for", text, now_us + us, now_us)


def day_text(us: int, now_us: int, zone: tzinfo) -> str:
    """``17:00``, ``tomorrow 17:00`` or ``2026-11-25 17:00``."""
    day, _, clock = micros_text(us, zone)[:16].partition(" ")
    now = (_EPOCH + now_us * _MICROSECOND).astimezone(zone)
    if day == now.date().isoformat():
        return clock
    if day == (now.date() + timedelta(days=1)).isoformat():
        return f"tomorrow {clock}"
    return f"{day} {clock}"


def _within(option: str, text: str, us: int, now_us: int) -> int:
    if us <= now_us:
        raise UserError(f"{option} {cell(text)}: is over already")
    if us > now_us + _MOST_US:
        raise UserError(f"{option} {cell(text)}: is more than {MOST_DAYS} days from now")
    return us


def _span(text: str) -> int | None:
    found = _SPAN.fullmatch(text)
    if found is None or not text:
        return None
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60_000_000


def _clock(text: str, zone: tzinfo, now_us: int) -> int | None:
    """Today at that time, or tomorrow when that is past."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    now = (_EPOCH + now_us * _MICROSECOND).astimezone(zone)
    at = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0, fold=0)
    us = _us(at)
    return us if us > now_us else _us(at + timedelta(days=1))


def _date(text: str, zone: tzinfo) -> int | None:
    if _DATE.fullmatch(text.upper()) is None:
        return None
    at = datetime.fromisoformat(text.upper())
    return _us(at if at.tzinfo is not None else at.replace(tzinfo=zone))


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
