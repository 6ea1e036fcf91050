"""What wtmp says of the host's ups and downs and of logins that are over.

systemd and sysvinit write a record when the host goes down in order; after a crash or when the
power was lost the next boot's stands there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from usersessionmon.system.places import ROOT

from . import utmp
from .utmp import Down, Login

SAME_LOGIN_US = 10_000_000
WTMP = ROOT / "var/log/wtmp"


def ups_and_downs(file: Path = WTMP) -> list[Down]:
    """The host's boots and shutdowns, oldest first; empty where nobody keeps them."""
    return _history(file)[1]


def ends(file: Path = WTMP) -> list[Login]:
    """The logins on terminals that are over."""
    return [login for login in _history(file)[0] if login.ended_us is not None]


def end_of(
    over: Sequence[Login], user: str | None, login_us: int, ip: str | None, tty: str | None
) -> int | None:
    """When a login ended by wtmp; None when it has none, or several that may be it."""
    found = {
        login.ended_us
        for login in over
        if login.user == user
        and abs(login.time_us - login_us) <= SAME_LOGIN_US
        and (tty is None or login.tty == tty)
        and (ip is None or login.ip in {None, ip})
    }
    return found.pop() if len(found) == 1 else None


def _history(file: Path) -> tuple[list[Login], list[Down]]:
    """A file that was just rotated is empty: then the one before goes on in it."""
    earlier = utmp.history(file.with_name(file.name + ".1"))
    now = utmp.history(file)
    return [*earlier[0], *now[0]], [*earlier[1], *now[1]]
