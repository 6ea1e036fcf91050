"""What one file of event logs holds, found out in a first pass: its channels, whose they are, and
in which direction its records go.  Pure.

A computer may be renamed in the middle of its log: then each name stands in one run, and the record
ids go on.  Where computers take turns it is a collector's log, and each name is a host of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .channels import WANTED
from .xml import Glance

NAMES_MOST = 10_000
"""Computers of one file that are told apart beforehand."""
_OTHERS_MOST = 20


class Span(NamedTuple):
    """One channel of a file."""

    first: int
    last: int
    """The lowest and the highest record id."""
    newest_first: bool


class Member(NamedTuple):
    """One of many hosts in a file."""

    name: str
    channels: frozenset[str]


class Surveyed(NamedTuple):
    """What is known of a file after the first pass."""

    path: str
    spans: Mapping[str, Span]
    """By channel, of those that matter."""
    names: tuple[str, ...]
    """Of one host: what it was called, in order."""
    many: Mapping[str, Member]
    """Of many hosts: each by its name in small letters; empty for one host."""
    others: tuple[str, ...]
    """Channels that do not matter."""


def folded(computer: str) -> str:
    """Windows' names are the same in small letters."""
    return computer.casefold()


class Survey:
    """Takes the records of one file as they come."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._many: dict[str, set[str]] = {}
        self._names: dict[str, str] = {}
        self._others: dict[str, None] = {}
        self._own = True

    def add(self, seen: Glance, number: int | None) -> None:
        """One record; ``number`` is the file's own for it, where it has one."""
        if seen.channel not in WANTED:
            if len(self._others) < _OTHERS_MOST:
                self._others[seen.channel] = None
            return
        self._own = self._own and number == seen.record_id
        track = self._tracks.get(seen.channel)
        if track is None:
            track = self._tracks[seen.channel] = _Track(seen.record_id)
        name = folded(seen.computer)
        if name != track.name and (name in self._names or len(self._names) < NAMES_MOST):
            self._names[name] = seen.computer
            self._many.setdefault(name, set()).add(seen.channel)
        track.add(seen.record_id, name)

    def done(self, path: str) -> Surveyed:
        turns = [track.in_turn() for track in self._tracks.values()]
        longest = max(turns, key=_count, default=[])
        # A host's own log numbers its records as the file does; a collector's cannot.
        one = self._own or (
            all(track.is_one_host() for track in self._tracks.values())
            and all({*longest} & {*names} for names in turns)
        )
        return Surveyed(
            path=path,
            spans={channel: track.span() for channel, track in self._tracks.items()},
            names=tuple(self._names[name] for name in longest if name) if one else (),
            many={} if one else self._members(),
            others=tuple(self._others),
        )

    def _members(self) -> dict[str, Member]:
        return {
            name: Member(self._names[name], frozenset(found)) for name, found in self._many.items()
        }


def _count(names: list[str]) -> int:
    return len(names)


class _Track:
    """One channel of a file, as its records come."""

    def __init__(self, record_id: int) -> None:
        self.name: str | None = None
        self._at = self._lowest = self._highest = record_id
        self._ups = self._downs = 0
        self._ups_with_name = self._downs_with_name = 0
        self._turns: dict[str, None] = {}
        self._returned = False

    def add(self, record_id: int, name: str) -> None:
        up, down = record_id > self._at, record_id < self._at
        self._ups += up
        self._downs += down
        if name != self.name:
            self._ups_with_name += up
            self._downs_with_name += down
            self._returned = self._returned or name in self._turns
            self.name = name
            if len(self._turns) < NAMES_MOST:
                self._turns.pop(name, None)  # it is the latest now
                self._turns[name] = None
        self._at = record_id
        self._lowest = min(self._lowest, record_id)
        self._highest = max(self._highest, record_id)

    def span(self) -> Span:
        return Span(self._lowest, self._highest, self._newest_first())

    def is_one_host(self) -> bool:
        against = self._ups_with_name if self._newest_first() else self._downs_with_name
        return not self._returned and not against

    def in_turn(self) -> list[str]:
        turns = list(self._turns)
        return turns[::-1] if self._newest_first() else turns

    def _newest_first(self) -> bool:
        return self._downs > self._ups
