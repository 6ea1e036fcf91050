"""What is told later, or several as one: nothing of it is on by default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from usersessionmon.fitting import networks_mistakes
from usersessionmon.strict import BadValueError, refuse, shown

from . import windows
from .settings import windows_mistakes

PURPOSES = 32
LINGER_MINUTES = 1440
_NAME = re.compile(r"[^\W_][\w .-]{0,31}")


@dataclass(frozen=True, slots=True)
class QuietHoursSettings:
    """Within these times what is routine waits until they end; by the notices' clock."""

    windows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mistakes = list(windows_mistakes("windows", self.windows))
        if not mistakes and windows.covers_all(map(windows.parse, self.windows)):
            mistakes.append(BadValueError("windows", "leave no time at which anything is told"))
        refuse(mistakes)


class Tell(StrEnum):
    """How the connections of a purpose are told."""

    DAILY = "daily"
    NEVER = "never"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class PurposeSettings:
    """Connections that are all that is given here."""

    users: tuple[str, ...] = ()
    """Names, in which ``*`` and ``?`` stand for anything; so in ``hosts``."""
    networks: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Fingerprints, or names by the configuration or a certificate."""
    methods: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    tell: Tell = Tell.DAILY

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        yield from networks_mistakes("networks", self.networks)
        if not (self.users or self.networks or self.keys or self.methods or self.hosts):
            text = "needs one of users, networks, keys, methods, hosts: else it is everybody's"
            yield BadValueError("users", text)


@dataclass(frozen=True, slots=True)
class FoldSettings:
    """``presence``: a person's connections from one place are one arrival and one departure."""

    presence: bool = False
    linger_minutes: int = 5
    """So long after the last connection ended the person counts as there."""
    daily_at: str = "08:30"
    purposes: dict[str, PurposeSettings] = field(default_factory=dict)
    """By name; the first that fits a connection is its purpose."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        if not 0 <= self.linger_minutes <= LINGER_MINUTES:
            yield BadValueError("linger_minutes", f"must be from 0 to {LINGER_MINUTES}")
        try:
            windows.time_of_day(self.daily_at)
        except ValueError:
            yield BadValueError("daily_at", 'must be a time of day such as "08:30"')
        if len(self.purposes) > PURPOSES:
            yield BadValueError("purposes", f"must be {PURPOSES} at most")
        for name in self.purposes:
            if not _NAME.fullmatch(name):
                text = f"{shown(name)} must be up to 32 letters, digits, blanks and - _ ."
                yield BadValueError("purposes", text)
