"""Who calls a command: by the kernel, not by what the environment says of an ordinary user."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

_LOGIN_UID = Path("/proc/self/loginuid")


if sys.platform == "win32":

    def caller() -> str:
        """The account's name."""
        return os.getlogin()

else:
    import pwd

    def _name_of(uid: int) -> str | None:
        try:
            return pwd.getpwuid(uid).pw_name
        except (KeyError, OverflowError):
            return None

    def caller(
        uid: int | None = None,
        environment: Mapping[str, str] = os.environ,
        login_uid: Path = _LOGIN_UID,
        name_of: Callable[[int], str | None] = _name_of,
    ) -> str:
        """The account's name; of root, who may be anybody, that of the person who became root: by
        sudo(8), else by the login of which the kernel knows (``su -``)."""
        own = os.getuid() if uid is None else uid
        found = [own]
        if own == 0:
            found = [*_number(environment.get("SUDO_UID", "")), *_login(login_uid), 0]
        names = (name_of(number) for number in found)
        return next((name for name in names if name), f"uid {own}")

    def _login(file: Path) -> list[int]:
        """Nobody's number is there where nobody has logged in (-1, without its sign)."""
        with suppress(OSError, UnicodeDecodeError):
            return _number(file.read_text(encoding="ascii").strip())
        return []

    def _number(text: str) -> list[int]:
        return [int(text)] if text.isascii() and text.isdecimal() and len(text) < 12 else []
