"""Reading the kernel's and others' small files."""

from __future__ import annotations

import contextlib
from pathlib import Path


def text_of(path: Path, most: int, errors: str = "backslashreplace") -> str:
    """The beginning of a file, of ``most`` bytes; empty when it is gone or may not be read."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(most).decode("utf-8", errors)
    return ""
