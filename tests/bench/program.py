"""The real program, started as a process, and what Linux says of it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Usage(NamedTuple):
    """What a process and its threads used since they began."""

    at: float
    cpu: float
    """Seconds on a processor."""
    wakeups: int
    """How often a thread waited and was woken."""
    resident_mib: float


class Program:
    """A running ``run``."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, started: float) -> None:
        self.folder = folder
        self.started = started
        """Seconds from its start to "ready"."""
        self._process = process

    def said(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")

    def usage(self) -> Usage:
        folder = Path("/proc") / str(self._process.pid)
        cpu_ns = wakeups = 0
        for task in (folder / "task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
                cpu_ns += int((task / "schedstat").read_text().split()[0])
                wakeups += _status(task, "voluntary_ctxt_switches")
        return Usage(time.monotonic(), cpu_ns / 1e9, wakeups, _status(folder, "VmRSS") / 1024)


def _status(folder: Path, name: str) -> int:
    for line in (folder / "status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


@contextmanager
def running(folder: Path, *, source: str, log: Path | None = None, url: str) -> Iterator[Program]:
    """The program following ``source``, ready; ended by SIGTERM.  Fails when it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    lines = ["monitor:", f"  source: {source}", *([f"  log_file: {log}"] if log else [])]
    lines += ["feishu:", f"  webhook_url: {url}", "state:", f"  dir: {folder / 'state'}"]
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "usersessionmon", "--config", str(config), "run"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = folder / "notify"
        address.unlink(missing_ok=True)
        manager.bind(str(address))
        begin = time.monotonic()
        with (folder / "stderr.txt").open("wb") as said:
            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, "NOTIFY_SOCKET": str(address)},
            )
        try:
            _wait_ready(manager, process, folder)
            yield Program(process, folder, time.monotonic() - begin)
        finally:
            _end(process)


def _wait_ready(manager: socket.socket, process: subprocess.Popen[bytes], folder: Path) -> None:
    manager.settimeout(0.25)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if b"READY=1" in manager.recv(4096):
                return
        except TimeoutError:
            continue
    said = (folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"the program did not become ready: {said[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
