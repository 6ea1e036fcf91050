"""Whose, and from where: the keys by which detectors remember."""

from __future__ import annotations

import ipaddress

from usersessionmon.model import WINDOWS, Change, ChangeKind

LONGEST = 200
"""Characters of a name that are remembered: names are foreign text."""


def key_of(host: str | None, subject: str) -> str:
    """A host's own rows.  Neither part can hold a line break: the log is made of lines.

    Half of a surrogate pair, which a JSON log may hold, cannot be stored as it is.
    """
    key = f"{(host or '')[:LONGEST]}\n{subject[:LONGEST]}"
    return key if key.isascii() else key.encode("utf-8", "backslashreplace").decode()


def alike(change: Change, name: str) -> str:
    """A user's or a host's name as it is compared: Windows' are the same in capitals, and people
    type them as they like."""
    return name.casefold() if change.service == WINDOWS else name


def user_key(change: Change, user: str) -> str:
    """The rows of a user on the change's host."""
    return key_of(change.host, alike(change, user))


def connection_of(change: Change) -> str | None:
    """What tells a connection from all others.  On Linux it is the session; those of one Windows
    desktop share theirs, and a logout may be told after the next one's login: it is told apart by
    when it began."""
    if change.session is None or change.service != WINDOWS:
        return change.session
    begun = change.time if change.kind is ChangeKind.LOGIN else change.login_time
    return change.session if begun is None else f"{change.session}\n{begun.us}"


def are_of_one_desktop(one: str, other: str) -> bool:
    """Whether two connections of Windows are of one session, which has but one at a time."""
    return "\n" in one and one.rpartition("\n")[0] == other.rpartition("\n")[0]


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
