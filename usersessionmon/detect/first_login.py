"""The first login of a user on a host."""

from __future__ import annotations

from dataclasses import dataclass

from usersessionmon.model import Change, Finding, Oddity

from .keys import key_of, user_key
from .settings import FirstLoginSettings
from .shelf import Shelf

USERS = 4096
HOSTS = 256
DAY_US = 86_400_000_000


@dataclass(slots=True)
class User:
    host: str
    last_us: int


@dataclass(slots=True)
class Host:
    since_us: int
    """From then on every user is known: the first login, or the last of one who was forgotten."""
    logins: int = 0


class FirstLogin:
    """Silent until the host's logins of some days are known.  Who comes back to a desktop that
    lived on has been there before, whether that was seen or not."""

    def __init__(self, settings: FirstLoginSettings) -> None:
        self._days_us = settings.days * DAY_US
        self._users = Shelf("first_login.users", User, USERS)
        self._hosts = Shelf("first_login.hosts", Host, HOSTS)
        self.shelves = (self._users, self._hosts)

    def login(self, change: Change) -> Finding | None:
        if change.user is None:
            return None
        name, us = key_of(change.host, ""), change.time.us
        key = user_key(change, change.user)
        host = self._hosts.get(name) or Host(us)
        found = None
        known = self._users.get(key) is not None or change.again
        if not known and us - host.since_us >= self._days_us:
            found = Finding(Oddity.FIRST_LOGIN, total=host.logins, since_us=host.since_us)
        if change.doubt is None:
            host.logins += 1
            self._hosts.put(name, host)
            forgotten = self._users.put(key, User(name, us))
            if forgotten is not None:
                self._forgot(forgotten)
        return found

    def _forgot(self, user: User) -> None:
        host = self._hosts.get(user.host)
        if host is not None:
            host.since_us = max(host.since_us, user.last_us)
            self._hosts.put(user.host, host)
