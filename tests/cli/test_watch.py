"""`who --watch`: a real terminal, a real monitor, people who come and go."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.program.running import append, command, monitor, run, until, write_config

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def line(pid: int, text: str) -> str:
    return f"{datetime.now(UTC).isoformat()} web-2 sshd[{pid}]: {text}"


def comes(pid: int, user: str) -> list[str]:
    return [line(pid, f"Accepted password for {user} from 198.51.100.7 port {pid} ssh2")]


def leaves(pid: int, user: str) -> list[str]:
    return [
        line(pid + 1, f"Received disconnect from 198.51.100.7 port {pid}:11: disconnected by user"),
        line(pid, f"pam_unix(sshd:session): session closed for user {user}"),
    ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(configuration, log) of a running monitor."""
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    with monitor(config, "--from-start"):
        append(log, comes(10, "alice"))
        until(lambda: b"alice" in run("who", "--json", "--config", str(config)).stdout)
        yield config, log


class Terminal:
    """``who --watch`` on a terminal of its own."""

    def __init__(self, config: Path, *, lines: int = 24, columns: int = 100) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(lines, columns)
        self.process = subprocess.Popen(
            command("who", "--watch", "0.2", "--config", str(config)),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "", "LINES": ""},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.written = ""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def page(self) -> list[str]:
        """The page that was drawn last and whole."""
        pages = self.written.split("\x1b[H")
        whole = [page for page in pages if "\x1b[J" in page]
        text = whole[-1].partition("\x1b[J")[0] if whole else ""
        return [re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", row).rstrip() for row in text.split("\r\n")]

    def read(self) -> None:
        while select.select([self._ours], [], [], 0.05)[0]:
            try:
                self.written += os.read(self._ours, 65536).decode()
            except OSError:  # how a terminal says that its other end is closed
                return

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, self.written[-2000:]
            self.read()

    def shows(self, *words: str) -> None:
        self.until(lambda: all(any(word in row for row in self.page()) for word in words))

    def key(self, key: bytes) -> None:
        os.write(self._ours, key)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(site: tuple[Path, Path]) -> Iterator[Terminal]:
    opened = Terminal(site[0])
    yield opened
    opened.close()


def test_it_shows_who_comes_and_goes_and_gives_the_terminal_back(
    site: tuple[Path, Path], terminal: Terminal
) -> None:
    _, log = site
    terminal.shows("1 on,", "alice")
    assert terminal.written.startswith(ENTER)
    append(log, comes(20, "王芳"))
    terminal.shows("2 on,", "+ 王芳 from 198.51.100.7 came (sshd)")
    append(log, leaves(10, "alice"))
    terminal.shows("1 on,", "- alice from 198.51.100.7 left: user, after 00:00:")
    terminal.key(b"\x03")
    assert terminal.process.wait(15) == 0
    terminal.read()
    assert terminal.written.replace("^C", "").endswith(LEAVE)
    assert "Traceback" not in terminal.written


def test_killed_it_gives_the_terminal_back_too(terminal: Terminal) -> None:
    terminal.shows("alice")
    terminal.process.terminate()
    assert terminal.process.wait(15) == 128 + signal.SIGTERM
    terminal.read()
    assert terminal.written.endswith(LEAVE)


def test_a_page_fits_the_terminal_whatever_its_size(
    site: tuple[Path, Path], terminal: Terminal
) -> None:
    config, log = site
    for number in range(30):
        append(log, comes(100 + 10 * number, f"user{number}"))
    terminal.shows("31 on,")
    for host in ("web-1", "web-2", "web-3"):
        words = ("--config", str(config), host, "--for", "1h", "--note", "x" * 190)
        assert run("claim", *words).returncode == 0
    terminal.shows("web-3 is claimed by ")
    for lines, columns in ((24, 100), (12, 60), (8, 40), (40, 200)):
        terminal.resize(lines, columns)
        terminal.written = ""
        terminal.until(lambda: terminal.written.count("\x1b[J") > 1)
        page = terminal.page()
        assert len(page) <= lines
        assert all(len(row) <= columns for row in page)
        assert lines < 24 or sum(" is claimed by " in row for row in page) == 3
    assert any("user29" in row for row in page)


def test_paused_it_gives_the_terminal_back_and_goes_on(terminal: Terminal) -> None:
    terminal.shows("alice")
    os.kill(terminal.process.pid, signal.SIGTSTP)
    terminal.until(lambda: terminal.written.count(LEAVE) == 1)
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.until(lambda: terminal.written.count(ENTER) == 2)
    terminal.written = ""
    terminal.shows("alice")


def test_a_monitor_that_stops_is_told_and_the_look_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    with monitor(config, "--from-start"):
        append(log, comes(10, "alice"))
        until(lambda: b"alice" in run("who", "--json", "--config", str(config)).stdout)
        terminal = Terminal(config)
        terminal.shows("alice")
    try:
        terminal.shows("THE MONITOR IS NOT RUNNING", "alice")
        (tmp_path / "state").rename(tmp_path / "away")
        terminal.shows("TROUBLE: ", "alice")
        (tmp_path / "away").rename(tmp_path / "state")
        terminal.until(lambda: not any("TROUBLE" in row for row in terminal.page()))
    finally:
        terminal.close()


def test_each_change_is_a_line_of_json(site: tuple[Path, Path]) -> None:
    config, log = site
    watching = subprocess.Popen(
        command("who", "--watch", "0.2", "--json", "--config", str(config)),
        stdout=subprocess.PIPE,
        text=True,
    )
    with watching as process:
        assert process.stdout is not None

        def said() -> tuple[str, str, str, str | None]:
            assert process.stdout is not None
            row = json.loads(process.stdout.readline())
            return row["change"], row["user"], row["state"], row["reason"]

        assert said() == ("on", "alice", "open", None)
        append(log, comes(20, "bob"))
        assert said() == ("came", "bob", "open", None)
        append(log, leaves(20, "bob"))
        assert said() == ("left", "bob", "closed", "user")
        process.stdout.close()  # nobody reads any more: it ends, without a change to tell
        assert process.wait(15) == 0


def test_without_a_terminal_it_says_so(site: tuple[Path, Path]) -> None:
    config, _ = site
    for words, text in (
        (("--watch",), "the output is no terminal; add --json"),
        (("--watch", "0"), "--watch 0: must be a number of seconds"),
        (("--watch", "nan", "--json"), "--watch nan: must be"),
        (("--watch", "soon"), "invalid float value"),
    ):
        result = run("who", "--config", str(config), *words)
        assert (result.returncode, result.stdout) == (2, b"")
        (said,) = result.stderr.decode().splitlines()
        assert text in said
