"""Tables fit the terminal and stay aligned with Chinese text."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.cells import cell_len

from usersessionmon.cli.output import json_line, printable, say, table

_PROGRAM = """
import fcntl, json, struct, sys, termios
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


def test_a_large_table_has_the_same_columns_as_plain_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [["王芳", f"192.0.2.{number}", "-", "\x1b[31m"] for number in range(600)]
    columns = ("user", "address", "tty", "host")
    table(columns, rows, drop=("tty",))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["user", "address", "host"]
    assert len(lines) == 600
    assert lines[599].split() == ["王芳", "192.0.2.599", r"\x1b[31m"]
    assert head.index("address") == cell_len(lines[0][: lines[0].index("192")])
    table(columns, rows[:500], drop=("tty",))
    small = capsys.readouterr().out.splitlines()
    assert small[0].split() == head.split()
    assert "\x1b" not in "".join(small)


def test_what_a_terminal_would_obey_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("王芳 a\tb") == r"王芳 a\tb"
    assert printable("\x1b[31m\x9b\u202e\udcff") == r"\x1b[31m\x9b\u202e\xff"
    say("a\x1b[31mb")
    assert capsys.readouterr().out == "a\\x1b[31mb\n"


def test_json_holds_no_raw_escapes_and_means_the_same() -> None:
    data = {"user": "王芳\x1b\x7f\x9b\u202e\ud800\U000e0001 ", "n": 1}
    line = json_line(data)
    assert line.isprintable()
    assert "王芳" in line
    assert json.loads(line) == data
