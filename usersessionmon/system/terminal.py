"""What a terminal shows of what is typed, and whether it understands escapes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "win32":
    import ctypes
    import msvcrt

    _ECHO, _ESCAPES = 0x4, 0x4  # ENABLE_ECHO_INPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING

    @contextmanager
    def silent(descriptor: int) -> Iterator[None]:
        """Nothing that is typed is shown within."""
        before = _mode(descriptor)
        _set_mode(descriptor, before & ~_ECHO)
        try:
            yield
        finally:
            _set_mode(descriptor, before)

    def take_escapes(descriptor: int) -> None:
        """Have a console of Windows obey escape sequences, which it does only when asked to."""
        _set_mode(descriptor, _mode(descriptor) | _ESCAPES)

    def _mode(descriptor: int) -> int:
        mode = ctypes.c_ulong()
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode))
        return mode.value

    def _set_mode(descriptor: int, mode: int) -> None:
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        ctypes.windll.kernel32.SetConsoleMode(handle, mode)

else:
    import termios

    @contextmanager
    def silent(descriptor: int) -> Iterator[None]:
        """Nothing that is typed is shown within, nor what was typed before it."""
        before = termios.tcgetattr(descriptor)
        quiet = [*before]
        quiet[3] &= ~termios.ECHO
        try:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, quiet)
            yield
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)

    def take_escapes(_descriptor: int) -> None:
        """Terminals do."""
