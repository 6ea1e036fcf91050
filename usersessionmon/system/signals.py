"""The signals that the program minds."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable

if sys.platform == "win32":
    HANGUPS: frozenset[signal.Signals] = frozenset()
    STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGBREAK)

    def hold(_numbers: Iterable[signal.Signals]) -> None:
        """No signal of Windows comes from outside but Ctrl-C and Ctrl-Break."""

    def release(_numbers: Iterable[signal.Signals]) -> None: ...

else:
    HANGUPS = frozenset({signal.SIGHUP})
    """The terminal is gone, or the configuration is to be read again."""
    STOPS = (signal.SIGTERM, signal.SIGINT)
    """End in order."""

    def hold(numbers: Iterable[signal.Signals]) -> None:
        """Let them wait until they are released."""
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def release(numbers: Iterable[signal.Signals]) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
