"""The script for a person with Windows: what it calls is there, and its expected output fits it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from usersessionmon.cli.main import build_parser

FOLDER = Path(__file__).parents[1] / "packaging/windows"
SCRIPT = (FOLDER / "smoke.ps1").read_bytes()
EXPECTED = (FOLDER / "expected-output.txt").read_text(encoding="utf-8")
STEP = re.compile(
    r"^ *(?:Test-Command|Test-Until|Write-Output) '(?:== )?([^']+)'(?: \d+ (?:@\(([^)]*)\)|\{))?",
    re.MULTILINE,
)
CALLS = [found[2] for found in STEP.finditer(SCRIPT.decode()) if found[2]]


def words_of(call: str) -> list[str]:
    """PowerShell's list of words, with something in place of its variables."""
    return [word.strip().strip("'").replace("$", "") for word in call.split(",")]


def test_it_is_read_the_same_by_every_powershell() -> None:
    assert SCRIPT.isascii(), "without a mark Windows PowerShell takes a file for ANSI"
    text = SCRIPT.decode().replace("\\(", "")
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"'--version'"}))
def test_every_command_is_there(call: str) -> None:
    words = words_of(call)
    assert build_parser(words).parse_args(words).command == words[0]


def test_the_expected_output_has_its_steps_in_order() -> None:
    asked = {"Give any password now; it is refused, and stands in the log:"}
    wanted = [found[1] for found in STEP.finditer(SCRIPT.decode()) if found[1] not in asked]
    told = [
        re.sub(r" \(at most \d+ s\)$", "", line[3:])
        for line in EXPECTED.splitlines()
        if line.startswith("== ")
    ]
    assert told == wanted
    assert len(told) > 25


def test_the_expected_output_shows_the_calls() -> None:
    shown = re.findall(r"^   user-session-monitor (.+)$", EXPECTED, re.MULTILINE)
    given = [" ".join(words_of(call)) for call in CALLS]
    given = [re.sub(" log$", r" <temporary folder>\\smoke-auth.log", one) for one in given]
    assert shown == given
