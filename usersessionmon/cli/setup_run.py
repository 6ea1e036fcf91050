"""What the steps of ``setup`` hand on to each other."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usersessionmon.clock import Clock
from usersessionmon.config import Settings

from .asking import Talk

_NAME = "user-session-monitor"


@dataclass(slots=True)
class Run:
    """One run: what it works with, and what it found and did."""

    options: argparse.Namespace
    talk: Talk
    clock: Clock
    path: Path
    blocked: str
    """Why the configuration cannot be written; empty if it can."""
    before: str | None
    settings: Settings
    good: bool = True
    report: dict[str, Any] = field(default_factory=dict)

    def failed(self, text: str) -> None:
        self.good = False
        self.talk.say(text)


def program() -> str:
    """How a person calls this program from here: it may not be installed yet."""
    path = Path(sys.argv[0])
    found = shutil.which(_NAME)
    is_known = found is not None and path.exists() and path.samefile(found)
    return str(path) if path.name == _NAME and not is_known else _NAME
