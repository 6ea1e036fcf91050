"""A line's header, read the long way: by its shape, with year, zone and clock changes decided."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import NamedTuple

from usersessionmon.model import Moment

from .forms import (
    Syslog,
    apple,
    docker,
    openwrt_clock,
    rfc5424,
    rfc5424_stamp,
    skip_priority,
    sudo,
    vsftpd,
    xrdp,
)
from .stamp import Stamp, ordinal, read_epoch, read_stamp
from .tag import Head, collected, is_unit, split_head
from .years import YearWalker
from .zones import SECOND_US, LocalTime, PlainDay, day_start_us, local_day, with_offset

# RFC 5424 as everybody writes it, which is also how a time is shown
_SYSLOG_TIME = re.compile(
    rb"(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)"
)
_TWO = {b"%02d" % number: number for number in range(60)}
Saved = dict[str, int | str | None]


class Header(NamedTuple):
    """What the header says."""

    time: Moment
    inferred: bool
    """True when the year or the zone is not written."""
    head: Head
    like: Like | None = None
    """How to read lines that are written like this one; None: not simply."""


class Like(NamedTuple):
    """What lines of one form have in common on one day."""

    day: bytes
    """The bytes before the clock."""
    clock_at: int
    end: int
    """Where the time ends."""
    zone: bytes
    """The bytes between the clock (with its fraction) and ``end``."""
    midnight_us: int
    date: str
    """``2026-11-21T``"""
    offset: str
    ordinal: int


class HeaderReader:
    """Reads headers in the order of the log; remembers what years and clock changes need."""

    def __init__(self, *, zone: tzinfo, reference_us: int, year: int | None) -> None:
        self._years = YearWalker(local_day(reference_us, zone), year)
        self._local = LocalTime(zone)
        self._last_like: Like | None = None
        self._syslog_day = b"", b""
        """Date and offset of the last line of RFC 5424, when that day begins, and its ordinal."""
        self._syslog_us = self._syslog_ordinal = 0

    def read(self, line: bytes) -> Header | None:
        """None: there is no header that is known and valid."""
        line = skip_priority(line)
        if line[1:2] == b" ":
            syslog = rfc5424(line)
            return self._of_syslog(syslog) if syslog else None
        if line[:1] == b"[":
            form = apple(line) or xrdp(line)
            return self._decide(form.stamp, form.head)[0] if form else None
        unpacked = docker(line)
        header = self._of_time(unpacked or line)
        if header is None or is_unit(header.head):
            return None
        return header._replace(like=None) if unpacked else header

    def _of_time(self, line: bytes) -> Header | None:
        """A line that begins with a time, its own or a collector's."""
        epoch = read_epoch(line)
        if epoch is not None:
            return self._of_epoch(epoch, line)
        stamp = read_stamp(line)
        if stamp is None:
            return None
        rest = line[stamp.end :]
        if rest.startswith(b" [s="):
            return None  # journalctl -o verbose
        form = sudo(stamp, rest)
        if form is not None:
            return self._decide(form.stamp, form.head)[0]
        clock = openwrt_clock(rest)
        if clock is not None:
            return self._of_epoch(clock, rest)
        inner, socklog = collected(rest)
        head = vsftpd(rest) or split_head(_behind_second_time(inner))
        if socklog and stamp.year is not None and stamp.offset is None:
            return self._decide(stamp._replace(offset="Z"), head)[0]
        header, day = self._decide(stamp, head)
        return header and header._replace(like=self._like(line, stamp, header, day))

    def instant(self, us: int) -> Moment:
        """An instant, shown in the log's zone."""
        return self._local.at(us // SECOND_US, f"{us % SECOND_US:06}")

    def save(self) -> Saved:
        return {**self._years.save(), **self._local.save()}

    def restore(self, saved: Saved) -> None:
        self._years.restore(saved)
        self._local.restore(saved)

    def _of_epoch(self, epoch: tuple[int, str, int], line: bytes) -> Header:
        seconds, fraction, end = epoch
        rest = _behind_second_time(collected(line[end:])[0])
        return Header(self._local.at(seconds, fraction), False, split_head(rest))

    def _of_syslog(self, line: Syslog) -> Header | None:
        found = _SYSLOG_TIME.fullmatch(line.time)
        if found is not None:
            date, hour, minute, second, fraction, offset = found.groups()
            if (date, offset) == self._syslog_day:
                seconds = _TWO[hour] * 3600 + _TWO[minute] * 60 + _TWO[second]
                us = self._syslog_us + seconds * SECOND_US
                if fraction:
                    us += int(fraction[:6].ljust(6, b"0"))
                self._years.saw(self._syslog_ordinal)
                return Header(Moment(us, line.time.decode()), False, line.head)
        stamp = rfc5424_stamp(line.time)
        if stamp is None:
            return None
        header, day = self._decide(stamp, line.head)
        if header is not None and found is not None:
            self._syslog_day = found[1], found[6]
            self._syslog_us = day_start_us(day, found[6].decode())
            self._syslog_ordinal = day
        return header

    def _decide(self, stamp: Stamp, head: Head) -> tuple[Header | None, int]:
        """Find the instant that a stamp means, and its local day (an ordinal)."""
        if stamp.year is None:
            day = self._years.ordinal_of(stamp.month, stamp.day)
        else:
            day = ordinal(stamp.year, stamp.month, stamp.day)
        if day is None:
            return None, 0
        offset = stamp.offset
        if stamp.zone_name:
            offset = self._local.offset_of(stamp.zone_name, day, stamp.seconds)
            if offset is None:
                return None, 0
        if stamp.year is not None:
            self._years.saw(day)
        if offset is None:
            time = self._local.moment(day, stamp.seconds, stamp.fraction)
        else:
            time = with_offset(day, stamp.seconds, stamp.fraction, offset)
        return Header(time, stamp.year is None or offset is None, head), day

    def _like(self, line: bytes, stamp: Stamp, header: Header, day: int) -> Like | None:
        at = stamp.clock_at
        zone_at = at + 8 + (len(stamp.fraction) + 1 if stamp.fraction else 0)
        before, zone = line[:at], line[zone_at : stamp.end]
        last = self._last_like
        if last and (last.day, last.zone, last.end, last.ordinal) == (before, zone, stamp.end, day):
            return last
        if stamp.offset is None and not stamp.zone_name:
            plain = self._local.plain_day(day)
            if plain is None:
                return None  # on the day of a clock change every line is looked at
        else:
            offset = "Z" if header.time.text.endswith("Z") else header.time.text[-6:]
            plain = PlainDay(day_start_us(day, offset), offset)
        date = header.time.text[:11]
        self._last_like = Like(
            before, at, stamp.end, zone, plain.midnight_us, date, plain.offset, day
        )
        return self._last_like


def _behind_second_time(rest: bytes) -> bytes:
    """Container runtimes and collectors put their own time in front of the line's."""
    inner = rest.lstrip(b" ")
    stamp = read_stamp(inner)
    return rest if stamp is None else inner[stamp.end :]
