"""Whose, and from where: the keys by which detectors remember."""

from __future__ import annotations

import ipaddress

from usersessionmon.model import Change

LONGEST = 200
"""Characters of a name that are remembered: names are foreign text."""


def key_of(host: str | None, subject: str) -> str:
    """A host's own rows.  Neither part can hold a line break: the log is made of lines.

    Half of a surrogate pair, which a JSON log may hold, cannot be stored as it is.
    """
    key = f"{(host or '')[:LONGEST]}\n{subject[:LONGEST]}"
    return key if key.isascii() else key.encode("utf-8", "backslashreplace").decode()


def network_of(ip: str) -> str:
    """The /24 of an IPv4 address, the /64 of an IPv6 one (which one client has for itself)."""
    if ":" not in ip:
        return f"{ip.rpartition('.')[0]}.0/24"
    return _net6(ip)


def source_of(ip: str) -> str:
    """Who counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    return _net6(ip) if ":" in ip else ip


def _net6(ip: str) -> str:
    try:
        return str(ipaddress.ip_network(f"{ip.partition('%')[0]}/64", strict=False))
    except ValueError:
        return ip[:LONGEST]


def place_of(change: Change) -> str | None:
    """The network that a change comes from, else the client's name; None: it is local."""
    if change.ip is not None:
        return network_of(change.ip)
    return None if change.client_host is None else change.client_host[:LONGEST]
