"""What each detector may be told, with its defaults, and what is not told at all.

Every detector is on by default: what it finds is a further line of the login's or logout's own
notice, or one notice for many failures.  What keeps notices back is off by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from usersessionmon.fitting import networks_mistakes
from usersessionmon.strict import BadValueError, refuse

from . import windows

MOST_DAYS = 3650


def _within(settings: object, **limits: int) -> Iterator[BadValueError]:
    """Whole numbers from 1 to the limit of each key."""
    for key, most in limits.items():
        if not 1 <= getattr(settings, key) <= most:
            yield BadValueError(key, f"must be from 1 to {most}")


def windows_mistakes(key: str, texts: tuple[str, ...]) -> Iterator[BadValueError]:
    """One mistake when any of them is no window."""
    for text in texts:
        try:
            windows.parse(text)
        except ValueError:
            yield BadValueError(key, f"must be a list of {windows.SHAPE}")
            return


@dataclass(frozen=True, slots=True)
class FailureSettings:
    """Many failures: how many within ``minutes`` begin it, how long a quiet ends it."""

    enabled: bool = True
    address: int = 10
    """… from one address (of IPv6 one /64)."""
    account: int = 10
    """… on one account that is not known to be none."""
    host: int = 100
    """… on the whole host, beyond those that are told of otherwise."""
    minutes: int = 10
    quiet_minutes: int = 30
    most: int = 2
    """Addresses, accounts and sweeps of one host that are told of at the same time; one more, and
    it is the host that is told of.  Two begin and end, or are merged: four notices at most."""

    def __post_init__(self) -> None:
        refuse(
            _within(self, address=1000, account=1000, host=1000, minutes=1440,
                    quiet_minutes=1440, most=100)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """One address tries names that do not exist."""

    enabled: bool = True
    names: int = 5
    minutes: int = 10
    quiet_minutes: int = 30
    most: int = 2
    """So many of one host at the same time; they are among ``FailureSettings.most``."""

    def __post_init__(self) -> None:
        refuse(_within(self, names=50, minutes=1440, quiet_minutes=1440, most=100))


@dataclass(frozen=True, slots=True)
class SuccessSettings:
    """A login after failures from its address, each within ``minutes`` of the next."""

    enabled: bool = True
    failures: int = 5
    minutes: int = 60

    def __post_init__(self) -> None:
        refuse(_within(self, failures=1000, minutes=1440))


class Near(StrEnum):
    NETWORK = "network"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class FirstFromSettings:
    """A user's first login from a network or address, once ``logins`` of the user are known."""

    enabled: bool = True
    scope: Near = Near.NETWORK
    logins: int = 5

    def __post_init__(self) -> None:
        refuse(_within(self, logins=1000))


@dataclass(frozen=True, slots=True)
class FirstLoginSettings:
    """A user's first login on a host, once the host's logins of ``days`` are known."""

    enabled: bool = True
    days: int = 7

    def __post_init__(self) -> None:
        refuse(_within(self, days=MOST_DAYS))


@dataclass(frozen=True, slots=True)
class RootSettings:
    """A login of one of ``users`` by a typed password."""

    enabled: bool = True
    users: tuple[str, ...] = ("root",)


@dataclass(frozen=True, slots=True)
class HourSettings:
    """Outside ``allowed``; where that is empty, outside the user's own hours, once ``logins`` of
    the user are known."""

    enabled: bool = True
    allowed: tuple[str, ...] = ()
    logins: int = 20

    def __post_init__(self) -> None:
        refuse([*windows_mistakes("allowed", self.allowed), *_within(self, logins=1000)])


@dataclass(frozen=True, slots=True)
class PlacesSettings:
    """One user is on from two networks at once."""

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class LengthSettings:
    """A session of more than ``hours``, or ``times`` as long as the longest of the user's last 20
    once ``sessions`` of these are known, and longer than an hour."""

    enabled: bool = True
    hours: int = 24
    times: int = 3
    sessions: int = 10

    def __post_init__(self) -> None:
        refuse(_within(self, hours=24 * MOST_DAYS, times=1000, sessions=20))


@dataclass(frozen=True, slots=True)
class AbnormalSettings:
    """``count`` sessions of a user ended abnormally within ``hours``."""

    enabled: bool = True
    count: int = 3
    hours: int = 24

    def __post_init__(self) -> None:
        refuse(_within(self, count=20, hours=24 * MOST_DAYS))


@dataclass(frozen=True, slots=True)
class DetectSettings:
    failures: FailureSettings = field(default_factory=FailureSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    success_after_failures: SuccessSettings = field(default_factory=SuccessSettings)
    first_from: FirstFromSettings = field(default_factory=FirstFromSettings)
    first_login: FirstLoginSettings = field(default_factory=FirstLoginSettings)
    root_password: RootSettings = field(default_factory=RootSettings)
    hours: HourSettings = field(default_factory=HourSettings)
    two_places: PlacesSettings = field(default_factory=PlacesSettings)
    session_length: LengthSettings = field(default_factory=LengthSettings)
    abnormal_logout: AbnormalSettings = field(default_factory=AbnormalSettings)


@dataclass(frozen=True, slots=True)
class QuietSettings:
    """Whose logins, logouts and failures are not told; any one that fits is enough."""

    users: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse(networks_mistakes("networks", self.networks))


@dataclass(frozen=True, slots=True)
class MaintenanceSettings:
    """Within these times only what is abnormal is told; by the notices' clock."""

    windows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse(windows_mistakes("windows", self.windows))
