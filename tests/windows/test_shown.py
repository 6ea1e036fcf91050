"""What programs and people are shown of Windows' sessions: JSON, ``who``, ``history``, ``scan``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_scan import FIELDS, SESSION
from usersessionmon.cli import scan, watch, who
from usersessionmon.cli.common import settings_of
from usersessionmon.cli.main import build_parser, main
from usersessionmon.cli.output import session_object
from usersessionmon.contract import event_object
from usersessionmon.model import ChangeKind, SessionView
from usersessionmon.store import db, state
from usersessionmon.store.place import open_state

from .building import LSM, SECURITY, Host

Capture = pytest.CaptureFixture[str]
HERE, THERE = "198.51.100.7", "203.0.113.9"


def displaced(**more: Any) -> Host:
    """Bob comes in by throwing alice out; she comes back, and leaves."""
    host = Host(LSM, **more).desktop(0, 21, "alice", 2, HERE)
    host.why(600, 2, 5).desktop(600.1, 24, "alice", 2, HERE).desktop(602, 21, "bob", 3, THERE)
    host.desktop(900, 23, "bob", 3).desktop(1000, 25, "alice", 2, HERE)
    return host


def test_the_objects_have_what_only_windows_tells() -> None:
    host = displaced().finish()
    login, logout, *_, again = [event_object(change) for change in host.changes]
    assert set(login) == {*FIELDS["login"].split(), "domain", "reconnected"}
    assert set(logout) == {*FIELDS["logout"].split(), "domain", "disconnected", "by_user", "by_ip"}
    assert (login["domain"], login["reconnected"], again["reconnected"]) == ("CORP", False, True)
    assert (logout["disconnected"], logout["by_user"], logout["by_ip"]) == (True, "bob", THERE)
    assert (logout["reason"], logout["abnormal"]) == ("killed", True)
    assert again["session"] == login["session"]


def test_the_objects_of_what_is_no_session() -> None:
    host = Host(SECURITY)
    host.give(1, SECURITY, 4625, TargetUserName="x", TargetDomainName="PC7", IpAddress=HERE)
    host.give(
        2, SECURITY, 4648, SubjectUserName="alice", SubjectDomainName="CORP", TargetUserName="root"
    )
    failure, elevation = [event_object(change) for change in host.changes]
    assert set(failure) == {*FIELDS["login_failed"].split(), "domain"}
    assert set(elevation) == {*FIELDS["elevation"].split(), "domain"}
    assert (failure["domain"], elevation["domain"]) == ("PC7", "CORP")


def test_the_objects_of_others_stay_as_they_are() -> None:
    (change, *_) = displaced().changes
    for kind in ChangeKind:
        found = event_object(change._replace(kind=kind, service="sshd"))
        assert set(found) == set(FIELDS[kind].split())


def test_a_row_says_who_ended_it() -> None:
    first, *_ = displaced().finish().rows
    row = session_object(first)
    assert set(row) == {*SESSION.split(), "disconnected", "by_user", "by_ip"}
    assert (row["tty"], row["disconnected"], row["by_user"], row["by_ip"]) == (
        "rdp", True, "bob", THERE,
    )  # fmt: skip


def test_a_hostile_domain_stays_within_its_text() -> None:
    (change, *_) = displaced().changes
    nasty = change._replace(domain='x", "user": "root\x1b[2J\u202e')
    found = event_object(nasty)
    assert (found["domain"], found["user"]) == (nasty.domain, "alice")


# --- over a real state ----------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    (tmp_path / "state").mkdir()
    path = tmp_path / "config.yaml"
    path.write_text(f"state: {{dir: {tmp_path / 'state'}}}\ntimezone: UTC\n")
    return ["--config", str(path)]


def save(tmp_path: Path, host: Host) -> None:
    with closing(open_state(tmp_path / "state")) as connection, db.transaction(connection):
        state.write_windows(connection, *host.engine.drain())


def objects(capsys: Capture, *words: str) -> list[dict[str, Any]]:
    assert main([*words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_who_shows_the_connection_that_is_open(
    tmp_path: Path, config: list[str], capsys: Capture
) -> None:
    save(tmp_path, displaced(patient=False).wait(0, 20))
    (row,) = objects(capsys, "who", *config)
    assert (row["user"], row["ip"], row["tty"], row["state"]) == ("alice", HERE, "rdp", "open")
    assert row["login_time"].endswith("08:16:40Z")
    assert main(["who", *config]) == 0
    assert " rdp " in capsys.readouterr().out


def test_history_says_by_whom_and_that_a_session_lives_on(
    tmp_path: Path, config: list[str], capsys: Capture
) -> None:
    save(tmp_path, displaced(patient=False).wait(0, 20))
    rows = objects(capsys, "history", *config)
    assert [(row["user"], row["state"], row["by_user"]) for row in rows] == [
        ("alice", "closed", "bob"), ("bob", "closed", None), ("alice", "open", None),
    ]  # fmt: skip
    assert main(["history", *config]) == 0
    first, *others = capsys.readouterr().out.splitlines()[2:]
    assert first.rstrip().endswith(f"abnormal, disconnected, by bob from {THERE}")
    assert not any("disconnected" in line or " by " in line for line in others)
    assert main(["history", *config, "--csv"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.endswith(",disconnected,by_user,by_ip")
    assert first.endswith(f",true,bob,{THERE}")


@pytest.mark.parametrize("user", ["alice", "ALICE", "Alice"])
def test_history_of_an_account_in_any_letters(
    tmp_path: Path, config: list[str], capsys: Capture, user: str
) -> None:
    save(tmp_path, displaced(patient=False).wait(0, 20))
    assert len(objects(capsys, "history", "--user", user, *config)) == 2
    assert len(objects(capsys, "history", "--user", user, "--limit", "1", *config)) == 1
    assert objects(capsys, "history", "--user", "alic", *config) == []


def test_watching_tells_the_connections_of_one_session_apart(
    tmp_path: Path, config: list[str]
) -> None:
    settings = settings_of(build_parser(["who"]).parse_args(["who", *config]))
    host = Host(LSM, patient=False).desktop(0, 21, "alice", 2, HERE)
    save(tmp_path, host)
    before = who.look(settings)
    host.why(600, 2, 5).desktop(600.1, 24, "alice", 2, HERE).desktop(602, 25, "alice", 2, THERE)
    save(tmp_path, host)
    after = who.look(settings, [view.key for view, _ in before.there])
    found = list(watch.differences(before.there, after))
    assert [(one.what, one.view.ip) for one in found] == [("left", HERE), ("came", THERE)]
    assert found[0].view.session == found[1].view.session
    assert watch._words(found[0]) == (
        f"- alice from {HERE} left: killed, replaced from {THERE}, after 00:10:00"
    )


def test_scan_says_it_in_words() -> None:
    host = displaced().finish()
    login, logout, *_, again = [scan._event_text(one, scan._zone("UTC")) for one in host.changes]
    assert "domain=CORP" in login
    assert "desktop=" not in login
    assert logout.endswith(f"desktop=disconnected by=bob by_ip={THERE}")
    assert again.endswith("desktop=reconnected")
    first, *_ = [scan._session_text(row, scan._zone("UTC")) for row in host.rows]
    assert first.endswith(f" SRV01 disconnected, by bob from {THERE}")


def test_a_row_is_found_by_its_own_id(tmp_path: Path, config: list[str]) -> None:
    save(tmp_path, displaced(patient=False).wait(0, 20))
    with closing(open_state(tmp_path / "state")) as connection:
        rows: list[SessionView] = list(state.sessions(connection, state.Query(user="alice")))
        assert len({row.session for row in rows}) == 1
        assert [state.session(connection, row.key) for row in rows] == rows
