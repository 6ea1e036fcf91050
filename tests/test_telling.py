"""When what is told is late: not before it could be told at all."""

from __future__ import annotations

import pytest

from tests.detect.people import MINUTE, TOLD, login, logout, watch
from tests.notify.support import server
from usersessionmon.detect.fold_settings import FoldSettings
from usersessionmon.detect.folding import Folding
from usersessionmon.model import Notice
from usersessionmon.notify.base import Queued
from usersessionmon.notify.folded import in_company
from usersessionmon.notify.text import notice_of, render_text
from usersessionmon.notify.unusual import bout_notice
from usersessionmon.notify.words import Voice
from usersessionmon.telling import Telling


def telling(linger: int) -> Telling:
    here = server()
    return Telling(
        lambda change, found: notice_of(change, here, found),
        lambda bout: bout_notice(bout, here),
        frozenset(TOLD),
        watch(),
        Folding(FoldSettings(presence=True, linger_minutes=linger)),
        lambda notice, change, company: in_company(notice, change, company, here.say),
    )


HALF = 30_000_000


def late(notice: Notice, sent_us: int) -> bool:
    voice = Voice(server().say.zone)
    return "延迟送达" in render_text([Queued(1, notice, sent_us, 0)], now_us=sent_us, voice=voice)


@pytest.mark.parametrize("connections", [1, 2])
def test_a_departure_is_late_only_after_the_time_in_which_people_come_back(
    connections: int,
) -> None:
    taken, linger = telling(5), 5 * MINUTE
    story = [login(n, session=f"s{n}") for n in range(connections)]
    story += [logout(MINUTE + n, session=f"s{n}") for n in range(connections)]
    taken.of(story, None)
    assert taken.tick(100.0, None) == []
    (left,) = taken.tick(400.0, None)
    assert left.at_us == story[-1].time.us
    assert not late(left, left.at_us + linger + HALF)
    assert late(left, left.at_us + linger + HALF + 1)


def test_without_that_time_at_once() -> None:
    taken = telling(0)
    _, left = taken.of([login(0, session="s0"), logout(1, session="s0")], None)
    assert not late(left, left.at_us + HALF)
    assert late(left, left.at_us + HALF + 1)
