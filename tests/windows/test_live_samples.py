"""Real event logs, followed live through a double of pywin32, say what they say as files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows.fake_win32 import Channel, Event, World
from tests.windows.support import by_hand, fake
from usersessionmon.clock import ManualClock
from usersessionmon.model import Record
from usersessionmon.windows.channels import LSM, SECURITY, SYSTEM
from usersessionmon.windows.settings import WindowsServer
from usersessionmon.windows.xml import record_of

evtx = pytest.importorskip("evtx")
SAMPLES = Path(__file__).parents[3] / "shared/samples/windows"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"{SAMPLES} is not there")
LOGS = {LSM: "win10-shared-LSM", SYSTEM: "win10-shared-System", SECURITY: "win10-shared-Security"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        yield made


def events_of(name: str) -> list[Event]:
    data = io.BytesIO((SAMPLES / f"{name}.evtx").read_bytes())
    found = [
        Event(one["event_record_id"], one["data"]) for one in evtx.PyEvtxParser(data).records()
    ]
    return sorted(found, key=lambda one: one.number)


def of(records: list[Record], channel: str) -> list[Record]:
    return [one for one in records if one.windows is not None and one.windows.channel == channel]


def test_a_whole_server_is_followed_as_its_files_are_read(world: World) -> None:
    wanted = WindowsServer("rds-1", channels=("Security", "LSM", "System"))
    logs = {channel: events_of(name) for channel, name in LOGS.items()}
    host = world.host("rds-1")
    host.bound = 7
    host.channels = {channel: Channel(list(events)) for channel, events in logs.items()}
    clock = ManualClock()
    source, [line] = by_hand([wanted], clock, from_start=True)
    found: list[Record] = []
    position: str | None = None
    for turn in range(200):
        clock.advance(line.step())
        batch = source.read(100)
        found += batch.records
        position = batch.position or position
        if turn % 10 == 9:
            source.close()
            source, [line] = by_hand([wanted], clock, position, from_start=True)
    source.close()
    for channel, events in logs.items():
        direct = [record_of(one.xml, "rds-1", frozenset(LOGS)) for one in events]
        assert of(found, channel) == [one for one in direct if one is not None], channel
