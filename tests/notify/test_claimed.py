"""Who logs in on a host that somebody else has claimed: one further line, and only for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.notify.support import NOW_US, login, logout, notice, queued, server
from usersessionmon.clock import ManualClock
from usersessionmon.config import Settings
from usersessionmon.model import Change, ChangeKind, Claim, NamedBy, Notice
from usersessionmon.notify.claimed import claim_notice, with_claim
from usersessionmon.notify.settings import TemplateSettings
from usersessionmon.notify.text import render_lines, render_text
from usersessionmon.notify.words import Voice
from usersessionmon.store import claims, db
from usersessionmon.store.place import open_state
from usersessionmon.wiring.claims import mark_of
from usersessionmon.wiring.here import Here
from usersessionmon.wiring.notices import telling_of

HOUR = 3_600_000_000
CLAIM = Claim("web-1", "bob", "bob", "部署中", NOW_US - HOUR, NOW_US + HOUR)  # until 09:15
LINE = "占用：bob 已占用本机至 09:15（部署中），使用前烦请先与其联系"
ZONE = server().zone


def lines(told: Notice, language: str = "zh") -> list[str]:
    return render_lines([queued(1, told)], now_us=NOW_US, voice=Voice(ZONE, language))


def marked(claim: Claim, language: str = "zh") -> list[str]:
    told = notice(login(), language)
    return lines(with_claim(told, claim, NOW_US, server(language).say), language)


def test_the_line_is_the_last_and_all_else_stays() -> None:
    assert marked(CLAIM) == [*lines(notice(login())), LINE]


def test_without_a_note_on_another_day_and_made_by_another() -> None:
    bare = CLAIM._replace(note="", until_us=NOW_US + 24 * HOUR, made_by="root")
    assert marked(bare)[-1] == (
        "占用：bob（由 root 代为登记） 已占用本机至 2026-11-22 08:15，使用前烦请先与其联系"
    )
    assert marked(bare, "en")[-1] == (
        "Claimed: bob (by root) has claimed this host until 2026-11-22 08:15; please ask them first"
    )
    assert marked(CLAIM._replace(note="v2"), "en")[-1] == (
        "Claimed: bob has claimed this host until 09:15 (v2); please ask them first"
    )


def test_a_digest_says_it_in_the_same_line() -> None:
    told = with_claim(notice(login()), CLAIM._replace(user="a b"), NOW_US, server().say)
    batch = [queued(number, told) for number in (1, 2)]
    text = render_text(batch, now_us=NOW_US, voice=Voice(ZONE))
    line = "2026-11-21 08:15:30 登录 alice 198.51.100.7 web-1 a␣b 已占用本机至 09:15"
    assert text.split("\n")[1:] == [line, line]


@example("u" * 100, "m" * 100, "n" * 200, "zh")
@example("u" * 100, "m" * 100, "n" * 200, "en")
@example("u" * 100, "u" * 100, "n" * 200, "en")
@given(
    st.text(min_size=1, max_size=120),
    st.text(min_size=1, max_size=120),
    st.text(max_size=300),
    st.sampled_from(["zh", "en"]),
)
def test_the_request_is_never_cut_off(user: str, maker: str, note: str, language: str) -> None:
    claim = CLAIM._replace(user=user, made_by=maker, note=note, until_us=NOW_US + 99 * HOUR)
    *before, last = marked(claim, language)
    assert before == lines(notice(login(), language), language)
    assert last.endswith("please ask them first" if language == "en" else "使用前烦请先与其联系")
    assert "<" not in last and "\n" not in last


def test_that_a_host_is_claimed_line_for_line() -> None:
    told = claim_notice(CLAIM._replace(made_us=NOW_US, made_by="root"), server())
    assert lines(told) == [
        "主机占用通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "占用人：bob（由 root 代为登记）",
        "占用时间：2026-11-21 08:15:30",
        "占用至：2026-11-21 09:15",
        "说明：部署中",
    ]
    assert told.digest == "2026-11-21 08:15:30 主机占用 bob - web-1 至 09:15"
    assert (told.kind, told.user, told.host) == ("claim", "bob", "web-1")


def test_that_it_is_free_again_line_for_line() -> None:
    free = CLAIM._replace(host="web-2", released_us=NOW_US, released_by="alice", note="")
    told = claim_notice(free, server("en"))
    assert lines(told, "en") == [
        "Host released · 通知",
        "Server: web-2",
        "Claimed by: bob",
        "Claimed at: 2026-11-21 07:15:30",
        "Until: 2026-11-21 09:15",
        "Released by: alice",
        "Released at: 2026-11-21 08:15:30",
    ]
    assert told.digest == "2026-11-21 08:15:30 host-released bob - web-2"
    assert told.at_us == NOW_US


# --- by the state ---------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_state(tmp_path)) as connection:
        yield connection


def told(
    state: sqlite3.Connection,
    change: Change,
    *,
    after: float = 0,
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> list[str]:
    """The lines about a claim in the notice of a change, by a monitor of this host."""
    here = Here(frozenset({"web-1"}), "web-1", None, None, ZONE, ())
    mark = mark_of(state, server(), ManualClock(NOW_US + round(after * 1e6)))
    word = telling_of(settings, here, mark).word
    return [line for line in lines(word(change, ())) if line.startswith("占用")]


def put(state: sqlite3.Connection, claim: Claim) -> None:
    with db.transaction(state):
        claims.add(state, claim)


def test_it_is_read_anew_for_each_login(state: sqlite3.Connection) -> None:
    assert told(state, login()) == []
    put(state, CLAIM)
    assert told(state, login()) == [LINE]
    assert told(state, login(), after=3599) == [LINE]
    assert told(state, login(), after=3600) == [], "it is over"
    with db.transaction(state):
        claims.end(state, claims.current(state, NOW_US), "bob", NOW_US)
    assert told(state, login()) == []


def test_only_logins_of_others_on_that_host(state: sqlite3.Connection) -> None:
    put(state, CLAIM)
    assert told(state, logout("alice")) == []
    assert told(state, login()._replace(kind=ChangeKind.LOGIN_FAILED)) == []
    assert told(state, login()._replace(host="web-2")) == []
    assert told(state, login()._replace(host="web-1.example.com")) == [LINE]
    assert told(state, login()._replace(host=None)) == [LINE], "a log that names no host"
    assert told(state, login(None)) == [LINE], "a log that names nobody"


@pytest.mark.parametrize("user", ["bob", "BOB", "CORP\\bob", "bob@corp.example"])
def test_ones_own_login_has_no_line(state: sqlite3.Connection, user: str) -> None:
    put(state, CLAIM)
    assert told(state, login(user)) == []


def test_a_person_on_a_shared_account_is_known_by_the_key(state: sqlite3.Connection) -> None:
    put(state, CLAIM)
    shared = login("deploy")._replace(key_name="bob@laptop", key_named_by=NamedBy.CONFIG)
    assert told(state, shared) == []
    assert told(state, shared._replace(key_named_by=NamedBy.COMMENT)) == [LINE], "proves nothing"


def test_a_text_of_ones_own_has_it_too(state: sqlite3.Connection) -> None:
    put(state, CLAIM)
    own = Settings(templates=TemplateSettings(login="{user} 登录通知\n来自 {ip}"))
    assert told(state, login(), settings=own) == [LINE]


def test_a_state_that_cannot_be_read_now_keeps_no_login_back(tmp_path: Path) -> None:
    connection = open_state(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db", timeout=0)) as other:
        connection.execute("PRAGMA busy_timeout=0")
        connection.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        assert told(connection, login()) == []
        other.execute("ROLLBACK")
    with closing(connection):
        connection.execute("DROP TABLE claim")
        with pytest.raises(sqlite3.OperationalError, match="no such table"):  # that will not pass
            told(connection, login())
