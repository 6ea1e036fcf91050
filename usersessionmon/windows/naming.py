"""Whose sshd a line is of.

Lines know their host by its name, and a record's computer is what the sender says.  So a name that
could be another server's is not taken over: whoever speaks under it could end, or seem to begin,
sessions on that server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from ipaddress import ip_address

from usersessionmon.model import Record

from .settings import WindowsServer


class Naming:
    """Of the servers that are read together."""

    def __init__(self, servers: Collection[WindowsServer], here: Collection[str] = ()) -> None:
        """``here``: this machine's names."""
        self._direct = Counter(
            name for one in servers if not one.forwarded for name in _names(one, here)
        )
        self._collectors = sum(one.forwarded for one in servers)

    def named(self, server: WindowsServer, record: Record) -> Record:
        """The record; of sshd's lines, which are no Windows events, under its host's name."""
        if record.windows is not None:
            return record
        return record._replace(host=self.host_of(server, record.host or ""))

    def host_of(self, server: WindowsServer, computer: str) -> str:
        """What a host goes by whose record names ``computer``; empty: it names none."""
        short = _short(computer)
        if not short:
            return server.label
        if server.forwarded:
            told = self._collectors < 2 and short not in self._direct
            return computer if told else f"{computer}@{server.label}"
        own = not server.host or (short in _names(server) and self._direct[short] == 1)
        return computer if own else server.label


def _names(server: WindowsServer, here: Iterable[str] = ()) -> set[str]:
    """The short names that a server goes by."""
    names = {server.label, server.host, *(() if server.host else here)}
    return {short for short in map(_short, names) if short}


def _short(name: str) -> str:
    """Without its domain; an address has none."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.partition(".")[0].casefold()
