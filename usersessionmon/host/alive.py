"""What the live host says about sessions: its processes and logind's session files.

Only read, and believed only as far as the kernel vouches for it: a process may call itself what it
likes.  Every answer is three-valued where the host may hide it: None is "cannot be told".
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from usersessionmon.system.host import TICKS
from usersessionmon.system.places import PROC, RUN

from .files import text_of

_MOST = 16 * 1024
_SESSIONS_MOST = 10_000
START_SLACK_US = 3_000_000
"""A process's start is known to a second, and its login's line may be stamped by another clock."""
_UID = re.compile(r"^Uid:\t\d+\t(\d+)\t", re.MULTILINE)
_NUMBERS = re.compile(r"^NSpid:((?:\t\d+)+)$", re.MULTILINE)
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_SOCKETS_MOST = 64
_SCOPE = re.compile(r"/session-([a-zA-Z0-9]{1,40})\.scope(?:/|$)", re.MULTILINE)
_ESCAPE = re.compile(r"\\([0-7]{3}|x[0-9a-fA-F]{2}|.)")


class Process(NamedTuple):
    """A process, by what everybody may read of it."""

    pid: int
    parent: int
    uid: int
    """The effective one."""
    ticks: int
    """When it began, in the kernel's ticks since the boot: a suspended host's time counts, and
    no clock that is set moves it.  With the pid it names a process for the whole boot."""
    title: str
    elsewhere: bool
    """It has a number of its own in another namespace: it is a container's."""


@dataclass(frozen=True, slots=True)
class LogindSession:
    """One file of /run/systemd/sessions.  What a file does not say is None."""

    id: str
    user: str | None
    uid: int | None
    leader: int | None
    """The pid that logged in; for ssh it is the process that writes ``Accepted …``."""
    remote_host: str | None
    tty: str | None
    service: str | None
    state: str | None
    """``active``, ``online``, ``closing`` (logged out, something still runs), ``opening``"""
    klass: str | None
    """``user``, ``greeter``, ``manager``, ``background``, …"""
    since_us: int | None


