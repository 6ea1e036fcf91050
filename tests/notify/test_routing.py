"""Where notices go, and who is rung."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from tests.notify.support import login, logout, notice
from usersessionmon.detect.fold_settings import QuietHoursSettings
from usersessionmon.detect.quiet import QuietHours
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.routing import NIGHT, Router
from usersessionmon.notify.settings import MentionSettings, RouteSettings

NOW_US = 1
ALL = ("feishu", "ops")


def where(router: Router, told: Notice) -> tuple[str, ...]:
    (posted,) = router.post([told], NOW_US)
    return tuple(posted.channels)


def test_without_routes_everything_goes_everywhere() -> None:
    assert where(Router(ALL), notice(login())) == ALL


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        (RouteSettings(("ops",)), True),
        (RouteSettings(("ops",), events=("login", "failures")), True),
        (RouteSettings(("ops",), events=("logout",)), False),
        (RouteSettings(("ops",), severity=Severity.ROUTINE), True),
        (RouteSettings(("ops",), severity=Severity.ABNORMAL), False),
        (RouteSettings(("ops",), users=("bob", "al*")), True),
        (RouteSettings(("ops",), users=("bob",)), False),
        (RouteSettings(("ops",), networks=("198.51.100.0/24",)), True),
        (RouteSettings(("ops",), networks=("198.51.100.8", "2001:db8::/32")), False),
        (RouteSettings(("ops",), hosts=("web-?",)), True),
        (RouteSettings(("ops",), hosts=("db-*",)), False),
        (RouteSettings(("ops",), users=("alice",), events=("logout",)), False),
    ],
)
def test_a_route_fits_when_all_fits_that_it_names(route: RouteSettings, fits: bool) -> None:
    assert where(Router(ALL, [route]), notice(login())) == (("ops",) if fits else ALL)


def test_the_first_that_fits_decides_and_nobody_is_counted() -> None:
    router = Router(ALL, [RouteSettings((), users=("alice",)), RouteSettings(("ops",))])
    assert where(router, notice(login("alice"))) == () and router.unrouted == 1
    assert where(router, notice(login("bob"))) == ("ops",) and router.unrouted == 1


@pytest.mark.parametrize("ip", [None, "no address", "fe80::1%eth0"])
def test_an_address_that_is_none_is_in_no_network(ip: str | None) -> None:
    router = Router(ALL, [RouteSettings(("ops",), networks=("198.51.100.0/24",))])
    assert where(router, replace(notice(login()), ip=ip)) == ALL


def test_only_the_abnormal_rings_and_only_whom_it_concerns() -> None:
    router = Router(ALL, (), {"alice", "carol"}, MentionSettings(on_duty=("carol",)))
    told = [notice(login("alice")), notice(logout("alice", abnormal=True))]
    told.append(notice(logout("mallory", abnormal=True)))
    assert [one.notice.people for one in router.post(told, NOW_US)] == [
        (),
        ("alice", "carol"),
        ("carol",),
    ]
    nobody = Router(ALL, (), {"alice"}, MentionSettings(owner=False))
    (posted,) = nobody.post([notice(logout("alice", abnormal=True))], NOW_US)
    assert posted.notice.people == ()


@pytest.mark.parametrize(
    ("channels", "to", "goes"),
    [
        (ALL, ALL, ("ops",)),
        (ALL, ("feishu",), ("ops",)),  # its only way is the broken one
        (("feishu", "ops", "mail"), ("mail",), ("mail",)),
        (("feishu",), ("feishu",), ()),
        (ALL, (), ()),
    ],
)
def test_of_a_broken_channel_the_others_hear(
    channels: tuple[str, ...], to: tuple[str, ...], goes: tuple[str, ...]
) -> None:
    told = replace(notice(login()), not_to="feishu")
    assert where(Router(channels, [RouteSettings(to)]), told) == goes


def test_without_routes_all_but_the_broken_channel_hear() -> None:
    assert where(Router(ALL), replace(notice(login()), not_to="feishu")) == ("ops",)
    assert where(Router(("feishu",)), replace(notice(login()), not_to="feishu")) == ()


EIGHT = 1_795_248_000_000_000 + 23 * 3_600_000_000
"""2026-11-22 08:00 by Berlin's clock."""


def at_night() -> Router:
    night = QuietHours(QuietHoursSettings(("22:00-08:00",)), ZoneInfo("Europe/Berlin"))
    return Router(ALL, held=night.end)


@pytest.mark.parametrize("before", [1, 60_000_000, 7 * 3_600_000_000, 10 * 3_600_000_000])
def test_the_routine_of_the_night_waits_for_the_morning(before: int) -> None:
    (posted,) = at_night().post([notice(login(at_us=EIGHT + 1))], EIGHT - before)
    assert (posted.held_us, posted.bundle) == (EIGHT, NIGHT)


@pytest.mark.parametrize("now_us", [EIGHT, EIGHT - 10 * 3_600_000_000 - 1])
def test_by_day_nothing_is_held_whenever_it_happened(now_us: int) -> None:
    (posted,) = at_night().post([notice(login(at_us=EIGHT - 1))], now_us)
    assert (posted.held_us, posted.bundle) == (None, "")


def test_one_night_after_the_other() -> None:
    router, day = at_night(), 86_400_000_000
    held = [
        posted.held_us
        for now_us in (EIGHT - 2, EIGHT - 1, EIGHT, EIGHT + day - 1, EIGHT - day - 1)
        for posted in router.post([notice(login())], now_us)
    ]
    assert held == [EIGHT, EIGHT, None, EIGHT + day, EIGHT - day]


def test_the_abnormal_and_what_is_waited_for_are_not_held() -> None:
    told = [notice(logout(abnormal=True))]
    told += [replace(notice(login()), kind=kind) for kind in ("report", "heartbeat", "test")]
    assert {posted.held_us for posted in at_night().post(told, EIGHT - 1)} == {None}


def test_held_or_not_it_goes_where_its_route_says() -> None:
    night = QuietHours(QuietHoursSettings(("00:00-23:00",)), ZoneInfo("UTC"))
    router = Router(ALL, [RouteSettings(("ops",))], held=night.end)
    (posted,) = router.post([notice(login())], EIGHT)
    assert (posted.channels, posted.bundle) == (("ops",), NIGHT)
