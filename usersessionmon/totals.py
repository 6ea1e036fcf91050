"""Sums over sessions that have something in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import WINDOWS, SessionView


@dataclass(slots=True)
class Total:
    """Sessions that have one user, address or day in common; durations in seconds, of the longest
    single connection too."""

    name: str | None
    sessions: int = 0
    open: int = 0
    abnormal: int = 0
    duration: float = 0.0
    longest: float | None = None
    failures: int = 0
    last_us: int | None = None
    _desktops: set[str] = field(default_factory=set)
    """Those of Windows that are counted: a desktop that is left and come back to is one session,
    however many connections it had, and the time that it had nobody in it does not count."""

    def add(self, view: SessionView, now_us: int, since_us: int | None = None) -> None:
        """One more session; of one that is still on, as long as it has been.  ``since_us``: what
        was before does not count into the duration."""
        is_open = view.state == "open"
        self.sessions += self._is_new(view)
        self.open += is_open
        self.abnormal += view.abnormal
        seconds = _seconds(view, now_us, since_us)
        if seconds is not None:
            self.duration += seconds
            self.longest = seconds if self.longest is None else max(self.longest, seconds)
        for moment in (view.login_time, view.logout_time):
            self.seen(None if moment is None else moment.us)
        self.seen(now_us if is_open else None)

    def _is_new(self, view: SessionView) -> bool:
        if view.service != WINDOWS:
            return True
        known = len(self._desktops)
        self._desktops.add(view.session)
        return len(self._desktops) > known

    def seen(self, us: int | None) -> None:
        if us is not None:
            self.last_us = us if self.last_us is None else max(self.last_us, us)


def _seconds(view: SessionView, now_us: int, since_us: int | None) -> float | None:
    if view.login_time is None:
        return view.duration
    began_us = view.login_time.us
    if view.state == "open":
        end_us = now_us
    elif view.logout_time is not None and since_us is not None and began_us < since_us:
        end_us = view.logout_time.us
    else:
        return view.duration  # more exact than the two times
    return max(0, end_us - max(began_us, since_us or began_us)) / 1_000_000
