"""The layer table (CONTRIBUTING.md): which part of the package may import which."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "usersessionmon"
FILES = sorted(PACKAGE.rglob("*.py"))

LOW: dict[str, set[str]] = {
    "model": set(),
    "errors": set(),
    "system": set(),
    "sd_notify": {"system"},
    "clock": {"errors"},
    "strict": {"errors", "system"},
    "metrics": {"errors", "model", "notify.base", "notify.courier", "store", "strict", "system"},
    "entries": {"system"},
    "schema": set(),
    "layers": {"errors", "strict", "system"},
    "yamledit": {"errors", "strict"},
    "fitting": {"strict"},
    "detect": {"fitting", "model", "strict"},  # pure; strict for what its settings refuse
    "config": {
        *("detect", "errors", "fitting", "layers", "metrics.settings", "model", "strict"),
        *("notify.secret", "notify.settings", "system", "watching.settings", "windows.settings"),
    },
    "contract": {"model"},
    "envelope": {"model"},
    "sessions": {"model"},  # that it is pure is a promise
    "windows": {"clock", "errors", "model", "sources", "strict"},
    "rules": {"errors", "model", "strict"},
    "sources": {"clock", "envelope", "errors", "model", "system"},
    "host": {"errors", "model", "system"},
    # The outbox gives what delivery asks for.
    "store": {"errors", "model", "notify.base", "system"},
    "notify": {"clock", "contract", "entries", "errors", "fitting", "model", "strict", "system"},
    "byheart": {"model", "rules", "sessions"},
    "pipeline": {"byheart", "model", "rules", "sessions", "windows"},
    "alarm": {"model", "rules"},
    "saving": {"clock", "entries", "sd_notify", "store"},
    "silence": {"clock", "host", "model", "system"},
    "persons": {"clock", "host", "model", "sessions"},
    "tellers": {"model"},
    "daily": {"detect", "model"},
    "telling": {"detect", "model"},
    "stock": {"clock", "host", "model", "sessions"},
    "rollcall": {"clock", "host", "model", "sessions", "stock"},
    "totals": {"model"},
    "watching": {
        *("clock", "detect.windows", "model", "notify", "rules", "store", "strict", "totals"),
        "windows.standing",
    },
}
MAY_IMPORT: dict[str, set[str]] = {
    **LOW,
    "app": {*LOW},
    "wiring": {*LOW, "app"},
    "cli": {*LOW, "app", "wiring"},
}
ENTRY = {"__init__": set[str](), "__main__": {"cli"}}
THIRD_PARTY = {
    "apprise": {"notify/apprise.py"},
    "evtx": {"windows/files.py"},
    "rich": {"cli/output.py"},
    "requests": {"notify/http.py"},
    "urllib3": {"notify/http.py"},
    "pywintypes": {"windows/live.py"},
    "systemd": {"sources/journal.py"},
    "watchdog": {"sources/wake.py"},
    "win32cred": {"windows/live.py"},
    "win32event": {"windows/live.py"},
    "win32evtlog": {"windows/live.py"},
    "yaml": {"layers.py", "strict.py", "yamledit.py"},
}


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, dots in front) of every import of a file, those within functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "usersessionmon":
            yield from ((f"usersessionmon.{alias.name}", 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def part_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def names(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("file", FILES, ids=names)
def test_imports_follow_the_table(file: Path) -> None:
    part = part_of(file)
    named = {"__version__", *(MAY_IMPORT | ENTRY)[part]}
    allowed = {f"usersessionmon.{name}" for name in named}
    for name, dots in imports(file):
        assert dots <= 1, f"{name}: relative imports stay within a folder"
        top = name.partition(".")[0]
        if dots or top in sys.stdlib_module_names:
            continue
        if top == "usersessionmon":
            assert any(f"{name}.".startswith(f"{good}.") for good in allowed), f"{part}: {name}"
        else:
            assert names(file) in THIRD_PARTY[top], f"{top} has one place: {THIRD_PARTY[top]}"


def test_the_table_names_what_is_there() -> None:
    assert {part_of(file) for file in FILES} == {*MAY_IMPORT, *ENTRY}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for part in MAY_IMPORT:
        assert f"`{part}`" in text, f"CONTRIBUTING.md's layer table lacks {part}"
