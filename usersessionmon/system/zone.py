"""The time zone as the C library knows it, for where no zone file says more."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo


class LibraryZone(tzinfo):
    """Asks the C library of each moment, so that summer times count: by today's rule on Windows."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        if when is not None:
            try:
                offset = when.replace(tzinfo=None).astimezone().utcoffset()
            except (OSError, OverflowError, ValueError):  # before 1970, on Windows
                offset = None
            if offset is not None:
                return offset
        return timedelta(seconds=-time.timezone)

    def dst(self, _when: datetime | None) -> timedelta | None:
        """What part of the offset is summer's is not known."""
        return None

    def tzname(self, when: datetime | None) -> str:
        return timezone(self.utcoffset(when)).tzname(None)

    def fromutc(self, when: datetime) -> datetime:
        try:
            local = when.replace(tzinfo=UTC).astimezone()
        except (OSError, OverflowError, ValueError):
            return when + self.utcoffset(None)
        here = local.replace(tzinfo=self, fold=0)
        return here if here.utcoffset() == local.utcoffset() else here.replace(fold=1)


def library_zone() -> tzinfo:
    if sys.platform == "win32":
        zone: tzinfo = LibraryZone()
    else:
        zone = timezone(timedelta(seconds=-time.timezone))
    return zone
