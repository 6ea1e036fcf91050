"""Calls into libraries that bound single reads at best, and never the whole.

Each call has a daemon thread of its own; when its time is over, its sockets are cut and it is left
behind.  While one that was left behind goes on, no other of the same key begins: what hangs takes
one thread, not one more with each attempt.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class Cord:
    """The sockets of one call, which another thread may cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._is_cut = False

    def watch(self, made: socket.socket) -> socket.socket:
        """A connection was made.  A duplicate of its descriptor can be shut even while a TLS
        handshake has the original."""
        with self._lock:
            if self._is_cut:
                made.close()
                raise ConnectionAbortedError
            self._handles.append(made.dup())
        return made

    def cut(self) -> None:
        """Shut every socket: whoever reads from one sees its end."""
        with self._lock:
            self._is_cut = True
            for handle in self._handles:
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """A duplicate that lives on would keep a closed connection open for the server."""
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A call that gave nothing; ``text`` is safe to show."""

    text: str


ENDING = Unfinished("cut off: the program is ending")


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    work: Callable[[Cord], T]
    cord: Cord = field(default_factory=Cord)
    ended: bool = False
    result: T | None = None


class Bounded(Generic[T]):
    """``run`` is for one thread; ``close`` may come from any other and ends it at once."""

    def __init__(self, name: str, seconds: float) -> None:
        """``name``: of the threads.  ``seconds`` bounds a whole ``run``."""
        self._name = name
        self._seconds = seconds
        self._changed = threading.Condition()
        self._calls: dict[str, _Call[T]] = {}
        self._closed = False

    def run(self, works: Mapping[str, Callable[[Cord], T]]) -> dict[str, T | Unfinished]:
        """Do all of ``works`` at the same time; they must not raise.  What each gave, by key."""
        with self._changed:
            if self._closed:
                return dict.fromkeys(works, ENDING)
            hanging = {key for key, call in self._calls.items() if not call.ended}
            begun = {key: _Call(work) for key, work in works.items() if key not in hanging}
            self._calls = {key: self._calls[key] for key in hanging} | begun
        for call in begun.values():
            threading.Thread(target=self._do, args=(call,), name=self._name, daemon=True).start()
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or all(call.ended for call in begun.values()), self._seconds
            )
            found = {key: self._outcome(begun.get(key)) for key in works}
        for call in begun.values():
            call.cord.cut()
        return found

    def close(self) -> None:
        """Cut whatever goes on.  Safe to call twice."""
        with self._changed:
            self._closed = True
            calls = list(self._calls.values())
            self._changed.notify_all()
        for call in calls:
            call.cord.cut()

    def _do(self, call: _Call[T]) -> None:
        try:
            call.result = call.work(call.cord)
        finally:
            call.cord.release()
            with self._changed:
                call.ended = True
                self._changed.notify_all()

    def _outcome(self, call: _Call[T] | None) -> T | Unfinished:
        if call is None:
            return Unfinished("the former attempt still hangs: none was made")
        if call.result is not None:
            return call.result
        if self._closed:
            return ENDING
        return Unfinished(f"no whole answer in {self._seconds:g} s")
