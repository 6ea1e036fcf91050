"""Many servers as one source: a thread each, a bounded queue each, read fairly.

The position is what ``read`` has handed out, and nothing more: what waits in a queue when the
program ends is asked for again.  So, with position and conclusions saved in one transaction,
nothing is lost and nothing is told twice.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence

from usersessionmon.clock import Clock
from usersessionmon.errors import UserError
from usersessionmon.model import Batch, Record

from .feed import BATCH
from .forwarded import Forwarded
from .intake import Taken
from .marks import Position
from .naming import Naming
from .settings import MOST_SERVERS, WindowsServer, too_many
from .standing import ServerState
from .subscription import Means, Server

QUEUE = 256
"""Records of one server that wait to be read; when it is full, that server's thread waits."""
_NOTES = 200
_PATIENCE = 60.0
_FRESH_SECONDS, _FRESH_PATIENCE = 10.0, 2.0
"""So long a position is given again and again: where it moved over nothing that matters, the main
loop saves it at leisure, and a place that is not saved is lost with the program."""
_END_SECONDS = 1.0
"""What all threads together may take to end; one within a dead host's call is left behind."""
_ONCE_SECONDS = 1.0


class News:
    """Where the servers' threads say that there is something."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.notes: deque[str] = deque(maxlen=_NOTES)
        self.changed = threading.Condition()

    def tell(self) -> None:
        with self.changed:
            self.changed.notify_all()
        self._wake()


class Line:
    """One server's thread, and what it has found: the ``Sink`` of its state machine."""

    def __init__(
        self,
        wanted: WindowsServer,
        means: Means,
        position: Position,
        news: News,
        naming: Naming,
    ) -> None:
        self.wanted = wanted
        self.settled = False
        """Once at least, all that was there was taken, or it is known why not."""
        self._news = news
        self._naming = naming
        self._queue: deque[Taken] = deque()
        self._signal = means.log.signal()
        self._thread: threading.Thread | None = None
        forwarded = None
        if wanted.forwarded:
            forwarded = Forwarded(wanted.named(), position.learned(wanted.label), wanted.label)
        marks = position.marks(wanted.label)
        self._server = Server(wanted, means, self._signal, self, marks, forwarded)

    # --- the server's thread ----------------------------------------------------------------------

    def begin(self) -> None:
        name = f"windows {self.wanted.label}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._server.stopping:
                self._signal.wait(self.step())
        finally:
            self._server.close()

    def step(self) -> float:
        seconds = self._server.step()
        if not self._server.held and not self.settled:
            self.settled = True
            self._news.tell()
        return seconds

    def room(self) -> int:
        return QUEUE - len(self._queue)

    def put(self, taken: Taken) -> None:
        if taken.record is not None:
            taken = taken._replace(record=self._naming.named(self.wanted, taken.record))
        self._queue.append(taken)
        self._news.tell()

    def note(self, text: str) -> None:
        self._news.notes.append(text)
        self._news.tell()

    def show(self, state: ServerState) -> None:
        self.state = state

    # --- the reader's -----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._queue)

    def take(self, limit: int) -> list[Taken]:
        """The oldest that wait."""
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        # Looked at afterwards: its thread may have found no room while these were taken.
        short = self.room() - len(taken) < BATCH
        if short and self.room() >= BATCH:
            self._signal.wake()
        return taken

    def stop(self) -> None:
        self._server.stopping = True
        self._signal.wake()

    def end(self, seconds: float) -> None:
        """After ``stop``: give back what can be given back by then."""
        if self._thread is None:
            self._server.close()
        else:
            self._thread.join(seconds)
            if self._thread.is_alive():
                return  # it still waits on the signal
        self._signal.close()


class WindowsSource:
    """``Source`` for all servers of the configuration."""

    def __init__(
        self,
        servers: Sequence[WindowsServer],
        means: Means,
        *,
        position: str | None,
        wake: Callable[[], None],
        once: bool = False,
        begin: Callable[[Line], None] = Line.begin,
        here: Collection[str] = (),
    ) -> None:
        """``once``: the end is reached when every server was read to its end, or failed; ``read``
        may then wait a moment.  ``here``: this machine's names.  Raises UserError for too many
        servers."""
        if len(servers) > MOST_SERVERS:
            raise UserError(f"windows.servers: {too_many(len(servers))}")
        self._clock: Clock = means.clock
        self._once = once
        self._position = Position(position, [one.label for one in servers])
        self._news = News(wake)
        self._next = 0
        self._moved: float | None = None
        """When the position did."""
        self._closed = False
        naming = Naming(servers, here)
        self._lines = [Line(one, means, self._position, self._news, naming) for one in servers]
        for line in self._lines:
            begin(line)

    @property
    def name(self) -> str:
        return f"the event logs of {', '.join(line.wanted.label for line in self._lines)}"

    def states(self) -> tuple[ServerState, ...]:
        """How it stands with each server at this moment."""
        return tuple(line.state for line in self._lines)

    def read(self, limit: int) -> Batch:
        if self._once and limit:
            self._wait()
        records: list[Record] = []
        count = 0
        for line in self._in_turn():
            share = limit - count if len(self._lines) == 1 else -(-limit // len(self._lines))
            for taken in line.take(min(share, limit - count)):
                count += 1
                self._note(line, taken)
                if taken.record is not None:
                    records.append(taken.record)
        notes = tuple(self._news.notes.popleft() for _ in range(len(self._news.notes)))
        if count:
            self._moved = self._clock.monotonic()
        position = self._position.text() if self._is_fresh() else None
        return Batch(records, position, self._at_end(), notes, count)

    def descriptors(self) -> Sequence[int]:
        return ()

    def patience(self) -> float:
        return _FRESH_PATIENCE if self._is_fresh() else _PATIENCE

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for line in self._lines:
            line.stop()
        until = self._clock.monotonic() + _END_SECONDS
        for line in self._lines:
            line.end(max(0.0, until - self._clock.monotonic()))

    def _is_fresh(self) -> bool:
        now = self._clock.monotonic()
        return self._moved is not None and now - self._moved < _FRESH_SECONDS

    def _in_turn(self) -> list[Line]:
        """All, beginning with another one each time."""
        self._next = (self._next + 1) % len(self._lines)
        return self._lines[self._next :] + self._lines[: self._next]

    def _note(self, line: Line, taken: Taken) -> None:
        self._position.move(line.wanted.label, taken.channel, taken.mark)
        event = None if taken.record is None else taken.record.windows
        if line.wanted.forwarded and event is not None:
            computer = event.origin.rpartition("/")[2]
            self._position.learn(line.wanted.label, computer, event.beside)

    def _at_end(self) -> bool:
        settled = not self._once or all(line.settled for line in self._lines)
        return settled and not any(self._lines)

    def _wait(self) -> None:
        def worth_while() -> bool:
            return any(self._lines) or all(line.settled for line in self._lines)

        with self._news.changed:
            self._news.changed.wait_for(worth_while, _ONCE_SECONDS)
