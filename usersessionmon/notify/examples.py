"""One example of every notice that there is, for ``notices preview`` and for tests.

Whoever makes a new kind of notice adds a line to ``EXAMPLES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from usersessionmon.model import Scope

from . import example_events as events
from . import example_others as others
from .base import Queued
from .example_others import Make
from .routing import NIGHT
from .stage import HOUR, Stage
from .text import test_notice

Example = Callable[[Stage], Sequence[Queued]]


def _one(make: Make, *, ago_us: int = 0, attempts: int = 0) -> Example:
    """A notice that is sent at once, unless it happened ``ago_us`` microseconds before."""

    def queue(stage: Stage) -> Sequence[Queued]:
        then = replace(stage, now_us=stage.now_us - ago_us)
        return [Queued(1001, make(then), then.now_us, attempts)]

    return queue


def _several(bundle: str = "") -> Example:
    """A digest: of what waited for the channel, or on purpose until this moment."""
    made = (events.login, events.failed, events.elevation, events.abnormal)

    def queue(stage: Stage) -> Sequence[Queued]:
        held_us = stage.now_us if bundle else None
        moments = [replace(stage, now_us=stage.now_us - hours * HOUR) for hours in (4, 3, 2, 1)]
        return [
            Queued(number, make(then), then.now_us, 0, bundle=bundle, held_us=held_us)
            for number, (make, then) in enumerate(zip(made, moments, strict=True), start=1001)
        ]

    return queue


EXAMPLES: Mapping[str, Example] = {
    "login": _one(events.login),
    "logout": _one(events.logout),
    "logout_abnormal": _one(events.abnormal),
    "login_again": _one(events.reconnected),
    "logout_taken_over": _one(events.taken_over),
    "logout_replaced": _one(events.replaced),
    "login_failed": _one(events.failed),
    "elevation": _one(events.elevation),
    "unusual_login": _one(events.found_at_login),
    "unusual_logout": _one(events.found_at_logout),
    "login_claimed": _one(events.claimed),
    "arrival": _one(events.arrival),
    "departure": _one(events.departure),
    "claim": _one(others.claimed(released=False)),
    "claim_released": _one(others.claimed(released=True)),
    "failures": _one(others.bout(Scope.ADDRESS)),
    "failures_account": _one(others.bout(Scope.ACCOUNT)),
    "failures_host": _one(others.bout(Scope.HOST)),
    "failures_day": _one(others.bout(Scope.HOST, day=True)),
    "failures_over": _one(others.bout(Scope.ADDRESS, over=True)),
    "sweep": _one(others.bout(Scope.SWEEP)),
    "sweep_day": _one(others.bout(Scope.SWEEP, day=True)),
    "sweep_over": _one(others.bout(Scope.SWEEP, over=True)),
    "forged": _one(others.forged),
    "silent": _one(others.silent(over=False)),
    "silent_over": _one(others.silent(over=True)),
    "damaged": _one(others.damaged),
    "dropped": _one(others.dropped),
    "down": _one(others.down),
    "coverage": _one(others.fallen(over=False)),
    "coverage_over": _one(others.fallen(over=True)),
    "servers": _one(others.away(over=False)),
    "servers_over": _one(others.away(over=True)),
    "channel": _one(others.broken(over=False)),
    "channel_over": _one(others.broken(over=True)),
    "report": _one(others.report),
    "heartbeat": _one(others.heartbeat),
    "daily": _one(others.daily),
    "test": _one(lambda stage: test_notice(stage.server, stage.now_us)),
    "late": _one(events.login, ago_us=HOUR),
    "repeated": _one(events.login, attempts=1),
    "digest": _several(),
    "digest_night": _several(NIGHT),
}
