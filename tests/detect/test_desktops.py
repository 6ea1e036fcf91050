"""Connections of one Windows desktop share their session; and a name is the same in capitals."""

from __future__ import annotations

from typing import Any

import pytest

from usersessionmon.detect.fold_settings import FoldSettings, PurposeSettings, Tell
from usersessionmon.detect.settings import (
    AbnormalSettings,
    DetectSettings,
    FirstFromSettings,
    FirstLoginSettings,
    HourSettings,
    LengthSettings,
    QuietSettings,
    SuccessSettings,
)
from usersessionmon.model import Change, Moment, Oddity, Reason

from .folded import Folded, short
from .people import DAY, HOUR, MINUTE, MORNING, failed, login, logout, oddities, watch

HERE, THERE, ELSEWHERE = "198.51.100.7", "203.0.113.9", "192.0.2.5"


def comes(at: int, **more: Any) -> Change:
    return login(at, **{"service": "windows", "session": "win:srv:0:ts2:7", "host": "SRV"} | more)


def goes(at: int, since: int | None, **more: Any) -> Change:
    """Away from a connection that began at ``since``; None: that was not seen."""
    begun = None if since is None else Moment(MORNING + since, "")
    said = {"service": "windows", "session": "win:srv:0:ts2:7", "host": "SRV", "kept": True}
    return logout(at, login_time=begun, **said | more)


def back(at: int, **more: Any) -> Change:
    return comes(at, again=True, **more)


# --- a person's connections -----------------------------------------------------------------------


def test_who_disconnects_for_a_moment_never_left() -> None:
    taken = Folded(FoldSettings(presence=True))
    assert short(taken.see(comes(0))) == ["login win:srv:0:ts2:7"]
    for turn in (1, 2, 3):
        at = turn * HOUR
        taken.restart()
        assert taken.see(goes(at, (turn - 1) * HOUR + (turn > 1) * MINUTE)) == []
        taken.restart()
        assert taken.see(back(at + MINUTE)) == []
    assert taken.see(goes(4 * HOUR, 3 * HOUR + MINUTE)) == []
    (told,) = taken.last()
    assert short([told]) == ["logout win:srv:0:ts2:7 x4"]
    assert told.change.kept


def test_a_departure_says_that_the_session_lives_on_after_a_restart_too() -> None:
    taken = Folded(FoldSettings(presence=True))
    taken.see(comes(0), goes(HOUR, 0, domain="CORP"))
    taken.restart()
    (told,) = taken.last()
    assert told.change == goes(HOUR, 0, domain="CORP")


def test_an_end_that_is_told_behind_the_next_login_is_that_of_the_first() -> None:
    """The log may say why a connection ended after it has told of the next."""
    taken = Folded(FoldSettings(presence=True, linger_minutes=0))
    assert len(taken.see(comes(0), back(HOUR))) == 1
    assert taken.see(goes(HOUR, 0)) == [], "one connection is still there"
    (told,) = taken.see(goes(2 * HOUR, HOUR))
    assert short([told]) == ["logout win:srv:0:ts2:7 x2"]


def test_an_end_whose_login_was_not_seen_ends_no_other_connection() -> None:
    taken = Folded(FoldSettings(presence=True, linger_minutes=0))
    taken.see(comes(HOUR))
    assert short(taken.see(goes(HOUR, None))) == ["logout win:srv:0:ts2:7"]
    (told,) = taken.see(goes(2 * HOUR, HOUR))
    assert (told.change.time.us, told.company) == (MORNING + 2 * HOUR, None)


def test_who_is_thrown_out_is_told_at_once() -> None:
    taken = Folded(FoldSettings(presence=True))
    taken.see(comes(0))
    out = goes(HOUR, 0, reason=Reason.KILLED, abnormal=True, by_user="bob", by_ip=THERE)
    (told,) = taken.see(out)
    assert told.change == out


def test_one_person_in_capitals_or_not() -> None:
    taken = Folded(FoldSettings(presence=True))
    assert len(taken.see(comes(0, user="alice"), comes(1, user="ALICE", session="win:x"))) == 1


# --- purposes and quiet lists ---------------------------------------------------------------------


def test_a_connection_has_the_purpose_of_its_own_login() -> None:
    backup = PurposeSettings(networks=(f"{HERE}/32",), tell=Tell.NEVER)
    taken = Folded(FoldSettings(purposes={"backup": backup}))
    assert taken.see(comes(0, ip=HERE)) == []
    assert len(taken.see(back(HOUR, ip=THERE))) == 1
    assert taken.see(goes(HOUR, 0, ip=None)) == []
    assert len(taken.see(goes(2 * HOUR, HOUR, ip=None))) == 1
    both = [comes(0, ip=HERE), back(HOUR, ip=HERE), goes(HOUR, 0, ip=None)]
    assert taken.see(*both, goes(2 * HOUR, HOUR, ip=None)) == []


@pytest.mark.parametrize("users", [("svc_*",), ("SVC_*",), ("Svc_Backup",)])
def test_a_purpose_asks_for_names_in_any_case(users: tuple[str, ...]) -> None:
    backup = PurposeSettings(users=users, hosts=("srv*",), tell=Tell.NEVER)
    taken = Folded(FoldSettings(purposes={"backup": backup}))
    assert taken.see(comes(0, user="svc_BACKUP")) == []
    assert len(taken.see(comes(1, user="alice"), comes(2, user=None))) == 2
    on_linux = login(0, user="svc_BACKUP", host="SRV")
    assert len(taken.see(on_linux)) == 1


