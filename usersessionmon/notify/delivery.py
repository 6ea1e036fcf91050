"""One thread a channel, around a courier: when it works, waits, drains and ends."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

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
        self._drained = threading.Event()
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

    def drain(self, seconds: float) -> bool:
        """Wait until what is queued now is delivered or the channel refuses it, at most
        ``seconds``; False when the time was over first."""
        self._drained.clear()
        self._drain_asked.set()
        self._waker.wake()
        return self._drained.wait(seconds)

    def stop(self, seconds: float) -> bool:
        """End the thread: a running exchange has three quarters of ``seconds`` to end by itself
        and is then cut (its notice stays in the outbox, marked as tried).  False when the thread
        lives on, which as a daemon it may."""
        self._stopping.set()
        self._waker.wake()
        if self._thread is None:
            self._channel.close()
            return True
        self._thread.join(seconds * 0.75)
        self._channel.close()
        self._thread.join(seconds * 0.25)
        return not self._thread.is_alive()

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
                self._drained.set()
            if wait > 0 and not self._stopping.is_set():
                self._waker.wait(min(wait, IDLE_SECONDS))
        self.close()
