"""Takes one channel's notices from the outbox, sends them, and does what each answer asks.

A notice leaves the outbox only when the channel says that it has it.  What was sent is noted in
the outbox before anything else is sent: when that cannot be written, delivery waits, so that one
process never sends a delivered notice again.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from usersessionmon.clock import Clock
from usersessionmon.errors import TroubleError
from usersessionmon.model import Severity

from .base import Answer, Channel, ChannelState, Outbox, Queued, Result
from .pace import Backoff, Budget, jittered

IDLE_SECONDS = 15.0
"""A worker with nothing to do looks this often, even if nobody wakes it."""
WINDOW = 200
"""The most that one digest tells."""
BACKLOG = 8
BACKLOG_SECONDS = 30
"""More than ``BACKLOG`` waiting, the oldest for longer than this: the channel was down."""
UNKNOWN_LIMIT = 10
"""Unknown answers in a row that are taken for a matter of configuration."""


class BatchChannel(Channel, Protocol):
    """A channel that also says what it can take at once."""

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """How many of ``batch``, from its beginning, one message holds; at least 1."""

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Whether ``batch`` would go in the channel's plainest form."""


class WorkerOutbox(Outbox, Protocol):
    """An outbox that can be closed in the thread that used it."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Choice:
    """What to send now; an empty batch: wait."""

    batch: Sequence[Queued]
    wait: float


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
    ) -> None:
        self.resting = False
        """After a step: True when nothing can be sent before something changes or a pause ends."""
        self._channel = channel
        self._outbox_factory = outbox_factory
        self._clock = clock
        self._budget = budget
        self._rng = rng
        self._backoff = Backoff(rng)
        self._log = log
        self._outbox: WorkerOutbox | None = None
        self._state: ChannelState | None = None
        self._unwritten: list[Callable[[WorkerOutbox], None]] = []
        self._not_before = 0.0
        self._outbox_failures = 0
        self._unknown_in_row = 0
        self._digest_limit = WINDOW
        self._told: str | None = None

    def step(self, now_us: int) -> float:
        """At most one exchange.  Seconds until there may be more to do; 0: at once."""
        self.resting = True
        now = self._clock.monotonic()
        if now < self._not_before:
            return self._not_before - now
        try:
            if self._outbox is None:
                self._outbox = self._outbox_factory()
            self._write_down(self._outbox)
            wait = self._deliver(self._outbox, now_us)
            self._write_down(self._outbox)
        except TroubleError as error:
            return self._outbox_trouble(error)
        if self._outbox_failures:
            self._outbox_failures = 0
            self._log.warning("delivery to %s: the outbox works again", self._channel.name)
        return wait

    def _deliver(self, outbox: WorkerOutbox, now_us: int) -> float:
        name = self._channel.name
        if self._state is None:
            self._state = outbox.state(name)
        waiting = outbox.waiting(name, WINDOW, now_us)
        if not waiting:
            return IDLE_SECONDS
        choice = self._choose(waiting, outbox, now_us)
        if not choice.batch:
            self.resting = choice.wait > 1.0
            return choice.wait
        result = self._channel.send(choice.batch, now_us=now_us)
        self._budget.spend(self._clock.monotonic())
        return self._settle(choice.batch, result, self._clock.now_us())

    def _choose(self, waiting: Sequence[Queued], outbox: WorkerOutbox, now_us: int) -> _Choice:
        """The abnormal may use the reserve; the routine waits for the budget."""
        now = self._clock.monotonic()
        wait = self._budget.wait(now)
        if wait == 0:
            free = self._budget.free(now)
            many = len(waiting)
            if many == WINDOW:
                many = outbox.depth(self._channel.name, now_us)
            return _Choice(self._batch(waiting, many, free, now_us), 0.0)
        urgent = [queued for queued in waiting if queued.notice.severity is Severity.ABNORMAL]
        if not urgent:
            return _Choice((), wait)
        urgent_wait = self._budget.wait(now, urgent=True)
        if urgent_wait > 0:
            return _Choice((), urgent_wait)
        free = self._budget.free(now, urgent=True)
        return _Choice(self._batch(urgent, len(urgent), free, now_us), 0.0)

    def _batch(
        self, waiting: Sequence[Queued], many: int, free: int, now_us: int
    ) -> Sequence[Queued]:
        """One notice; a digest beyond the budget or after an outage."""
        oldest_us = min(queued.queued_us for queued in waiting)
        backlog = many > BACKLOG and now_us - oldest_us > BACKLOG_SECONDS * 1_000_000
        if not backlog and many <= free:
            return waiting[:1]
        chosen = waiting[: self._digest_limit]
        return chosen[: self._channel.fits(chosen, now_us=now_us)]

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
        answer = self._meaning(result.answer)
        match answer:
            case Answer.DELIVERED:
                self._unwritten.append(lambda outbox: outbox.delivered(name, numbers, now_us))
                self._backoff.reset()
                self._digest_limit = min(WINDOW, self._digest_limit * 2)
            case Answer.PAYLOAD:
                self._refused(batch, result, now_us)
            case Answer.TRANSIENT | Answer.UNKNOWN:
                # it may have arrived: the next attempt shows its number
                self._unwritten.append(
                    lambda outbox: outbox.tried(name, numbers, now_us, result.said)
                )
            case Answer.THROTTLED | Answer.CONFIGURATION:
                pass  # surely not taken: nothing to note of the notices
        wait = self._pause(answer, result)
        self.resting = wait > 0
        self._not_before = self._clock.monotonic() + wait
        self._remember(answer, result, now_us, wait)
        return wait

    def _meaning(self, answer: Answer) -> Answer:
        self._unknown_in_row = self._unknown_in_row + 1 if answer is Answer.UNKNOWN else 0
        return Answer.CONFIGURATION if self._unknown_in_row >= UNKNOWN_LIMIT else answer

    def _pause(self, answer: Answer, result: Result) -> float:
        if answer in (Answer.DELIVERED, Answer.PAYLOAD):
            return 0.0
        pause = self._backoff.pause(answer)
        if result.retry_after is not None and answer in (Answer.THROTTLED, Answer.TRANSIENT):
            return result.retry_after
        return pause

    def _refused(self, batch: Sequence[Queued], result: Result, now_us: int) -> None:
        """Never the same bytes again: plainer, then fewer, then set aside."""
        numbers = [queued.number for queued in batch]
        name = self._channel.name
        if not self._channel.is_plain(batch):
            self._unwritten.append(lambda outbox: outbox.set_plain(name, numbers))
        elif len(batch) > 1:
            self._digest_limit = len(batch) // 2
        else:
            self._unwritten.append(
                lambda outbox: outbox.set_aside(name, numbers, now_us, result.said)
            )
            self._log.error(
                "delivery to %s: notice %d refused and set aside: %s", name, *numbers, result.said
            )

    def _remember(self, answer: Answer, result: Result, now_us: int, wait: float) -> None:
        """The channel's state for ``status``, and a line in the log when it has changed."""
        before = self._state or ChannelState()
        delivered = answer is Answer.DELIVERED
        self._state = state = replace(
            before,
            answer=answer,
            said=result.said,
            failures_in_row=0 if delivered else before.failures_in_row + 1,
            delivered_us=now_us if delivered else before.delivered_us,
            tried_us=now_us,
            retry_us=now_us + round(wait * 1_000_000) if wait else None,
        )
        name = self._channel.name
        self._unwritten.append(lambda outbox: outbox.save_state(name, state))
        if answer is not Answer.PAYLOAD:
            self._tell(answer, result, wait)

    def _tell(self, answer: Answer, result: Result, wait: float) -> None:
        """Once for each change: not for each attempt."""
        name = self._channel.name
        if answer is Answer.DELIVERED:
            if self._told is not None:
                self._log.info("delivery to %s: works again", name)
            self._told = None
            return
        held = answer is Answer.CONFIGURATION
        change = result.said if held else answer.value
        if change == self._told:
            return
        self._told = change
        if held:
            self._log.error(
                "delivery to %s: HELD until this is mended: %s; notices are kept, next in %.0f s",
                name, result.said, wait,
            )  # fmt: skip
        else:
            self._log.warning(
                "delivery to %s: %s: %s; notices are kept, next try in %.0f s",
                name, answer.value, result.said, wait,
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
        self._not_before = max(self._not_before, self._clock.monotonic() + wait)
        return wait
