"""One thread a channel, around a courier: when it works, waits, drains and ends."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence

from usersessionmon.clock import Clock, Waker

from .courier import IDLE_SECONDS, Announce, BatchChannel, Courier, WorkerOutbox
from .pace import Budget

LOG = logging.getLogger("usersessionmon.delivery")


class DeliveryWorker:
    """Empties one channel's outbox.  ``step`` is the whole work; ``start`` runs it in a thread."""

    def __init__(
        self,
        channel: BatchChannel,
        outbox_factory: Callable[[], WorkerOutbox],
        clock: Clock,
        waker: Waker,
        budget: Budget | None = None,
        rng: random.Random | None = None,
        log: logging.Logger = LOG,
        announce: Announce | None = None,
    ) -> None:
        """``outbox_factory`` is called in the worker's thread.  ``waker`` is this worker's own:
        wake it after notices were queued.  ``budget``: Feishu's by default.
        ``announce`` words what was dropped; None: nothing ever is."""
        spread = rng or random.Random()  # noqa: S311  spreads retries, guards nothing
        self._channel = channel
        self._clock = clock
        self._waker = waker
        self._log = log
        self._courier = Courier(
            channel, outbox_factory, clock, budget or Budget(), spread, log, announce
        )
        self._stopping = threading.Event()
        self._drain_asked = threading.Event()
        self._told: Waker | None = None
        self.drained = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self, now_us: int) -> float:
        """At most one exchange.  Seconds until there may be more to do; 0: at once."""
        return self._courier.step(now_us)

    def close(self) -> None:
        """Close the outbox, for who calls ``step`` without ``start``."""
        self._courier.close()

    def start(self) -> None:
        """Begin; the first attempt is made at once, whatever held the channel before."""
        self._thread = threading.Thread(
            target=self._run, name=f"delivery-{self._channel.name}", daemon=True
        )
        self._thread.start()

    def ask_to_drain(self, told: Waker) -> None:
        """Wake ``told`` when what is queued now is delivered or the channel refuses it."""
        self.drained.clear()
        self._told = told
        self._drain_asked.set()
        self._waker.wake()

    def stop(self, seconds: float) -> bool:
        """``stop`` for one alone; False when the thread lives on, which as a daemon it may."""
        stop([self], seconds, self._clock)
        return self._thread is None or not self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """A running exchange goes on."""
        self._stopping.set()
        self._waker.wake()

    def cut(self) -> None:
        """End a running exchange: its notice stays in the outbox, marked as tried."""
        self._channel.close()

    def join(self, until: float) -> None:
        """Wait for the thread's end, at most until then by the monotonic clock."""
        if self._thread is not None:
            self._thread.join(max(0.0, until - self._clock.monotonic()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            draining = self._drain_asked.is_set()
            try:
                wait = self.step(self._clock.now_us())
                resting = self._courier.resting
            except Exception as error:  # a bug must not end the notices: say it and go on
                self._log.exception("delivery to %s: %s", self._channel.name, type(error).__name__)
                wait = IDLE_SECONDS
                resting = True
            if draining and resting:
                self._drain_asked.clear()
                self.drained.set()
                if self._told is not None:
                    self._told.wake()
            if wait > 0 and not self._stopping.is_set():
                self._waker.wait(min(wait, IDLE_SECONDS))
        self.close()


def drain(
    workers: Sequence[DeliveryWorker],
    seconds: float,
    clock: Clock,
    waker: Waker,
    given_up: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait on ``waker`` until what is queued now is delivered or refused by its channel, at most
    ``seconds`` for all together, and until it is ``given_up``; False when it is not all done."""
    until = clock.monotonic() + seconds
    for worker in workers:
        worker.ask_to_drain(waker)
    while not all(worker.drained.is_set() for worker in workers):
        left = until - clock.monotonic()
        if left <= 0 or given_up():
            return False
        waker.wait(left)
    return True


def stop(workers: Sequence[DeliveryWorker], seconds: float, clock: Clock) -> None:
    """End the threads, all at the same time, however many channels hang: the exchanges have three
    quarters of ``seconds`` to end by themselves and are then cut."""
    begun = clock.monotonic()
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.join(begun + seconds * 0.75)
    for worker in workers:
        worker.cut()
    for worker in workers:
        worker.join(begun + seconds)
