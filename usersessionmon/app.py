"""The running monitor: the main loop, its one transaction, and its orderly end."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from usersessionmon import __version__
from usersessionmon.clock import Clock, Waker
from usersessionmon.entries import Entry, entry
from usersessionmon.model import Batch, Change, Moment, Notice, Record
from usersessionmon.notify import delivery
from usersessionmon.notify.base import Dropped
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.routing import Router
from usersessionmon.notify.sanitize import harmless
from usersessionmon.pipeline import Pipeline
from usersessionmon.saving import Saver, UnsavedError
from usersessionmon.sd_notify import Notifier
from usersessionmon.sessions.engine import Engine
from usersessionmon.sources.base import Source
from usersessionmon.store import counts, db, detectors, drops, outbox, retention, state
from usersessionmon.store.damage import REBUILD, UNTOLD
from usersessionmon.store.drops import Policy
from usersessionmon.store.faults import DamagedError, RemovedError, may_pass, trouble
from usersessionmon.store.retention import Limits
from usersessionmon.system import signals
from usersessionmon.tellers import Teller
from usersessionmon.telling import Telling
from usersessionmon.watching.down import STOPPED

LOG = logging.getLogger("usersessionmon")

BATCH = 1000
IDLE_SAVE_US = 5_000_000
"""A position that moved over lines that mean nothing is saved this often, not at every look."""
ALIVE_SAVE_US = 60_000_000
"""Something is saved this often, whatever happens: it shows that the monitor was alive."""
STOP_SECONDS = 3.5
"""What delivery may take to end; the whole end stays under 5 s."""
DRAIN_SECONDS = 3.0
TIDY_SECONDS, TIDY_MORE_SECONDS = 600.0, 1.0
"""How often old sessions are looked for, and when the last look did not remove them all."""
REBUILT_SECONDS = 60.0
"""So long after a rebuilt state is up to the log's end, late lines of before are told by nobody."""
REFUSED = "reload_refused"
"""The fact that says when a new configuration was refused, and why."""
CHECK_SECONDS = 5.0
"""How often it is checked that the state is still where it was opened."""


@dataclass(slots=True)
class Delivery:
    """One channel with its worker and the worker's waker."""

    channel: str
    worker: DeliveryWorker
    waker: Waker
    damage: Sequence[DamagedError] = ()
    """What the worker found damaged of the state."""


