"""The figures are made anew now and then by the main loop, and given to a file and to whoever asks
over HTTP: neither ever waits for the other."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from usersessionmon.model import Batch, Notice

from .exposition import Family, exposition

LOG = logging.getLogger("usersessionmon")


class Metrics:
    """A ``tellers.Teller`` that tells machines."""

    def __init__(
        self,
        collect: Callable[[int], Iterable[Family]],
        publish: Callable[[bytes], None],
        *,
        textfile: str,
        seconds: int,
    ) -> None:
        """``collect`` makes the figures of a moment (microseconds UTC); ``publish`` takes them for
        HTTP; ``textfile``: where to write them, if anywhere."""
        self._collect = collect
        self._publish = publish
        self._textfile = Path(textfile) if textfile else None
        self._us = seconds * 1_000_000
        self._next_us = 0
        self._failed = False

    def turn(self, _batch: Batch, now_us: int) -> list[Notice]:
        """Nobody is told anything."""
        if 0 <= self._next_us - now_us <= self._us and self._next_us != now_us:
            return []
        self._next_us = now_us + self._us
        data = exposition(self._collect(now_us)).encode("utf-8", "replace")
        self._publish(data)
        if self._textfile is not None:
            self._write(self._textfile, data)
        return []

    def patience(self, now_us: int) -> float | None:
        return max(0.0, min(self._next_us - now_us, self._us) / 1_000_000)

    def save(self) -> dict[str, str]:
        return {}

    def _write(self, file: Path, data: bytes) -> None:
        """By rename, so that nobody reads a half of it.  That it cannot be written is said once."""
        new = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            new.write_bytes(data)
            new.chmod(0o644)  # it is another's to read
            new.replace(file)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            if not self._failed:
                LOG.error("%s: metrics cannot be written: %s", file, error.strerror)
            self._failed = True
            return
        if self._failed:
            LOG.info("%s: metrics are written again", file)
        self._failed = False
