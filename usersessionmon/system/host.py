"""What the kernel calls this host, how it counts, and its sockets."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

IS_WINDOWS = sys.platform == "win32"

if sys.platform == "win32":
    import ctypes
    import platform

    TICKS = 100
    _FULLY_QUALIFIED = 3  # ComputerNameDnsFullyQualified
    _LONGEST = 256

    def node() -> str:
        """The host's name."""
        return platform.node()

    def nodes() -> frozenset[str]:
        """Its names: event logs have the one with the domain."""
        buffer = ctypes.create_unicode_buffer(_LONGEST)
        size = ctypes.c_ulong(_LONGEST)
        ctypes.windll.kernel32.GetComputerNameExW(_FULLY_QUALIFIED, buffer, ctypes.byref(size))
        return frozenset({node(), buffer.value}) - {""}

    def device(_major: int, _minor: int) -> int:
        """Files are no devices there."""
        return -1

    def device_of(_path: Path) -> int | None:
        return None

    def datagrams() -> socket.socket:
        """Raises OSError: there is no journal and no systemd."""
        raise OSError("no sockets of files here")

else:
    TICKS = os.sysconf("SC_CLK_TCK")
    """Of the kernel's, in a second."""

    def node() -> str:
        return os.uname().nodename

    def nodes() -> frozenset[str]:
        return frozenset({node()})

    def device(major: int, minor: int) -> int:
        """A device as stat(2) has it."""
        return os.makedev(major, minor)

    def device_of(path: Path) -> int | None:
        """The device that a file of /dev is.  Raises OSError."""
        return path.stat().st_rdev

    def datagrams() -> socket.socket:
        """For the journal's socket and systemd's."""
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
