"""What ``scan`` is given, sorted: each log by itself, but all of Windows' together, for one host's
channels lie in several files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from usersessionmon.errors import TroubleError
from usersessionmon.model import Record
from usersessionmon.sources.archive import Kind, ReadOptions, read_path, sniff
from usersessionmon.sources.journal import files_in
from usersessionmon.sources.opened import OpenedLog
from usersessionmon.windows.archives import Given, read_logs
from usersessionmon.windows.files import logs_in, named_evtx

from .output import warn


class Log(NamedTuple):
    """One log, or all Windows event logs."""

    path: str
    """Or what stands for all of them."""
    opened: OpenedLog | None = None
    windows: Sequence[Given] = ()

    def records(self, options: ReadOptions) -> Iterator[list[Record]]:
        """In blocks.  Raises TroubleError behind what can be read."""
        if self.windows:
            return read_logs(self.windows, options.notice or warn, options.progress)
        if self.path != "-" and _is_directory(self.path) and not files_in(Path(self.path)):
            raise TroubleError(
                f"{self.path}: in this folder are no journal files and no Windows event logs "
                "(.evtx, XML exports of them)"
            )
        return read_path(self.path, options, self.opened)


def sort_out(paths: Sequence[str]) -> list[Log]:
    """In the order given; the Windows event logs where the first of them stands."""
    logs: list[Log] = []
    windows: list[Given] = []
    place = 0
    for path in paths:
        given, opened = _looked_at(path)
        if given and not windows:
            place = len(logs)
        windows += given
        if not given:
            logs.append(Log(path, opened))
    if windows:
        name = windows[0].path if len(windows) == 1 else f"{len(windows)} Windows event logs"
        logs.insert(place, Log(name, windows=windows))
    return logs


def _looked_at(path: str) -> tuple[list[Given], OpenedLog | None]:
    """The Windows event logs there, or the log where it cannot be opened twice.  What cannot be
    opened at all is said when it is read."""
    if path != "-" and _is_directory(path):
        return [Given(found, found=True) for found in logs_in(path)], None
    try:
        log = OpenedLog(path)
    except TroubleError:
        return [], None
    is_windows = sniff(log.head) in {Kind.EVTX, Kind.EVENTS} or named_evtx(path)
    kept = None if log.regular else log
    if log.regular:
        log.close()
    return ([Given(path, kept)], None) if is_windows else ([], kept)


def _is_directory(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_dir()
    except (OSError, ValueError):
        return False