@dataclass(slots=True)
class Monitor:
    """One source followed into one state.  ``run`` is the whole life."""

    source: Source
    source_name: str
    """The position's key in the state: ``journal`` or ``file:PATH``."""
    connection: sqlite3.Connection
    file: Path
    pipeline: Pipeline
    telling: Telling
    router: Router
    deliveries: Sequence[Delivery]
    clock: Clock
    waker: Waker
    notifier: Notifier
    stock: Callable[[Engine], Iterable[Change]]
    """Looks at the live host; called once, when the log's end is reached first."""
    call: Callable[[Engine, bool], list[Change]] = lambda _engine, _gap: []
    """Asks the host for the open sessions, now and then; called when the log has no more.  The
    second argument: the log has lost lines."""
    look: Callable[[Change], Change] = lambda change: change
    """Compares a change of a log that proves nothing with the live host, and marks it."""
    know: Callable[[Engine, Change], Change] = lambda _engine, change: change
    """Completes a change by what is known of its person beside the log."""
    recall: Callable[[Engine], None] = lambda _engine: None
    """Looks, now and then, who is somebody else no more; called when the log has no more."""
    tellers: Sequence[Teller] = ()
    """What tells of more than single changes."""
    seen: Callable[[Sequence[Record], Sequence[Change], int], None] = lambda _r, _c, _us: None
    """Is told what was read, what it led to, and when: it counts."""
    unsaved: Callable[[int], None] = lambda _now_us: None
    """Told now and then that the state cannot be written."""
    limits: Limits | None = None
    """What is kept of ended sessions; None: all."""
    policy: Policy | None = None
    """What may wait for each channel; None: everything."""
    told_us: int | None = None
    """What happened until then was told before the state had to be rebuilt."""
    elsewhere_us: int | None = None
    """What was logged until then another source has told of."""
    opening: Sequence[Notice] = ()
    """Told at the beginning."""
    once: bool = False
    told: Sequence[str] = ()
    """Notes of the source that were said before it was opened."""
    look_anew: Callable[[], Sequence[str]] = lambda: ()
    """What is wrong with the configuration as it is now, a line each."""
    again: bool = False
    """After ``run``: to be begun anew, with the configuration as it is now."""
    facts: dict[str, str] = field(default_factory=dict)
    _reload_asked: bool = False
    _stopping: bool = False
    _stocked: bool = False
    _position: str | None = None
    _placed: bool = False
    _saved_us: int = 0
    _lines: int = 0
    _doubted: int = 0
    _losses: int = 0
    _last_line: Moment | None = None
    _watchdog: float | None = field(init=False)
    _watchdog_at: float = 0.0
    _check_at: float = 0.0
    _tidy_at: float = 0.0
    _rebuilt_at: float | None = None
    _saver: Saver = field(init=False)
    _identity: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._watchdog = self.notifier.watchdog_seconds()
        self._saver = Saver(self.connection, self.file, self.clock, self.waker, self.notifier)

    def run(self) -> None:
        """Follow the log until ``stop``; with ``once`` until its end.

        Raises TroubleError when the log or the state cannot be used any more.
        """
        workers = [one.worker for one in self.deliveries]
        for worker in workers:
            worker.start()
        try:
            self._save_start()
            self._loop()
            if self.once:
                delivery.drain(
                    workers, DRAIN_SECONDS, self.clock, self.waker, lambda: self._stopping
                )
        except UnsavedError:
            LOG.warning("%s: what was read last is not saved: it is read again", self.file)
        except sqlite3.Error as error:
            raise trouble(self.file, error) from error
        finally:
            if self.again:
                self.notifier.reloading(round(self.clock.monotonic() * 1_000_000))
            else:
                self.notifier.stopping()
            delivery.stop(workers, STOP_SECONDS, self.clock)

    @property
    def stopped(self) -> bool:
        """Whether somebody asked ``run`` to end."""
        return self._stopping

    def stop(self) -> None:
        """Ask ``run`` to end; may be called from a signal handler."""
        self._stopping = True
        self.waker.wake()

    def handle_signals(self, *, on_terminal: bool) -> None:
        """SIGTERM and SIGINT end the monitor in order; SIGHUP has it begin anew with what the
        configuration says now, but ``on_terminal`` it means that the terminal is gone."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        def reload(_number: int, _frame: FrameType | None) -> None:
            self._reload_asked = True
            self.waker.wake()

        for number in signals.STOPS:
            signal.signal(number, stop)
        for number in signals.HANGUPS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1)
                signal.signal(number, stop if on_terminal else reload)

    # --- the loop ---------------------------------------------------------------------------------

    def _loop(self) -> None:
        ready = False
        while not self._stopping and not self.again:
            self._check_state()
            at_end = self.turn()
            self._alive()
            self._may_reload()
            if not ready:  # at once: systemd does not wait for hours of a log to be caught up with
                ready = True
                self.notifier.ready(f"following {self.source.name}")
            if not at_end:
                continue
            if self.once and self.pipeline.desktops.patience(self.clock.monotonic()) is None:
                break  # of a Windows desktop, what may still be joined is waited for
            self._tidy()
            self.waker.wait(self._wait_seconds(), self.source.descriptors())
        if not self.once:
            self.facts[STOPPED] = str(self.clock.now_us())
        self._save((), self.clock.now_us())

    def _may_reload(self) -> None:
        """Somebody asked for the configuration to be read again: a bad one is refused."""
        if not self._reload_asked:
            return
        self._reload_asked = False
        problems = self.look_anew()
        for line in problems:
            LOG.error(
                "reload refused, the old configuration stays: %s",
                line,
                extra=entry(Entry.RELOAD_REFUSED),
            )
        if problems:
            self.facts[REFUSED] = f"{self.clock.now_us()} {problems[0]}"
            self._save((), self.clock.now_us())
            return
        self._check_at = 0.0
        self._check_state()  # else the next life would not know that there was one
        LOG.info("beginning anew with the configuration as it is now", extra=entry(Entry.RELOADED))
        self.again = True

    def _read(self, limit: int) -> Batch:
        batch = self.source.read(limit)
        for note in batch.notes:
            if note not in self.told:
                LOG.warning("%s", note, extra=entry(Entry.LOG_NOTE, source=self.source_name))
        return batch

    def _take_place(self) -> None:
        """Save where reading begins before anything is read: killed now, and the log rotated, it
        would begin elsewhere."""
        if state.read_position(self.connection, self.source_name) is None:
            self._position = self._read(0).position
            self._save_position()

    def turn(self) -> bool:
        """Read once and save what it led to; True when the log's end is reached."""
        if not self._placed:
            self._placed = True
            self._take_place()
        batch = self._without_known(self._read(BATCH))
        self._lines += batch.lines
        changes = [self.look(change) for change in self.pipeline.process(batch.records)]
        changes = [self.know(self.pipeline.engine, change) for change in changes]
        self._doubted += sum(change.doubt is not None for change in changes)
        if batch.records:
            self._last_line = batch.records[-1].time
        if batch.position is not None:
            self._position = batch.position
        if batch.at_end:
            if not self._stocked:
                self._stocked = True
                changes += self.stock(self.pipeline.engine)
            changes += self.call(self.pipeline.engine, self._has_gap(batch))
            self.recall(self.pipeline.engine)
            changes += self.pipeline.tick(self.clock.monotonic())
        now = self.clock.now_us()
        self.seen(batch.records, changes, now)
        if self.told_us is not None:
            self._rebuild(batch)
        notices = [*self.telling.of(changes, self.told_us), *self._alarms(batch, now)]
        if changes or notices or batch.records or self.pipeline.has_news():
            self._save(changes, now, notices)
        elif abs(now - self._saved_us) >= (IDLE_SAVE_US if batch.position else ALIVE_SAVE_US):
            self._save((), now)
        return batch.at_end

    def _without_known(self, batch: Batch) -> Batch:
        """Without what another source has told of, until this one is up to its end."""
        if self.elsewhere_us is None:
            return batch
        records = [one for one in batch.records if one.time.us > self.elsewhere_us]
        if batch.at_end:
            self.elsewhere_us = None
            self.facts[state.ELSEWHERE] = ""
        return batch._replace(records=records)

    def _has_gap(self, batch: Batch) -> bool:
        """Whether lines may be missing since this was asked last."""
        before, self._losses = self._losses, self.pipeline.losses
        return bool(batch.notes) or before != self._losses

    def _alarms(self, batch: Batch, now_us: int) -> list[Notice]:
        """What is told of the log itself, and of failures that have ceased."""
        alarms = []
        if batch.at_end:
            alarms += self.telling.tick(self.clock.monotonic(), self.told_us)
        for teller in self.tellers:
            alarms += teller.turn(batch, now_us)
        return alarms

    def _wait_seconds(self) -> float:
        now, now_us = self.clock.monotonic(), self.clock.now_us()
        waits = [
            self.source.patience(),
            self.pipeline.patience(now),
            self.telling.patience(now),
            self._watchdog,
            *(teller.patience(now_us) for teller in self.tellers),
        ]
        if self.limits is not None:
            waits.append(max(0.0, self._tidy_at - now))
        return min(wait for wait in waits if wait is not None)

    # --- saving -----------------------------------------------------------------------------------

    def _check_state(self) -> None:
        """Raise RemovedError when the state's file is not the one that is open any more."""
        now = self.clock.monotonic()
        if now < self._check_at:
            return
        self._check_at = now + CHECK_SECONDS
        try:
            found = self.file.stat()
            identity = (found.st_dev, found.st_ino)
        except OSError:
            identity = None
        if self._identity is None:
            self._identity = identity
        if identity is None or identity != self._identity:
            raise RemovedError(
                f"{self.file}: was removed or replaced while the monitor was running; start it "
                "again (what was not told yet is read from the log again where it still is)"
            )
        for one in self.deliveries:
            for damage in one.damage:
                raise damage

    def _tidy(self) -> None:
        """Remove some of the oldest sessions and notices, when nothing else is to be done."""
        now = self.clock.monotonic()
        if self.limits is None or now < self._tidy_at:
            return
        try:
            more = retention.step(self.connection, self.limits, self.clock.now_us())
            more = self._drop_old() or more
        except sqlite3.Error as error:
            if not may_pass(error):
                raise
            more = False
        self._tidy_at = now + (TIDY_MORE_SECONDS if more else TIDY_SECONDS)

    def _drop_old(self) -> bool:
        """Give up some of the notices that waited for too long; True: there is more."""
        if self.policy is None:
            return False
        with db.transaction(self.connection):
            dropped, more = drops.keep_to_age(self.connection, self.policy, self.clock.now_us())
        _say_dropped(dropped)
        return more

    def _rebuild(self, batch: Batch) -> None:
        """The log is read again because the state was damaged: what it tells of is known."""
        assert self.told_us is not None
        if batch.records and batch.records[-1].time.us <= self.told_us:
            self.pipeline.forgeries.take()
        now = self.clock.monotonic()
        if batch.at_end and self._rebuilt_at is None:
            self._rebuilt_at = now
            LOG.warning("%s: rebuilt from the log, as far as it reaches", self.file)
        if self._rebuilt_at is not None and now >= self._rebuilt_at + REBUILT_SECONDS:
            self.told_us = None
            self.facts[REBUILD] = ""

    def _write(self, write: Callable[[], None]) -> None:
        """Change the state in one transaction; waits while it cannot be written.

        With ``once`` nobody waits: whoever started it is told.
        """
        if self.once:
            with db.transaction(self.connection):
                write()
        else:
            self._saver.save(write, lambda: self._stopping, self._check_and_live)

    def _check_and_live(self) -> None:
        self._check_state()
        self._alive()
        self.unsaved(self.clock.now_us())

    def _save(self, changes: Sequence[Change], now_us: int, notices: Sequence[Notice] = ()) -> None:
        """Everything that follows from what was read, and how far, in one transaction."""
        remembered = self.telling.watch.drain()
        delta = self.pipeline.engine.drain()
        desktops = self.pipeline.desktops.drain()
        posted = self.router.post(notices, now_us)
        counted = self.pipeline.take_counts()
        shapes = () if self.pipeline.shapes is None else self.pipeline.shapes.take().items()

        dropped: list[Dropped] = []

        def write() -> None:
            state.write_engine(self.connection, delta.connections, delta.hosts, delta.sessions)
            state.write_windows(self.connection, *desktops)
            dropped[:] = outbox.enqueue(self.connection, posted, now_us, self.policy)
            detectors.write_detectors(self.connection, remembered)
            if self._position is not None:
                state.write_position(self.connection, self.source_name, self._position, now_us)
            self._save_counts(now_us, *counted)
            counts.add_failures(self.connection, changes, now_us)
            counts.add_shapes(self.connection, shapes, now_us)

        self._write(write)
        self._saved_us = now_us
        _say_dropped(dropped)
        if notices:
            self._wake()
        for change in changes if LOG.isEnabledFor(logging.DEBUG) else ():
            LOG.debug("%s", Told(change), extra=_fields(change))

    def _save_counts(self, now_us: int, understood: Counter[str], missed: Counter[str]) -> None:
        state.add_coverage(self.connection, understood, missed)
        counts.add_hours(self.connection, understood, missed, now_us)
        self.facts["saved_us"] = str(now_us)
        self.facts["lines"] = str(self._lines)
        self.facts["forged"] = str(self.pipeline.forged)
        self.facts["doubted"] = str(self._doubted)
        self.facts["faults"] = str(self.pipeline.faults)
        self.facts["losses"] = str(self.pipeline.losses)
        self.facts.update(self.telling.facts())
        for teller in self.tellers:
            self.facts.update(teller.save())
        self.facts["unrouted"] = str(self.router.unrouted)
        if self._last_line is not None:
            self.facts["last_line"] = self._last_line.text
            self.facts["last_line_us"] = str(self._last_line.us)
        state.write_facts(self.connection, self.facts)

    def _save_start(self) -> None:
        now = self.clock.now_us()
        self.facts.update(
            {
                "pid": str(os.getpid()),
                "version": __version__,
                "source": self.source.name,
                "started_us": str(now),
            }
        )
        self.facts[UNTOLD] = self.facts[REFUSED] = ""

        def write() -> None:
            state.write_facts(self.connection, self.facts)
            outbox.enqueue(self.connection, self.router.post(self.opening, now), now)

        self._write(write)
        self._wake()

    def _wake(self) -> None:
        for one in self.deliveries:
            one.waker.wake()

    def _save_position(self) -> None:
        if self._position is not None:
            self._save((), self.clock.now_us())

    # --- the service manager ----------------------------------------------------------------------

    def _alive(self) -> None:
        """Feed the watchdog from here alone: only a loop that turns is alive."""
        now = self.clock.monotonic()
        if self._watchdog is not None and now >= self._watchdog_at:
            self._watchdog_at = now + self._watchdog / 2
            self.notifier.watchdog()


def _say_dropped(dropped: Iterable[Dropped]) -> None:
    """Once for each time that it begins: the channel's announcement has the sum."""
    for one in dropped:
        LOG.error(
            "delivery to %s: notices are dropped, for too many wait or for too long "
            "(outbox.max_notices, outbox.max_days); %s is told how many",
            one.channel,
            one.channel,
            extra=entry(Entry.NOTICES_DROPPED, channel=one.channel),
        )


def _fields(change: Change) -> dict[str, object]:
    """A change as fields of the journal."""
    return entry(
        Entry.EVENT,
        event=change.kind.value,
        service=change.service,
        user=change.user,
        ip=change.ip,
        session=change.session,
    )


class Told:
    """A change as one line of the log, made only when somebody logs it."""

    def __init__(self, change: Change) -> None:
        self._change = change

    def __str__(self) -> str:
        change = self._change
        words = [change.kind.value, harmless(change.user or "-")]
        for name, value in (
            ("→", change.target_user),
            ("from", change.ip or change.client_host),
            ("by", change.method),
            ("reason", change.reason),
            ("session", change.session),
        ):
            if value is not None:
                words.append(f"{name} {harmless(value)}")
        return f"{change.service}: {' '.join(words)}"
