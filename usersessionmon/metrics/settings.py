"""What the configuration says of metrics."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from usersessionmon.strict import BadValueError, refuse
from usersessionmon.system.places import is_absolute


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """For Prometheus; nothing is measured by default."""

    textfile: str = ""
    """A file ``*.prom`` in the folder that node_exporter's textfile collector reads."""
    listen: str = ""
    """``127.0.0.1:9842``: where ``/metrics`` is served; a loopback address."""
    seconds: int = 15
    """How often the figures are made anew."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    @property
    def wanted(self) -> bool:
        return bool(self.textfile or self.listen)

    def _mistakes(self) -> Iterator[BadValueError]:
        if self.textfile and not (is_absolute(self.textfile) and self.textfile.endswith(".prom")):
            yield BadValueError("textfile", "must be an absolute path that ends with .prom")
        if self.listen and place_of(self.listen) is None:
            yield BadValueError("listen", "must be a loopback address with a port: 127.0.0.1:9842")
        if not 1 <= self.seconds <= 3600:
            yield BadValueError("seconds", "must be from 1 to 3600")


def place_of(listen: str) -> tuple[str, int] | None:
    """``127.0.0.1:9842`` or ``[::1]:9842`` taken apart; None when it is no such thing."""
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if not (address.is_loopback and port.isascii() and port.isdecimal() and len(port) < 6):
        return None
    return (str(address), int(port)) if 0 < int(port) < 65536 else None
