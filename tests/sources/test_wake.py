"""Real inotify, real directories.  A wake-up is awaited on a ``Waker``, never slept for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.clock import SystemClock, Waker
from usersessionmon.sources import wake as wake_module
from usersessionmon.sources.wake import PathWatcher

LONG = 5.0
QUIET = 0.12


@pytest.fixture
def waker() -> Iterator[Waker]:
    made = Waker()
    yield made
    made.close()


@pytest.fixture
def watcher(waker: Waker) -> Iterator[PathWatcher]:
    made = PathWatcher(waker.wake)
    yield made
    made.close()


def settle(waker: Waker) -> None:
    """Until nothing more comes of what was done before."""
    while waker.wait(QUIET):
        pass


def until(waker: Waker, done: Callable[[], bool], seconds: float = LONG) -> bool:
    clock = SystemClock()
    end = clock.monotonic() + seconds
    while not done():
        if clock.monotonic() > end:
            return False
        waker.wait(0.02)
    return True


def append(path: Path, data: bytes = b"line\n") -> None:
    with path.open("ab") as file:
        file.write(data)


def wakes_for(waker: Waker, act: Callable[[], object]) -> bool:
    settle(waker)
    act()
    return waker.wait(LONG)


def test_wakes_for_its_file(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    watcher.watch_file(log)
    assert watcher.degraded == ""
    assert wakes_for(waker, lambda: append(log))


def test_wakes_when_the_file_appears(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    log = tmp_path / "auth.log"
    watcher.watch_file(log)
    assert wakes_for(waker, log.touch)


def test_wakes_when_the_file_is_rotated_and_deleted(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    """Renaming alone may not be told; what counts is that the daemon goes to the new file."""
    log = tmp_path / "auth.log"
    daemon = log.open("ab", buffering=0)
    watcher.watch_file(log)

    def rotate() -> None:
        log.rename(tmp_path / "auth.log.1")
        daemon.close()

    assert wakes_for(waker, rotate)
    settle(waker)
    assert wakes_for(waker, log.touch)
    settle(waker)
    assert wakes_for(waker, lambda: append(log))
    assert wakes_for(waker, lambda: log.chmod(0o600))
    assert wakes_for(waker, log.unlink)
    assert wakes_for(waker, log.touch)


def test_a_file_that_was_replaced_is_found_by_refresh(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    log = tmp_path / "auth.log"
    with log.open("ab"):
        watcher.watch_file(log)
        log.rename(tmp_path / "auth.log.1")
        log.touch()
        watcher.refresh()
        assert wakes_for(waker, lambda: append(log))


def test_other_files_do_not_wake(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    watcher.watch_file(log)
    settle(waker)
    for number in range(50):
        append(tmp_path / "syslog")
        append(tmp_path / f"auth.log.{number}")
    assert not waker.wait(QUIET)
    assert wakes_for(waker, lambda: append(log)), "and the watch was alive all the time"


def test_reading_the_file_does_not_wake(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    log = tmp_path / "auth.log"
    append(log)
    watcher.watch_file(log)
    settle(waker)
    log.read_bytes()
    log.stat()
    assert not waker.wait(QUIET)


def test_a_missing_directory_may_appear(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    log = tmp_path / "a" / "b" / "auth.log"
    watcher.watch_file(log)
    settle(waker)
    log.parent.parent.mkdir()
    settle(waker)
    log.parent.mkdir()
    settle(waker)
    assert wakes_for(waker, log.touch)
    assert wakes_for(waker, lambda: append(log))


def test_a_deleted_directory_is_watched_again_when_it_is_back(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    log = tmp_path / "log" / "auth.log"
    log.parent.mkdir()
    watcher.watch_file(log)
    for _ in range(3):
        settle(waker)
        log.parent.rmdir()
        settle(waker)
        log.parent.mkdir()
        settle(waker)
        assert wakes_for(waker, log.touch)
        assert wakes_for(waker, log.unlink)


def test_a_directory_that_was_moved_away_is_found_by_refresh(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    log = tmp_path / "log" / "auth.log"
    log.parent.mkdir()
    watcher.watch_file(log)
    log.parent.rename(tmp_path / "old")
    log.parent.mkdir()
    watcher.refresh()
    assert wakes_for(waker, log.touch)


def test_a_symbolic_link_wakes_for_its_goal_and_for_its_change(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    goals = tmp_path / "goals"
    goals.mkdir()
    first, second = goals / "first", goals / "second"
    first.touch()
    second.touch()
    log = tmp_path / "auth.log"
    log.symlink_to(first)
    watcher.watch_file(log)
    assert wakes_for(waker, lambda: append(first))

    def swap() -> None:
        new = tmp_path / "new"
        new.symlink_to(second)
        new.rename(log)

    assert wakes_for(waker, swap)
    assert wakes_for(waker, lambda: append(second))


def test_a_directory_reached_by_a_symbolic_link(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "log").symlink_to(tmp_path / "real")
    watcher.watch_file(tmp_path / "log" / "auth.log")
    assert wakes_for(waker, lambda: append(tmp_path / "real" / "auth.log"))


def test_a_directory_wakes_for_everything_in_it(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    sessions = tmp_path / "sessions"
    watcher.watch_directory(sessions)
    settle(waker)
    sessions.mkdir()
    settle(waker)
    assert wakes_for(waker, lambda: append(sessions / "3"))
    assert wakes_for(waker, (sessions / "3").unlink)

    def replace() -> None:
        append(sessions / ".#4")
        (sessions / ".#4").rename(sessions / "4")

    assert wakes_for(waker, replace)


def test_a_file_and_its_directory_together(
    tmp_path: Path, waker: Waker, watcher: PathWatcher
) -> None:
    watcher.watch_file(tmp_path / "auth.log")
    watcher.watch_directory(tmp_path)
    assert wakes_for(waker, lambda: append(tmp_path / "other"))
    assert wakes_for(waker, lambda: append(tmp_path / "auth.log"))


def test_full_inotify_is_said_and_is_no_crash(
    tmp_path: Path, waker: Waker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers.inotify import InotifyObserver

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(InotifyObserver, "schedule", full)
    watcher = PathWatcher(waker.wake)
    try:
        watcher.watch_file(tmp_path / "auth.log")
        assert "limit reached" in watcher.degraded
        watcher.watch_file(tmp_path / "other.log")
        watcher.refresh()
    finally:
        watcher.close()


def test_without_watchdog_it_says_so(
    tmp_path: Path, waker: Waker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers.inotify", None)
    watcher = PathWatcher(waker.wake)
    watcher.watch_file(tmp_path / "auth.log")
    assert "not installed" in watcher.degraded
    watcher.close()


def test_real_limits_of_the_kernel_are_said(tmp_path: Path) -> None:
    """All instances that a user may have are taken in a process that ends with the test."""
    script = f"""
