"""A storm is a handful of notices, ends included, whoever attacks in whatever order; and what they
say is what happened."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.notify.support import server
from usersessionmon.detect.settings import DetectSettings, FailureSettings, SweepSettings
from usersessionmon.detect.watch import Watch
from usersessionmon.model import Bout, Change, ChangeKind, Notice, Oddity, Scope
from usersessionmon.notify.text import notice_of
from usersessionmon.notify.unusual import bout_notice
from usersessionmon.telling import Telling

from .people import (
    HOUR,
    MINUTE,
    MORNING,
    SECOND,
    TOLD,
    Saved,
    bouts,
    failed,
    login,
    see,
    short,
    watch,
)
from .storms import ADDRESSES, NAMES, ORDERS, STORM, address, sources

MOST = 4
"""By default: two attackers, and the host's beginning and end, or their own ends."""


def telling() -> Telling:
    here = server()
    return Telling(
        lambda change, found: notice_of(change, here, found),
        lambda bout: bout_notice(bout, here),
        frozenset(TOLD),
        watch(),
    )


def all_told(taken: Telling, story: Iterable[Change]) -> list[Notice]:
    """The notices of a story and of the thirty quiet minutes after it."""
    notices = taken.of(story, None)
    assert taken.tick(1000.0, None) == []
    assert taken.tick(2799.0, None) == []
    return notices + taken.tick(2800.0, None)


class Story(list[Change]):
    """Thousands of changes, which nobody wants to read."""

    def __repr__(self) -> str:
        return f"<{len(self)} changes>"


@st.composite
def storms(draw: st.DrawFn) -> Story:
    rng = random.Random(draw(st.integers(0, 10**6)))
    names = NAMES[draw(st.sampled_from(sorted(NAMES)))]
    from_where = sources(draw(st.sampled_from(ORDERS)), rng)
    sixth, hosts = draw(st.sampled_from([0, 1, 3])), draw(st.sampled_from([1, 1, 3]))
    seconds, times = draw(st.sampled_from([0, 1, 60])), draw(st.sampled_from([1, 1, 3]))
    found = []
    for number, source in enumerate(from_where):
        user, valid = names(number)
        at = seconds * SECOND * number // STORM
        host = f"web-{1 + rng.randrange(hosts)}"
        said = {"user": user, "valid_user": valid, "ip": address(source, sixth), "host": host}
        found.append(failed(at, times=rng.randint(1, times), **said))
    before = draw(st.integers(0, STORM))
    at = found[before - 1].time.us - MORNING
    found.insert(before, login(at, user="alice", ip="198.51.100.250"))
    return Story(found)


def seen_by(bout: Bout, story: list[Change]) -> int:
    """The attempts on a bout's host."""
    return sum(c.times for c in story if c.kind is ChangeKind.LOGIN_FAILED and c.host == bout.host)


@settings(max_examples=40)  # of 3,000 changes each
@given(storms())
def test_a_storm_is_a_handful_of_notices_and_they_are_true(story: list[Change]) -> None:
    notices = all_told(telling(), story)
    assert [one.kind for one in notices].count("login") == 1
    told = [one for one in notices if one.kind != "login"]
    by_host = Counter(dict(one.pairs)["服务器"] for one in told)
    assert max(by_host.values(), default=0) <= MOST

    taken = watch()
    ends = [*bouts(taken, story), *taken.tick(0), *taken.tick(1800)]
    assert len(ends) == len(told)
    for host in {change.host for change in story}:
        over = [bout for bout in ends if bout.over and bout.host == host]
        clients = {c.ip for c in story if c.host == host and c.kind is ChangeKind.LOGIN_FAILED}
        whole = [bout for bout in over if bout.scope is Scope.HOST]
        if whole:  # all that happened, in one sum
            assert [(bout.times, len(bout.names), bout.more) for bout in over] == [
                (seen_by(whole[0], story), min(50, len(clients)), len(clients) > 50)
            ]
        else:
            assert over
            assert 0 <= seen_by(over[0], story) - sum(bout.times for bout in over) < 100


LOW = DetectSettings(
    failures=FailureSettings(address=4, account=5, host=9, quiet_minutes=5, most=2),
    sweep=SweepSettings(names=3, minutes=60, quiet_minutes=5, most=1),
)
ATTEMPTS = st.fixed_dictionaries(
    {
        "user": st.sampled_from(["a", "b", "c", "d", None]),
        "ip": st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", None]),
        "host": st.sampled_from(["web-1", "web-1", "web-2"]),
        "valid_user": st.sampled_from([True, False, None]),
        "times": st.integers(1, 2),
    }
)


def few(taken: Watch, saved: Saved) -> int:
    """The attempts that nobody is told of."""
    saved.save(taken)
    rows = [json.loads(body) for name, body in saved.rows.items() if name[:13] == "failures.few\n"]
    return sum(failure[1] for (failures,) in rows for failure in failures)


