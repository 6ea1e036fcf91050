"""The systemd journal: followed while it grows, and read from files that already exist.

The only file that imports systemd-python, and it does so when a journal is first opened.
What an entry is worth is decided in ``entry`` and by the rules' trust, never by a match: a match
on a unit, a uid or a command loses the lines of users' own processes and of those already gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

from usersessionmon.clock import Clock, WakeUp
from usersessionmon.errors import TroubleError
from usersessionmon.model import Batch, Record

from . import journal_position
from .entry import Refusal, Wanted, record_of
from .journal_hurry import SESSIONS, Hurry
from .journal_place import end_of, go_behind
from .journal_position import Position
from .journal_reader import ERRORS, Log, match, terms, words, wrap

MISSING = (
    "the journal cannot be read without systemd-python: install the package python3-systemd"
    " (apt-get install python3-systemd, or dnf install python3-systemd), or set"
    " monitor.source: file"
)
NO_JOURNAL = (
    "there is no systemd journal here that this process may read: run as root, add the user to the"
    " group systemd-journal, or set monitor.source: file"
)
_LOOKED_AT_MOST = 20_000
"""Entries in one ``read``, so that a flood of lines that do not matter cannot hold up the loop."""
_FAILING_SECONDS = 15.0


def systemd_journal() -> Any:
    """The module ``systemd.journal``.  Raises TroubleError, with the way out, when missing."""
    try:
        from systemd import journal
    except ImportError as error:
        raise TroubleError(MISSING) from error
    return journal


def open_reader(*, path: str | None = None, files: Sequence[str] | None = None) -> Any:
    """A ``systemd.journal.Reader`` of this host's journal, a directory or files.

    Raises TroubleError without systemd-python, else one of ``ERRORS``.
    """
    journal = systemd_journal()
    return journal.Reader(path=path, files=files)


def has_files(log: Log | None) -> bool:
    """Has this host's journal any file that this process can read?"""
    return log is not None and bool(
        log.reader.has_persistent_files() or log.reader.has_runtime_files()
    )


class JournalSource:
    """This host's journal (or, with ``directory``, a directory of journal files), followed.

    ``position`` goes on behind a saved position; without one it begins at the journal's first
    entry (``from_start``) or behind its last.  ``wake`` is called from another thread when
    ``read`` is worth while.  ``machine_id`` (32 hex digits): other machines' entries are refused.
    ``extra_identifiers`` are tags of programs that log neither as auth nor as authpriv.
    Belongs to the thread that made it.  Raises TroubleError when there is no journal to read.
    """

    def __init__(
        self,
        *,
        wanted: Wanted,
        zone: tzinfo,
        clock: Clock,
        position: str | None = None,
        from_start: bool = False,
        wake: WakeUp,
        machine_id: str | None = None,
        directory: str | None = None,
        extra_identifiers: Sequence[str] = (),
        sessions: str | None = SESSIONS,
    ) -> None:
        self.refused: Counter[Refusal] = Counter()
        self._wanted = wanted
        self._zone = zone
        self._clock = clock
        self._machine_id = machine_id
        self._directory = directory
        self._terms = terms(extra_identifiers)
        self._notes: list[str] = []
        self._log: Log | None = None
        self._placed = False
        self._doubtful = False
        self._failing_since: float | None = None
        self._position = journal_position.load(position) if position is not None else None
        self._told = self._position
        self._from_start = from_start
        if position is not None and self._position is None:
            self._notes.append("journal: the saved position cannot be understood; starting anew")
        try:
            self._open()
        except ERRORS as error:
            self._shut()
            raise TroubleError(f"{self.name}: cannot be read: {words(error)}") from error
        if directory is None and not has_files(self._log):
            self._shut()
            raise TroubleError(NO_JOURNAL)
        self._hurry = Hurry(clock, wake)
        if sessions is not None and (problem := self._hurry.watch(sessions)):
            self._notes.append(f"journal: logins are seen up to 0.3 s later: {problem}")

    @property
    def name(self) -> str:
        return self._directory or "journal"

    def read(self, limit: int) -> Batch:
        """As ``Source.read``.  After an error of the journal the reader is opened anew and goes on
        where it stood; TroubleError when that has not helped for a while."""
        records: list[Record] = []
        looked, at_end = 0, False
        damaged = self.refused[Refusal.UNREADABLE]
        try:
            log = self._log or self._open()
            log.reader.process()  # without it rotated and new files are never noticed
            at_end = not self._placed and not self._place(log)
            while not at_end and len(records) < limit and looked < _LOOKED_AT_MOST:
                if not log.advance():
                    at_end = True
                    break
                looked += 1
                record = self._take(log)
                if record is not None:
                    records.append(record)
            self._failing_since = None
        except ERRORS as error:
            self._failed(error)
            at_end = True
        damaged = self.refused[Refusal.UNREADABLE] - damaged
        if damaged:
            self._notes.append(f"{self.name}: {damaged} entries are damaged and were passed over")
        notes, self._notes = tuple(self._notes), []
        return Batch(records, self._moved(), at_end, notes, looked)

    def descriptors(self) -> Sequence[int]:
        return () if self._log is None else (self._log.reader.fileno(),)

    def patience(self) -> float:
        return self._hurry.patience()

    def nudge(self) -> None:
        """Look very often for a moment: something is about to be logged."""
        self._hurry.nudge()

    def close(self) -> None:
        self._shut()
        self._hurry.close()

    def _open(self) -> Log:
        log = wrap(open_reader(path=self._directory))
        self._log = log
        log.reader.fileno()  # sets up inotify: from here on no new file is missed
        self._placed = False
        if self._position is None and not self._from_start:
            # Fixed now: what is logged before the first read is new, and what is logged between
            # a first stop and a second start too.
            self._position = end_of(log, self._terms, self._clock.now_us())
        self._place(log)
        return log

    def _shut(self) -> None:
        if self._log is not None:
            self._log.reader.close()
            self._log = None

    def _place(self, log: Log) -> bool:
        """Go to the first new entry; False while there is none."""
        place = go_behind(log, self._terms, self._position, self._zone)
        self._placed, self._doubtful = place.found, place.doubtful
        if place.note:
            self._notes.append(place.note)
        return place.found

    def _take(self, log: Log) -> Record | None:
        """The entry that the log stands at; None when it is of no use.  It is behind us then."""
        try:
            cursor, stamp = log.cursor(), log.stamp()
            if self._doubtful and self._position is not None:
                if self._position.knows(stamp):
                    return None
                self._doubtful = False
            record = None
            if self._wanted(log.program()):
                record = record_of(
                    log.fields(),
                    realtime_us=stamp[0],
                    wanted=self._wanted,
                    zone=self._zone,
                    machine_id=self._machine_id,
                    refused=self.refused,
                )
        except ERRORS:
            self.refused[Refusal.UNREADABLE] += 1
            return None  # damaged on the disk: the next one need not be
        self._position = Position(cursor, *stamp)
        return record

    def _moved(self) -> str | None:
        if self._position is None or self._position == self._told:
            return None
        self._told = self._position
        return self._position.dump()

    def _failed(self, error: Exception) -> None:
        self._shut()
        now = self._clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            self._notes.append(f"{self.name}: reading failed ({words(error)}); opening it again")
        elif now - self._failing_since > _FAILING_SECONDS:
            raise TroubleError(f"{self.name}: cannot be read: {words(error)}") from error


