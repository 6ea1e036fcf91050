"""Where the program's own things are by default."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "user-session-monitor"
_LINUX_STATE, _LINUX_RULES = f"/var/lib/{NAME}", f"/etc/{NAME}/rules.d"
if sys.platform == "win32":
    BASE = Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData") / NAME
    CONFIG = BASE / "config.yaml"
    STATE = str(BASE / "state")
    RULES = str(BASE / "rules.d")
    ROOT = Path("<none>")
else:
    BASE = Path("/etc") / NAME
    CONFIG = BASE / "config.yaml"
    STATE, RULES = _LINUX_STATE, _LINUX_RULES
    ROOT = Path("/")
    """Below it the host says what it is.  On Windows everybody may make C:\\proc or C:\\etc: a name
    that no file there can have is taken for it."""
PROC, ETC, RUN = ROOT / "proc", ROOT / "etc", ROOT / "run"


def is_absolute(path: str) -> bool:
    """Whether a setting names the same file wherever the program is started."""
    if sys.platform == "win32":
        absolute = Path(path).is_absolute()
    else:
        absolute = path.startswith("/")
    return absolute


def as_here(example: str) -> str:
    """The example of a configuration, which has Linux's paths, with those of this system."""
    return example.replace(_LINUX_STATE, STATE).replace(_LINUX_RULES, RULES)


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
