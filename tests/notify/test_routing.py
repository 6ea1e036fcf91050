"""Where notices go, and who is rung."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.notify.support import login, logout, notice
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.routing import Router
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
