"""The year in which a text log without years begins.

Looked for before the log is read, because only its end is known to be near the file's last change.
Dates are taken from places all over the file, so that even a big one costs a few hundredths of a
second; packed ones must be unpacked for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import tzinfo

from usersessionmon.envelope.forms import skip_priority
from usersessionmon.envelope.stamp import ordinal, read_stamp
from usersessionmon.envelope.years import MonthDay, first_year
from usersessionmon.envelope.zones import local_day
from usersessionmon.system.files import read_at

_WHOLE_BYTES = 1024 * 1024
"""Up to this size every line is looked at."""
_WINDOW = 4096
_STRIDE = 16 * 1024
_WINDOWS_MAX = 4096
_LINE_BYTES = 80
_DATES_MAX = 50_000

Dates = tuple[list[MonthDay], int | None]
"""The dates without a year, in order, and the ordinal of a later one that has its year."""


def year_of_plain(descriptor: int, zone: tzinfo, reference_us: int) -> int | None:
    """For a file that can be read at any place; its position stays as it is.  None: its lines
    have years, or none can be told."""
    size = os.fstat(descriptor).st_size
    stride = max(_STRIDE, size // _WINDOWS_MAX)
    if size <= _WHOLE_BYTES:
        windows = _windows(descriptor, size, size or 1, size)
    else:
        windows = _windows(descriptor, size, stride, _WINDOW)
    return _year(_dates(windows), zone, reference_us)


def year_of_stream(blocks: Iterator[list[bytes]], zone: tzinfo, reference_us: int) -> int | None:
    """For blocks of lines, which are read to their end unless their lines have years."""
    return _year(_dates(blocks), zone, reference_us)


def _windows(descriptor: int, size: int, stride: int, width: int) -> Iterator[list[bytes]]:
    """The whole lines in pieces of the file, the last piece being its end."""
    last = max(0, size - max(width, _STRIDE))
    for offset in (*range(0, last, stride), last):
        most = size - offset if offset == last else width
        lines = read_at(descriptor, most, offset).split(b"\n")
        yield lines[1:] if offset else lines


def _dates(blocks: Iterator[list[bytes]]) -> Dates:
    dates: list[MonthDay] = []
    prefix = b"\0"
    for lines in blocks:
        for line in lines:
            if line.startswith(prefix):
                continue
            start = line[:_LINE_BYTES]
            bare = skip_priority(start)
            stamp = read_stamp(bare)
            if stamp is None:
                continue
            if stamp.year is not None:
                return dates, ordinal(stamp.year, stamp.month, stamp.day)
            prefix = start[: len(start) - len(bare) + stamp.clock_at]
            if dates[-1:] != [(stamp.month, stamp.day)]:
                dates.append((stamp.month, stamp.day))
            if len(dates) >= _DATES_MAX:
                return dates, None
    return dates, None


def _year(found: Dates, zone: tzinfo, reference_us: int) -> int | None:
    dates, known = found
    if not dates:
        return None
    reference = local_day(reference_us, zone)
    return first_year(dates, reference if known is None else min(reference, known))
