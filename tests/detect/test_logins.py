"""What is unusual about a login or a logout, and what a new installation does not say."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from usersessionmon.detect.settings import (
    AbnormalSettings,
    DetectSettings,
    FirstFromSettings,
    FirstLoginSettings,
    HourSettings,
    LengthSettings,
    Near,
    PlacesSettings,
    RootSettings,
    SuccessSettings,
)
from usersessionmon.detect.watch import Watch
from usersessionmon.model import Change, ChangeKind, Doubt, Finding, Oddity, Reason

from .people import (
    DAY,
    HOUR,
    MINUTE,
    MORNING,
    SECOND,
    change,
    failed,
    findings,
    login,
    logout,
    oddities,
    see,
    watch,
)

FAR = "203.0.113.9"


def visits(count: int, **more: Any) -> list[Change]:
    """Sessions of an hour on as many days, all begun at eight."""
    return [
        item
        for day in range(count)
        for item in (
            login(day * DAY, **more),
            logout(day * DAY + HOUR, session=f"s{day * DAY}", duration=3600.0, **more),
        )
    ]


def settled(days: int = 30, detect: DetectSettings | None = None) -> Watch:
    taken = watch(detect)
    see(taken, visits(days))
    return taken


def test_a_new_installation_says_nothing_of_what_it_does_not_know_yet() -> None:
    taken = watch()
    for number in range(200):
        said = findings(taken, login(number * MINUTE, user=f"u{number}", ip=f"10.1.{number}.1"))
        assert said == ()


# --- success after failures -----------------------------------------------------------------------


def test_a_login_after_failures_from_its_address() -> None:
    taken = watch()
    see(taken, [failed(n * SECOND, user=f"u{n}") for n in range(5)])
    found = findings(taken, login(64 * SECOND))
    assert found == (Finding(Oddity.SUCCESS_AFTER_FAILURES, times=5, seconds=60.0),)
    assert findings(taken, login(65 * SECOND)) == ()


@pytest.mark.parametrize(
    "later",
    [login(MINUTE, ip=FAR), login(2 * HOUR), login(MINUTE, ip=None), login(MINUTE, host="db-1")],
)
def test_a_login_from_elsewhere_or_long_after_is_none(later: Change) -> None:
    assert oddities(watch(), *(failed(n) for n in range(9)), later) == []


def test_a_few_wrong_passwords_are_human() -> None:
    assert oddities(watch(), *(failed(n) for n in range(4)), login(MINUTE)) == []


# --- first logins ---------------------------------------------------------------------------------


def test_the_first_login_from_a_network_says_since_when_and_of_how_many() -> None:
    taken = settled()
    found = findings(taken, login(31 * DAY, ip=FAR))
    assert found == (
        Finding(Oddity.FIRST_NETWORK, place="203.0.113.0/24", total=30, since_us=MORNING),
    )
    assert findings(taken, logout(31 * DAY, ip=FAR), login(32 * DAY, ip="203.0.113.200")) == ()


def test_five_logins_must_be_known_first() -> None:
    assert oddities(watch(), *visits(4), login(5 * DAY, ip=FAR)) == []
    assert oddities(watch(), *visits(5), login(5 * DAY, ip=FAR)) == [Oddity.FIRST_NETWORK]


def test_addresses_in_place_of_networks() -> None:
    taken = settled(detect=DetectSettings(first_from=FirstFromSettings(scope=Near.ADDRESS)))
    (found,) = findings(taken, login(31 * DAY, ip="198.51.100.8"))
    assert (found.oddity, found.place) == (Oddity.FIRST_ADDRESS, "198.51.100.8")


def test_a_network_that_was_forgotten_moves_the_day_since_when_all_is_known() -> None:
    taken = watch()
    see(taken, [login(n * HOUR, ip=f"10.0.{n}.1", session=None) for n in range(70)])
    found = findings(taken, login(80 * HOUR, ip="10.0.0.1", session=None))
    assert found[0].since_us == MORNING + 5 * HOUR  # of 70 networks 64 are kept


def test_a_doubtful_login_teaches_nothing() -> None:
    taken = settled()
    doubtful = login(31 * DAY, ip=FAR, doubt=Doubt.NO_PROCESS, session=None)
    assert oddities(taken, doubtful, doubtful) == [Oddity.FIRST_NETWORK]


def test_the_first_login_of_a_user() -> None:
    taken = settled()
    found = findings(taken, login(30 * DAY, user="mallory"))
    assert found == (Finding(Oddity.FIRST_LOGIN, total=30, since_us=MORNING),)
    assert findings(taken, login(30 * DAY + 1, user="mallory")) == ()
    assert oddities(settled(6), login(6 * DAY, user="mallory")) == []
    assert oddities(settled(8), login(8 * DAY, user="mallory", host="new-host")) == []


# --- root, hours, places --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["password", "keyboard-interactive/pam"])
def test_root_by_password(method: str) -> None:
    assert oddities(watch(), login(user="root", method=method)) == [Oddity.ROOT_PASSWORD]
    assert oddities(watch(), login(user="root", method="publickey")) == []
    assert oddities(watch(), login(user="root", method=None)) == []
    assert oddities(watch(), login(user="alice", method=method)) == []
    admins = DetectSettings(root_password=RootSettings(users=("root", "admin")))
    assert oddities(watch(admins), login(user="admin", method=method)) == [Oddity.ROOT_PASSWORD]


def test_an_hour_that_is_not_the_users_own() -> None:
    taken = settled()
    assert oddities(taken, login(31 * DAY + 90 * MINUTE)) == []
    night = findings(taken, login(31 * DAY + 18 * HOUR))
    assert night == (Finding(Oddity.UNUSUAL_HOUR, place="01:00-04:00", total=31),)
    assert oddities(settled(19), login(31 * DAY + 18 * HOUR)) == []


def test_habits_change() -> None:
    taken = settled(1100)
    late = [login(1100 * DAY + n * DAY + 12 * HOUR, session=None) for n in range(40)]
    assert oddities(taken, late[0]) == [Oddity.UNUSUAL_HOUR]
    assert oddities(taken, *late[1:]) == []


def test_configured_hours_stand_in_place_of_the_users_own() -> None:
    zone = timezone(timedelta(hours=8))
    allowed = DetectSettings(hours=HourSettings(allowed=("Mon-Fri 08:00-19:00", "Sat 15:00-17:00")))
    assert oddities(watch(allowed, zone=zone), login()) == []  # Saturday, 16:00
    assert oddities(watch(allowed), login()) == [Oddity.OUTSIDE_HOURS]
    (found,) = findings(watch(allowed, zone=zone), login(2 * HOUR, user=None))
    assert found.place == "Mon-Fri 08:00-19:00, Sat 15:00-17:00"


def test_two_places_at_once() -> None:
    taken = watch()
    see(taken, [login(0), login(1, ip="198.51.100.200")])
    found = findings(taken, login(2, ip=FAR))
    assert found == (Finding(Oddity.TWO_PLACES, place="198.51.100.0/24", times=1),)
    see(taken, [logout(3, session="s0"), logout(4, session="s1")])
    assert oddities(taken, login(5, ip="203.0.113.77")) == []
    assert oddities(taken, login(6, ip=None)) == []
    assert oddities(taken, login(7, user="bob", ip="192.0.2.1")) == []


# --- logouts --------------------------------------------------------------------------------------


def test_a_session_that_is_longer_than_a_day() -> None:
    day = findings(watch(), logout(duration=86_401.0))
    assert day == (Finding(Oddity.LONG_SESSION, seconds=86_400.0),)
    assert oddities(watch(), logout(duration=86_400.0)) == []
    assert oddities(watch(), logout(duration=None)) == []
    assert oddities(watch(), logout(duration=1e6, inferred=True)) == []


def test_a_session_that_is_far_longer_than_this_users() -> None:
    found = findings(settled(), logout(40 * DAY, duration=3 * 3600.0 + 1))
    assert found == (Finding(Oddity.LONGER_THAN_USUAL, total=20, seconds=3600.0),)
    assert oddities(settled(), logout(40 * DAY, duration=3 * 3600.0)) == []
    assert oddities(settled(9), logout(40 * DAY, duration=3 * 3600.0 + 1)) == []


def test_abnormal_ends_that_pile_up() -> None:
    def lost(at: int) -> Change:
        return logout(at, abnormal=True, reason=Reason.NETWORK)

    taken = watch()
    assert oddities(taken, lost(0), logout(1), lost(HOUR)) == []
    assert findings(taken, lost(2 * HOUR)) == (
        Finding(Oddity.ABNORMAL_AGAIN, times=3, seconds=86_400.0),
    )
    assert oddities(taken, lost(30 * HOUR)) == []


# --- all of them ----------------------------------------------------------------------------------


def test_each_can_be_switched_off() -> None:
    off = DetectSettings(
        success_after_failures=SuccessSettings(enabled=False),
        first_from=FirstFromSettings(enabled=False),
        first_login=FirstLoginSettings(enabled=False),
        root_password=RootSettings(enabled=False),
        hours=HourSettings(enabled=False),
        two_places=PlacesSettings(enabled=False),
        session_length=LengthSettings(enabled=False),
        abnormal_logout=AbnormalSettings(enabled=False),
    )
    taken = settled(detect=off)
    see(taken, [failed(40 * DAY, user="root", ip=FAR, times=5) for _ in range(9)])
    see(taken, [login(40 * DAY, user="root", session="a", method="password")])
    night = 40 * DAY + 18 * HOUR
    assert findings(taken, login(night, user="root", ip=FAR, method="password")) == ()
    lost = [logout(night, abnormal=True, duration=1e6) for _ in range(5)]
    assert findings(taken, *lost) == ()
    assert {name.split(".")[0] for name, size in taken.sizes() if size} <= {
        *("sweep", "address", "account", "host")
    }


def test_elevations_pass_by() -> None:
    seen = watch().see(change(ChangeKind.ELEVATION, target_user="root"))
    assert [*seen.over, *seen.begun, *seen.findings] == []
    assert not seen.silent


def test_what_is_remembered_of_logins_is_bounded() -> None:
    taken = watch(zone=UTC)
    for number in range(6000):
        place = f"10.{number % 250}.{number // 250}.1"
        taken.see(login(number, user=f"u{number}", ip=place, session=str(number)))
        taken.see(logout(number, user=f"v{number}", duration=1.0, abnormal=True))
        taken.see(login(number, user="one", ip=place, session=f"o{number}"))
        taken.drain()
    assert max(size for _, size in taken.sizes()) <= 4096
    taken.see(login(7000, user="one", ip="10.0.0.1"))
    assert max(len(body or "") for body in taken.drain().values()) < 4000
