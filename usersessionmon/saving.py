"""The main loop's one transaction, with patience: while the disk is full or read-only nothing more
is read, it is said once, and the same transaction is tried again until it succeeds.

So nothing is skipped, and nothing is told twice: what is on the disk is as before until then.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from usersessionmon.clock import Clock, Waker
from usersessionmon.entries import Entry, entry
from usersessionmon.sd_notify import Notifier
from usersessionmon.store import db
from usersessionmon.store.faults import may_pass, why_not
from usersessionmon.store.place import note_trouble

LOG = logging.getLogger("usersessionmon")
RETRY_SECONDS = 1.0


class UnsavedError(Exception):
    """Asked to end while the state cannot be written: nothing that was concluded is lost, since it
    will be read from the log again."""


class Saver:
    """Writes into the state.  Belongs to the main loop's thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        file: Path,
        clock: Clock,
        waker: Waker,
        notifier: Notifier,
    ) -> None:
        self._connection = connection
        self._file = file
        self._clock = clock
        self._waker = waker
        self._notifier = notifier
        self._why = ""

    def save(
        self, write: Callable[[], None], ended: Callable[[], bool], alive: Callable[[], None]
    ) -> None:
        """Call ``write`` in a transaction, again and again until it is committed.

        ``alive`` is called now and then meanwhile.  Raises UnsavedError once ``ended``, and
        sqlite3.Error for what does not pass.
        """
        while True:
            try:
                with db.transaction(self._connection):
                    write()
            except sqlite3.Error as error:
                if not may_pass(error):
                    raise
                self._say(why_not(self._file, error))
                self._make_room()
            else:
                break
            self._wait(ended, alive)
        if self._why:
            self._why = ""
            note_trouble(self._file.parent, "")
            self._notifier.status("the state can be written again")
            LOG.warning(
                "%s: can be written again; going on where it stood",
                self._file,
                extra=entry(Entry.STATE_WORKS),
            )

    def _make_room(self) -> None:
        """What SQLite's log holds goes where it belongs; then the log's own room is used again."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _say(self, why: str) -> None:
        if why == self._why:
            return
        self._why = why
        note_trouble(self._file.parent, f"{self._clock.now_us()} {why}")
        self._notifier.status(f"WAITING: the state cannot be written: {why}")
        LOG.error(
            "%s: cannot be written: %s; nothing more is read from the log until it can be, and "
            "nothing is lost as long as the log is there",
            self._file,
            why,
            extra=entry(Entry.STATE_TROUBLE, why=why),
        )

    def _wait(self, ended: Callable[[], bool], alive: Callable[[], None]) -> None:
        until = self._clock.monotonic() + RETRY_SECONDS
        while (left := until - self._clock.monotonic()) > 0 and not ended():
            self._waker.wait(left)
        if ended():
            raise UnsavedError
        alive()
