"""Being woken when a file or a directory changes: inotify, by way of watchdog.

The only file that imports watchdog, and it does so when the first watch is wanted.  A watcher says
nothing about what happened: whoever is woken looks for themselves and looks now and then anyway,
because inotify may be missing, full, or late (watchdog holds back a file's moving out of a
directory for half a second).  Nothing here wakes up by itself: all threads block in the kernel.
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

_TELLING = frozenset({"attrib", "created", "deleted", "modified", "moved"})
"""What is worth a wake-up.  Newer versions of watchdog also tell of opening and closing, which our
own reading causes."""
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class _Target(NamedTuple):
    path: Path
    is_file: bool


class _Wanted(NamedTuple):
    """A directory to be watched: the names in it that matter, None for all."""

    device: int
    inode: int
    names: frozenset[str] | None


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
        """Look whether the right directories are watched (a few ``stat`` calls).

        Needed only for what inotify does not tell: a directory that was moved away, a symbolic
        link on the way to it that was changed.
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
        for directory, watch in list(self._watches.items()):
            want = wanted.get(directory)
            if want is None or want[:2] != watch.wanted[:2] or watch.handler.lost:
                del self._watches[directory]
                self._observer.unschedule(watch.token)
                changed = True
            elif want != watch.wanted:
                watch.wanted = want
                watch.handler.names = want.names
        for directory, want in wanted.items():
            if directory not in self._watches:
                changed = self._watch(directory, want) or changed
        return changed

    def _watch(self, directory: str, want: _Wanted) -> bool:
        if not os.access(directory, os.R_OK):
            # watchdog 2.2 would take this for a success and never come back from closing it
            self._degraded = f"{directory}: may not be read, so its changes are not told"
            return False
        try:
            observer = self._start_observer()
            handler = _Handler(directory, want.names, self._wake, self._stale.set)
            token = observer.schedule(handler, directory)
        except ImportError:
            self._degraded = "watchdog is not installed"
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno in _GONE:
                return False  # gone since we looked; its parent's watch or a refresh tells
            # Not tried again: each try of watchdog's that fails costs a descriptor.
            self._degraded = f"{directory}: inotify: {error}"
        else:
            self._watches[directory] = _Watch(want, handler, token)
            return True
        return False

    def _start_observer(self) -> Any:
        if self._observer is None:
            # By name: watchdog's own choice may be one that walks directories every second.
            from watchdog.observers.inotify import InotifyObserver

            kind: Any = InotifyObserver  # without types before watchdog 3
            self._observer = kind()
            self._observer.start()
        return self._observer


class _Handler:
    """What watchdog calls, in its thread, for each event in one directory."""

    def __init__(
        self,
        directory: str,
        names: frozenset[str] | None,
        wake: Callable[[], None],
        stale: Callable[[], None],
    ) -> None:
        self.directory = directory
        self.names = names
        self.lost = False
        self._wake = wake
        self._stale = stale

    def dispatch(self, event: Any) -> None:
        kind = event.event_type
        if kind not in _TELLING:
            return
        names = self.names
        for place in (event.src_path, getattr(event, "dest_path", "")):
            path = os.fsdecode(place or b"")
            if path == self.directory:
                self._itself(kind)
            elif path and (names is None or path.rpartition("/")[2] in names):
                self._wake()
                if names is not None and kind != "modified":
                    self._stale()  # a file or a directory on the way came or went
                return

    def _itself(self, kind: str) -> None:
        if kind == "deleted":
            self.lost = True
            self._wake()
            self._stale()


def _wanted(targets: set[_Target]) -> dict[str, _Wanted]:
    """The directories to watch now, by their true paths.

    Where one is missing it is the nearest one above that is there, for the next name on the way.
    """
    found: dict[str, _Wanted] = {}
    for target in targets:
        for directory, name in _places(target):
            place = _existing(directory, name)
            if place is None:
                continue
            real, status, name = place
            names = None if name is None else frozenset({name})
            if real in found:
                before = found[real].names
                names = None if names is None or before is None else names | before
            found[real] = _Wanted(status.st_dev, status.st_ino, names)
    return found


def _places(target: _Target) -> list[tuple[Path, str | None]]:
    """(directory, name in it) that a target depends on; the name is None for all names."""
    if not target.is_file:
        return [(target.path, None)]
    places: list[tuple[Path, str | None]] = [(target.path.parent, target.path.name)]
    if target.path.is_symlink():
        goal = Path(os.path.realpath(target.path))
        places.append((goal.parent, goal.name))
    return places


def _existing(directory: Path, name: str | None) -> tuple[str, os.stat_result, str | None] | None:
    while True:
        with contextlib.suppress(OSError):
            status = directory.stat()
            if stat.S_ISDIR(status.st_mode):
                # The true path: watchdog watches a symbolic link itself, not where it leads.
                return os.path.realpath(directory), status, name
        if directory.parent == directory:
            return None
        directory, name = directory.parent, directory.name
