"""What the program tells systemd about itself: sd_notify(3), over the plain datagram socket.

Without ``NOTIFY_SOCKET`` in the environment (not started by systemd) everything here is silent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from usersessionmon.system import host


class Notifier:
    """The service manager's ear.  Nothing here raises: a deaf manager is no reason to stop."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_us = environment.get("WATCHDOG_USEC", "")
        self._watchdog_pid = environment.get("WATCHDOG_PID", "")

    def ready(self, status: str = "") -> bool:
        """The start is done: position known, everything open."""
        return self._send("READY=1", _status(status))

    def status(self, text: str) -> bool:
        """One line that ``systemctl status`` shows."""
        return self._send(_status(text))

    def watchdog(self) -> bool:
        """The main loop is alive."""
        return self._send("WATCHDOG=1")

    def reloading(self, monotonic_us: int) -> bool:
        """A reload begins; ``ready`` ends it.  ``monotonic_us`` is CLOCK_MONOTONIC now."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> bool:
        """The orderly end has begun."""
        return self._send("STOPPING=1")

    def watchdog_seconds(self) -> float | None:
        """How often ``watchdog`` is to be called (half of the unit's WatchdogSec); None: never."""
        if self._watchdog_pid not in ("", str(os.getpid())) or not self._watchdog_us.isascii():
            return None
        if not self._watchdog_us.isdigit() or len(self._watchdog_us) > 18:
            return None
        return int(self._watchdog_us) / 2_000_000 or None

    def _send(self, *lines: str) -> bool:
        """True when the manager has the message."""
        if not self._address.startswith(("/", "@")):
            return False
        # "@name" is a socket of the abstract namespace, whose name begins with a NUL.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        message = "\n".join(line for line in lines if line).encode("utf-8", "backslashreplace")
        try:
            with host.datagrams() as sender:
                sender.setblocking(False)
                sender.sendto(message, address)
        except OSError:
            return False
        return True


def _status(text: str) -> str:
    """Each line of the datagram is an assignment: foreign text must not begin a second one."""
    shown = "".join(c if c.isprintable() else " " for c in text[:500]).strip()
    return f"STATUS={shown}" if shown else ""
