"""What the host says of itself, and where people read times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo

from usersessionmon.config import Settings
from usersessionmon.host import facts
from usersessionmon.system.host import node


@dataclass(frozen=True, slots=True)
class Here:
    """What the host says of itself."""

    names: frozenset[str]
    name: str
    address: str | None
    boot: str | None
    zone: tzinfo
    os_ids: tuple[str, ...]


def look_around(settings: Settings) -> Here:
    """Collect the host's facts; the settings' own values win."""
    names = facts.host_names()
    return Here(
        names=names,
        name=settings.server.name or node(),
        address=settings.server.ip or facts.primary_address(),
        boot=facts.boot_id(),
        zone=zone_of(settings),
        os_ids=facts.os_release().names,
    )


def zone_of(settings: Settings) -> tzinfo:
    """The zone that people read times in."""
    return ZoneInfo(settings.timezone) if settings.timezone else facts.local_zone()
