"""Replay a recorded morning of a small server through the whole program into the terminal: the
notices, then who and history.  It needs no rights and touches nothing of the host.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta, timezone
from importlib import resources
from pathlib import Path
from sqlite3 import Connection

from usersessionmon.app import Delivery, Monitor
from usersessionmon.clock import ManualClock, Waker
from usersessionmon.config import Settings
from usersessionmon.envelope.text import LineReader
from usersessionmon.model import Batch, Record
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.pace import Budget
from usersessionmon.notify.routing import Router
from usersessionmon.notify.terminal import TerminalChannel
from usersessionmon.notify.words import Voice
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import load_rules
from usersessionmon.sd_notify import Notifier
from usersessionmon.sessions.engine import Engine
from usersessionmon.store import db, state
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.place import open_state
from usersessionmon.wiring.here import Here
from usersessionmon.wiring.notices import telling_of

from . import history, who
from .output import say

EXAMPLE = "user-session-monitor demo"
PAUSE = 0.4
"""Seconds between two notices, when a person watches."""
QUIET_US = 5_000_000
"""Long enough for an end that waits for its reason."""
ZONE = timezone(timedelta(hours=8))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fast", action="store_true", help="without a pause between notices")


class Replay:
    """A source that gives one record a time and moves the clock to it."""

    name = "demo"

    def __init__(self, records: Sequence[Record], clock: ManualClock) -> None:
        self._left = list(reversed(records))
        self._clock = clock
        self._clock.us = records[0].time.us
        self._rests = 0
        self._over = False

    @property
    def done(self) -> bool:
        return self._over

    def read(self, limit: int) -> Batch:
        """The next record; before one that is far, a quiet moment in which ends are concluded."""
        upcoming = self._left[-1].time.us if self._left else None
        far = upcoming is None or upcoming - self._clock.us > QUIET_US
        if far and self._rests < 2:
            self._clock.advance(QUIET_US / 1_000_000 * self._rests)  # the end of the log, then time
            self._rests += 1
            self._over = upcoming is None and self._rests == 2
            return Batch([], None, at_end=True)
        self._rests = 0
        record = self._left.pop()
        self._clock.us = record.time.us
        return Batch([record], str(len(self._left)), at_end=False, lines=min(limit, 1))

    def descriptors(self) -> Sequence[int]:
        return ()

    def patience(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


def main(options: argparse.Namespace) -> int:
    pause = 0.0 if options.fast or not sys.stdout.isatty() else PAUSE
    with tempfile.TemporaryDirectory(prefix="user-session-monitor-demo-") as folder:
        clock = ManualClock()
        connection = open_state(Path(folder))
        waker, quiet = Waker(), Waker()
        try:
            monitor, delivery, replay = _monitor(Path(folder), connection, clock, waker)
            _play(monitor, delivery, replay, clock, quiet, pause)
            say("$ user-session-monitor who")
            now = clock.now_us()
            views = list(state.sessions(connection, state.Query(only_open=True)))
            who.show([(view, None) for view in views], ZONE, now)
            say()
            say("$ user-session-monitor history")
            history.show(list(state.sessions(connection, state.Query())), ZONE)
        finally:
            waker.close()
            quiet.close()
            connection.close()
    return 0


def _play(
    monitor: Monitor,
    delivery: Delivery,
    replay: Replay,
    clock: ManualClock,
    quiet: Waker,
    pause: float,
) -> None:
    while not replay.done:
        monitor.turn()
        while delivery.worker.step(clock.now_us()) == 0:
            quiet.wait(pause)
    delivery.worker.close()


def _monitor(
    folder: Path, connection: Connection, clock: ManualClock, waker: Waker
) -> tuple[Monitor, Delivery, Replay]:
    rules = load_rules("debian")
    lines = resources.files("usersessionmon").joinpath("demo/morning.log").read_bytes()
    reader = LineReader(wanted=rules.wanted, zone=ZONE, reference_us=0)
    records = reader.read_block(lines.splitlines())
    here = Here(frozenset({"web-1"}), "web-1", "192.0.2.10", None, ZONE, ())
    file = folder / db.FILE_NAME
    channel = TerminalChannel(sys.stdout, voice=Voice(ZONE))
    worker = DeliveryWorker(channel, lambda: SqliteOutbox(file), clock, waker, Budget.unlimited())
    delivery = Delivery(channel.name, worker, waker)
    replay = Replay(records, clock)
    monitor = Monitor(
        source=replay,
        source_name="demo",
        connection=connection,
        file=file,
        pipeline=Pipeline(rules, Engine()),
        telling=telling_of(Settings(), here),
        router=Router([delivery.channel]),
        deliveries=(delivery,),
        clock=clock,
        waker=waker,
        notifier=Notifier({}),
        stock=lambda _engine: (),
    )
    return monitor, delivery, replay
