"""A log file that is followed through rotation, truncation, absence and restarts.

One path is one endless log.  At any moment it consists of parts, oldest first: what rotation left
unread, files that a daemon may still write to although they were renamed, and last the file at the
path.  The order of the checks is what keeps lines from being lost: the sizes of all parts are
taken, the newest first; then the parts are read, the oldest first; only at the end of all is the
path looked at.  So nothing of a new file is read before the old one is read to its end, as long as
one daemon writes to one of them at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path

from usersessionmon.clock import Clock
from usersessionmon.envelope.text import LineReader
from usersessionmon.model import Batch, Record

from .tail_notes import GONE, Notes
from .tail_order import Past, all_copies, before, copies_since
from .tail_part import STRIDE, ChangedError, Mark, Part
from .tail_position import Position, load_position, save_position
from .tail_resume import between, find_copy, resume, resume_behind
from .wake import PathWatcher

LINGER = 5.0
"""Seconds that a renamed file is looked at after its successor has lines: daemons that got no
signal yet, or have more than one process."""
EMPTY_MAX = 16
"""How many renamed files that never had a line are kept open for a daemon that was not told."""
PARTS_MAX = 64
"""How many files are read one after the other when the program was away for long."""
LINES_MAX = 20_000
"""How many lines one look takes at most, so that signals are answered soon."""
PATIENT, WATCHFUL = 1.0, 0.25


class TailSource:
    """Implements ``sources.base.Source`` for one log file.  Reading never raises: what is wrong
    with the file is told once in ``notes``, and it is tried again at every read."""

    def __init__(
        self,
        path: Path,
        *,
        wanted: Callable[[str], bool],
        zone: tzinfo,
        clock: Clock,
        position: str | None,
        from_start: bool,
        rotated: bool = False,
        wake: Callable[[], None] | None,
    ) -> None:
        """``position`` is a Batch's; None begins at the file's end (``from_start``: beginning;
        with ``rotated`` that of its oldest rotated copy).
        ``wake`` is called from another thread when there may be more; None: no inotify."""
        self._path = path
        self._clock = clock
        self._notes = Notes(path, zone, clock)
        self._reader = LineReader(wanted=wanted, zone=zone, reference_us=clock.now_us())
        self._saved = position
        self._from_start = from_start
        self._rotated = rotated
        self._at_end_first = position is None and not from_start
        self._wake = wake
        self._watcher: PathWatcher | None = None
        self._parts: list[Part] = []
        self._past = Past()
        self._begun = False
        self._told: tuple[tuple[Mark, ...], Mark | None] | None = None
        self._records: list[Record] = []
        self._lines = 0

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def trouble(self) -> str:
        """Why the file cannot be read now; empty when it can."""
        return self._notes.trouble

    @property
    def degraded(self) -> str:
        """Why changes are found by looking and not by inotify; empty when inotify works."""
        return self._watcher.degraded if self._watcher else "inotify is not used"

    def read(self, limit: int) -> Batch:
        self._records, self._lines = [], 0
        try:
            at_end = self._look(limit)
        except OSError as error:  # a disk or a server that fails
            self._notes.failed(error)
            at_end = True
        return Batch(self._records, self._position(), at_end, self._notes.collect(), self._lines)

    def descriptors(self) -> Sequence[int]:
        return ()

    def patience(self) -> float:
        rotating = any(part.retires is not None for part in self._parts)
        return WATCHFUL if rotating or self.degraded else PATIENT

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
        self._close_parts()

    def _look(self, limit: int) -> bool:
        """Take what is there; True when there is no more."""
        self._watch()
        self._begun = self._begun or self._begin()
        if limit == 0:  # only to have a place
            return not (self._begun and (self._parts or self._follow()))
        while self._begun:
            if not self._drain_all(limit):
                return False
            if not self._follow():
                self._retire()
                break
        return True

    def _watch(self) -> None:
        if self._watcher is not None:
            self._watcher.refresh()
        elif self._wake is not None:
            self._watcher = PathWatcher(self._wake)
            self._watcher.watch_file(self._path)
            if self.degraded:
                self._notes.say(f"is looked at four times a second, because {self.degraded}")

    # -- beginning --------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Open what a saved position speaks of, and what came after it.

        False when that cannot be told yet: a file that is on a disk not mounted so far, or not
        readable, must not be taken for a new one later.
        """
        if self._saved is None and self._rotated:
            self._parts = all_copies(self._path)
            self._limit_parts()
            return True
        if self._saved is None:
            self._past = Past(before(self._path))
            return True
        position = load_position(self._saved)
        if position is None:
            self._notes.say("the saved position cannot be understood")
            self._at_end_first = not self._from_start
            self._past = Past(before(self._path))
            return True
        self._past = position.past
        self._parts = resume(position, self._path)
        if not position.marks and position.behind is None:  # there was no file
            self._parts = copies_since(self._path, position.saved_us, position.past)
        found = bool(self._parts) or not position.marks
        if not self._parts and position.behind:
            self._parts = resume_behind(position.behind, position.past, self._path)
            found = found and bool(self._parts)
        if not self._parts and not self._can_open():
            return False
        if not found:
            self._notes.missing_since(position.saved_us)
            self._past = self._past.more(*before(self._path))
        there = {part.identity for part in self._parts}
        gone = [mark for mark in position.marks if (mark.device, mark.inode) not in there]
        self._past = self._past.more(*gone)  # packed since, perhaps
        self._limit_parts()
        self._reader.restore(position.reader)
        return True

    def _can_open(self) -> bool:
        try:
            Part(self._path).close()
        except GONE:
            self._notes.absent(at_once=True)
            return False
        except OSError as error:
            self._notes.failed(error)
            return False
        return True

    def _limit_parts(self) -> None:
        for part in self._parts[:-PARTS_MAX]:
            self._notes.say("passed over, there are too many files to catch up with", part.path)
            self._finish(part)

    # -- reading ----------------------------------------------------------------------------

    def _drain_all(self, limit: int) -> bool:
        """Read all parts to the sizes they have now; False when there is more than fits."""
        sizes = [part.size() for part in reversed(self._parts)]
        for part, size in zip(list(self._parts), reversed(sizes), strict=True):
            try:
                if not self._drain(part, size, limit):
                    return False
            except ChangedError:
                self._changed(part)
                return self._drain_all(limit)
            except OSError as error:
                self._notes.failed(error)
                if part is not self._parts[-1]:
                    self._finish(part)
        return True

    def _drain(self, part: Part, size: int, limit: int) -> bool:
        before = part.offset
        stop = min(size, before + STRIDE)
        for line in part.lines(stop):
            self._take(line)
            if len(self._records) >= limit or self._lines >= LINES_MAX:
                return False
        if part.offset != before:
            part.retires = None  # still written to
        if part.complete():
            size = part.size()  # a packed file's is known only now
        if stop < size:
            return False
        if part.complete():
            self._take_rest(part)
        return True

    def _take(self, line: bytes) -> None:
        self._lines += 1
        record = self._reader.read(line)
        if record is not None:
            self._records.append(record)

    def _take_rest(self, part: Part) -> None:
        rest = part.rest()
        if rest is not None:
            self._take(rest)

    # -- what happens to the file -----------------------------------------------------------

    def _changed(self, part: Part) -> None:
        """A file does not hold any more what was read of it."""
        if part is not self._parts[-1] or part.complete():
            self._finish(part)
            return
        if part.cut_short():
            part.go_to_end()
            self._notes.say("its end was cut off; going on with what is left")
            return
        mark = part.mark()
        part.restart()
        past = self._past.beside([other.mark() for other in self._parts])
        copies = find_copy(mark, part, self._path, past)
        if not copies:
            self._past = self._past.more(mark)
            self._notes.say("was truncated; what was written just before may be missing")
            return
        self._parts[-1:-1] = copies
        self._notes.say(f"was truncated; its rest is read from {copies[0].path.name}")

    def _follow(self) -> bool:
        """Look at the path, at the end of all parts; True when there is a new file to read."""
        try:
            status = self._path.stat()
        except GONE:
            if not self._parts:
                self._at_end_first = False  # what appears from now on is new from its beginning
            self._notes.absent(at_once=not self._parts)
            return False
        except OSError as error:
            self._notes.failed(error)
            return False
        identity = (status.st_dev, status.st_ino)
        if self._parts and self._parts[-1].identity == identity:
            self._past = self._past._replace(seen_ns=status.st_mtime_ns)
            self._notes.present()
            return False
        for part in self._parts:
            if part.identity == identity:  # renamed back
                self._parts.remove(part)
                self._parts.append(part)
                part.retires = None
                return True
        opened = self._open()
        if opened:
            self._past = self._past._replace(seen_ns=status.st_mtime_ns)
        return opened

    def _open(self) -> bool:
        try:
            part = Part(self._path)
        except OSError as error:
            self._notes.failed(error)
            return False
        if any(known.identity == part.identity for known in self._parts):
            part.close()  # the path was changed once more since we looked
            return False
        if self._watcher is not None:
            self._watcher.refresh()  # before the new file is read, so that no line goes untold
        self._notes.present()
        if self._parts and part.replaces(self._parts[-1]):
            # An editor or `sed -i` wrote the same log anew: none of it is news.
            part.go_to_end(self._parts[-1].offset)
            self._notes.say("was written anew; going on behind what was read")
            self._drop(self._parts[-1])
        elif self._parts:
            self._notes.say("was rotated; going on with the new file")
            self._parts += between(self._parts, part, self._path, self._past)
        elif self._at_end_first:
            part.go_to_end()
        self._at_end_first = False
        self._parts.append(part)
        return True

    def _retire(self) -> None:
        """Give up the parts that are read and get no more lines, once a later part has some.

        Until then the daemon may still write to them, and a restart finds its way by the first
        bytes of the last one that has any.
        """
        now = self._clock.monotonic()
        started = False
        for part in reversed(self._parts[:]):
            if started:
                if part.retires is None:
                    part.retires = now if part.complete() else now + LINGER
                if now >= part.retires:
                    self._take_last(part)
                    self._finish(part)
            started = started or part.offset > 0
        empty = [part for part in self._parts[:-1] if not part.offset]
        for part in empty[:-EMPTY_MAX]:
            self._drop(part)

    def _take_last(self, part: Part) -> None:
        with suppress(ChangedError, OSError):
            for line in part.lines(part.size()):
                self._take(line)
            self._take_rest(part)

    def _close_parts(self) -> None:
        for part in self._parts:
            part.close()
        self._parts.clear()

    def _finish(self, part: Part) -> None:
        """Give up a part whose lines were told: it is never to be taken for a new one."""
        if part.offset:
            self._past = self._past.more(part.mark())
        self._drop(part)

    def _drop(self, part: Part) -> None:
        self._parts.remove(part)
        part.close()

    def _position(self) -> str | None:
        """Everything up to the last part that lines were read of; later ones are found again."""
        if not self._begun:
            return None
        marks = tuple(part.mark() for part in self._parts if part.offset)
        behind = None
        if self._parts and not self._parts[-1].offset:
            behind = self._parts[-1].mark()
        if (marks, behind) == self._told:
            return None
        self._told = (marks, behind)
        saved_us = self._clock.now_us()
        return save_position(Position(marks, behind, self._reader.save(), saved_us, self._past))