@given(st.lists(ATTEMPTS, min_size=1, max_size=80), st.sampled_from(["both", "failures", "sweep"]))
def test_no_failure_is_counted_twice_or_lost(story: list[dict[str, Any]], on: str) -> None:
    """Of one window's attempts each is in one sum, or is remembered as one of the few."""
    settings = DetectSettings(
        failures=replace(LOW.failures, enabled=on != "sweep"),
        sweep=replace(LOW.sweep, enabled=on != "failures"),
    )
    taken, saved = watch(settings), Saved()
    changes = [failed(at * SECOND, **said) for at, said in enumerate(story)]
    begun = bouts(taken, changes)
    over = [*taken.tick(0.0), *taken.tick(300.0)]
    assert all(bout.over for bout in over)
    assert not any(bout.over for bout in begun)
    told = sum(bout.times for bout in over)
    assert told + few(taken, saved) == sum(change.times for change in changes)
    ended = {(bout.scope, bout.host, bout.subject): bout.times for bout in over}
    for bout in begun:
        end = ended.get(
            (bout.scope, bout.host, bout.subject), ended.get((Scope.HOST, bout.host, ""))
        )
        assert end is not None
        assert end >= bout.times


def test_the_hosts_notices_say_how_many_and_from_how_many_addresses() -> None:
    story = [failed(n * 20_000, ip=address(n % ADDRESSES, 0), user=f"u{n}") for n in range(STORM)]
    notices = all_told(telling(), story)
    begin, end = (dict(one.pairs) for one in notices)
    assert (begin["失败次数"], end["失败次数"]) == ("100", "3000")
    assert begin["来源地址"] == end["来源地址"]
    assert begin["来源地址"].startswith("50 个以上 (203.0.0.0, 203.0.0.1, ")
    assert begin["说明"] == "10 分钟内此服务器上的失败过多；此后不再逐个通知，平息后一并汇总"


def test_hosts_of_one_log_have_a_storm_each() -> None:
    story = [
        failed(n * 10_000, ip=address(n // 20, 0), user=f"u{n}", host=f"h{n % 2}")
        for n in range(600)
    ]
    story += [failed(7 * SECOND, host="h2", ip="192.0.2.1", times=10)]
    begun = bouts(taken := watch(), story)
    assert Counter(bout.host for bout in begun) == {"h0": 3, "h1": 3, "h2": 1}
    over = taken.tick(0.0) + taken.tick(1800.0)
    assert sorted((bout.host, bout.scope.value, bout.times) for bout in over) == [
        ("h0", "host", 300),
        ("h1", "host", 300),
        ("h2", "address", 10),
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_a_guessed_password_is_found_in_a_storm(order: str) -> None:
    from_where = sources(order, random.Random(3))
    story = [failed(n * 10_000, ip=address(s, 0), user=f"u{n}") for n, s in enumerate(from_where)]
    guessed = from_where[STORM // 2]
    last = (STORM - 1) * 10_000
    taken = watch()
    seen = see(taken, [*story, login(last, ip=address(guessed, 0))])[-1]
    (found,) = [one for one in seen.findings if one.oddity is Oddity.SUCCESS_AFTER_FAILURES]
    assert found.times == from_where.count(guessed)
    assert taken.see(login(last + 1, user="carol", ip="198.51.100.250")).findings == ()


def test_after_the_storm_it_begins_anew() -> None:
    story = [failed(n * SECOND, ip=address(n // 10, 0), user=f"u{n}") for n in range(40)]
    assert len(bouts(taken := watch(), story)) == 3
    assert short(bouts(taken, [failed(2 * HOUR + n, times=2) for n in range(5)])) == [
        "host over 40",
        "address begins 10",
    ]


def test_the_state_of_the_former_version_is_taken_up() -> None:
    """It told of ten addresses and accounts at once, and beside a host's bout."""
    begin, end = MORNING, MORNING + MINUTE
    rows = {
        "sweep.few\nweb-1\n10.0.3.0": [[[begin, 5, "u0"], [end, 5, "u1"]]],
        "address.few\nweb-1\n10.0.1.0": [[[begin, 1, "u0"], [end, 1, "u1"]]],
        "host.few\nweb-1\n": [[[begin, 1, "10.0.1.0"], [end, 1, "10.0.1.0"]]],
        "address.many\nweb-1\n10.0.3.1": ["web-1", "10.0.3.1", begin, end, 10, ["u1"], False],
        "address.many\nweb-2\n10.0.3.1": ["web-2", "10.0.3.1", begin, end, 11, ["u1"], False],
        "account.many\nweb-2\nu1": ["web-2", "u1", begin, end, 45, ["10.0.0.1"], False],
        "sweep.many\nweb-2\n10.0.3.3": ["web-2", "10.0.3.3", begin, end, 12, ["u2"], False],
        "host.many\nweb-1\n": ["web-1", "", begin, end, 165, ["10.0.0.0"], False],
    }
    taken = watch()
    assert taken.load((name, json.dumps(body)) for name, body in rows.items()) == 0
    assert {name for name, body in taken.drain().items() if body is None} == set(list(rows)[:3])
    more = [failed(2 * MINUTE, ip="10.0.3.1"), failed(2 * MINUTE, host="web-2", ip="10.0.3.1")]
    more += [failed(2 * MINUTE, host="web-2", ip="10.0.3.9") for _ in range(10)]
    assert [(bout.host, *short([bout])) for bout in bouts(taken, more)] == [
        ("web-2", "host begins 79")
    ]
    over = taken.tick(0.0) + taken.tick(1800.0)
    assert sorted((bout.host or "", *short([bout])) for bout in over) == [
        ("web-1", "address over 10"),
        ("web-1", "host over 166"),
        ("web-2", "host over 79"),
    ]
