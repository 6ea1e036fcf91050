"""Whose sshd a line is of: nobody ends another server's sessions by calling itself by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows.fake_win32 import Event, World, fill
from tests.windows.rendering import event
from tests.windows.support import by_hand, fake
from usersessionmon.cli.main import main
from usersessionmon.clock import ManualClock, SystemClock
from usersessionmon.config import load
from usersessionmon.windows.channels import FORWARDED, OPENSSH
from usersessionmon.windows.naming import Naming
from usersessionmon.windows.settings import WindowsServer
from usersessionmon.wiring.windows import open_servers

RDS = WindowsServer("rds-1.example.org", name="terminal")
WEB = WindowsServer("10.0.0.5", name="web")
HERE = WindowsServer()
COLLECTOR = WindowsServer("wec", forwarded=True)
OTHER = WindowsServer("wec-2", forwarded=True)


@pytest.mark.parametrize(
    ("server", "computer", "host"),
    [
        (RDS, "RDS-1", "RDS-1"),
        (RDS, "rds-1.example.org", "rds-1.example.org"),
        (RDS, "Terminal.corp", "Terminal.corp"),
        (RDS, "web", "terminal"),
        (RDS, "10.0.0.5", "terminal"),
        (RDS, "pc-7", "terminal"),
        (RDS, "wec", "terminal"),
        (RDS, "", "terminal"),
        (WEB, "WEB.corp", "WEB.corp"),
        (WEB, "10.0.0.7", "web"),
        (WEB, "10", "web"),
        (HERE, "pc-7.corp", "pc-7.corp"),
        (COLLECTOR, "laptop-3.corp", "laptop-3.corp"),
        (COLLECTOR, "RDS-1.elsewhere", "RDS-1.elsewhere@wec"),
        (COLLECTOR, "terminal", "terminal@wec"),
        (COLLECTOR, "10.0.0.5", "10.0.0.5@wec"),
        (COLLECTOR, "PC-7", "PC-7@wec"),
    ],
)
def test_a_name_is_taken_over_where_it_is_the_servers_own(
    server: WindowsServer, computer: str, host: str
) -> None:
    assert Naming((RDS, WEB, HERE, COLLECTOR), ["pc-7"]).host_of(server, computer) == host


def test_a_name_that_two_servers_may_have_is_neithers() -> None:
    twin = WindowsServer("rds-1.example.net")
    naming = Naming((RDS, twin))
    assert naming.host_of(twin, "rds-1.example.org") == "rds-1.example.net"
    assert naming.host_of(RDS, "rds-1") == "terminal"


def test_two_collectors_do_not_speak_for_each_others_hosts() -> None:
    naming = Naming((COLLECTOR, OTHER))
    assert naming.host_of(COLLECTOR, "a") == "a@wec"
    assert naming.host_of(OTHER, "a") == "a@wec-2"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        yield made


def accepted(computer: str) -> Event:
    line = "Accepted password for eve from 192.0.2.9 port 4711 ssh2"
    data = {"process": "sshd", "payload": line}
    return Event(1, event(4, OPENSSH, data, provider="OpenSSH", computer=computer))


def test_lines_of_sshd_come_under_their_own_hosts_name(world: World) -> None:
    for name in ("rds-1", "web"):
        fill(world.host(name, OPENSSH).channels[OPENSSH], [accepted("rds-1.corp")])
    fill(world.host("wec", FORWARDED).channels[FORWARDED], [accepted("rds-1.corp")])
    servers = [
        WindowsServer("rds-1", channels=("OpenSSH",)),
        WindowsServer("web", channels=("OpenSSH",)),
        COLLECTOR,
    ]
    source, lines = by_hand(servers, ManualClock(), from_start=True)
    for line in lines:
        line.step()
    hosts = [one.host for one in source.read(100).records]
    source.close()
    assert sorted(map(str, hosts)) == ["rds-1.corp", "rds-1.corp@wec", "web"]


def test_a_collector_does_not_speak_for_this_machine(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usersessionmon.wiring.windows.nodes", lambda: frozenset({"pc-7"}))
    world.host("", OPENSSH)
    fill(world.host("wec", FORWARDED).channels[FORWARDED], [accepted("PC-7.corp")])
    config = tmp_path / "config.yaml"
    config.write_text(
        "windows: {servers: [{name: here, channels: [OpenSSH]}, {host: wec, forwarded: true}]}\n"
    )
    source = open_servers(
        load(config),
        clock=SystemClock(),
        position=None,
        from_start=True,
        once=True,
        wake=lambda: None,
    )
    hosts = []
    while not (batch := source.read(100)).at_end:
        hosts += [one.host for one in batch.records]
    hosts += [one.host for one in batch.records]
    source.close()
    assert hosts == ["PC-7.corp@wec"]


def test_a_scan_of_servers_names_them_so_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("rds-1", "web"):
        fill(world.host(name, OPENSSH).channels[OPENSSH], [accepted("rds-1")])
    words = ("--server", "rds-1,web", "--channel", "OpenSSH")
    assert main(["scan", "--json", *words]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(one["host"] for one in found if one["event"] == "login") == ["rds-1", "web"]
