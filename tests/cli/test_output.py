"""Tables fit the terminal and stay aligned with Chinese text."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

from rich.cells import cell_len

_PROGRAM = """
import fcntl, struct, sys, termios
fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
from usersessionmon.cli.output import table
rows = [["王芳", "2001:db8::15", "2026-11-20 08:44:09", "-", "web-1", ""],
        ["li.wei", "198.51.100.7", "2026-11-20 08:44:10", "-", "a" * 90, ""]]
table(("user", "address", "since", "tty", "host", ""), rows, drop=("tty", "host"))
"""


def _printed(width: int) -> list[str]:
    """What the table looks like on a terminal of this width, without its colours."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(width)],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": ""},
    ) as process:
        process.wait(timeout=30)
    os.close(theirs)
    data = b""
    try:
        while chunk := os.read(ours, 65536):
            data += chunk
    except OSError:
        pass  # how a terminal says that its other end is closed
    os.close(ours)
    return re.sub("\x1b\\[[0-9;]*m", "", data.decode().replace("\r", "")).splitlines()


def test_columns_are_left_out_until_it_fits() -> None:
    for width in (40, 60, 80, 200):
        lines = [line for line in _printed(width) if line.strip()]
        assert len(lines) == 4
        assert all(cell_len(line.rstrip()) <= width for line in lines)
        assert "tty" not in lines[0]  # nothing in it
        assert ("host" in lines[0]) == (width == 200)


def test_wide_characters_are_aligned() -> None:
    lines = [line for line in _printed(80) if line.strip()]
    chinese = next(line for line in lines if "王芳" in line)
    latin = next(line for line in lines if "li.wei" in line)
    before = cell_len(chinese[: chinese.index("2001")])
    assert before == cell_len(latin[: latin.index("198")])
