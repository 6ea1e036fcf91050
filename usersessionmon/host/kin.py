"""From which processes a process comes, and to which session the kernel counts it.

A process can change none of this, unless it is root's: the audit session's id stays for life, and
children inherit it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from usersessionmon.system.host import device, device_of

from .alive import Host, scope_in
from .files import text_of

_DEPTH = 64
_MOST = 4096
_PROCESSES = 10_000
_TTY = re.compile(r"(?:pts/[0-9]{1,7}|tty[A-Za-z0-9]{1,8}|console)")
_UNSET = "4294967295"


def line_of(host: Host, pid: int) -> list[int]:
    """A process and those that it comes from, nearest first, without the first of all."""
    line: list[int] = []
    younger: int | None = None
    while pid > 1 and len(line) < _DEPTH and pid not in line:
        process = host.process(pid)
        if process is None or (younger is not None and process.ticks > younger):
            break  # gone, and its number may be another's by now
        line.append(pid)
        pid, younger = process.parent, process.ticks
    return line


def sessions_of(host: Host, pid: int) -> list[str]:
    """What logind may call the session of a process: the audit session's id, and its scope's."""
    found = []
    audit = text_of(host.proc / str(pid) / "sessionid", _MOST).strip()
    if audit.isdecimal() and audit != _UNSET:
        found.append(audit)
    scope = scope_in(text_of(host.proc / str(pid) / "cgroup", _MOST))
    if scope is not None and scope not in found:
        found.append(scope)
    return found


def on_tty(host: Host, tty: str, dev: Path = Path("/dev")) -> Iterator[int]:
    """The processes whose terminal this is.  Containers count their own terminals from 0, too."""
    if _TTY.fullmatch(tty) is None:
        return
    try:
        wanted = device_of(dev / tty)
    except OSError:
        return
    for count, pid in enumerate(host.pids()):
        if count >= _PROCESSES:
            return
        terminal = host.terminal_of(pid)
        if terminal is not None and _device(terminal) == wanted:
            process = host.process(pid)
            if process is not None and not process.elsewhere:
                yield pid


def _device(number: int) -> int:
    """A terminal as /proc/PID/stat has it (new_encode_dev), as stat(2) gives it."""
    number &= 0xFFFFFFFF
    major, minor = (number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00)
    return device(major, minor)
