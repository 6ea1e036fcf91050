"""A process that finds of its Python what one on Windows finds: for tests of the program there,
where there is no Windows.  ``python -m tests.windows_host COMMAND …`` runs the program in it.

Modules and functions that Windows lacks are gone, those that it alone has are played, and what it
refuses is refused: opening a directory, renaming onto a file, removing one that is open, ``fsync``
of a file that is open for reading.  Paths stay as they are here, and so does the standard library:
what it needs for itself is imported before anything goes.
"""

# ruff: noqa: F401 (imported for the sake of having been imported)

from __future__ import annotations

import ctypes
import fcntl
import getpass
import html.parser
import logging.handlers
import os
import platform
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import types
import zoneinfo
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, NoReturn

import requests
import rich.console
import rich.progress
import rich.table
import yaml

_MODULES = """
fcntl grp posix_ipc pty pwd resource syslog systemd termios tty watchdog.observers.inotify
watchdog.observers.inotify_c
"""
_OF_OS = """
O_ASYNC O_CLOEXEC O_DIRECTORY O_DSYNC O_LARGEFILE O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK
O_PATH O_SYNC O_TMPFILE ST_RDONLY chown chroot eventfd fchdir fchmod fchown fdatasync fork forkpty
fstatvfs getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority getresuid getuid
initgroups killpg lchown major makedev memfd_create minor mkfifo mknod nice openpty pathconf pipe2
posix_spawn pread preadv pwrite pwritev readv register_at_fork sched_getaffinity sched_yield
sendfile setegid seteuid setgid setgroups setpgid setsid setuid splice statvfs sync sysconf ttyname
uname wait wait3 wait4 writev
"""
_OF_SIGNAL = """
SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGTSTP SIGTTIN
SIGTTOU SIGUSR1 SIGUSR2 SIGWINCH SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm pause pthread_kill
pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait
"""
MODULES = frozenset(_MODULES.split())
_FLOCK, _GET_FLAGS = fcntl.flock, fcntl.fcntl
_STATVFS = os.statvfs
ADMIN = "ON_WINDOWS_ADMIN"
"""The variable that says that the process is an administrator's."""
_WRITTEN = 512
_STRICT = ("-X", "warn_default_encoding", "-W", "error::EncodingWarning")
"""The encoding of a file that names none is none of Unicode's there."""


_LINUX = ("/proc/", "/etc/", "/run/", "/var/", "/sys/", "/dev/pts")
_OURS = threading.local()
"""Set while this file itself looks at Linux."""


class _Missing(MetaPathFinder):
    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name in MODULES or name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def become() -> None:
    """From now on this process is on Windows."""
    socket.gethostname()
    refused = _refusals()
    for name in _OF_OS.split():
        os.__dict__.pop(name, None)
    for name in _OF_SIGNAL.split():
        signal.__dict__.pop(name, None)
    for name in ("poll", "epoll"):
        sys.modules["select"].__dict__.pop(name, None)
    for name in [name for name in sys.modules if name.partition(".")[0] in MODULES]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Missing())
    for name, value in refused.items():
        setattr(os, name, value)
    facts: dict[Any, dict[str, Any]] = {
        os: {"O_BINARY": 0, "O_NOINHERIT": 0o2000000, "supports_effective_ids": set()},
        signal: {"SIGBREAK": signal.Signals.SIGUSR2},
        ctypes: {"windll": _windll()},
        shutil: {"disk_usage": _disk_usage, "_use_fd_functions": False},
        sys: {"platform": "win32"},
    }
    facts[os]["getlogin"] = lambda: os.environ["USERNAME"]
    for module, values in facts.items():
        for name, value in values.items():
            setattr(module, name, value)
    sys.modules["msvcrt"] = _msvcrt()
    sys.addaudithook(_not_linux)


def _disk_usage(path: Any) -> Any:
    found = _STATVFS(path)
    return types.SimpleNamespace(free=found.f_bavail * found.f_frsize)


