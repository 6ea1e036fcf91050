"""How it stands with each server, as plain values: for ``status``, and for whoever tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    BACK_OFF = "back-off"
    """Out of reach; tried again later and later."""
    DENIED = "denied"
    """A channel that is needed may not be read."""
    INCOMPLETE = "incomplete"
    """A channel that is needed is not there, or will not do."""
    REFUSED = "refused"
    """The account was refused: not tried again."""


class Status(StrEnum):
    """Of one channel."""

    PENDING = "pending"
    FOLLOWED = "followed"
    DENIED = "denied"
    ABSENT = "absent"
    USELESS = "useless"


class ChannelState(NamedTuple):
    channel: str
    status: Status
    said: str = ""
    """Why it is not followed."""


class ServerState(NamedTuple):
    name: str
    host: str
    state: State
    since_us: int
    """Microseconds UTC, as is ``last_us``."""
    last_us: int | None
    """Of the last record's own time."""
    error: str
    """The last one, for people; empty while all is well."""
    channels: tuple[ChannelState, ...]


def dump(states: Iterable[ServerState]) -> str:
    return json.dumps([one._asdict() for one in states], ensure_ascii=False, separators=(",", ":"))


def load(text: str | None) -> tuple[ServerState, ...]:
    """What ``dump`` wrote; nothing where that cannot be understood."""
    try:
        return tuple(_server(**fields) for fields in json.loads(text or "[]"))
    except (ValueError, TypeError):
        return ()


def _server(
    name: str,
    host: str,
    state: str,
    since_us: int,
    last_us: int | None,
    error: str,
    channels: list[tuple[str, str, str]],
) -> ServerState:
    known = tuple(ChannelState(one, Status(status), said) for one, status, said in channels)
    return ServerState(name, host, State(state), since_us, last_us, error, known)