def read_journal(
    paths: Sequence[str],
    *,
    wanted: Wanted,
    zone: tzinfo,
    extra_identifiers: Sequence[str] = (),
    refused: Counter[Refusal] | None = None,
) -> Iterator[Record]:
    """The records of journal files and of directories that hold such, all boots, as one in order.

    Raises TroubleError, after the records of all that can be read, for what cannot.
    """
    files, problems = _files(paths)
    usable: list[str] = []
    for file in files:
        try:
            open_reader(files=[file]).close()
        except ERRORS as error:
            problems.append(f"{file}: is no readable journal file: {words(error)}")
        else:
            usable.append(file)
    if usable:
        reader = open_reader(files=usable)
        try:
            log = wrap(reader)
            match(log, terms(extra_identifiers))
            reader.seek_head()
            yield from _all(log, wanted, zone, refused)
        except ERRORS as error:
            problems.append(f"{', '.join(paths)}: reading broke off: {words(error)}")
        finally:
            reader.close()
    if problems:
        raise TroubleError(problems)


def read_since(
    since_us: int,
    *,
    wanted: Wanted,
    zone: tzinfo,
    extra_identifiers: Sequence[str] = (),
    directory: str | None = None,
) -> Iterator[Record]:
    """The records of this host's journal (or of a directory's) from a moment on, all boots.

    Raises TroubleError, behind the last record that can be read.
    """
    reader = None
    try:
        reader = open_reader(path=directory)
        log = wrap(reader)
        match(log, terms(extra_identifiers))
        reader.seek_realtime(since_us)
        yield from _all(log, wanted, zone, None)
    except ERRORS as error:
        raise TroubleError(f"the journal: reading broke off: {words(error)}") from error
    finally:
        if reader is not None:
            reader.close()


def _all(
    log: Log, wanted: Wanted, zone: tzinfo, refused: Counter[Refusal] | None
) -> Iterator[Record]:
    while log.advance():
        try:
            if not wanted(log.program()):
                continue
            fields, realtime_us = log.fields(), log.stamp()[0]
        except ERRORS:
            if refused is not None:
                refused[Refusal.UNREADABLE] += 1
            continue
        record = record_of(
            fields, realtime_us=realtime_us, wanted=wanted, zone=zone, refused=refused
        )
        if record is not None:
            yield record


def _files(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The journal files behind the paths, and a line for each path without any."""
    files: dict[str, None] = {}
    problems = []
    for path in paths:
        place = Path(path)
        if place.is_dir():
            found = files_in(place)
            if not found:
                problems.append(f"{path}: there are no journal files in this directory")
            files.update(dict.fromkeys(found))
        else:
            files[path] = None
    return list(files), problems


def files_in(folder: Path) -> list[str]:
    """The journal files in a folder and below: journald puts those of a machine into a folder of
    its own."""
    return [str(path) for path in sorted(folder.rglob("*.journal*")) if _is_journal(path)]


def _is_journal(path: Path) -> bool:
    return path.name.endswith((".journal", ".journal~")) and path.is_file()
