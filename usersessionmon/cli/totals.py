"""The sums that ``history --totals`` gives: by user, by address, by day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from usersessionmon.contract import number
from usersessionmon.model import SessionView
from usersessionmon.store.counts import Failures
from usersessionmon.totals import Total

from .output import micros_text

BY = ("user", "ip", "day")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
