"""Connections with a purpose are counted and told in sum; what is unusual is told by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.detect.fold_settings import FoldSettings, PurposeSettings, Tell
from usersessionmon.detect.purposes import ADDRESSES, Purposes
from usersessionmon.detect.settings import DetectSettings, MaintenanceSettings, QuietSettings
from usersessionmon.model import Change, ChangeKind, NamedBy, Reason, Tally

from .folded import Folded, of, short
from .people import HOUR, MINUTE, SECOND, change, failed, login, logout

PRINT = "SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE"
BACKUP = FoldSettings(purposes={"backup": PurposeSettings(users=("backup",))})


def fold(**purposes: PurposeSettings) -> FoldSettings:
    return FoldSettings(purposes=purposes)


def tally(taken: Folded, name: str) -> Tally:
    return next(one for one in taken.folding.purposes.tallies() if one.purpose == name)


def test_a_day_of_a_purpose_is_one_sum() -> None:
    taken = Folded(BACKUP)
    for hour in range(3):
        at, ip = hour * HOUR, f"192.0.2.{hour % 2}"
        said = {"user": "backup", "ip": ip}
        end = logout(at + MINUTE, session=f"s{at}", duration=60.0 + hour, **said)
        assert taken.see(login(at, **said), end) == []
    assert taken.see(failed(4 * HOUR, user="backup", times=3)) == []
    assert taken.folding.purposes.take() == [
        Tally(
            "backup", login(0).time.us, 3, 3, 3, 0,
            ("192.0.2.0", "192.0.2.1", "198.51.100.7"), longest=62.0,
        )
    ]  # fmt: skip
    assert taken.folding.purposes.take() == [Tally("backup")]
    assert not taken.folding.purposes.knows(login(session="s0"))
    assert taken.folding.folded == 6


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({"users": ("deploy*",)}, {"user": "deploy7"}),
        ({"networks": ("10.9.0.0/16",)}, {"ip": "10.9.3.4"}),
        ({"networks": ("2001:db8::/32",)}, {"ip": "2001:db8::7%eth0"}),
        ({"keys": (PRINT,)}, {"key_fingerprint": PRINT}),
        ({"keys": ("ansible",)}, {"key_name": "ansible", "key_named_by": NamedBy.CONFIG}),
        ({"keys": ("ansible",)}, {"key_name": "ansible", "key_named_by": NamedBy.CERTIFICATE}),
        ({"methods": ("hostbased",)}, {"method": "hostbased"}),
        ({"hosts": ("lab-?",)}, {"host": "lab-1"}),
    ],
)
def test_each_condition_and_all_of_them(asked: dict[str, Any], fits: dict[str, Any]) -> None:
    settings = fold(robot=PurposeSettings(**asked))
    begin, end = login(0, session="a", **fits), logout(MINUTE, session="a", ip=None)
    assert Folded(settings).see(begin, end) == []
    assert len(Folded(settings).see(login(0), logout(1, session="s0"))) == 2
    narrow = fold(robot=PurposeSettings(**{"users": ("nobody",), **asked}))
    if "users" not in asked:
        assert len(Folded(narrow).see(begin, end)) == 2


def test_a_name_that_the_keys_owner_gave_it_proves_nothing() -> None:
    settings = fold(robot=PurposeSettings(keys=("ansible",)))
    mine = login(0, key_name="ansible", key_named_by=NamedBy.COMMENT)
    assert len(Folded(settings).see(mine)) == 1


def test_a_logout_has_the_purpose_of_its_login() -> None:
    robots = PurposeSettings(users=("deploy",))
    by_hand = PurposeSettings(users=("deploy",), methods=("password",), tell=Tell.ALWAYS)
    settings = fold(hand=by_hand, robots=robots)
    taken = Folded(settings)
    begins = [
        login(n, session=name, user="deploy", method=method)
        for n, (name, method) in enumerate([("a", "password"), ("b", "publickey")])
    ]
    assert short(taken.see(*begins)) == ["login a"]
    taken.restart()
    ends = [logout(MINUTE, session=name, user="deploy") for name in ("a", "b")]
    assert short(taken.see(*ends)) == ["logout a"]
    assert [one.purpose for one in taken.folding.purposes.tallies()] == ["robots"]


def test_what_is_unusual_is_told_by_itself_and_counted() -> None:
    taken = Folded(fold(root=PurposeSettings(users=("root",))), DetectSettings())
    typed = login(0, session="a", user="root", method="password")
    (told,) = taken.see(typed)
    assert told.findings
    end = logout(1, session="a", user="root", abnormal=True, reason=Reason.NETWORK)
    assert short(taken.see(end)) == ["logout a"]
    one = tally(taken, "root")
    assert (one.logins, one.logouts, one.alone) == (1, 1, 2)
    assert taken.folding.folded == 0


def test_quiet_lists_go_before_purposes() -> None:
    taken = Folded(BACKUP, quiet=QuietSettings(users=("backup",)))
    said = {"user": "backup"}
    assert taken.see(login(0, **said), logout(2, session="s0", **said)) == []
    taken.see(failed(3, **said))
    assert tally(taken, "backup") == Tally("backup")
    assert taken.watch.quieted == 2


def test_in_a_maintenance_window_they_are_counted_once() -> None:
    taken = Folded(BACKUP, maintenance=MaintenanceSettings(("00:00-24:00",)))
    assert taken.see(login(0, user="backup")) == []
    assert (tally(taken, "backup").logins, taken.watch.in_maintenance) == (1, 1)
    assert taken.folding.folded == 0


def test_what_was_told_before_is_not_counted_again() -> None:
    taken = Folded(BACKUP)
    taken.see(login(0, user="backup"), news=False)
    assert taken.see(logout(1, session="s0")) == []
    one = tally(taken, "backup")
    assert (one.logins, one.logouts) == (0, 1)


def test_never_is_counted_for_good_and_an_elevation_is_no_connection() -> None:
    taken = Folded(fold(lab=PurposeSettings(users=("*",), tell=Tell.NEVER)))
    taken.see(login(0))
    assert not taken.folding.purposes.daily
    assert taken.folding.purposes.take() == []
    assert tally(taken, "lab").logins == 1
    assert len(taken.see(change(ChangeKind.ELEVATION, 1, session="s0"))) == 1


def test_a_purpose_that_is_no_more_is_told_to_its_end() -> None:
    taken = Folded(BACKUP)
    taken.see(login(0, user="backup"))
    taken.restart(FoldSettings())
    assert taken.see(logout(1, session="s0", user="backup")) == []
    assert taken.folding.purposes.daily
    (one,) = taken.folding.purposes.take()
    assert (one.purpose, one.logins, one.logouts) == ("backup", 1, 1)
    assert not taken.folding.purposes.daily


def test_it_is_no_part_of_a_persons_stay() -> None:
    settings = FoldSettings(
        presence=True,
        linger_minutes=0,
        purposes={"rsync": PurposeSettings(methods=("hostbased",))},
    )
    taken = Folded(settings)
    told = taken.see(
        login(0, session="a", method="hostbased"),
        login(1, session="b"),
        login(2, session="c"),
        logout(3, session="a"),
        logout(4, session="b"),
        logout(5, session="c"),
    )
    assert short(told) == ["login b", "logout c x2"]


def test_addresses_and_sessions_are_bounded() -> None:
    taken = Purposes(BACKUP, sessions=2)
    for number in range(ADDRESSES + 9):
        one = login(number, user="backup", ip=f"10.0.0.{number}")
        assert taken.of(one) == "backup"
        taken.count("backup", one, alone=False)
    (found,) = taken.tallies()
    assert (len(found.addresses), found.more) == (ADDRESSES, True)
    assert not taken.knows(login(session="s0"))
    assert taken.knows(login(session=f"s{ADDRESSES + 8}"))


STEPS = st.tuples(
    st.sampled_from(["backup", "deploy1", "alice"]),
    st.sampled_from(list(ChangeKind)),
    st.booleans(),
    st.integers(1, 3),
)
SETTINGS = FoldSettings(
    purposes={
        "backup": PurposeSettings(users=("backup",)),
        "ansible": PurposeSettings(users=("deploy*",), tell=Tell.NEVER),
    }
)


@given(st.lists(STEPS, max_size=60), st.sets(st.integers(0, 60)))
def test_the_sums_are_what_happened(
    steps: list[tuple[str, ChangeKind, bool, int]], cuts: set[int]
) -> None:
    taken, told, story = Folded(SETTINGS), [], list[Change]()
    opened: dict[str, list[str]] = {}
    sums: dict[str, list[int]] = {"backup": [0, 0, 0], "ansible": [0, 0, 0]}
    for number, (user, kind, odd, times) in enumerate(steps):
        mine = opened.setdefault(user, [])
        more: dict[str, Any] = {"user": user, "session": f"s{number}"}
        if kind is ChangeKind.LOGIN:
            mine.append(f"s{number}")
        elif kind is ChangeKind.LOGOUT:
            more |= {"session": mine.pop() if mine else f"s{number}", "abnormal": odd}
        elif kind is ChangeKind.LOGIN_FAILED:
            more |= {"times": times, "session": None}
        story.append(change(kind, number * SECOND, **more))
        told += taken.see(story[-1])
        if number in cuts:
            taken.restart()
        if number % 20 == 19:
            add(sums, taken.folding.purposes.take())
    add(sums, taken.folding.purposes.tallies())
    for name, user in (("backup", "backup"), ("ansible", "deploy1")):
        theirs = [one for one in story if one.user == user]
        assert sums[name] == [
            len([one for one in theirs if one.kind is ChangeKind.LOGIN]),
            len([one for one in theirs if one.kind is ChangeKind.LOGOUT]),
            sum(one.times for one in theirs if one.kind is ChangeKind.LOGIN_FAILED),
        ]
    lost = [one for one in story if one.abnormal]
    assert [one for one in of(told, ChangeKind.LOGOUT) if one.abnormal] == lost
    theirs = [one for one in story if one.user == "alice"]
    assert [one.change for one in told if one.change.user == "alice"] == theirs


def add(sums: dict[str, list[int]], tallies: list[Tally]) -> None:
    for one in tallies:
        for place, count in enumerate((one.logins, one.logouts, one.failures)):
            sums[one.purpose][place] += count
