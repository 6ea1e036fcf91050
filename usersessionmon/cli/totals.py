"""The sums that ``history --totals`` gives: by user, by address, by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from usersessionmon.contract import number
from usersessionmon.model import SessionView
from usersessionmon.store.counts import Failures

from .output import micros_text

BY = ("user", "ip", "day")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Total:
    """Sessions that have one user, address or day in common; durations in seconds."""

    name: str | None
    sessions: int = 0
    open: int = 0
    abnormal: int = 0
    duration: float = 0.0
    longest: float | None = None
    failures: int = 0
    last_us: int | None = None

    def add(self, view: SessionView, now_us: int) -> None:
        """One more session; of one that is still on, as long as it has been."""
        is_open = view.state == "open"
        self.sessions += 1
        self.open += is_open
        self.abnormal += view.abnormal
        seconds = view.duration
        if is_open and view.login_time is not None:
            seconds = max(0, now_us - view.login_time.us) / 1_000_000
        if seconds is not None:
            self.duration += seconds
            self.longest = seconds if self.longest is None else max(self.longest, seconds)
        for moment in (view.login_time, view.logout_time):
            self.seen(None if moment is None else moment.us)
        self.seen(now_us if is_open else None)

    def seen(self, us: int | None) -> None:
        if us is not None:
            self.last_us = us if self.last_us is None else max(self.last_us, us)


def totals(
    by: str,
    views: Iterable[SessionView],
    failures: Iterable[Failures] | None,
    zone: tzinfo,
    now_us: int,
) -> list[Total]:
    """The sums, days in their order, else those with the most sessions first; without ``failures``
    nothing is known of them.

    A session counts for the day on which it began, a failure for the day of its hour.
    """
    found: dict[str | None, Total] = {}

    def of(name: str | None) -> Total:
        return found.setdefault(name, Total(name))

    for view in views:
        of(_name(by, view, zone)).add(view, now_us)
    for failure in failures or ():
        if by == "day":
            total = of(micros_text(failure.hour_us, zone)[:10])
        else:
            total = of(failure.user if by == "user" else failure.ip)
        total.failures += failure.times
        total.seen(failure.last_us)
    if by == "day":
        return sorted(found.values(), key=lambda total: total.name or "")
    return sorted(
        found.values(), key=lambda total: (-total.sessions, -total.failures, total.name or "")
    )


def _name(by: str, view: SessionView, zone: tzinfo) -> str | None:
    if by == "user":
        return view.user
    if by == "ip":
        return view.ip
    begun = view.login_time or view.logout_time
    return None if begun is None else micros_text(begun.us, zone)[:10]


def total_object(
    by: str, total: Total, zone: tzinfo, *, failures_known: bool = True
) -> dict[str, Any]:
    """A sum as the commands print it for programs."""
    return {
        by: total.name,
        "sessions": total.sessions,
        "open": total.open,
        "abnormal": total.abnormal,
        "duration": number(round(total.duration, 6)),
        "longest": number(total.longest),
        "failures": total.failures if failures_known else None,
        "last_seen": _time(total.last_us, zone),
    }


def _time(us: int | None, zone: tzinfo) -> str | None:
    if us is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=us)).astimezone(zone).isoformat()
    except OverflowError:
        return None
