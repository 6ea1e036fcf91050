"""The whole monitor on servers' event logs: one transaction, kills, ``status`` and ``check``."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.windows.fake_win32 import World, event, fill
from tests.windows.support import fake
from usersessionmon.app import Monitor
from usersessionmon.cli.main import main
from usersessionmon.clock import ManualClock
from usersessionmon.config import Settings, load
from usersessionmon.errors import UserError
from usersessionmon.store import db
from usersessionmon.store.state import read_position
from usersessionmon.windows.channels import LSM, OPENSSH, RCM, SECURITY, SYSTEM
from usersessionmon.windows.settings import WindowsServer, WindowsSettings
from usersessionmon.wiring.monitor import config_problems, monitor

ALL = (SECURITY, LSM, RCM, SYSTEM, OPENSSH)
PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"""
state: {{dir: {tmp_path / "state"}}}
timezone: UTC
windows:
  servers:
    - {{host: rds-1, channels: [Security, LSM]}}
    - {{host: rds-2, name: second, channels: [Security, LSM]}}
"""
    )
    return path


def come_and_go(world: World, host: str, first: int) -> None:
    """Everybody, one after the other."""
    for turn, user in enumerate(PEOPLE):
        at = first + 2 * turn
        fill(
            world.hosts[host].channels[LSM],
            [
                event(LSM, at, 21, host=host, user=user),
                event(LSM, at + 1, 23, host=host, user=user),
            ],
        )


def told(settings: Settings) -> list[tuple[str, str, str]]:
    """(what, who, where) of every notice that was queued, in order."""
    with closing(sqlite3.connect(Path(settings.state.dir) / db.FILE_NAME)) as connection:
        rows = connection.execute("SELECT fields FROM notices ORDER BY number").fetchall()
    found = [json.loads(text) for (text,) in rows]
    return [
        (one["kind"], one["user"], one["host"])
        for one in found
        if one["kind"] in {"login", "logout"}
    ]


def expected(*hosts: str) -> list[tuple[str, str, str]]:
    return sorted(
        (kind, user, host) for host in hosts for user in PEOPLE for kind in ("login", "logout")
    )


def follow(settings: Settings, done: Callable[[Monitor], bool]) -> None:
    """Turn the main loop until something is so, and leave without an orderly end."""
    with monitor(settings, from_start=False, once=False, stream=io.StringIO()) as running:
        while not done(running):
            running.turn()
            running.waker.wait(0.05)


def placed(running: Monitor) -> bool:
    """It is saved where each channel of both servers is read from."""
    return (read_position(running.connection, "windows") or "").count('["') == 4


def test_nothing_is_lost_or_told_twice_however_often_it_is_killed(
    world: World, config: Path
) -> None:
    for host in ("rds-1", "rds-2"):
        world.host(host, *ALL)
    settings = load(config)
    follow(settings, placed)
    come_and_go(world, "rds-1", 1)
    come_and_go(world, "rds-2", 1)
    for many in (3, 11, 20):
        follow(settings, lambda _running, many=many: len(told(settings)) >= many)  # type: ignore[misc]
    come_and_go(world, "rds-1", 101)
    follow(settings, lambda _running: len(told(settings)) >= 48)
    assert sorted(told(settings)) == sorted([*expected("rds-1", "rds-2"), *expected("rds-1")])


def test_status_shows_how_each_server_stands(
    world: World, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.host("rds-1", *ALL)
    world.host("rds-2", LSM)
    clock = ManualClock(1_800_000_000_000_000)
    monkeypatch.setattr("usersessionmon.wiring.monitor.SystemClock", lambda: clock)
    monkeypatch.setattr("usersessionmon.cli.watched.SystemClock", lambda: clock)
    settings = load(config)

    def settled(running: Monitor) -> bool:
        clock.advance(1.0)
        known = json.loads(running.facts.get("windows_servers") or "[]")
        return {one["state"] for one in known} == {"live", "incomplete"}

    follow(settings, settled)
    data = status(config, capsys)
    assert [(one["name"], one["host"], one["state"]) for one in data["servers"]] == [
        ("rds-1", "rds-1", "live"),
        ("second", "rds-2", "incomplete"),
    ]
    assert data["servers"][1]["error"].startswith("Security: there is no such channel")
    assert not any("second" in sentence for sentence in data["trouble"])
    clock.advance(600.0)
    assert any("server second is not read for" in one for one in status(config, capsys)["trouble"])
    assert main(["status", "--config", str(config)]) == 1
    out = capsys.readouterr().out
    assert "server     rds-1: live since" in out and "without Security (absent)" in out


def status(config: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    main(["status", "--json", "--config", str(config)])
    return json.loads(capsys.readouterr().out)


def test_once_reads_what_is_there_and_ends(
    world: World, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for host in ("rds-1", "rds-2"):
        world.host(host, *ALL)
        come_and_go(world, host, 1)
    assert main(["run", "--once", "--from-start", "--config", str(config)]) == 0
    out = capfd.readouterr().out
    assert out.count("用户登录通知") + out.count(" 登录 ") == 2 * len(PEOPLE)


def test_check_tries_each_server_and_names_the_way_out(
    world: World, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rds = world.host("rds-1", *ALL)
    rds.channels[SECURITY].denied = 5
    fill(rds.channels[LSM], [event(LSM, number) for number in (1, 2, 3)])
    world.host("rds-2").down = 1722
    assert main(["check", "--json", "--config", str(config)]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = [(one["ok"], one["text"]) for one in found if one["part"] == "source"]
    assert (True, "rds-1: LSM can be read") in said
    assert not any("Security, " in text for _, text in said)
    [denied] = [text for ok, text in said if not ok and "rds-1: Security" in text]
    assert "S-1-5-32-573" in denied
    [off] = [text for ok, text in said if not ok and "second" in text]
    assert "not reachable" in off and "Remote Event Log Management" in off


@pytest.mark.parametrize(
    ("oldest", "enabled", "said"),
    [
        (1, True, ""),  # never full: how far it reaches back says nothing
        (2, True, "make it larger"),
        (1, False, "is switched off"),
    ],
)
def test_check_knows_how_long_a_log_is_kept(
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    oldest: int,
    enabled: bool,
    said: str,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"state: {{dir: {tmp_path}}}\nwindows: {{servers: [{{channels: [LSM]}}]}}\n")
    channel = world.host("", LSM).channels[LSM]
    channel.enabled = enabled
    fill(channel, [event(LSM, number) for number in range(oldest, 5)])
    clock = ManualClock(1_795_263_600_000_000)  # 2026-11-21 12:20 UTC
    monkeypatch.setattr("usersessionmon.cli.check.SystemClock", lambda: clock)
    main(["check", "--json", "--config", str(config)])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    texts = [one["text"] for one in found if one["text"].startswith("local: LSM: ")]
    assert [said in text for text in texts] == ([True] if said else [])


@pytest.mark.parametrize("command", [["run", "--once"], ["check"]])
def test_without_pywin32_it_is_one_clear_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"monitor: {{source: windows}}\nstate: {{dir: {tmp_path}}}\n")
    status = main([*command, "--config", str(config)])
    captured = capfd.readouterr()
    said = captured.out + captured.err
    assert said.count("need Windows and pywin32") == 1 and status == (2 if "run" in command else 1)


def test_a_collector_may_be_read_for_itself_as_well() -> None:
    both = (WindowsServer("a"), WindowsServer("A", name="all", forwarded=True))
    assert WindowsSettings(both).servers == both


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("windows: {servers: [{host: a}, {host: A.}]}", "a is there 2 times: once is enough"),
        ("windows: {servers: [{host: a, name: x}, {host: A, name: y}]}", "a is there 2 times"),
        ("windows: {servers: [{host: local}, {host: localhost}]}", "this machine is there 2 times"),
        ("windows: {servers: [{name: x}, {host: .}, {host: LOCALHOST}]}", "is there 3 times"),
        ("windows: {servers: [{host: a, name: b}, {host: B}]}", "b is there 2 times: name them"),
        ("windows: {servers: [{host: a}, {host: A, forwarded: true}]}", "name them"),
        ("windows: {servers: [{host: a, channels: [Securty]}]}", "did you mean Security?"),
        ("windows: {servers: [{host: '\\\\a'}]}", "without \\\\ in front"),
        ("windows: {servers: [{credentials: x}]}", "this machine needs none"),
        ("windows: {servers: [{host: a, password: x}]}", "unknown key"),
        ("monitor: {source: file}\nwindows: {servers: [{host: a}]}", "auto or windows"),
        (
            "windows: {servers: [" + ", ".join(f"{{host: h{n}}}" for n in range(65)) + "]}",
            "forwarded: true",
        ),
    ],
)
def test_a_wrong_configuration_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    assert main(["check", "--config", str(config)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line and f"{config}:" in line


@pytest.mark.skipif(sys.platform == "win32", reason="there they can be read")
@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("monitor: {source: windows}", "monitor.source says so"),
        ("windows: {servers: [{host: a}]}", "windows.servers names them"),
    ],
)
def test_where_no_event_logs_can_be_followed_nothing_is_made(
    tmp_path: Path, part: str, why: str
) -> None:
    state, path = tmp_path / "state", tmp_path / "config.yaml"
    path.write_text(f"state: {{dir: {state}}}\n{part}\n")
    with pytest.raises(UserError, match=rf"{why}.*need Windows and pywin32"):
        monitor(load(path), from_start=False, once=True, stream=io.StringIO()).__enter__()
    assert not state.exists()
    (problem,) = config_problems(str(path), Settings())
    assert "need Windows and pywin32" in problem
    assert not state.exists()