import os, resource, ctypes
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    for number in taken[:8]:
        os.close(number)
from pathlib import Path
from usersessionmon.sources.wake import PathWatcher
import watchdog.observers.inotify
taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
watcher = PathWatcher(lambda: None)
watcher.watch_file(Path({str(tmp_path)!r}) / "auth.log")
print(watcher.degraded)
for number in taken:
    os.close(number)
watcher.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "inotify" in done.stdout


def test_importing_the_module_does_not_import_watchdog() -> None:
    script = f"import sys, {wake_module.__name__}; sys.exit('watchdog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=30, check=False).returncode == 0


def test_closing_twice_ends_all_threads(tmp_path: Path, waker: Waker) -> None:
    before = threading.active_count()
    watcher = PathWatcher(waker.wake)
    watcher.watch_file(tmp_path / "auth.log")
    watcher.watch_file(tmp_path / "missing" / "auth.log")
    assert threading.active_count() > before
    watcher.close()
    watcher.close()
    watcher.watch_file(tmp_path / "auth.log")
    watcher.refresh()
    assert until(waker, lambda: threading.active_count() <= before + 1)


def switches() -> int:
    """How often all threads but this one were woken so far."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != threading.get_native_id():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
    return total


def test_idle_means_no_wake_ups(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    (tmp_path / "auth.log").touch()
    watcher.watch_file(tmp_path / "auth.log")
    watcher.watch_file(tmp_path / "missing" / "auth.log")
    settle(waker)
    before = switches()
    waker.wait(0.5)
    assert switches() - before <= 1


def test_a_busy_neighbour_costs_nothing(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    from watchdog.observers import api

    kind: Any = api.ObservedWatch  # without types before watchdog 3
    log = tmp_path / "auth.log"
    log.touch()
    if hasattr(kind(str(log), recursive=False), "is_file"):
        pytest.skip("this version of watchdog watches a file by its directory")
    watcher.watch_file(log)
    settle(waker)
    before = switches()
    for _ in range(10):
        append(tmp_path / "syslog")
        waker.wait(0.02)
    assert switches() - before <= 1


def test_latency(tmp_path: Path, waker: Waker, watcher: PathWatcher) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    watcher.watch_file(log)
    settle(waker)
    clock = SystemClock()
    took = []
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(200):
            while waker.wait(0.003):
                pass
            began = clock.monotonic()
            os.write(descriptor, b"line\n")
            assert waker.wait(LONG)
            took.append(clock.monotonic() - began)
    finally:
        os.close(descriptor)
    assert sorted(took)[197] < 0.02, sorted(took)[-5:]
