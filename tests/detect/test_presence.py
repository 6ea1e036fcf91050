"""A person with many connections is one arrival and one departure; nothing abnormal is folded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.detect.fold_settings import FoldSettings
from usersessionmon.detect.presence import Presences
from usersessionmon.detect.settings import DetectSettings, MaintenanceSettings, QuietSettings
from usersessionmon.detect.stay import told_alone
from usersessionmon.model import Change, ChangeKind, Doubt, Reason

from .folded import Folded, of, short
from .people import HOUR, MINUTE, SECOND, failed, login, logout

ON = FoldSettings(presence=True)
AT_ONCE = FoldSettings(presence=True, linger_minutes=0)


def ins(count: int, at: int = 0, **more: Any) -> list[Change]:
    return [login(at + n * SECOND, session=f"s{at + n}", **more) for n in range(count)]


def outs(count: int, at: int, since: int = 0, **more: Any) -> list[Change]:
    return [logout(at + n * SECOND, session=f"s{since + n}", **more) for n in range(count)]


def test_twelve_connections_are_two_notices() -> None:
    taken = Folded(ON)
    assert short(taken.see(*ins(12))) == ["login s0"]
    assert short(taken.see(*outs(12, HOUR))) == []
    (told,) = taken.see(failed(HOUR + 11 * SECOND + 5 * MINUTE, user="bob"))[:1]
    assert short([told]) == ["logout s11 x12"]
    assert told.company is not None
    assert told.company.duration == 3611
    assert told.company.begun == login(0).time
    assert told.change.time.us == logout(HOUR + 11 * SECOND).time.us
    assert told.at_us == told.change.time.us + 5 * MINUTE
    assert taken.folding.folded == 22


def test_by_default_each_is_told_and_nothing_is_remembered() -> None:
    taken = Folded(FoldSettings())
    assert len(taken.see(*ins(12), *outs(12, HOUR))) == 24
    taken.restart()
    assert not any(name.startswith("fold.") for name in taken.saved.rows)
    assert taken.folding.folded == 0


def test_a_single_connection_is_told_as_ever() -> None:
    taken = Folded(AT_ONCE)
    end = logout(HOUR, session="s0", duration=3600.0, port=7, key_name="k")
    assert taken.see(*ins(1), end)[1:] == told_alone(end, (), silent=False)


def test_who_comes_back_while_they_linger_never_left() -> None:
    taken = Folded(ON)
    told = taken.see(*ins(1), *outs(1, MINUTE), *ins(1, 5 * MINUTE))
    told += taken.see(*outs(1, HOUR, 5 * MINUTE), failed(2 * HOUR))
    assert short(told)[:2] == ["login s0", f"logout s{5 * MINUTE} x2"]
    later = taken.see(*ins(1, 3 * HOUR))
    assert short(later) == [f"login s{3 * HOUR}"]


def test_time_that_passes_at_the_logs_end_ends_it_too() -> None:
    taken = Folded(ON)
    taken.see(*ins(2), *outs(2, MINUTE))
    presences = taken.folding.presences
    assert presences.patience(100.0) == 300.0
    assert presences.tick(100.0) == []
    assert (presences.tick(399.0), presences.patience(399.0)) == ([], 1.0)
    assert short(presences.tick(400.0)) == ["logout s1 x2"]
    assert (presences.patience(400.0), presences.tick(900.0)) == (None, [])


def test_a_clock_set_back_does_not_keep_anybody() -> None:
    taken = Folded(ON)
    taken.see(*ins(1), *outs(1, 10 * HOUR))
    assert taken.see(login(MINUTE, session="x", user="bob"))[0].change.user == "bob"
    assert short(taken.see(failed(7 * MINUTE)))[0] == "logout s0"


@pytest.mark.parametrize(
    "more",
    [
        {"user": "bob"},
        {"host": "web-2"},
        {"ip": "198.51.100.8"},
        {"ip": None, "client_host": "desk.example"},
        {"ip": "2001:db8::1"},
    ],
)
def test_somebody_else_is_told(more: dict[str, Any]) -> None:
    assert len(Folded(ON).see(*ins(3), *ins(3, MINUTE, **more))) == 2


def test_one_network_of_ipv6_is_one_client_with_its_addresses() -> None:
    taken = Folded(AT_ONCE)
    taken.see(login(0, session="a", ip="2001:db8::1"), login(1, session="b", ip="2001:db8::2"))
    told = taken.see(logout(2, session="a", ip="2001:db8::1"), logout(3, session="b", ip=None))
    assert told[0].company is not None
    assert told[0].company.addresses == ("2001:db8::1", "2001:db8::2")


@pytest.mark.parametrize("more", [{"user": None}, {"session": None}, {"user": "x" * 201}])
def test_what_cannot_be_told_apart_is_not_folded(more: dict[str, Any]) -> None:
    assert len(Folded(ON).see(*[login(n, **{"session": f"s{n}", **more}) for n in range(3)])) == 3


def test_an_abnormal_end_is_told_at_once_and_the_last_is_the_departure() -> None:
    taken = Folded(ON)
    lost: dict[str, Any] = {"abnormal": True, "reason": Reason.NETWORK}
    taken.see(*ins(3))
    assert short(taken.see(*outs(1, MINUTE, **lost))) == ["logout s0 +2"]
    assert short(taken.see(*outs(1, MINUTE, 1))) == []
    assert short(taken.see(*outs(1, HOUR, 2, **lost))) == ["logout s2 x3"]
    assert taken.last() == []
    assert short(taken.see(*ins(1, HOUR + SECOND))) == [f"login s{HOUR + SECOND}"]


def test_what_is_unusual_or_doubted_is_told_with_who_else_is_on() -> None:
    taken = Folded(ON, DetectSettings())
    taken.see(*ins(2, user="root", method="publickey"))
    typed = login(MINUTE, session="x", user="root", method="password")
    (told,) = taken.see(typed)
    assert told.findings
    assert short([told]) == ["login x +2"]
    doubted = login(MINUTE, session="y", user="root", doubt=Doubt.NO_PROCESS)
    assert short(taken.see(doubted)) == ["login y +3"]


def test_what_came_before_it_was_known_is_told_by_itself() -> None:
    taken = Folded(ON)
    assert short(taken.see(*outs(3, HOUR))) == ["logout s0", "logout s1", "logout s2"]


def test_whom_quiet_lists_name_is_no_part_of_it() -> None:
    taken = Folded(AT_ONCE, quiet=QuietSettings(methods=("hostbased",)))
    told = taken.see(login(0, session="q", method="hostbased"), *ins(1, 1), *outs(1, 2, 1))
    assert short(told) == ["login s1", "logout s1"]
    assert taken.see(logout(3, session="q")) == []
    assert taken.folding.folded == 0


def test_in_a_maintenance_window_the_person_is_known_and_not_told_of() -> None:
    taken = Folded(AT_ONCE, maintenance=MaintenanceSettings(("Sat 08:00-08:30",)))
    assert taken.see(*ins(3)) == []
    assert short(taken.see(*ins(2, 40 * MINUTE))) == [f"login s{40 * MINUTE} +3"]
    told = taken.see(*outs(3, 50 * MINUTE), *outs(2, 55 * MINUTE, 40 * MINUTE))
    assert short(told) == [f"logout s{40 * MINUTE + 1} x5"]
    taken.see(*ins(1, 60 * MINUTE))
    night = 24 * HOUR * 7
    assert taken.see(logout(night, session=f"s{60 * MINUTE}")) == []


def test_switched_off_who_is_there_leaves_in_order_and_who_comes_is_told() -> None:
    taken = Folded(ON)
    taken.see(*ins(2), *ins(2, MINUTE, user="bob"), *outs(2, 2 * MINUTE, MINUTE, user="bob"))
    taken.restart(FoldSettings())
    told = taken.see(*ins(2, 3 * MINUTE), *ins(1, 4 * MINUTE, user="bob"))
    assert short(told) == [
        f"login s{3 * MINUTE}",
        f"login s{3 * MINUTE + 1}",
        f"logout s{MINUTE + 1} x2",
        f"login s{4 * MINUTE}",
    ]
    told = taken.see(*outs(2, HOUR), *outs(2, HOUR, 3 * MINUTE))
    assert [text for text in short([*told, *taken.last()]) if "x" in text] == ["logout s1 x2"]


def test_who_has_to_go_for_others_is_told_rather_than_lost() -> None:
    taken = Presences(ON, persons=2, sessions=100)
    said = []
    for number, user in enumerate(["a", "b"]):
        said += taken.login(login(number, session=user, user=user), (), silent=False)
    said += taken.logout(logout(2, session="a", user="a"), (), silent=False)
    said += taken.login(login(3, session="c", user="c"), (), silent=False)  # b has to go
    said += taken.logout(logout(4, session="b", user="b"), (), silent=False)
    said += taken.login(login(5, session="d", user="d"), (), silent=False)  # a, who lingers
    assert short(said) == ["login a", "login b", "login c", "logout b", "logout a", "login d"]
    assert taken.patience(0.0) is None


def test_a_session_of_a_stay_that_is_forgotten_is_no_part_of_the_next() -> None:
    taken = Presences(ON, persons=1, sessions=100)
    said = []
    for number, user in enumerate(["a", "b", "a"]):
        said += taken.login(login(number, session=f"s{number}", user=user), (), silent=False)
    assert short(said) == ["login s0", "login s1", "login s2"]
    old, new = logout(9, session="s0", user="a"), logout(10, session="s2", user="a")
    assert short(taken.logout(old, (), silent=False)) == ["logout s0"]
    assert taken.logout(new, (), silent=False) == []
    taken.tick(0.0)
    assert short(taken.tick(300.0)) == ["logout s2"]


def test_a_session_that_has_to_go_ends_by_itself() -> None:
    taken = Presences(ON, persons=9, sessions=2)
    said = [told for one in ins(3) for told in taken.login(one, (), silent=False)]
    for one in outs(3, MINUTE):
        said += taken.logout(one, (), silent=False)
    assert short([*said, *taken.tick(0.0), *taken.tick(1e6)]) == [
        "login s0",
        "logout s0",
        "logout s2 x3",
    ]
    taken = Presences(ON, persons=9, sessions=1)
    said = taken.login(login(0, session="a", user="a"), (), silent=False)
    said += taken.login(login(1, session="b", user="b"), (), silent=False)
    said += taken.logout(logout(2, session="a", user="a"), (), silent=False)
    said += taken.login(login(3, session="c", user="a"), (), silent=False)
    assert short(said) == ["login a", "login b", "logout a", "login c"]


# --- any order of anything ------------------------------------------------------------------------

STEPS = st.tuples(
    st.sampled_from([0, SECOND, MINUTE, 4 * MINUTE, 5 * MINUTE, HOUR]),
    st.sampled_from(["alice", "bob"]),
    st.sampled_from(["web-1", "web-2"]),
    st.integers(-6, 6),
)


@st.composite
def stories(draw: st.DrawFn) -> list[Change]:
    """Up to twelve connections of each person at once, and in the end all are gone, some of them
    by a crash of their host."""
    at, found, opened = 0, [], dict[tuple[str, str], list[str]]()
    for number, (step, user, host, what) in enumerate(draw(st.lists(STEPS, max_size=80))):
        at += step
        mine = opened.setdefault((user, host), [])
        said: dict[str, Any] = {"user": user, "host": host}
        if what > 0 and len(mine) < 12:
            mine.append(f"s{number}")
            found.append(login(at, session=f"s{number}", **said))
        elif mine:
            session = mine.pop(what % len(mine))
            lost = what == 0
            reason = Reason.NETWORK if lost else Reason.USER
            found.append(logout(at, session=session, abnormal=lost, reason=reason, **said))
    crashed = draw(st.sampled_from(["web-1", "web-2", ""]))
    for (user, host), mine in opened.items():
        at += draw(st.sampled_from([0, SECOND, HOUR]))
        down = {"abnormal": True, "reason": Reason.REBOOT, "inferred": True}
        more = down if host == crashed else {}
        found += [logout(at, session=one, user=user, host=host, **more) for one in mine]
    return found


def stays(story: list[Change], linger: int) -> int:
    """How often somebody came, by a model that knows all that is to come."""
    count, on, left = 0, dict[tuple[object, ...], int](), dict[tuple[object, ...], int]()
    for one in story:
        key = (one.user, one.host)
        if one.kind is ChangeKind.LOGIN:
            if not on.get(key) and (key not in left or one.time.us >= left[key] + linger):
                count += 1
            left.pop(key, None)
            on[key] = on.get(key, 0) + 1
        else:
            on[key] -= 1
            if not on[key] and not one.abnormal:
                left[key] = one.time.us
    return count


@given(stories(), st.sampled_from([0, 5]), st.sets(st.integers(0, 100)))
def test_as_many_arrivals_as_departures_wherever_it_is_cut(
    story: list[Change], minutes: int, cuts: set[int]
) -> None:
    settings = FoldSettings(presence=True, linger_minutes=minutes)
    taken = Folded(settings)
    whole = taken.see(*story)
    pieces = []
    again = Folded(settings)
    for number, one in enumerate(story):
        pieces += again.see(one)
        if number in cuts:
            again.restart()
    assert pieces == whole
    again.restart()
    last = taken.last()
    assert again.last() == last
    told = [*whole, *last]
    lost = {one.session for one in story if one.abnormal}
    assert lost <= {one.session for one in of(told, ChangeKind.LOGOUT) if one.abnormal}
    within = [one for one in told if one.company is not None and one.company.others]
    arrivals = len(of(told, ChangeKind.LOGIN))
    departures = len(of(told, ChangeKind.LOGOUT)) - len(within)
    assert arrivals == departures == stays(story, minutes * MINUTE)
    assert all(one.change.abnormal for one in within)
    assert again.folding.presences.patience(0.0) is None
    again.restart()
    assert not any(name.startswith("fold.") for name in again.saved.rows)
