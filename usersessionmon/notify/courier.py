"""Takes one channel's notices from the outbox, sends them, and does what each answer asks.

A notice leaves the outbox only when the channel says that it has it.  What was sent is noted in
the outbox before anything else is sent: when that cannot be written, delivery waits, so that one
process never sends a delivered notice again.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import Protocol

from usersessionmon.clock import Clock
from usersessionmon.entries import Entry, entry
from usersessionmon.errors import TroubleError
from usersessionmon.model import Notice

from . import condition
from .base import Answer, Channel, ChannelState, Dropped, Errand, Outbox, Queued, Result
from .choice import WINDOW, choose
from .condition import Herald
from .pace import Budget, Patience, jittered
from .split import halves

IDLE_SECONDS = 15.0
"""A worker with nothing to do looks this often, even if nobody wakes it; one that pauses looks as
often whether somebody asked to try at once."""


class BatchChannel(Channel, Protocol):
    """A channel that also says what it can take at once."""

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """How many of ``batch``, from its beginning, one message holds; at least 1."""

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Whether ``batch`` would go in the channel's plainest form."""


class WorkerOutbox(Outbox, Protocol):
    """An outbox that can be closed in the thread that used it."""

    def close(self) -> None: ...


Announce = Callable[[Dropped, int], Notice]
"""The notice of what was dropped, given that and the moment (microseconds UTC)."""


