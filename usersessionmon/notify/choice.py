"""What is sent next: one notice, or several as a digest.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from usersessionmon.model import Severity

from .base import Queued
from .pace import Budget

WINDOW = 200
"""The most that one digest tells, and that is read of the outbox at once."""
BACKLOG = 8
BACKLOG_SECONDS = 30
"""More than ``BACKLOG`` waiting, the oldest for longer than this: the channel was down."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The next message; an empty batch: wait."""

    batch: Sequence[Queued]
    wait: float
    digest: bool = False
    """The batch is a digest, of which a message may hold less."""


def choose(
    waiting: Sequence[Queued],
    depth: Callable[[], int],
    budget: Budget,
    now: float,
    now_us: int,
) -> Choice:
    """``waiting``: the first ``WINDOW`` of the outbox, in its order, not none; ``depth`` counts all
    there is.  ``now``: monotonic seconds.

    What leads decides: with it goes only what is of its severity and its bundle.  The abnormal
    leads, and may use the budget's reserve.  A digest is for what is beyond the budget, and for
    what has piled up.
    """
    lead = waiting[0]
    urgent = lead.notice.severity is Severity.ABNORMAL
    wait = budget.wait(now, urgent=urgent)
    if wait > 0:
        return Choice((), wait)
    alike = list(takewhile(lambda one: _kind(one) == _kind(lead), waiting))
    if lead.bundle:
        return Choice(alike, 0.0, digest=True)
    oldest_us = min(queued.queued_us for queued in waiting)
    backlog = len(waiting) > BACKLOG and now_us - oldest_us > BACKLOG_SECONDS * 1_000_000
    many = depth() if len(alike) == WINDOW else len(alike)
    if len(alike) > 1 and (backlog or many > budget.free(now, urgent=urgent)):
        return Choice(alike, 0.0, digest=True)
    return Choice(alike[:1], 0.0)


def _kind(queued: Queued) -> tuple[Severity, str]:
    return queued.notice.severity, queued.bundle