class Host:
    """The live host, by /proc and /run."""

    def __init__(self, proc: Path = PROC, run: Path = RUN) -> None:
        self.proc = proc
        self.run = run
        self._ticks = TICKS

    def process_alive(self, pid: int) -> bool | None:
        """Is there a process of this number (a zombie is none)?  None when /proc may hide it."""
        if not (self.proc / str(pid)).is_dir():
            # Mounted with hidepid, /proc shows strangers' processes to nobody but root.
            return False if (self.proc / "1").is_dir() else None
        state = self._stat(pid)[:1]
        return state not in (["Z"], ["X"])

    def process_is(self, pid: int, names: Collection[str]) -> bool | None:
        """Is the process one of these programs (``sshd``, ``sshd-session``)?  By its executable
        where that may be read (root), else by the name that the kernel keeps, which the process
        itself can change.  False also when it is not alive."""
        alive = self.process_alive(pid)
        if not alive:
            return alive
        with contextlib.suppress(OSError):
            path = str((self.proc / str(pid) / "exe").readlink())
            return path.removesuffix(" (deleted)").rpartition("/")[2] in names
        comm = text_of(self.proc / str(pid) / "comm", _MOST).strip()
        return comm in {name[:15] for name in names} if comm else None

    def start_ticks(self, pid: int) -> int | None:
        """When the process began, in ticks since the boot (``Process.ticks``)."""
        return _ticks(self._stat(pid))

    def is_same(self, pid: int, ticks: int) -> bool | None:
        """Is the process still the one that began then?  None when /proc may hide it."""
        alive = self.process_alive(pid)
        if not alive:
            return alive
        now = self.start_ticks(pid)
        return None if now is None else now == ticks

    def since_us(self, ticks: int | None) -> int | None:
        """Ticks since the boot as a moment (microseconds UTC, exact to about a second) of the
        clock as it is set now."""
        match = re.search(r"^btime (\d{1,15})$", text_of(self.proc / "stat", _MOST), re.MULTILINE)
        if ticks is None or match is None:
            return None
        return int(match[1]) * 1_000_000 + self.uptime_us(ticks)

    def uptime_us(self, ticks: int) -> int:
        """Ticks since the boot in microseconds."""
        return ticks * 1_000_000 // self._ticks

    def up_us(self) -> int | None:
        """How long the host is up, suspended or not, in microseconds."""
        match = re.match(r"(\d{1,12})\.(\d\d) ", text_of(self.proc / "uptime", _MOST))
        return None if match is None else int(match[1] + match[2]) * 10_000

    def holds_session(self, pid: int, names: Collection[str], login_us: int) -> bool | None:
        """Does the process that logged somebody in at ``login_us`` still run?

        A younger process of the same number is another one; but the clock may have been set
        since, which moves what processes are thought to have begun at: None.
        """
        same = self.process_is(pid, names)
        started = self.since_us(self.start_ticks(pid)) if same else None
        if started is not None and started > login_us + START_SLACK_US:
            return None
        return same

    def process(self, pid: int) -> Process | None:
        """What is known of a process; None when it is gone, a zombie or hidden."""
        fields = self._stat(pid)
        ticks = _ticks(fields)
        status = text_of(self.proc / str(pid) / "status", _MOST)
        uid = _UID.search(status)
        if ticks is None or uid is None or fields[0] in {"Z", "X"} or not fields[1].isdecimal():
            return None
        return Process(
            pid,
            int(fields[1]),
            int(uid[1]),
            ticks,
            text_of(self.proc / str(pid) / "cmdline", _MOST).rstrip("\0"),
            _is_elsewhere(status),
        )

    def name_of(self, pid: int) -> str:
        """The name that the kernel keeps, which the process can change; of 15 characters."""
        return text_of(self.proc / str(pid) / "comm", _MOST).strip()

    def sockets_of(self, pid: int) -> list[str]:
        """The inodes of a process's sockets, by the numbers of their descriptors; empty also when
        that may not be looked at (only root and its owner may)."""
        found = []
        with contextlib.suppress(OSError):
            for link in (self.proc / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError, ValueError):
                    match = _SOCKET.fullmatch(str(link.readlink()))
                    if match is not None:
                        found.append((int(link.name), match[1]))
        return [inode for _, inode in sorted(found)[:_SOCKETS_MOST]]

    def logind_sessions(self) -> list[LogindSession]:
        """What logind has noted; empty without logind."""
        paths: list[Path] = []
        with contextlib.suppress(OSError):
            paths = sorted((self.run / "systemd/sessions").iterdir())[:_SESSIONS_MOST]
        return [_session(path.name, text_of(path, _MOST)) for path in paths if _is_session(path)]

    def session_led_by(self, pid: int) -> LogindSession | None:
        """The logind session that a process logged in, by its cgroup: None while there is none,
        and on a host without logind."""
        scope = scope_in(text_of(self.proc / str(pid) / "cgroup", _MOST))
        if scope is None:
            return None
        path = self.run / "systemd/sessions" / scope
        session = _session(path.name, text_of(path, _MOST))
        return session if session.leader == pid else None

    def is_elsewhere(self, pid: int) -> bool:
        """As ``Process.elsewhere``."""
        return _is_elsewhere(text_of(self.proc / str(pid) / "status", _MOST))

    def terminal_of(self, pid: int) -> int | None:
        """The number of the process's terminal, as the kernel packs it; None when it is gone."""
        fields = self._stat(pid)
        known = len(fields) > 4 and fields[4].lstrip("-").isdecimal()
        return int(fields[4]) if known else None

    def pids(self) -> Iterator[int]:
        with contextlib.suppress(OSError):
            for entry in self.proc.iterdir():
                if entry.name.isdecimal():
                    yield int(entry.name)

    def is_roots(self, pid: int) -> bool:
        """By the effective uid: the directory's owner is root also for a process that is not
        dumpable, which anybody can make of their own."""
        match = _UID.search(text_of(self.proc / str(pid) / "status", _MOST))
        return match is not None and match[1] == "0"

    def _stat(self, pid: int) -> list[str]:
        """The fields of /proc/PID/stat from the third (state) on; the name before them may hold
        anything."""
        return text_of(self.proc / str(pid) / "stat", _MOST).rpartition(")")[2].split()


def scope_in(cgroup: str) -> str | None:
    """The id of the logind session whose scope a process's cgroup is, or lies in."""
    match = _SCOPE.search(cgroup)
    return None if match is None else match[1]


def _is_elsewhere(status: str) -> bool:
    numbers = _NUMBERS.search(status)
    return numbers is not None and numbers[1].count("\t") > 1


def _ticks(fields: list[str]) -> int | None:
    return int(fields[19]) if len(fields) >= 20 and fields[19].isdecimal() else None


def _is_session(path: Path) -> bool:
    """Not the pipe that logind keeps for each session, nor a file that is being written."""
    return path.name[0] not in ".#" and path.suffix != ".ref" and path.is_file()


def _session(name: str, text: str) -> LogindSession:
    values: dict[str, str] = {}
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            values[key] = _plain(value)
    return LogindSession(
        id=name,
        user=values.get("USER"),
        uid=_number(values.get("UID")),
        leader=_number(values.get("LEADER")),
        remote_host=values.get("REMOTE_HOST"),
        tty=values.get("TTY"),
        service=values.get("SERVICE"),
        state=values.get("STATE"),
        klass=values.get("CLASS"),
        since_us=_number(values.get("REALTIME")),
    )


def _plain(value: str) -> str:
    """Undo systemd's quoting: ``"…"`` around it, and C's escapes."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return _ESCAPE.sub(_unescaped, value)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 3 and code[0] != "x":
        return chr(int(code, 8) & 0xFF)
    if len(code) == 3:
        return chr(int(code[1:], 16))
    return {"n": "\n", "t": "\t", "s": " "}.get(code, code)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 20 else None
