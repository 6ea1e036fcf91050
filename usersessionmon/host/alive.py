"""What the live host says about sessions: its processes and logind's session files.

Only read, and believed only as far as the kernel vouches for it: a process may call itself what it
likes.  Every answer is three-valued where the host may hide it: None is "cannot be told".
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_MOST = 16 * 1024
_SESSIONS_MOST = 10_000
START_SLACK_US = 3_000_000
"""A process's start is known to a second, and its login's line may be stamped by another clock."""
_SSHD = re.compile(r"sshd(?:-session)?: (?P<user>.+?)(?: \[priv\]|@(?P<tty>[^@ ]+))", re.DOTALL)
_SCOPE = re.compile(r"/session-([a-zA-Z0-9]{1,40})\.scope(?:/|$)", re.MULTILINE)
_ESCAPE = re.compile(r"\\([0-7]{3}|x[0-9a-fA-F]{2}|.)")


@dataclass(frozen=True, slots=True)
class SshdProcess:
    """The process that holds an ssh connection.  It names its user as soon as the client does:
    that is no proof of a login."""

    pid: int
    user: str
    started_us: int | None
    """Microseconds UTC, exact to about a second."""
    tty: str | None
    """Known only where the process serves the session itself (root's, before OpenSSH 9.8);
    ``notty`` without a terminal."""


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

    def __init__(self, proc: Path = Path("/proc"), run: Path = Path("/run")) -> None:
        self._proc = proc
        self._run = run
        self._ticks = os.sysconf("SC_CLK_TCK")

    def process_alive(self, pid: int) -> bool | None:
        """Is there a process of this number (a zombie is none)?  None when /proc may hide it."""
        if not (self._proc / str(pid)).is_dir():
            # Mounted with hidepid, /proc shows strangers' processes to nobody but root.
            return False if (self._proc / "1").is_dir() else None
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
            path = str((self._proc / str(pid) / "exe").readlink())
            return path.removesuffix(" (deleted)").rpartition("/")[2] in names
        comm = self._text(self._proc / str(pid) / "comm").strip()
        return comm in {name[:15] for name in names} if comm else None

    def started_us(self, pid: int) -> int | None:
        """When the process began (microseconds UTC, exact to about a second)."""
        fields = self._stat(pid)
        match = re.search(r"^btime (\d{1,15})$", self._text(self._proc / "stat"), re.MULTILINE)
        if len(fields) < 20 or not fields[19].isdecimal() or match is None:
            return None
        return int(match[1]) * 1_000_000 + int(fields[19]) * 1_000_000 // self._ticks

    def holds_session(self, pid: int, names: Collection[str], login_us: int) -> bool | None:
        """Does the process that logged somebody in at ``login_us`` still run?

        A younger process of the same number is another one.
        """
        same = self.process_is(pid, names)
        if same is False:
            return False
        started = self.started_us(pid)
        if started is not None and started > login_us + START_SLACK_US:
            return False
        return same

    def sshd_sessions(self) -> list[SshdProcess]:
        """The connections' own processes: ``sshd: alice [priv]``, ``sshd: root@pts/0``.

        Only those that run as root: anybody can call a process so.
        """
        found = []
        for pid in self.pids():
            title = self._text(self._proc / str(pid) / "cmdline").rstrip("\0")
            match = _SSHD.fullmatch(title)
            if match is not None and self.is_roots(pid):
                found.append(SshdProcess(pid, match["user"], self.started_us(pid), match["tty"]))
        return found

    def logind_sessions(self) -> list[LogindSession]:
        """What logind has noted; empty without logind."""
        paths: list[Path] = []
        with contextlib.suppress(OSError):
            paths = sorted((self._run / "systemd/sessions").iterdir())[:_SESSIONS_MOST]
        return [_session(path.name, self._text(path)) for path in paths if _is_session(path)]

    def session_led_by(self, pid: int) -> LogindSession | None:
        """The logind session that a process logged in, by its cgroup: None while there is none,
        and on a host without logind."""
        match = _SCOPE.search(self._text(self._proc / str(pid) / "cgroup"))
        if match is None:
            return None
        path = self._run / "systemd/sessions" / match[1]
        session = _session(path.name, self._text(path))
        return session if session.leader == pid else None

    def pids(self) -> Iterator[int]:
        with contextlib.suppress(OSError):
            for entry in self._proc.iterdir():
                if entry.name.isdecimal():
                    yield int(entry.name)

    def is_roots(self, pid: int) -> bool:
        """By the effective uid: the directory's owner is root also for a process that is not
        dumpable, which anybody can make of their own."""
        match = re.search(
            r"^Uid:\t\d+\t(\d+)\t", self._text(self._proc / str(pid) / "status"), re.MULTILINE
        )
        return match is not None and match[1] == "0"

    def _stat(self, pid: int) -> list[str]:
        """The fields of /proc/PID/stat from the third (state) on; the name before them may hold
        anything."""
        return self._text(self._proc / str(pid) / "stat").rpartition(")")[2].split()

    @staticmethod
    def _text(path: Path) -> str:
        with contextlib.suppress(OSError), path.open("rb") as file:
            return file.read(_MOST).decode("utf-8", "backslashreplace")
        return ""


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
