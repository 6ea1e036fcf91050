"""Writing the configuration: whole or not at all, for root and the service's group alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from usersessionmon.config import LOCAL_CONFIG, SYSTEM_CONFIG, Settings, find_config, load
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.layers import origins, read_layers
from usersessionmon.strict import MAX_BYTES
from usersessionmon.system import files, places, users
from usersessionmon.system.host import IS_WINDOWS

GROUP = "user-session-monitor"
_EXAMPLE = Path(__file__).parents[1] / "config.yaml.example"


def example_text() -> str:
    """The example: every key with its default and a comment."""
    return places.as_here(_EXAMPLE.read_text(encoding="utf-8"))


def goal(given: str | None) -> Path:
    """The file to write: the one given, else the one that is in use, else the one that ``run``
    would look for first.  Raises UserError when that may not even be looked at."""
    if given is not None:
        return Path(given)
    default = SYSTEM_CONFIG if users.is_root() else LOCAL_CONFIG
    return find_config(None) or default


def read_text(path: Path) -> str | None:
    """What stands in the file now; None when it is not there.  Raises UserError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text") from error


def why_not_writable(path: Path) -> str:
    """What keeps this user from writing the file; empty: nothing."""
    real = Path(os.path.realpath(path))
    folder = next(one for one in real.parents if one.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written by this user"
    return "" if folder == real.parent or users.is_root() else f"there is no folder {real.parent}"


def write(path: Path, text: str, before: str | None, given: Mapping[str, str]) -> None:
    """Put ``text`` in the place of ``before``, which must still be there (None: no file).

    ``given``: values (by key) that must hold afterwards, whatever else says something of them.
    Raises UserError when the text is no good configuration there, TroubleError when it cannot be
    written; the file is then as it was.
    """
    real = Path(os.path.realpath(path))
    try:
        _make_folder(real.parent)
        temporary = _written(real, text)
    except OSError as error:
        raise TroubleError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        _check(temporary, path, given)
        if read_text(real) != before:
            raise TroubleError(f"{path}: was changed by somebody else meanwhile: run this again")
        temporary.replace(real)
        files.sync_folder(real.parent)
    except OSError as error:
        raise TroubleError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_new(path: Path, text: str) -> None:
    """A file that was not there.  Raises TroubleError when it is, or cannot be written."""
    try:
        temporary = _written(path, text)
        try:
            os.link(temporary, path)  # unlike a rename it never takes another's place
        finally:
            temporary.unlink()
    except FileExistsError as error:
        raise TroubleError(f"{path}: is there already and is not overwritten") from error
    except OSError as error:
        raise TroubleError(f"{path}: cannot be written: {error.strerror}") from error


def protect(path: Path) -> bool:
    """Give the file its owner and mode; whether they were others.  Raises TroubleError."""
    if IS_WINDOWS:  # there a file has the rights of its folder
        return False
    try:
        found = path.stat()
        group, mode = users.group_of(GROUP), _mode(path)
        is_right = found.st_mode & 0o777 == mode
        if group is not None and (found.st_uid, found.st_gid) != (0, group):
            is_right = False
            users.give(path, group)
        path.chmod(mode)
    except OSError as error:
        raise TroubleError(f"{path}: its mode cannot be set: {error.strerror}") from error
    return not is_right


def _mode(path: Path) -> int:
    """What is there and an ordinary user's is opened to nobody else."""
    if users.is_root() or not path.exists():
        return 0o640
    return path.stat().st_mode & 0o640


def _make_folder(folder: Path) -> None:
    if folder.exists():
        return
    files.make_folder(folder)
    group = users.group_of(GROUP)
    if group is not None:
        users.give(folder, group)


def _written(path: Path, text: str) -> Path:
    """The text in a file of its own beside ``path``, safe on the disk, with its owner and mode."""
    mode = _mode(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        group = users.group_of(GROUP)
        if group is not None:
            users.give(Path(name), group)
        Path(name).chmod(mode)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _check(temporary: Path, path: Path, given: Mapping[str, str]) -> None:
    """It lies where it will be, so that conf.d beside it counts as well."""
    try:
        load(temporary)
        document = read_layers(temporary, Settings, os.environ)
    except UserError as error:
        lines = [line.replace(str(temporary), str(path)) for line in error.lines]
        raise UserError(lines) from error
    places = origins(document)
    for key, value in given.items():
        place = places.get(key, "")
        is_here = place.startswith(f"{temporary}:")
        if place and (not is_here if value else True):
            raise UserError(f"{place}: gives {key}, and goes before {path}: change it there")
