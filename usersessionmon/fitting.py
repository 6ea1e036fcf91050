"""What a configured list asks for, and whether a name or an address fits it."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Iterable, Iterator

from .strict import BadValueError


class Networks:
    """Addresses and networks: ``192.0.2.0/24``, ``2001:db8::/32``, ``192.0.2.7``."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Raises ValueError for a text that is none."""
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in texts)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def hold(self, ip: str | None) -> bool:
        """Whether an address is in any of them; what is none is not."""
        if ip is None or not self._networks:
            return False
        try:
            # what many failures have in common may be a whole /64
            address = ipaddress.ip_interface(ip.partition("%")[0]).ip
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def networks_mistakes(key: str, texts: Iterable[str]) -> Iterator[BadValueError]:
    """One mistake when any of them is no network; for a settings class."""
    try:
        Networks(texts)
    except ValueError:
        example = "must be addresses or networks such as 192.0.2.0/24 or 2001:db8::/32"
        yield BadValueError(key, example)


def is_named(name: str | None, patterns: Iterable[str]) -> bool:
    """Whether a name fits any of the patterns, in which ``*`` and ``?`` stand for anything."""
    return name is not None and any(fnmatch.fnmatchcase(name, one) for one in patterns)


def is_address(text: str) -> bool:
    """Whether it is one IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.isprintable()  # an IPv6 zone may hold anything
