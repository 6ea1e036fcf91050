"""The systemd unit, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from usersessionmon.system.places import RUN

UNIT = "user-session-monitor.service"
_SYSTEMD = RUN / "systemd/system"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Outcome:
    """``done``: ``started``, ``reloaded``, or empty with what it said."""

    done: str
    said: tuple[str, ...] = ()


def has_systemd() -> bool:
    return _SYSTEMD.is_dir() and shutil.which("systemctl", path=_path()) is not None


def has_unit() -> bool:
    return has_systemd() and _run("systemctl", "cat", UNIT).returncode == 0


def is_active() -> bool:
    return _run("systemctl", "is-active", "--quiet", UNIT).returncode == 0


def start() -> Outcome:
    """Enable the unit; start it, or let it take up the new configuration."""
    was_active = is_active()
    tried = _run("systemctl", "enable", "--now", UNIT)
    if tried.returncode == 0 and was_active:
        tried = _run("systemctl", "reload-or-restart", UNIT)
    if tried.returncode == 0 and is_active():
        return Outcome("reloaded" if was_active else "started")
    log = _run("journalctl", "--unit", UNIT, "--no-pager", "--output", "cat", "--lines", "10")
    return Outcome("", (*tried.stderr.splitlines()[:3], *log.stdout.splitlines()))


def clock_is_synchronised() -> bool | None:
    """What systemd knows of this host's clock; None: nothing."""
    if not has_systemd():
        return None
    said = _run("timedatectl", "show", "--property=NTPSynchronized", "--value").stdout.strip()
    return {"yes": True, "no": False}.get(said)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    """With an environment of its own, so that nothing is handed on that need not be."""
    program = shutil.which(words[0], path=_path()) or words[0]
    try:
        return subprocess.run(  # noqa: S603 - fixed words
            [program, *words[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={"PATH": _path(), "LANG": "C.UTF-8"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", f"{words[0]}: {type(error).__name__}")


def _path() -> str:
    return os.environ.get("PATH") or _PATH