def test_a_quiet_connection_ends_quietly_and_another_does_not() -> None:
    taken = watch(quiet=QuietSettings(networks=(f"{HERE}/32",)))
    changes = [comes(0, ip=HERE), back(HOUR, ip=THERE), goes(HOUR, 0, ip=None)]
    changes.append(goes(2 * HOUR, HOUR, ip=None))
    assert [taken.see(change).quiet for change in changes] == [True, False, True, False]
    both = [comes(0, ip=HERE), back(HOUR, ip=HERE), goes(HOUR, 0, ip=None)]
    both.append(goes(2 * HOUR, HOUR, ip=None))
    assert all(taken.see(change).quiet for change in both)


@pytest.mark.parametrize(
    ("quiet", "holds"),
    [
        (QuietSettings(users=("administrator",)), True),
        (QuietSettings(users=("ADMINISTRATOR",)), True),
        (QuietSettings(hosts=("srv",)), True),
        (QuietSettings(users=("alice",), hosts=("srv2",)), False),
    ],
)
def test_quiet_names_in_any_case(quiet: QuietSettings, holds: bool) -> None:
    assert watch(quiet=quiet).see(comes(0, user="Administrator")).quiet is holds
    assert not watch(quiet=quiet).see(comes(0, user=None, host=None)).quiet
    assert not watch(quiet=quiet).see(login(0, user="Administrator", host="SRV")).quiet


# --- what is unusual ------------------------------------------------------------------------------

DETECT = DetectSettings(hours=HourSettings(enabled=False))


def test_going_on_elsewhere_is_one_place_after_the_other() -> None:
    taken = watch(DETECT)
    assert oddities(taken, comes(0, ip=HERE), goes(HOUR, 0), back(HOUR, ip=THERE)) == []
    assert oddities(taken, back(2 * HOUR, ip=HERE)) == [], "one desktop has one connection"
    assert oddities(taken, goes(2 * HOUR, HOUR)) == []
    found = oddities(taken, comes(3 * HOUR, ip=ELSEWHERE, session="win:srv:0:ts9:9"))
    assert found == [Oddity.TWO_PLACES], "the last connection to the first desktop is still there"
    assert oddities(taken, goes(4 * HOUR, 2 * HOUR)) == []
    again = comes(5 * HOUR, ip=HERE, session="win:srv:0:ts10:1")
    assert oddities(taken, goes(5 * HOUR, 3 * HOUR, session="win:srv:0:ts9:9"), again) == []


def test_sessions_of_linux_are_no_desktops() -> None:
    taken = watch(DETECT)
    assert oddities(taken, login(0, session="x@1"), login(1, session="x@2", ip=THERE)) == [
        Oddity.TWO_PLACES
    ]


def test_nobody_logs_in_for_the_first_time_twice() -> None:
    taken = watch(DetectSettings(first_login=FirstLoginSettings(days=1)))
    assert oddities(taken, comes(0, user="alice"), goes(1, 0), comes(2 * DAY, user="Alice")) == []
    assert Oddity.FIRST_LOGIN in oddities(taken, comes(3 * DAY, user="bob"))
    assert oddities(taken, back(4 * DAY, user="BOB")) == []
    assert oddities(taken, back(5 * DAY, user="carol")) == [], "her desktop is older than we are"
    assert oddities(taken, comes(6 * DAY, user="carol", session="win:x")) == []
    linux = watch(DetectSettings(first_login=FirstLoginSettings(days=1)))
    assert oddities(linux, login(0, user="alice"), login(2 * DAY, user="Alice")) == [
        Oddity.FIRST_LOGIN
    ]


def test_where_a_user_comes_from_is_known_in_any_case() -> None:
    taken = watch(DetectSettings(first_from=FirstFromSettings(logins=2)))
    known = [comes(0, user="alice"), goes(1, 0), back(2, user="ALICE"), goes(3, 2)]
    assert Oddity.FIRST_NETWORK in oddities(taken, *known, back(4, user="Alice", ip=THERE))


def test_going_on_from_another_desk_is_no_trouble_and_being_thrown_out_is() -> None:
    taken = watch(DetectSettings(abnormal_logout=AbnormalSettings(count=2)))
    said = {"abnormal": True, "reason": Reason.KILLED}
    for turn in range(3):
        assert oddities(taken, goes(turn, None, by_user="ALICE", **said)) == []
    assert oddities(taken, goes(4, None, by_user="bob", **said)) == []
    assert oddities(taken, goes(5, None, by_user=None, **said)) == [Oddity.ABNORMAL_AGAIN]


def test_a_login_after_failures_from_the_same_address() -> None:
    taken = watch(DetectSettings(success_after_failures=SuccessSettings(failures=3)))
    tries = [failed(n, service="windows", host="SRV", method=None) for n in range(3)]
    assert Oddity.SUCCESS_AFTER_FAILURES in oddities(taken, *tries, comes(MINUTE))


def test_a_connections_length_is_its_own() -> None:
    taken = watch(DetectSettings(session_length=LengthSettings(sessions=2)))
    short_ones = [goes(turn, None, duration=600.0) for turn in range(2)]
    found = oddities(taken, *short_ones, goes(3, None, duration=80_000.0, user="Alice"))
    assert found == [Oddity.LONGER_THAN_USUAL]
