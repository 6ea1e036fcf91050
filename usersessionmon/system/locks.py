"""One lock on a file, for one process: the kernel lets go of it when the process ends, however it
ends.

Locks of Windows are mandatory: others could not even read the locked bytes, so the byte that is
locked lies far behind all that is written.  They have no shared kind in Python's library either:
who only looks takes the lock for a moment, and is waited for by both.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

if sys.platform == "win32":
    import msvcrt
    import threading

    _PLACE = 1 << 30
    _TRIES = 20
    """Each is a moment of the system's clock, 1 to 16 ms."""

    def take(descriptor: int) -> bool:
        """Take the lock; False when another process has it."""
        moment = threading.Event()
        for _ in range(_TRIES):
            if _locked(descriptor, msvcrt.LK_NBLCK):
                return True
            moment.wait(0.001)
        return False

    def is_taken(descriptor: int) -> bool:
        """Whether another has the lock; the file may be open for reading only."""
        if not take(descriptor):
            return True
        let_go(descriptor)
        return False

    def let_go(descriptor: int) -> None:
        """Before the file is closed: how soon closing does it is not promised there."""
        _locked(descriptor, msvcrt.LK_UNLCK)

    def _locked(descriptor: int, how: int) -> bool:
        with suppress(OSError):
            os.lseek(descriptor, _PLACE, os.SEEK_SET)
            msvcrt.locking(descriptor, how, 1)
            return True
        return False
else:
    import fcntl

    _LOOKERS = 100_000
    """How often the lock is asked for while others only look who has it: about 0.1 s."""

    def take(descriptor: int) -> bool:
        """Take the lock; False when another process has it.  ``is_taken`` has it too, shared and
        for a moment: that is waited for."""
        for _ in range(_LOOKERS):
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            if is_taken(descriptor):
                return False
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.sched_yield()
        return False

    def is_taken(descriptor: int) -> bool:
        """Whether another has the lock.  If none has, it is held (shared) until it is let go."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False

    def let_go(_descriptor: int) -> None:
        """Closing the file does it."""
