"""The engine for Windows: records of event logs in, changes out.

Like the engine for lines it has no clock, no I/O and no logger, and what it remembers can be saved
between any two records.  One ``Book`` holds what is known of one host, all its channels together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from usersessionmon.model import Change, Record, SessionView

from . import desktop, facts, joining, security
from .book import Book
from .channels import LSM, RCM, RDP_CORE, SECURITY, SYSTEM
from .rows import view
from .state import Log, dump, load

MAX_ORIGINS = 10_000
_ORIGIN_MOST = 255


class Desktops:
    """All Windows hosts.  ``patient``: a replay, of which nothing is told too early."""

    def __init__(self, *, patient: bool = True) -> None:
        self._patient = patient
        self._books: dict[str, Book] = {}
        self._heard: dict[tuple[str, int, bool], float] = {}
        """When, by ``tick``'s clock, each wait began; not saved."""
        self._late: list[Change] = []
        """Of hosts that there was no room for."""
        self._gone: dict[str, list[SessionView]] = {}
        self._fresh: dict[str, None] = {}
        """The hosts of which records were read, or something waits."""

    def take(self, record: Record) -> list[Change]:
        """What one record leads to, what had waited for it included."""
        event = record.windows
        assert event is not None
        origin = event.origin[:_ORIGIN_MOST].casefold()
        book = self._book(origin)
        self._fresh[origin] = None
        if event.channel == SECURITY:
            security.take(book, record, event)
            if event.id == security.BOOT:
                desktop.booted(book, record)
        elif event.channel == LSM:
            desktop.take(book, record, event)
        elif event.channel == SYSTEM:
            if facts.of_system(book, record, event):
                desktop.booted(book, record)
        elif event.channel == RCM:
            facts.of_rcm(book, record, event)
        elif event.channel == RDP_CORE:
            facts.of_rdp_core(book, record, event)
        late, self._late = self._late, []
        return late + _taken(book)

    def _book(self, origin: str) -> Book:
        book = self._books.get(origin)
        if book is None:
            book = self._books[origin] = Book(Log(origin), patient=self._patient)
            if len(self._books) > MAX_ORIGINS:
                self._forget(self._least())
        return book

    def _least(self) -> str:
        """The host that can be forgotten with the least loss: one on which nobody is, of those that
        a collector tells of; its name is part of theirs."""
        names = list(self._books)[:-1]
        empty = (name for name in names if not self._books[name].log.conns)
        told = (name for name in names if "/" in name)
        return next(chain(empty, told), names[0])

    def _forget(self, origin: str) -> None:
        """There is no room for so many hosts: whoever may write a record can make up names."""
        book = self._books.pop(origin)
        self._fresh.pop(origin, None)
        for conn in book.brief():
            joining.conclude(book, conn)
        book.finish()
        self._late += _taken(book)
        self._gone[origin] = list(book.views.values())

    # --- time -------------------------------------------------------------------------------------

    def tick(self, monotonic: float) -> list[Change]:
        """Time has passed at the end of the logs: tell what has waited long enough.
        ``monotonic``: seconds that never go back."""
        changes: list[Change] = []
        heard: dict[tuple[str, int, bool], float] = {}
        for origin in list(self._fresh):
            book = self._books[origin]
            for conn in book.waiting():
                key = (origin, conn.number, conn.over)
                since = self._heard.get(key, monotonic)
                if conn.wait is not None and monotonic - since >= conn.wait:
                    joining.conclude(book, conn)
                else:
                    heard[key] = since
            changes += _taken(book)
            if not book.waiting():
                del self._fresh[origin]
        self._heard = heard
        return changes

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to tell; None: nothing waits."""
        waits = []
        for origin in self._fresh:
            for conn in self._books[origin].waiting():
                since = self._heard.get((origin, conn.number, conn.over), monotonic)
                waits.append(max(0.0, since + (conn.wait or 0.0) - monotonic))
        return min(waits, default=None)

    def finish(self) -> list[Change]:
        """Nothing follows: tell all that waits."""
        changes: list[Change] = []
        for book in self._books.values():
            for conn in book.brief():
                joining.conclude(book, conn)
            book.finish()
            changes += _taken(book)
        return changes

    # --- saving -----------------------------------------------------------------------------------

    def has_news(self) -> bool:
        """Whether ``drain`` has anything to give."""
        return bool(self._gone) or any(book.dirty for book in self._books.values())

    def drain(self) -> tuple[Mapping[str, str | None], tuple[SessionView, ...]]:
        """(host → JSON, None: forget it; rows of sessions, the closed ones last) since the last
        call."""
        logs: dict[str, str | None] = dict.fromkeys(self._gone)
        for origin, book in self._books.items():
            if book.dirty:
                logs[origin] = dump(book.log)
                book.dirty = False
        views = self._views()
        return logs, tuple(sorted(views, key=lambda row: row.state == "closed"))

    def skim(self) -> tuple[SessionView, ...]:
        """The sessions that ended since the last call, for one who saves nothing."""
        return tuple(row for row in self._views() if row.state == "closed")

    def _views(self) -> list[SessionView]:
        views: list[SessionView] = []
        for book in self._books.values():
            if book.views:
                views += book.views.values()
                book.views = {}
        for rows in self._gone.values():
            views += rows
        self._gone = {}
        return views

    def open_sessions(self) -> Iterator[SessionView]:
        """The rows of those who are on."""
        for book in self._books.values():
            for conn in book.log.conns.values():
                if conn.told and not conn.muted and conn.us is not None:
                    yield view(conn)

    @classmethod
    def load(cls, logs: Iterable[str], *, patient: bool = False) -> Desktops:
        """An engine that remembers what was saved.  Raises as ``state.load``."""
        engine = cls(patient=patient)
        for text in logs:
            log = load(text)
            engine._books[log.origin] = Book(log, patient=patient)
            engine._fresh[log.origin] = None
        return engine


def _taken(book: Book) -> list[Change]:
    out = book.out
    if out:
        book.out = []
    return out
