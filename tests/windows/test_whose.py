"""A record says itself whose it is: nobody speaks for another host by that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.windows.fake_win32 import Event, World, event, fill
from tests.windows.support import BOTH, RDS, by_hand, fake, ids
from usersessionmon.clock import ManualClock
from usersessionmon.strict import BadValuesError
from usersessionmon.windows.asking import Look, past
from usersessionmon.windows.channels import FORWARDED, LSM, SECURITY, SYSTEM, WANTED
from usersessionmon.windows.forwarded import Forwarded
from usersessionmon.windows.live import LiveEventLog
from usersessionmon.windows.marks import MOST_COMPUTERS, MOST_NAMES, Mark, Position
from usersessionmon.windows.settings import WindowsServer
from usersessionmon.windows.xml import record_of

COLLECTOR = WindowsServer("collector", forwarded=True)
OTHER = WindowsServer("other", forwarded=True)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        yield made


def xml(channel: str = LSM, host: str = "a", number: int = 1, event_id: int = 21) -> str:
    return event(channel, number, event_id, host=host).xml


def power_lost(number: int) -> Event:
    """Of System, with an id that means something in LSM too."""
    one = event(SYSTEM, number, 41)
    return replace(one, xml=one.xml.replace("'EventLog'", "'Microsoft-Windows-Kernel-Power'"))


def test_looked_at_once_a_record_is_of_the_channel_that_it_was_read_from(world: World) -> None:
    channel = world.host("rds-1", *BOTH).channels[LSM]
    fill(channel, [event(LSM, 1, 21), power_lost(2), event(LSM, 3, 23)])
    look = Look((LSM,), None, messages=False, parse=record_of)
    session = LiveEventLog().open(RDS.host, "")
    found = [one for one in past(look, RDS, session) if one is not None]
    session.close()
    assert ids([one.record for one in found if one.record is not None]) == [(LSM, 1), (LSM, 3)]


def test_a_record_of_another_channel_than_the_one_that_is_read_is_passed_over(
    world: World,
) -> None:
    host = world.host("rds-1", *BOTH)
    source, [line] = by_hand([RDS], ManualClock())
    line.step()
    fill(
        host.channels[LSM],
        [
            event(LSM, 1, 21),
            event(SECURITY, 2, 21),
            power_lost(3),
            event(LSM, 4, 23),
        ],
    )
    line.step()
    batch = source.read(100)
    source.close()
    assert ids(batch.records) == [(LSM, 1), (LSM, 4)]
    [note] = [one for one in batch.notes if "passed over" in one]
    assert "rds-1" in note and SECURITY in note


def test_hosts_of_two_collectors_and_servers_read_directly_have_different_origins(
    world: World,
) -> None:
    for name in ("collector", "other"):
        world.host(name, FORWARDED)
    world.host("rds-1", *BOTH)
    source, lines = by_hand([COLLECTOR, OTHER, RDS], ManualClock())
    for line in lines:
        line.step()
    for name in ("collector", "other"):
        log = world.hosts[name].channels[FORWARDED]
        fill(log, [event(LSM, 1, 21, host="RDS-1", collected=1)])
    fill(world.hosts["rds-1"].channels[LSM], [event(LSM, 1, 21, host="rds-1")])
    for line in lines:
        line.step()
    records = source.read(100).records
    source.close()
    origins = sorted(one.windows.origin for one in records if one.windows is not None)
    assert origins == ["collector/rds-1", "other/rds-1", "rds-1"]


@pytest.mark.parametrize("host", ["", "b/c", "x" * 250])
def test_a_computer_that_there_cannot_be_is_nobodys(host: str) -> None:
    assert Forwarded((), {}, "collector").whose(xml(host=host)) is None
    assert Forwarded((), {}, "collector").whose(xml(host="b")) == ("collector/b", frozenset({LSM}))


def test_a_servers_name_cannot_look_like_a_forwarded_hosts() -> None:
    with pytest.raises(BadValuesError, match="without /"):
        WindowsServer("rds-1", name="collector/a")


def test_only_channels_that_matter_are_learnt() -> None:
    whose = Forwarded((), {"A": frozenset({SECURITY})}, "collector")
    for made_up in range(5):
        assert whose.whose(xml(channel=f"Made/{made_up}")) is None
    assert whose.whose(xml(LSM, number=2, event_id=4242)) is None
    assert whose.whose(xml(LSM, number=3)) == ("collector/a", frozenset(BOTH))


def test_what_is_learnt_of_a_collector_has_its_bounds_and_the_oldest_goes_first() -> None:
    position = Position(None, ["collector"])
    learned = frozenset(WANTED)
    position.learn("collector", "first", learned)
    position.learn("collector", "second", learned)
    for number in range(MOST_COMPUTERS - 1):
        position.learn("collector", "first", learned)
        position.learn("collector", f"made-up-{number}", learned)
    known = position.learned("collector")
    assert len(known) == MOST_COMPUTERS and "first" in known and "second" not in known
    for number in range(MOST_COMPUTERS):
        position.learn("collector", f"{number:0255}", learned)
    text = position.text()
    assert len(text) < MOST_NAMES + 60 * len(position.learned("collector")) + 1000
    assert dict(Position(text, ["collector"]).learned("collector")) == position.learned("collector")


def test_what_was_saved_by_full_names_and_by_foreign_ones_is_understood() -> None:
    saved = {"marks": {FORWARDED: Mark("<b/>", 7, "")}, "learned": {"A": [LSM, "Made/Up"]}}
    position = Position(json.dumps({"collector": saved}), ["collector"])
    assert position.learned("collector") == {"a": {LSM}}
