"""The program's own log in a file, for where nobody reads standard error: a task of Windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler

from usersessionmon.errors import TroubleError, UserError

from .common import LogFormat, log_to

BYTES, KEPT = 1_000_000, 3
LOG = logging.getLogger("usersessionmon")


class _Dated(LogFormat):
    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {super().format(record)}"


@contextmanager
def log_in(file: str) -> Iterator[None]:
    """Write the log there, and last why the program ended when that was not in order.

    Raises TroubleError when the file cannot be written.
    """
    try:
        handler = RotatingFileHandler(file, maxBytes=BYTES, backupCount=KEPT, encoding="utf-8")
    except OSError as error:
        raise TroubleError(f"{file}: the log cannot be written: {error.strerror}") from error
    handler.setFormatter(_Dated(with_level=True))
    log_to(handler, "info")
    try:
        yield
    except (UserError, TroubleError) as error:
        for line in error.lines:
            LOG.error("%s", line)
        raise
    except Exception:
        LOG.exception("the program failed")
        raise
    finally:
        LOG.removeHandler(handler)
        handler.close()
