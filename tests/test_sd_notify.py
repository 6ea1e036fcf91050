"""The messages to systemd, received on real datagram sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from usersessionmon.sd_notify import Notifier


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(address)
        server.settimeout(5)
        yield server


def test_each_message_reaches_the_manager(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address) as server:
        notifier = Notifier({"NOTIFY_SOCKET": address})
        assert notifier.ready("following the journal")
        assert server.recv(4096) == b"READY=1\nSTATUS=following the journal"
        assert notifier.ready()
        assert server.recv(4096) == b"READY=1"
        assert notifier.watchdog()
        assert server.recv(4096) == b"WATCHDOG=1"
        assert notifier.reloading(123_456)
        assert server.recv(4096) == b"RELOADING=1\nMONOTONIC_USEC=123456"
        assert notifier.stopping()
        assert server.recv(4096) == b"STOPPING=1"


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"usersessionmon-test-{os.getpid()}"
    with manager("\0" + name) as server:
        assert Notifier({"NOTIFY_SOCKET": "@" + name}).watchdog()
        assert server.recv(4096) == b"WATCHDOG=1"


def test_foreign_text_cannot_begin_a_second_assignment(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address) as server:
        assert Notifier({"NOTIFY_SOCKET": address}).status(
            "a\nSTOPPING=1\x1b[31m\udc80 " + "x" * 999
        )
        message = server.recv(4096)
    assert message.startswith(b"STATUS=a STOPPING=1 [31m  x")
    assert b"\n" not in message and len(message) < 600


@pytest.mark.parametrize("address", ["", "vsock:2:1", "relative", "/nobody/listens/here", "@none"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    assert not Notifier({"NOTIFY_SOCKET": address}).ready()
    assert not Notifier({}).ready()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_beat(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environment).watchdog_seconds() == seconds
