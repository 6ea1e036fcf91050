"""Quiet lists and maintenance windows keep notices back only where they are configured."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from usersessionmon.detect.settings import MaintenanceSettings, QuietSettings
from usersessionmon.model import Change, ChangeKind

from .people import HOUR, MINUTE, bouts, change, failed, login, logout, see, watch


def silent(quiet: QuietSettings, *changes: Change) -> list[bool]:
    return [seen.silent for seen in see(watch(quiet=quiet), changes)]


def test_by_default_everything_is_told() -> None:
    taken = watch()
    changes = [login(n, user=f"u{n}") for n in range(50)] + [logout(n) for n in range(50)]
    assert not any(seen.silent for seen in see(taken, changes))
    assert (taken.quieted, taken.in_maintenance) == (0, 0)


@pytest.mark.parametrize(
    ("lists", "more"),
    [
        ({"users": ("backup",)}, {"user": "backup"}),
        ({"networks": ("10.9.0.0/16",)}, {"ip": "10.9.3.4"}),
        ({"networks": ("10.9.3.4",)}, {"ip": "10.9.3.4"}),
        ({"networks": ("2001:db8::/32",)}, {"ip": "2001:db8::7%eth0"}),
        ({"methods": ("hostbased",)}, {"method": "hostbased"}),
        ({"hosts": ("lab-1",)}, {"host": "lab-1"}),
    ],
)
def test_each_list(lists: dict[str, tuple[str, ...]], more: dict[str, Any]) -> None:
    quiet = QuietSettings(**lists)
    assert silent(quiet, login(0, **more)) == [True]
    assert silent(quiet, login(0), login(1, ip=None, method="publickey")) == [False, False]


def test_a_logout_is_as_quiet_as_its_login() -> None:
    quiet = QuietSettings(methods=("hostbased",))
    begin = login(0, session="a", method="hostbased")
    assert silent(quiet, begin, logout(1, session="a"), logout(2, session="a")) == [
        True,
        True,
        False,
    ]


def test_what_is_kept_back_is_counted_and_still_learned_from() -> None:
    taken = watch(quiet=QuietSettings(users=("alice",)))
    for day in range(9):
        see(taken, [login(day * HOUR), failed(day * HOUR)])
    assert taken.quieted == 9  # failures are not told singly: none of them was kept back
    assert taken.see(login(10 * HOUR, ip="203.0.113.1")).findings


def test_failures_of_whom_is_quiet_are_no_attack() -> None:
    taken = watch(quiet=QuietSettings(networks=("198.51.100.0/24",)))
    assert bouts(taken, [failed(n, user=f"u{n}", valid_user=False) for n in range(300)]) == []


def test_in_a_window_only_the_abnormal_is_told() -> None:
    window = MaintenanceSettings(windows=("Sat 16:00-17:00",))
    taken = watch(maintenance=window, zone=timezone(timedelta(hours=8)), kinds=tuple(ChangeKind))
    changes = [
        login(0, session="a"),
        login(1, user="root", method="password"),
        logout(2, session="a"),
        logout(3, abnormal=True),
        failed(4),
        change(ChangeKind.ELEVATION, 5, target_user="root"),
        login(60 * MINUTE),
        login(-1),
    ]
    told = [seen.silent for seen in see(taken, changes)]
    assert told == [True, False, True, False, True, True, False, False]
    assert (taken.quieted, taken.in_maintenance) == (0, 4)
    assert bouts(taken, [failed(6 + n) for n in range(20)])


def test_what_nobody_is_told_of_anyway_is_not_counted() -> None:
    taken = watch(quiet=QuietSettings(users=("alice",)), kinds=(ChangeKind.LOGOUT,))
    see(taken, [login(0), failed(1), logout(2)])
    assert taken.quieted == 1