class Courier:
    """Empties one channel's outbox, one ``step`` at a time, all in one thread."""

    def __init__(
        self,
        channel: BatchChannel,
        outbox_factory: Callable[[], WorkerOutbox],
        clock: Clock,
        budget: Budget,
        rng: random.Random,
        log: logging.Logger,
        announce: Announce | None = None,
    ) -> None:
        self.resting = False
        """After a step: True when nothing can be sent before something changes or a pause ends."""
        self._channel = channel
        self._outbox_factory = outbox_factory
        self._clock = clock
        self._budget = budget
        self._rng = rng
        self._patience = Patience(rng)
        self._log = log
        self._announce = announce
        self._herald = Herald(channel.name, log)
        self._outbox: WorkerOutbox | None = None
        self._state: ChannelState | None = None
        self._unwritten: list[Callable[[WorkerOutbox], None]] = []
        self._outbox_not_before = 0.0
        self._outbox_failures = 0
        self._digest_limit = WINDOW

    def step(self, now_us: int) -> float:
        """At most one exchange.  Seconds until there may be more to do; 0: at once.  A pause of the
        channel is cut short by a nudge: look again after ``IDLE_SECONDS`` at the latest."""
        self.resting = True
        if self._clock.monotonic() < self._outbox_not_before:
            return self._outbox_not_before - self._clock.monotonic()
        try:
            if self._outbox is None:
                self._outbox = self._outbox_factory()
            self._write_down(self._outbox)
            wait = self._work(self._outbox, now_us)
            self._write_down(self._outbox)
        except TroubleError as error:
            return self._outbox_trouble(error)
        if self._outbox_failures:
            self._outbox_failures = 0
            self._log.warning("delivery to %s: the outbox works again", self._channel.name)
        return wait

    def _work(self, outbox: WorkerOutbox, now_us: int) -> float:
        errand = outbox.errand(self._channel.name)
        pause = self._patience.left(self._clock.monotonic(), errand.nudged_us)
        return pause if pause > 0 else self._deliver(outbox, errand, now_us)

    def _deliver(self, outbox: WorkerOutbox, errand: Errand, now_us: int) -> float:
        name = self._channel.name
        if self._state is None:
            ago = outbox.resume(name, now_us)
            for seconds in ago:
                self._budget.spend(self._clock.monotonic() - seconds)
            self._state = outbox.state(name)
        waiting = outbox.waiting(name, WINDOW, now_us)
        word = self._announce
        if word is not None and errand.dropped and (not waiting or self._works()):
            outbox.announce(name, now_us, lambda dropped: word(dropped, now_us))
            waiting = outbox.waiting(name, WINDOW, now_us)
        if not waiting:
            due_us = outbox.due_us(name, now_us)
            return IDLE_SECONDS if due_us is None else min(IDLE_SECONDS, (due_us - now_us) / 1e6)
        now = self._clock.monotonic()
        choice = choose(waiting, lambda: outbox.depth(name, now_us), self._budget, now, now_us)
        if not choice.batch:
            self.resting = choice.wait > 1.0
            return choice.wait
        batch = choice.batch
        if choice.digest:
            batch = batch[: self._digest_limit]
            batch = batch[: self._channel.fits(batch, now_us=now_us)]
        # noted before: whoever is killed meanwhile may have been heard
        outbox.begin(name, [queued.number for queued in batch], now_us)
        result = self._channel.send(batch, now_us=now_us)
        self._budget.spend(self._clock.monotonic())
        return self._settle(batch, result, self._clock.now_us())

    def _works(self) -> bool:
        """While the channel fails, what is dropped is summed up, to be told at once when it works
        again."""
        last = self._state.answer if self._state is not None else None
        return last in (None, Answer.DELIVERED, Answer.PAYLOAD)

    def close(self) -> None:
        """Write what is still to be noted, and close the outbox; in the thread that used it."""
        outbox = self._outbox
        self._outbox = None
        if outbox is None and self._unwritten:
            outbox = self._outbox_factory()
        if outbox is None:
            return
        try:
            self._write_down(outbox)
        except TroubleError as error:
            self._log.error("delivery to %s: not noted: %s", self._channel.name, error)
        outbox.close()

    # What follows from an answer

    def _settle(self, batch: Sequence[Queued], result: Result, now_us: int) -> float:
        """Note what is to be written, set the pause, and say how long to wait."""
        numbers = [queued.number for queued in batch]
        name = self._channel.name
        answer, wait = self._patience.after(result, self._clock.monotonic())
        match result.answer:
            case Answer.DELIVERED:
                self._unwritten.append(lambda outbox: outbox.delivered(name, numbers, now_us))
                self._digest_limit = min(WINDOW, self._digest_limit * 2)
            case Answer.PAYLOAD:
                self._refused(batch, result, now_us)
            case Answer.TRANSIENT | Answer.UNKNOWN if not result.untaken:
                # it may have arrived: the next attempt shows its number
                self._unwritten.append(
                    lambda outbox: outbox.tried(name, numbers, now_us, result.said)
                )
            case _:
                pass  # surely not taken: nothing to note of the notices
        self.resting = wait > 0
        before = self._state or ChannelState()
        self._state = state = condition.after(before, answer, result, now_us, wait)
        self._unwritten.append(lambda outbox: outbox.save_state(name, state))
        self._herald.tell(answer, result.said, wait)
        return wait

    def _refused(self, batch: Sequence[Queued], result: Result, now_us: int) -> None:
        """Never the same bytes again: plainer, then fewer, then in two, then set aside."""
        numbers = [queued.number for queued in batch]
        name = self._channel.name
        if not self._channel.is_plain(batch):
            self._unwritten.append(lambda outbox: outbox.set_plain(name, numbers))
            return
        if len(batch) > 1:
            self._digest_limit = len(batch) // 2
            return
        two = None if batch[0].bundle else halves(batch[0].notice)
        if two is not None:
            self._unwritten.append(lambda outbox: outbox.split(name, numbers[0], two))
            self._log.warning(
                "delivery to %s: notice %d refused and split in two: %s",
                name, *numbers, result.said,
            )  # fmt: skip
            return
        self._unwritten.append(lambda outbox: outbox.set_aside(name, numbers, now_us, result.said))
        self._log.error(
            "delivery to %s: notice %d refused and set aside: %s", name, *numbers, result.said,
            extra=entry(Entry.NOTICE_REFUSED, channel=name, number=numbers[0], said=result.said),
        )  # fmt: skip

    # The outbox

    def _write_down(self, outbox: WorkerOutbox) -> None:
        """Do what is to be noted, in order; what fails stays to be done."""
        while self._unwritten:
            self._unwritten[0](outbox)
            del self._unwritten[0]

    def _outbox_trouble(self, error: TroubleError) -> float:
        if self._outbox_failures == 0:
            self._log.error(
                "delivery to %s: waits, the outbox cannot be used: %s", self._channel.name, error
            )
        wait = jittered(1.0, 60.0, self._outbox_failures, self._rng)
        self._outbox_failures += 1
        if self._outbox is not None:
            self._outbox.close()  # a new connection may fare better
            self._outbox = None
        self._outbox_not_before = self._clock.monotonic() + wait
        return wait
