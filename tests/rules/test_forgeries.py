"""The sum of lines in another's name: bounded, and the same after a restart."""

from __future__ import annotations

import pytest

from usersessionmon.model import Forger, Moment, Record, Trusted
from usersessionmon.rules.forgeries import MAX_FORGERS, MAX_TEXT, Forgeries


def line(uid: int, us: int = 0, exe: str | None = "/usr/bin/logger") -> Record:
    trusted = Trusted("syslog", uid, exe, "logger", "session-3.scope")
    return Record(Moment(us, ""), "web-1", "sshd", 7, "Accepted …", trusted=trusted)


def test_lines_are_summed_by_who_wrote_them() -> None:
    sums = Forgeries()
    assert not sums
    for us, uid in ((5, 1000), (6, 1000), (9, 1001)):
        sums.add(line(uid, us))
    taken = sums.take()
    me = Forger("web-1", "sshd", 1000, "/usr/bin/logger", "logger", "session-3.scope")
    assert taken.counts == {me: 2, me._replace(uid=1001): 1}
    assert (taken.more, taken.first_us, taken.last_us) == (0, 5, 9)
    assert not sums
    assert sums.take().counts == {}


def test_a_sum_does_not_grow_with_what_is_forged() -> None:
    sums = Forgeries()
    for uid in range(5000):
        sums.add(line(uid, exe="/" + "x" * 10_000))
    assert len(sums.dump()) < MAX_FORGERS * (MAX_TEXT + 100)
    taken = sums.take()
    assert len(taken.counts) == MAX_FORGERS and taken.more == 5000 - MAX_FORGERS


def test_it_goes_on_after_a_restart() -> None:
    first, second = Forgeries(), Forgeries()
    assert first.dump() == ""
    for us in (5, 6):
        first.add(line(1000, us))
    second.load(first.dump())
    second.add(line(1000, 7))
    (count,) = (taken := second.take()).counts.values()
    assert (count, taken.first_us, taken.last_us) == (3, 5, 7)


@pytest.mark.parametrize("text", ["x", "1", "[]", "[[[1]],0,0,0]", '[[],0,0,"x"]', '{"a":1}'])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Forgeries().load(text)
