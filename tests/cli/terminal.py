"""A person at a terminal: a program on a pty, what it shows, and what is typed."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.program.running import command


class Terminal:
    """The program's three streams are one pty."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.shown = ""
        self._read = 0

    def expect(self, pattern: str, seconds: float = 20.0) -> str:
        """What is shown up to and with the pattern, from where the last one ended."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.shown[self._read :])):
            assert self._more(deadline), f"no {pattern!r} in {self.shown[self._read :]!r}"
        text = self.shown[self._read : self._read + found.end()]
        self._read += found.end()
        return text

    def type(self, line: str, end: str = "\n") -> None:
        os.write(self._master, (line + end).encode())

    def end(self, seconds: float = 20.0) -> int:
        """The status, once the program has ended by itself."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            pass
        return self.process.wait(max(1.0, deadline - time.monotonic()))

    def _more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self._master, 4096) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


def _take_terminal() -> None:
    """So that Ctrl-C is the program's, although the tests may run where it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def terminal(
    words: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """The program in ``folder``; killed at the end if it still lives."""
    master, slave = os.openpty()
    try:
        process = subprocess.Popen(
            command(*words),
            stdin=slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=True,
            env={**os.environ, **(env or {})}, preexec_fn=_take_terminal,
        )  # fmt: skip
    finally:
        os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
