"""``scan --server`` against a double of pywin32."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.windows.fake_win32 import Event, World, event, fill
from tests.windows.support import fake
from usersessionmon.cli.main import main
from usersessionmon.windows.channels import LSM, OPENSSH, RCM, SECURITY, SYSTEM

ALL = (SECURITY, LSM, RCM, SYSTEM, OPENSSH)
HOUR_MS = 3_600_000


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        yield made


def session(host: str, first: int, user: str, age_ms: int = 0) -> list[Event]:
    """Somebody comes and goes, in seconds ``first`` and ``first`` + 1."""
    return [
        event(LSM, first, 21, host=host, user=user, age_ms=age_ms),
        event(LSM, first + 1, 23, host=host, user=user, age_ms=age_ms),
    ]


def scan(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any], str]:
    status = main(["scan", "--json", *words])
    captured = capsys.readouterr()
    return status, [json.loads(line) for line in captured.out.splitlines()], captured.err


def told(events: list[Any]) -> list[tuple[str, str, str]]:
    return [(one["event"], one["user"], one["host"]) for one in events]


def test_several_servers_in_the_order_of_time(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, first, user in (("a", 20, "alice"), ("b", 10, "bob"), ("c", 30, "carol")):
        fill(world.host(name, *ALL).channels[LSM], session(name, first, user))
    status, events, said = scan(capsys, "--server", "a,b,c", "--since", "8h")
    assert status == 0 and said == ""
    assert told(events) == [
        (kind, user, host)
        for user, host in (("bob", "b"), ("alice", "a"), ("carol", "c"))
        for kind in ("login", "logout")
    ]


def test_only_as_far_back_as_asked(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    channel = world.host("a", *ALL).channels[LSM]
    fill(channel, session("a", 1, "old", age_ms=9 * HOUR_MS))
    fill(channel, session("a", 11, "new", age_ms=7 * HOUR_MS))
    assert told(scan(capsys, "--server", "a")[1]) == [("login", "new", "a"), ("logout", "new", "a")]
    assert len(scan(capsys, "--server", "a", "--since", "1d")[1]) == 4
    assert scan(capsys, "--server", "a", "--since", "1h")[1] == []


def test_one_that_fails_is_said_and_holds_nobody(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(world.host("a", *ALL).channels[LSM], session("a", 1, "alice"))
    world.host("off").down = 1722
    world.host("closed", *ALL).channels[SECURITY].denied = 5
    status, events, said = scan(capsys, "--server", "off,a,closed,unknown")
    assert status == 1 and len(events) == 2
    lines = sorted(said.splitlines())
    assert len(lines) == 3
    assert "closed: Security: access denied" in lines[0] and "S-1-5-32-573" in lines[0]
    assert "off: not reachable" in lines[1] and "unknown: not reachable" in lines[2]


def test_channels_that_a_server_may_lack(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    fill(world.host("a", SECURITY, SYSTEM, LSM).channels[LSM], session("a", 1, "alice"))
    assert scan(capsys, "--server", "a")[0] == 0
    status, events, said = scan(capsys, "--server", "a", "--channel", "OpenSSH")
    assert status == 1 and not events and "no such channel" in said
    assert scan(capsys, "--server", "a", "--channel", "Security,lsm")[0] == 0


def test_a_host_that_cannot_send_as_much_gives_all_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    host = world.host("a", *ALL)
    host.bound = 5
    for number in range(1, 100, 2):
        fill(host.channels[LSM], session("a", number, f"user{number}"))
    status, events, _ = scan(capsys, "--server", "a")
    assert status == 0 and len(events) == 100


def test_sessions_in_place_of_events(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    fill(world.host("a", *ALL).channels[LSM], session("a", 20, "alice"))
    fill(world.host("b", *ALL).channels[LSM], session("b", 10, "bob")[:1])
    status, sessions, _ = scan(capsys, "--server", "a,b", "--sessions")
    assert [(one["user"], one["state"]) for one in sessions] == [
        ("bob", "open"),
        ("alice", "closed"),
    ]
    assert status == 0


@pytest.mark.parametrize("said", ["Session logon succeeded:\r\n\r\nUser: \x1b[31mCORP\\alice", ""])
def test_messages_are_shown_where_the_server_has_them(
    world: World, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    host = world.host("a", *ALL)
    fill(host.channels[LSM], session("a", 1, "alice")[:1])
    provider = "Microsoft-Windows-TerminalServices-LocalSessionManager"
    for messages in ({provider: said}, {}):
        host.messages = dict(messages)
        assert main(["scan", "--server", "a", "--message", "--timezone", "UTC"]) == 0
        record, login = capsys.readouterr().out.splitlines()
        assert record.startswith("2026-11-21 08:00:01 a LSM LSM 21 #1 ")
        assert "\x1b" not in record and ("succeeded" in record) == bool(said and messages)
        assert "login" in login
    _, [shown, event_], _ = scan(capsys, "--server", "a", "--message")
    assert (shown["record"], shown["id"], shown["channel"]) == (1, 21, LSM)
    assert "event" not in shown and event_["event"] == "login"


def test_this_machine_and_the_configured_credentials(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("windows: {servers: [{host: a, name: nice, credentials: usm}]}")
    world.credentials["usm"] = ("reader@corp", "pässword".encode("utf-16-le"))
    world.host("a", *ALL).password = "pässword"
    fill(world.hosts["a"].channels[LSM], session("a", 1, "alice"))
    fill(world.host("", *ALL).channels[LSM], session("here", 1, "bob"))
    words = ["--config", str(config), "--server", "NICE,local,a"]
    status, events, said = scan(capsys, *words)
    assert (status, said) == (0, "")
    assert {one["user"] for one in events} == {"alice", "bob"} and len(events) == 4
    assert [(one.user, one.domain) for one in world.sessions] == [("reader@corp", None)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--server", "a", "x.log"], "not both"),
        ([], "give a PATH"),
        (["--since", "3h", "x.log"], "--since goes with --server"),
        (["--server", "a,,b"], "names servers"),
        (["--server", "a", "--since", "soon"], "is no span"),
        (["--server", "a", "--channel", "Securty"], "did you mean Security?"),
        (["--server", ",".join(f"h{number}" for number in range(65))], "too many"),
    ],
)
def test_wrong_use(
    world: World, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    world.host("a", *ALL)
    status, events, printed = scan(capsys, *words)
    assert (status, events) == (2, []) and said in printed and len(printed.splitlines()) == 1


def test_without_pywin32_it_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    status, events, said = scan(capsys, "--server", "a")
    assert (status, events) == (2, [])
    assert "need Windows and pywin32" in said and len(said.splitlines()) == 1
