"""All files of event logs that one ``scan`` is given, read together: a host's channels belong
together, whatever files they lie in.

A first pass finds out what each file holds and whose it is; then they are read host by host, the
small channels before Security, each in the order of its record ids.  What several files hold is
given once.  Memory does not grow with the files: a chunk of each that is open, and two bytes for
each event id that was read.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from usersessionmon.errors import TroubleError
from usersessionmon.model import Moment, Record
from usersessionmon.sources.opened import OpenedLog

from .files import Entry, LogFile, open_log
from .hosts import Host, Hosts, Step
from .seen import Seen
from .survey import Survey, Surveyed
from .xml import Rendered, Unread, glance, read, record

_BATCH = 1024
_STAMP = re.compile(r"([0-9-]{10}T[0-9:]{8}\.[0-9]{6}[0-9]{1,3})Z")
_RecordAt = tuple[int, Record]


class Given(NamedTuple):
    """A file to read."""

    path: str
    log: OpenedLog | None = None
    """Where it is open already (standard input)."""
    found: bool = False
    """It was found in a folder: nobody asked for this one, so that nothing is in it is no news."""


def read_logs(
    given: Sequence[Given],
    notice: Callable[[str], None],
    progress: Callable[[int, int | None], None] | None = None,
) -> Iterator[list[Record]]:
    """The records of all of them in blocks.  ``notice`` is told of what is wrong within a file,
    ``progress`` of the bytes that were read and that there are to read, each pass counted.

    Raises UserError where the ``evtx`` package is needed and missing, and TroubleError, behind all
    that can be read, with a line for each file that cannot.
    """
    reading = _Reading(notice, progress)
    try:
        yield from reading.records(given)
    finally:
        reading.close()


class _Reading:
    def __init__(
        self,
        notice: Callable[[str], None],
        progress: Callable[[int, int | None], None] | None,
    ) -> None:
        self._notice = notice
        self._progress = progress
        self._logs: dict[str, LogFile] = {}
        self._damaged: dict[str, int] = {}
        self._troubles: list[str] = []
        self._seen = Seen()
        self._done = self._total = 0

    def records(self, given: Iterable[Given]) -> Iterator[list[Record]]:
        asked = {one.path: one for one in given}
        for one in asked.values():
            self._open(one)
        files = [file for log in self._logs.values() if (file := self._survey(log)) is not None]
        for file in files:
            if not file.spans and not asked[file.path].found:
                self._notice(_of_nobody(file))
        hosts = Hosts(files)
        self._total += sum(self._logs[file.path].size * len(file.spans) for file in files)
        for step in hosts.steps(files):
            yield from _batches(self._step(step, hosts))
        for path, log in self._logs.items():
            for remark in log.remarks:
                self._notice(remark)
            if count := self._damaged.get(path, 0):
                self._notice(f"{path}: {_count(count)} damaged and left out")
        if self._troubles:
            raise TroubleError(self._troubles)

    def close(self) -> None:
        for log in self._logs.values():
            log.close()

    def _open(self, given: Given) -> None:
        try:
            log = open_log(given.path, given.log)
        except TroubleError as error:
            self._troubles += error.lines
            return
        self._logs[given.path] = log
        self._total += log.size

    def _survey(self, log: LogFile) -> Surveyed | None:
        survey, damaged = Survey(), 0
        try:
            for entries, size in log.blocks(newest_first=False):
                for entry in entries:
                    seen = glance(entry.xml)
                    if isinstance(seen, Unread):
                        damaged += 1
                    else:
                        survey.add(seen, entry.number)
                self._tell(size)
        except TroubleError as error:
            self._troubles += error.lines
            return None
        self._damaged[log.path] = damaged + log.lost
        return survey.done(log.path)

    def _step(self, step: Step, hosts: Hosts) -> Iterator[Record]:
        streams = [self._channel(file, step.channel, hosts) for file in step.files]
        merged = heapq.merge(*streams, key=itemgetter(0)) if len(streams) > 1 else streams[0]
        return (found for _, found in merged)

    def _channel(self, file: Surveyed, channel: str, hosts: Hosts) -> Iterator[_RecordAt]:
        """One channel of one file, with the record ids."""
        log = self._logs[file.path]
        try:
            for entries, size in log.blocks(newest_first=file.spans[channel].newest_first):
                for entry in entries:
                    event = read(entry.xml, channel)
                    if isinstance(event, Rendered):
                        found = self._record(event, entry, hosts.of(file, event.computer))
                        if found is not None:
                            yield event.record_id, found
                    elif event is Unread.DAMAGED and not isinstance(glance(entry.xml), Unread):
                        self._damaged[file.path] += 1  # others were counted at the first pass
                self._tell(size)
        except TroubleError as error:
            self._troubles += error.lines

    def _record(self, event: Rendered, entry: Entry, host: Host) -> Record | None:
        if not self._seen.is_new(host.origin, event.channel, event.record_id, event.time.us):
            return None
        exact = event._replace(time=_with_all_digits(event.time, entry.stamp))
        return record(exact, host.origin, host.beside)

    def _tell(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._total))


def _with_all_digits(time: Moment, stamp: str) -> Moment:
    """The ``evtx`` package cuts an event's time to microseconds; the moment at which the file says
    that it was written is, in a host's own log, the same time with the digits that are missing."""
    found = _STAMP.match(stamp)
    if found is None or time.text != f"{stamp[:26]}Z":
        return time
    return Moment(time.us, f"{found[1]}Z")


def _of_nobody(file: Surveyed) -> str:
    if not file.others:
        return f"{file.path}: holds no events"
    return f"{file.path}: of its channel nothing tells of people ({', '.join(file.others)})"


def _count(count: int) -> str:
    return "1 event is" if count == 1 else f"{count} events are"


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for one in records:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
