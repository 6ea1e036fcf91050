"""Where the program's own things are by default."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "user-session-monitor"
if sys.platform == "win32":
    BASE = Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData") / NAME
    CONFIG = BASE / "config.yaml"
    STATE = str(BASE / "state")
    RULES = str(BASE / "rules.d")
else:
    BASE = Path("/etc") / NAME
    CONFIG = BASE / "config.yaml"
    STATE = f"/var/lib/{NAME}"
    RULES = str(BASE / "rules.d")


def is_absolute(path: str) -> bool:
    """Whether a setting names the same file wherever the program is started."""
    if sys.platform == "win32":
        absolute = Path(path).is_absolute()
    else:
        absolute = path.startswith("/")
    return absolute


def own_state(environment: dict[str, str] | os._Environ[str]) -> Path:
    """Where a user without rights keeps a state: under ``$XDG_STATE_HOME`` (XDG Base Directory
    Specification), on Windows under ``%LOCALAPPDATA%``.

    Raises RuntimeError for an account without a home.
    """
    if sys.platform == "win32":
        home = environment.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / NAME
