"""The part ``windows`` of the configuration: whose event logs are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from usersessionmon.strict import BadValueError, nearest, refuse, shown

from .channels import FORWARDED, LSM, OPENSSH, RCM, SECURITY, SHORT, SYSTEM, WANTED

NAME: Literal["windows"] = "windows"
"""Under which the position in all of them is saved."""
MOST_SERVERS = 64
"""A thread each; beyond some ten, let the hosts forward their events to a collector."""
DEFAULT_CHANNELS = (SECURITY, LSM, RCM, SYSTEM, OPENSSH)
LOCAL = "local"
"""How this machine is called where it has no name of its own."""
_HERE = frozenset({"", LOCAL, "localhost", "127.0.0.1", "::1"})
_NAME_MOST = 255
_BY_NAME = {name.casefold(): full for full in WANTED for name in (full, SHORT[full])}


def channel_of(name: str) -> str | None:
    """The full name of a channel that tells of people; ``name`` may be its short one."""
    return _BY_NAME.get(name.casefold())


def unknown_channel(name: str) -> str:
    """The sentence about one that is none."""
    known = [SHORT[full] for full in WANTED]
    return f"{shown(name)} is no channel of ours{nearest(name, known)}: {', '.join(known)}"


@dataclass(frozen=True, slots=True)
class WindowsServer:
    """One server whose event log is read."""

    host: str = ""
    """Empty: this machine."""
    name: str = ""
    """What it is called here; empty: its host."""
    channels: tuple[str, ...] = ()
    """Empty: ``DEFAULT_CHANNELS``.  Of a collector: what the hosts forward; empty: as it comes."""
    forwarded: bool = False
    """A collector of Windows Event Forwarding: read its ForwardedEvents."""
    credentials: str = ""
    """The name of a generic entry of the Windows Credential Manager; empty: none is needed."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    @property
    def label(self) -> str:
        return self.name or self.host or LOCAL

    def follows(self) -> tuple[str, ...]:
        """The full names of the channels that are read."""
        if self.forwarded:
            return (FORWARDED,)
        return self.named() or DEFAULT_CHANNELS

    def named(self) -> tuple[str, ...]:
        """The full names of the configured channels."""
        found = (channel_of(name) for name in self.channels)
        return tuple(dict.fromkeys(one for one in found if one is not None))

    def _mistakes(self) -> Iterator[BadValueError]:
        for key in ("host", "name", "credentials"):
            value = getattr(self, key)
            if value and not (value.isprintable() and len(value) <= _NAME_MOST):
                yield BadValueError(key, f"must be at most {_NAME_MOST} printable characters")
        if "/" in self.name:
            yield BadValueError("name", "must be without /, which stands before a collector's host")
        if self.host and any(c in self.host for c in "\\/ "):
            yield BadValueError("host", "must be a host's name or address, without \\\\ in front")
        for name in self.channels:
            if channel_of(name) is None:
                yield BadValueError("channels", unknown_channel(name))
        if self.credentials and not self.host:
            yield BadValueError("credentials", "are for other hosts: this machine needs none")


@dataclass(frozen=True, slots=True)
class WindowsSettings:
    servers: tuple[WindowsServer, ...] = ()

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        if len(self.servers) > MOST_SERVERS:
            yield BadValueError("servers", too_many(len(self.servers)))
        logs = Counter(map(_log, self.servers))
        for (host, _), count in logs.items():
            if count > 1:
                name = shown(host) if host else "this machine"
                yield BadValueError("servers", f"{name} is there {count} times: once is enough")
        labels = Counter(
            label for label, _ in {(one.label.casefold(), _log(one)) for one in self.servers}
        )
        for label, count in labels.items():
            if count > 1:
                yield BadValueError("servers", f"{shown(label)} is there {count} times: name them")


def _log(server: WindowsServer) -> tuple[str, bool]:
    """Whose log it is, however the host is written, and whether a collector's: two that are the
    same would tell everything twice."""
    host = server.host.casefold().rstrip(".")
    return "" if host in _HERE else host, server.forwarded


def too_many(count: int) -> str:
    return (
        f"{count} servers are too many (at most {MOST_SERVERS}): let the hosts forward their "
        "events (Windows Event Forwarding) and read the collector with forwarded: true"
    )
