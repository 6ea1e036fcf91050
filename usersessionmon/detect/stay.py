"""A person's stay on a host, as it is remembered and told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from usersessionmon.model import (
    Change,
    ChangeKind,
    Company,
    Doubt,
    Finding,
    Link,
    Moment,
    NamedBy,
    Reason,
)

from .keys import LONGEST, key_of, source_of, user_key

ADDRESSES = 8
"""Of one person; an IPv6 network may have many."""


class Told(NamedTuple):
    """What is to be told of a change, and with what."""

    change: Change
    findings: tuple[Finding, ...]
    company: Company | None
    at_us: int
    """When this was clear."""


@dataclass(slots=True)
class Session:
    """Whose it is: the person's key, and which of their stays by its first connection."""

    key: str
    first: str


@dataclass(slots=True)
class Stay:
    """From a person's arrival to their departure."""

    key: str
    host: str | None
    first: str
    begun: Moment
    on: int = 0
    """Connections that are open; none: the person lingers."""
    count: int = 0
    told: bool = False
    """The arrival was."""
    silent: bool = False
    """The last end is not to be told."""
    addresses: list[str] = field(default_factory=list)
    more: bool = False
    longest: float = 0.0
    ended_us: int = 0
    """Of the latest end that was in order; where the clock was set back since, that moment."""
    last: dict[str, Any] = field(default_factory=dict)
    """That end; it is what a departure is made of."""

    def __post_init__(self) -> None:
        self.begun = Moment(*self.begun)  # JSON knows lists alone
        unpacked(self.last)


def told_alone(change: Change, findings: tuple[Finding, ...], *, silent: bool) -> list[Told]:
    """As it is told where nothing is folded."""
    return [] if silent else [Told(change, findings, None, change.time.us)]


def is_unusual(change: Change, findings: tuple[Finding, ...]) -> bool:
    """Whether this must not be lost among others."""
    return bool(findings) or change.abnormal or change.doubt is not None


def person_of(change: Change) -> str | None:
    """None: the log does not say who, or in so many words that two could be taken for one."""
    client = change.client_host or "" if change.ip is None else source_of(change.ip)
    names = (change.user, change.host or "", client)
    if change.user is None or any(len(name or "") > LONGEST for name in names):
        return None
    return user_key(change, change.user) + key_of(None, client)


def note(stay: Stay, change: Change) -> None:
    address = change.ip or change.client_host
    if address is None or address in stay.addresses:
        return
    if len(stay.addresses) < ADDRESSES:
        stay.addresses.append(address[:LONGEST])
    else:
        stay.more = True


def company_of(stay: Stay, end: Change) -> Company | None:
    if stay.count < 2:
        return None
    seconds = (end.time.us - stay.begun.us) / 1_000_000
    return Company(
        connections=stay.count,
        addresses=tuple(stay.addresses),
        more=stay.more,
        begun=stay.begun,
        duration=max(seconds, stay.longest),
    )


_BARE = Change(ChangeKind.LOGOUT, Moment(0, ""), None, "")
_READERS: dict[str, Any] = {
    "kind": ChangeKind,
    "time": lambda value: Moment(*value),
    "login_time": lambda value: Moment(*value),
    "reason": Reason,
    "doubt": Doubt,
    "key_named_by": NamedBy,
    "link": Link,
}


def packed(change: Change) -> dict[str, Any]:
    """A change as JSON can hold it: what is not as in a bare one."""
    values = zip(change._fields, change, _BARE, strict=True)
    return {name: value for name, value, bare in values if value != bare}


def unpacked(kept: dict[str, Any]) -> Change:
    values = {name: _READERS.get(name, lambda same: same)(value) for name, value in kept.items()}
    return _BARE._replace(**values)
