"""Being woken when a file or a directory changes: inotify, by way of watchdog.

The only file that imports watchdog, and it does so when the first watch is wanted.  A watcher says
nothing about what happened: whoever is woken looks for themselves and looks now and then anyway,
because inotify may be missing, full, or late (watchdog holds back a file's moving out of a
directory for half a second).  Nothing here wakes up by itself: all threads block in the kernel.

A file that is there is watched itself and not its directory: each line in any other log of a busy
directory would cost a tenth of a millisecond in watchdog.  Its renaming is not told then, but its
daemon's closing it is, which is when the new file begins to matter.  (The newest versions of
watchdog watch a file by its directory all the same.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from usersessionmon.system.files import INOTIFY

_TELLING = frozenset({"attrib", "closed", "created", "deleted", "modified", "moved"})
"""What is worth a wake-up (``closed``: by somebody who could write).  Newer versions of watchdog
also tell of opening and of closing after reading, which we do ourselves."""
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class _Target(NamedTuple):
    path: Path
    is_file: bool


class _Wanted(NamedTuple):
    """A file or a directory to be watched, by its true path."""

    device: int
    inode: int
    is_file: bool
    names: frozenset[str] | None
    """The names in a directory that matter; None: all."""


@dataclass(slots=True)
class _Watch:
    wanted: _Wanted
    handler: _Handler
    token: Any


class PathWatcher:
    """Calls ``wake`` (from another thread) when a watched path may have changed.

    Directories that are missing may appear later, and may be deleted and made again.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._targets: set[_Target] = set()
        self._watches: dict[str, _Watch] = {}
        self._observer: Any = None
        self._degraded = ""
        self._lock = threading.Lock()
        self._stale = threading.Event()
        self._closed = False
        self._keeper: threading.Thread | None = None

    @property
    def degraded(self) -> str:
        """Why not everything is watched, for people; empty when all is well.  Else poll faster."""
        return self._degraded

    def watch_file(self, path: Path) -> None:
        """Wake for this file and not for its neighbours; of a symbolic link, for its goal too."""
        self._add(_Target(path.absolute(), is_file=True))

    def watch_directory(self, path: Path) -> None:
        """Wake for everything directly in this directory."""
        self._add(_Target(path.absolute(), is_file=False))

    def refresh(self) -> None:
        """Look whether the right files are watched (a few ``stat`` calls).

        For what inotify does not tell here: a file that was replaced while its daemon keeps it
        open, a directory that was moved away, a symbolic link on the way to it that was changed.
        """
        with self._lock:
            if not self._closed:
                self._establish()

    def close(self) -> None:
        """Stop all threads.  Safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            observer, self._observer = self._observer, None
            self._watches.clear()
        self._stale.set()
        if self._keeper is not None:
            self._keeper.join()
        if observer is not None:
            observer.stop()
            observer.join()

    def _add(self, target: _Target) -> None:
        with self._lock:
            if self._closed:
                return
            self._targets.add(target)
            self._establish()
            if self._keeper is None and self._observer is not None:
                self._keeper = threading.Thread(target=self._keep, name="watches", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        """Renew the watches whenever a handler says so.

        A thread of its own, because a handler runs inside watchdog's lock, which changing a watch
        needs too.
        """
        while True:
            self._stale.wait()
            self._stale.clear()
            with self._lock:
                if self._closed:
                    return
                changed = self._establish()
            if changed:
                self._wake()  # something may have happened while nobody watched

    def _establish(self) -> bool:
        """Make the watches fit the host as it is now; True when one was added or taken away."""
        if self._degraded:
            return False
        wanted = _wanted(self._targets)
        changed = False
        for path, watch in list(self._watches.items()):
            want = wanted.get(path)
            if want is None or want[:3] != watch.wanted[:3] or watch.handler.lost:
                del self._watches[path]
                self._observer.unschedule(watch.token)
                changed = True
            elif want != watch.wanted:
                watch.wanted = want
                watch.handler.names = want.names
        for path, want in wanted.items():
            if path not in self._watches:
                changed = self._watch(path, want) or changed
        return changed

    def _watch(self, path: str, want: _Wanted) -> bool:
        if not _readable(path):
            # watchdog 2.2 would take this for a success and never come back from closing it
            self._degraded = f"{path}: may not be read, so its changes are not told"
            return False
        try:
            observer = self._start_observer()
            handler = _Handler(path, want, self._wake, self._stale.set)
            token = observer.schedule(handler, path)
        except ImportError:
            self._degraded = "watchdog is not installed"
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno in _GONE:
                return False  # gone since we looked; a refresh will see to it
            # Not tried again: each try of watchdog's that fails costs a descriptor.
            self._degraded = f"{path}: inotify: {error}"
        else:
            self._watches[path] = _Watch(want, handler, token)
            return True
        return False

    def _start_observer(self) -> Any:
        if not INOTIFY:
            raise RuntimeError("is for Linux")
        if self._observer is None:
            # By name: watchdog's own choice may be one that walks directories every second.
            from watchdog.observers.inotify import InotifyObserver

            kind: Any = InotifyObserver  # without types before watchdog 3
            self._observer = kind()
            self._observer.start()
        return self._observer


class _Handler:
    """What watchdog calls, in its thread, for each event of one watch."""

    def __init__(
        self, path: str, want: _Wanted, wake: Callable[[], None], stale: Callable[[], None]
    ) -> None:
        self.names = want.names
        self.lost = False
        self._path = path
        self._is_file = want.is_file
        self._wake = wake
        self._stale = stale

    def dispatch(self, event: Any) -> None:
        kind = event.event_type
        if kind not in _TELLING:
            return
        names = self.names
        for place in (event.src_path, getattr(event, "dest_path", "")):
            path = os.fsdecode(place or b"")
            if path == self._path:
                self._itself(kind)
            elif path and (names is None or path.rpartition("/")[2] in names):
                self._wake()
                if names is not None and kind != "modified":
                    self._stale()  # a file or a directory on the way came or went
                return

    def _itself(self, kind: str) -> None:
        """What is watched itself; of a directory only its end is news."""
        if self._is_file or kind == "deleted":
            self.lost = self.lost or kind == "deleted"
            self._wake()
            if kind != "modified":
                self._stale()


def _wanted(targets: set[_Target]) -> dict[str, _Wanted]:
    """What to watch now, by true paths.

    Where a file or a directory is missing it is the nearest directory above that is there, for the
    next name on the way.
    """
    found: dict[str, _Wanted] = {}
    for target in targets:
        for path, name in _places(target):
            status, real, names = _existing(path, name)
            if real in found:
                before = found[real].names
                names = None if names is None or before is None else names | before
            is_file = not stat.S_ISDIR(status.st_mode)
            found[real] = _Wanted(status.st_dev, status.st_ino, is_file, names)
    return found


def _places(target: _Target) -> list[tuple[Path, str | None]]:
    """The paths that a target depends on; with a name: the directory, for this name in it."""
    path = target.path
    if not target.is_file:
        return [(path, None)]
    goal = Path(os.path.realpath(path))
    places: list[tuple[Path, str | None]] = []
    if goal.is_file() and _readable(str(goal)):
        places.append((goal, None))
    else:
        places.append((goal.parent, goal.name))
    if path.is_symlink():
        places.append((path.parent, path.name))
    return places


def _existing(path: Path, name: str | None) -> tuple[os.stat_result, str, frozenset[str] | None]:
    """The path, or the nearest directory above it that is there: (status, true path, names)."""
    while True:
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISDIR(status.st_mode) or name is None:
                # The true path: watchdog watches a symbolic link itself, not where it leads.
                return status, os.path.realpath(path), None if name is None else frozenset({name})
        path, name = path.parent, path.name


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)
