"""The only place that reads a clock or waits.

Everything else is handed a ``Clock`` and a ``Waker``, so that a test can move the time and nobody
sleeps.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import sys
import time
from collections.abc import Callable, Iterable
from typing import Protocol

_SLICE = 0.25
"""Seconds of one wait where signals cannot end it."""


class Clock(Protocol):
    """Now, in three kinds."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; for time-outs."""


class SystemClock:
    """The host's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved: for tests and replays."""

    def __init__(self, us: int = 0) -> None:
        self.us = us

    def now_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / 1_000_000

    def advance(self, seconds: float) -> None:
        self.us += round(seconds * 1_000_000)


if sys.platform == "win32":

    class Waker:
        """As the other one; pipes cannot be waited for there.

        A signal's handler runs only between two waits of the main thread, so that these are short.
        """

        def __init__(self) -> None:
            # Unlike an Event's, its lock may be taken in a handler by the thread that holds it.
            self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()

        def wake(self) -> None:
            if self._wakes.empty():
                self._wakes.put(None)

        def wait(self, seconds: float, descriptors: Iterable[int] = ()) -> bool:
            """Wait until woken, or ``seconds`` at most; whose descriptor may be readable looks
            after that."""
            until = time.monotonic() + max(0.0, seconds)
            while True:
                left = until - time.monotonic()
                try:
                    self._wakes.get(timeout=min(_SLICE, max(0.0, left)))
                except queue.Empty:
                    if left <= _SLICE:
                        return False
                else:
                    self._drain()
                    return True

        def _drain(self) -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._wakes.get_nowait()

        def close(self) -> None: ...

else:

    class Waker:
        """The one thing that a thread waits on.

        ``wake()`` may be called from any thread and from a signal handler; wakes that come while
        nobody waits are remembered as one.
        """

        def __init__(self) -> None:
            self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def wake(self) -> None:
            try:
                os.write(self._write, b"\0")
            except BlockingIOError:
                pass  # the pipe is full of wakes already
            except OSError:
                pass  # closed: the one who would have been woken is gone

        def wait(self, seconds: float, descriptors: Iterable[int] = ()) -> bool:
            """Wait until woken, until a descriptor is readable, or ``seconds`` at most.

            True when woken or a descriptor is ready, False after the time-out.
            """
            poll = select.poll()
            poll.register(self._read, select.POLLIN)
            for descriptor in descriptors:
                poll.register(descriptor, select.POLLIN)
            ready = poll.poll(max(0.0, seconds) * 1000)
            if any(descriptor == self._read for descriptor, _ in ready):
                self._drain()
            return bool(ready)

        def _drain(self) -> None:
            try:
                while os.read(self._read, 4096):
                    pass
            except BlockingIOError:
                pass

        def close(self) -> None:
            os.close(self._read)
            os.close(self._write)


WakeUp = Callable[[], None]
