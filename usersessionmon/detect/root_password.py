"""A powerful account logs in by a typed password, which can be guessed."""

from __future__ import annotations

from usersessionmon.model import Change, Finding, Oddity

from .settings import RootSettings


class RootPassword:
    """By what the log says: a login whose method it does not name is not told of."""

    def __init__(self, settings: RootSettings) -> None:
        self._users = frozenset(settings.users)

    def login(self, change: Change) -> Finding | None:
        method = change.method or ""
        typed = method == "password" or method.startswith("keyboard-interactive")
        if not typed or change.user not in self._users:
            return None
        return Finding(Oddity.ROOT_PASSWORD, place=method)
