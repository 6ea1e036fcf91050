"""Who we are, and what accounts there are."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Account(NamedTuple):
    name: str
    uid: int
    home: str


if sys.platform == "win32":
    import ctypes

    MORE_RIGHTS = "open the terminal as administrator"

    def is_root() -> bool:
        """Whether this process has an administrator's rights (and was given them: "Run as
        administrator")."""
        return bool(ctypes.windll.shell32.IsUserAnAdmin())

    def own_name() -> str:
        return f"user {os.environ.get('USERNAME', '')}".strip()

    def account(_name: str) -> Account | None:
        """Nobody needs it there."""
        return None

    def group_of(_name: str) -> int | None:
        """Who may read what is said by the folder that it lies in."""
        return None

    def give(path: Path, group: int) -> None: ...

else:
    import grp
    import pwd

    MORE_RIGHTS = "use sudo, or join the group user-session-monitor"
    """How one comes to read what is the service's."""

    def is_root() -> bool:
        return os.geteuid() == 0

    def own_name() -> str:
        """For messages."""
        return f"uid {os.geteuid()}"

    def account(name: str) -> Account | None:
        """A local account; None when there is none of that name."""
        with suppress(KeyError, ValueError):
            found = pwd.getpwnam(name)
            return Account(found.pw_name, found.pw_uid, found.pw_dir)
        return None

    def group_of(name: str) -> int | None:
        """The group to which root gives files that its members may read: this one, or root's own
        where there is none; None for anybody else, who can give nothing away."""
        if not is_root():
            return None
        with suppress(KeyError):
            return grp.getgrnam(name).gr_gid
        return 0

    def give(path: Path, group: int) -> None:
        """To root and a group.  Raises OSError."""
        os.chown(path, 0, group)
