"""Steps of an installation: each can be done again, and each can be shown in place of being done.

Nothing goes through a shell.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from usersessionmon.clock import Waker
from usersessionmon.errors import TroubleError
from usersessionmon.system.files import make_folder

_SECONDS = 600
"""Python has some ten thousand files, and each is looked at."""
_TRIES, _PAUSE = 20, 0.25
"""A process that was ended has its files open for a moment longer."""


@dataclass(frozen=True, slots=True)
class Command:
    what: str
    words: tuple[str, ...]
    way_out: str


@dataclass(frozen=True, slots=True)
class Folder:
    path: PurePath


@dataclass(frozen=True, slots=True)
class File:
    path: PurePath
    data: bytes


@dataclass(frozen=True, slots=True)
class Removal:
    """Of a file, or of a folder with all that is in it; where it is."""

    path: PurePath


Step = Command | Folder | File | Removal
Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def shown(step: Step) -> str:
    """What a step does, for people to read or to do by hand."""
    match step:
        case Command(_, words, _):
            return subprocess.list2cmdline(words)
        case Folder(path):
            return f"make the folder {path}"
        case File(path, data):
            return f"write the file {path}:\n{data.decode('utf-16')}"
        case Removal(path):
            return f"remove {path}"


def do(step: Step, run: Runner) -> str:
    """Do a step; gives what a command printed.  Raises TroubleError with the way out."""
    match step:
        case Command(what, words, way_out):
            done = run(words)
            if done.returncode != 0:
                said = " ".join((done.stderr or done.stdout).split())[:500]
                raise TroubleError(
                    f"could not {what} (status {done.returncode}): {said}; {way_out}"
                )
            return done.stdout.strip()
        case Folder(path):
            _try(path, lambda: make_folder(Path(path)))
        case File(path, data):
            _try(path, lambda: Path(path).write_bytes(data))
        case Removal(path):
            _try(path, lambda: _remove(Path(path)))
    return ""


def run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """One program by its whole path, without a shell and with nothing to read from."""
    try:
        return subprocess.run(  # noqa: S603 - no shell, and no words of strangers
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="locale",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", f"{words[0]}: {type(error).__name__}")


def _try(path: PurePath, action: Callable[[], object]) -> None:
    try:
        action()
    except OSError as error:
        raise TroubleError(
            f"{path}: {error.strerror}; is this an administrator, and is nobody using it?"
        ) from error


def _remove(path: Path) -> None:
    waker = Waker()
    try:
        for left in reversed(range(_TRIES)):
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
                return
            except OSError:
                if not left:
                    raise
                waker.wait(_PAUSE)
    finally:
        waker.close()
