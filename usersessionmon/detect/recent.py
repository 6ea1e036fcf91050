"""The failures of each host that no bout tells of: what may become many.

Every failure stands here once, whoever it will be told of, so that what one bout takes away is in
no other's sum.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from usersessionmon.model import Change

from .keys import LONGEST, key_of, source_of
from .shelf import Shelf

HOSTS = 1024
KEPT = 1000
"""Failures of one host, the latest; no fewer than ``failures.host`` may be set to."""


class Failure(NamedTuple):
    us: int
    times: int
    client: str | None
    """The address (of IPv6 the network) or its name; None: at the host itself."""
    user: str | None
    missing: bool
    """The log says that there is no such account."""


@dataclass(slots=True)
class Row:
    """One host's, in the order in which they were read."""

    failures: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.failures = [Failure(*item) for item in self.failures]  # JSON knows lists alone


def failure_of(change: Change) -> Failure:
    """What counts of a failed login; names are foreign text and are cut."""
    client = change.client_host if change.ip is None else source_of(change.ip)
    client = None if client is None else client[:LONGEST]
    user = None if change.user is None else change.user[:LONGEST]
    return Failure(change.time.us, change.times, client, user, change.valid_user is False)


class Recent:
    """``span_us``: how long they are remembered."""

    def __init__(self, span_us: int) -> None:
        self._span_us = span_us
        self._hosts = Shelf("failures.few", Row, HOSTS)
        self.shelves = (self._hosts,)

    def add(self, host: str | None, failure: Failure) -> list[Failure]:
        """Remember one; all that are near enough in time, this one last."""
        key = key_of(host, "")
        row = self._hosts.get(key) or Row()
        row.failures = [*near(row.failures, failure.us, self._span_us), failure][-KEPT:]
        self._hosts.put(key, row)
        return row.failures

    def take(self, host: str | None, taken: Collection[Failure]) -> None:
        """Forget those that a bout has in its sum."""
        key = key_of(host, "")
        row = self._hosts.get(key) or Row()
        gone = frozenset(taken)
        row.failures = [failure for failure in row.failures if failure not in gone]
        if row.failures:
            self._hosts.put(key, row)
        else:
            self._hosts.drop(key)


def near(failures: list[Failure], us: int, span_us: int) -> list[Failure]:
    """Those near enough in time, before or after: a clock may be set either way."""
    after, before = us - span_us, us + span_us
    return [failure for failure in failures if after < failure.us < before]
