"""Texts that must not be shown, given in the configuration or in files that it names.

A file is read again when it has changed, so that a new webhook or secret needs no restart.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

from usersessionmon.errors import UserError
from usersessionmon.strict import BadValueError

from .settings import ChannelSettings, check_webhook

LOG = logging.getLogger("usersessionmon.delivery")
_LONGEST = 64 * 1024
"""Bytes that are read of a file with a secret."""
_ADDRESSES = frozenset({"webhook_url", "url"})


class Secret:
    """One text.  ``text`` is for one thread."""

    def __init__(self, where: str, value: str = "", path: str = "") -> None:
        """``where``: the key for messages (``feishu.secret``).  ``path``: the file that holds it,
        in place of ``value``.  Raises UserError when that cannot be used."""
        self._where = where
        self._value = value
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._told = False
        if path:
            self._seen = _signature(path)
            self._value = _checked(where, path)

    def text(self) -> str:
        """The text as it is now.  A file that cannot be used any more leaves the last one."""
        seen = _signature(self._path) if self._path else None
        if seen == self._seen:
            return self._value
        try:
            value = _checked(self._where, self._path)
        except UserError as error:
            if not self._told:
                self._told = True
                LOG.error("%s; what it held before is used", error.lines[0])
            return self._value
        self._seen = seen
        self._told = False
        if value != self._value:
            LOG.info("%s: read anew from %s_file", self._where, self._where)
        self._value = value
        return value


def secret_of(where: str, settings: ChannelSettings, key: str) -> Secret:
    """A channel's ``key`` or ``key_file``.  Raises UserError."""
    return Secret(f"{where}.{key}", getattr(settings, key), getattr(settings, f"{key}_file"))


def file_problems(where: str, settings: Any) -> list[str]:
    """A line for each file that a dataclass of settings names and that cannot be used, whether it
    is needed or not."""
    problems: list[str] = []
    for item in dataclasses.fields(settings):
        path = getattr(settings, item.name)
        if not item.name.endswith("_file") or not path:
            continue
        key = item.name.removesuffix("_file")
        try:
            if hasattr(settings, key):
                _checked(f"{where}.{key}", path)
            else:
                _bytes_of(f"{where}.{item.name}", path)
        except UserError as error:
            problems += error.lines
    return problems


def _checked(where: str, path: str) -> str:
    """The text of a file; ``where`` is its key without ``_file``."""
    key = f"{where}_file"
    data = _bytes_of(key, path)
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {key}: is not text") from error
    if not text:
        raise UserError(f"{path}: {key}: the file is empty")
    if where.rpartition(".")[2] in _ADDRESSES:
        try:
            check_webhook(key, text)
        except BadValueError as error:
            raise UserError(f"{path}: {key}: its text {error}") from error
    return text


def _bytes_of(key: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_LONGEST)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no file name"
        raise UserError(f"{path}: {key}: cannot be read: {words}") from error


def _signature(path: str) -> tuple[int, ...] | None:
    """What changes when a file is written or replaced; None: it is not there."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