def _refusals() -> dict[str, Any]:
    really = types.SimpleNamespace(
        access=os.access, open=os.open, rename=os.rename, replace=os.replace, unlink=os.unlink,
        fsync=os.fsync,
    )  # fmt: skip

    def access(path: Any, mode: int, *, effective_ids: bool = False, **_rest: Any) -> bool:
        if effective_ids:
            raise NotImplementedError("access: effective_ids unavailable on this platform")
        return bool(really.access(path, mode))

    def opened(path: Any, flags: int, mode: int = 0o777) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return int(really.open(path, flags, mode))

    def rename(old: Any, new: Any) -> None:
        if Path(new).exists():
            raise FileExistsError(17, "Cannot create a file when that file already exists")
        _check_closed(old)
        really.rename(old, new)

    def replace(old: Any, new: Any) -> None:
        _check_closed(old)
        _check_closed(new)
        really.replace(old, new)

    def unlink(path: Any, **rest: Any) -> None:
        _check_closed(path)
        really.unlink(path, **rest)

    def fsync(descriptor: int) -> None:
        if _GET_FLAGS(descriptor, 3) & 3 == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        really.fsync(descriptor)

    return {
        "access": access, "open": opened, "rename": rename, "replace": replace, "unlink": unlink,
        "remove": unlink, "fsync": fsync,
    }  # fmt: skip


def _not_linux(event: str, arguments: Any) -> None:
    """On Windows anybody may make a folder C:\\proc: what is read there is not the host's."""
    if event not in {"open", "os.listdir", "os.scandir"} or getattr(_OURS, "looks", False):
        return
    path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else ""
    if path.startswith(_LINUX) and not path.startswith("/etc/ssl/"):
        os.write(2, f"{path}: is looked at on Windows\n".encode())
        os._exit(70)


def _check_closed(path: Any) -> None:
    if not Path(path).is_file():
        return
    _OURS.looks = True
    try:
        _check_no_descriptor(path)
    finally:
        _OURS.looks = False


def _check_no_descriptor(path: Any) -> None:
    number = Path(path).stat().st_ino
    for link in Path("/proc/self/fd").iterdir():
        try:
            found = link.stat()
        except OSError:
            continue
        if found.st_ino == number:
            raise PermissionError(13, "The process cannot access the file", os.fspath(path))


def _msvcrt() -> types.ModuleType:
    module = types.ModuleType("msvcrt")
    made: Any = module
    made.LK_UNLCK, made.LK_LOCK, made.LK_NBLCK = 0, 1, 2

    def locking(descriptor: int, mode: int, size: int) -> None:
        """Another handle can neither read nor write what is locked."""
        assert size == 1
        assert os.lseek(descriptor, 0, os.SEEK_CUR) >= _WRITTEN, "others read there"
        flags = fcntl.LOCK_UN if mode == made.LK_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
        _FLOCK(descriptor, flags)

    made.locking = locking
    made.get_osfhandle = lambda descriptor: descriptor
    return module


def _windll() -> Any:
    def refuse(*_arguments: Any) -> int:
        return 0

    def computer_name(_kind: int, buffer: Any, _size: Any) -> int:
        buffer.value = f"{socket.gethostname()}.corp.example"
        return 1

    def is_admin() -> int:
        return int(bool(os.environ.get(ADMIN)))

    return types.SimpleNamespace(
        shell32=types.SimpleNamespace(IsUserAnAdmin=is_admin),
        kernel32=types.SimpleNamespace(
            GetComputerNameExW=computer_name, GetConsoleMode=refuse, SetConsoleMode=refuse
        ),
    )


def environment(folder: Path, *, admin: bool = False) -> dict[str, str]:
    """Of a process on Windows whose folders lie in this one."""
    given = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PYTH"))}
    given |= {"PROGRAMDATA": str(folder / "ProgramData"), "LOCALAPPDATA": str(folder / "Local")}
    return given | ({ADMIN: "1"} if admin else {})


def windows(
    folder: Path, *words: str, admin: bool = False, code: str = "", more: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    """Run a command there, or some code."""
    what = ["-c", code] if code else ["-m", "tests.windows_host", *words]
    return subprocess.run(
        [sys.executable, *_STRICT, *what],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        cwd=Path(__file__).parents[1],
        env=environment(folder, admin=admin) | {**more},
        check=False,
    )


def done(folder: Path, *words: str, admin: bool = False, more: Mapping[str, str] = {}) -> str:
    """What a command printed that must succeed."""
    found = windows(folder, *words, admin=admin, more=more)
    assert found.returncode == 0, found
    assert "Traceback" not in found.stderr
    return found.stdout


def main(words: Sequence[str]) -> NoReturn:
    become()
    from usersessionmon.cli.main import main as run

    sys.exit(run(words))


if __name__ == "__main__":
    main(sys.argv[1:])
