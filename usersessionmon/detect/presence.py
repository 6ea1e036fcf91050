"""A person with many connections is one arrival and one departure.

A person is an account on a host from one client (an IPv4 address, of IPv6 the /64): two people who
share an account work at two desks and are told apart, and one person who goes on elsewhere is news.
"""

from __future__ import annotations

from usersessionmon.model import Change, Company, Finding

from .bouts import MINUTE_US, STEP_BACK_US
from .fold_settings import FoldSettings
from .keys import connection_of
from .shelf import Shelf
from .stay import (
    Session,
    Stay,
    Told,
    company_of,
    is_unusual,
    note,
    packed,
    person_of,
    told_alone,
    unpacked,
)

PERSONS = 4096
SESSIONS = 20_000


class Presences:
    """``folded``: how many logins and logouts were not told because of it."""

    def __init__(
        self, settings: FoldSettings, persons: int = PERSONS, sessions: int = SESSIONS
    ) -> None:
        self.folded = 0
        self._on = settings.presence
        """Off: nobody arrives any more; who is there is let go in order."""
        self._linger_us = settings.linger_minutes * MINUTE_US
        self._stays = Shelf("fold.persons", Stay, persons)
        self._sessions = Shelf("fold.sessions", Session, sessions)
        self.shelves = (self._stays, self._sessions)
        self._lingering: dict[str | None, dict[str, Stay]] | None = None
        """By host, in the order of their ends; None: still to be found on the shelf."""
        self._heard: dict[str, float] = {}
        """When, by ``tick``'s clock, each last end was read; not saved."""

    # --- coming -----------------------------------------------------------------------------------

    def login(self, change: Change, findings: tuple[Finding, ...], *, silent: bool) -> list[Told]:
        """What is to be told of a login; an unusual one is told in any case."""
        key, connection = person_of(change), connection_of(change)
        if key is None or connection is None or self._sessions.get(connection) is not None:
            return told_alone(change, findings, silent=silent)
        stay = self._stays.get(key)
        told: list[Told] = []
        if not self._on:
            if stay is not None and not stay.on:
                told = self._depart(stay)
            return [*told, *told_alone(change, findings, silent=silent)]
        if stay is None:
            stay = Stay(key, change.host, connection, change.time)
        elif not stay.on:
            self._return(stay)
        others = stay.on
        wanted = not silent and (not stay.told or is_unusual(change, findings))
        self.folded += not silent and not wanted
        stay.told = stay.told or not silent
        stay.on += 1
        stay.count += 1
        note(stay, change)
        told = [*self._keep(stay), *self._remember(connection, Session(key, stay.first))]
        if wanted:
            company = Company(others=others) if others else None
            told.append(Told(change, findings, company, change.time.us))
        return told

    def _return(self, stay: Stay) -> None:
        self._forget(stay)
        self.folded += not stay.silent
        stay.last = {}

    def _keep(self, stay: Stay) -> list[Told]:
        """Of whom has to go for it nothing is lost: a departure that waits is told, and later ends
        are told one by one."""
        gone = self._stays.put(stay.key, stay)
        if gone is None or gone.on:
            return []
        self._forget(gone)
        return self._departure(gone)

    def _remember(self, session: str, row: Session) -> list[Told]:
        """The session that has to go for it is told of by itself when it ends."""
        gone = self._sessions.put(session, row)
        stay = None if gone is None else self._stays.get(gone.key)
        if gone is None or stay is None or stay.first != gone.first:
            return []
        stay.on -= 1
        if stay.on:
            self._stays.put(gone.key, stay)
            return []
        if not stay.last:
            self._stays.drop(gone.key)
            return []
        return self._linger(stay)

    # --- going ------------------------------------------------------------------------------------

    def knows(self, change: Change) -> bool:
        """Whether a connection is of somebody who is there."""
        connection = connection_of(change)
        return connection is not None and self._sessions.get(connection) is not None

    def logout(self, change: Change, findings: tuple[Finding, ...], *, silent: bool) -> list[Told]:
        """What is to be told of a logout.  An unusual one is told at once, by itself; where it is
        the last, it is the departure."""
        connection = connection_of(change)
        row = None if connection is None else self._sessions.get(connection)
        stay = None if row is None else self._stays.get(row.key)
        if connection is not None:
            self._sessions.drop(connection)
        if row is None or stay is None or stay.first != row.first:
            return told_alone(change, findings, silent=silent)
        stay.on -= 1
        stay.longest = max(stay.longest, change.duration or 0.0)
        note(stay, change)
        unusual = not silent and is_unusual(change, findings)
        if unusual and not stay.on:
            self._stays.drop(row.key)
            return [Told(change, findings, company_of(stay, change), change.time.us)]
        if not unusual and change.time.us >= stay.last.get("time", (change.time.us,))[0]:
            stay.last = packed(change)
        stay.silent = silent
        if not stay.on:
            return self._linger(stay)
        self._stays.put(row.key, stay)
        self.folded += not silent and not unusual
        if not unusual:
            return []
        return [Told(change, findings, Company(others=stay.on), change.time.us)]

    def _linger(self, stay: Stay) -> list[Told]:
        stay.ended_us = unpacked(stay.last).time.us
        if not self._linger_us:
            self._stays.drop(stay.key)
            return self._departure(stay)
        self._stays.put(stay.key, stay)
        self._who_lingers().setdefault(stay.host, {})[stay.key] = stay
        return []

    # --- having gone ------------------------------------------------------------------------------

    def advance(self, host: str | None, us: int) -> list[Told]:
        """Time of a host has gone on: the departures that are clear by then."""
        lingering = self._who_lingers().get(host)
        told: list[Told] = []
        while lingering:
            stay = next(iter(lingering.values()))
            if us >= stay.ended_us + self._linger_us:
                told += self._depart(stay)
            elif us < stay.ended_us - STEP_BACK_US:
                stay.ended_us = us
                self._stays.put(stay.key, stay)
                lingering[stay.key] = lingering.pop(stay.key)
            else:
                break
        return told

    def tick(self, monotonic: float) -> list[Told]:
        """Time has passed at the log's end: who has lingered long enough has left."""
        told: list[Told] = []
        for stay in self._all():
            heard = self._heard.setdefault(stay.key, monotonic)
            if (monotonic - heard) * 1_000_000 >= self._linger_us:
                told += self._depart(stay)
        return sorted(told, key=lambda one: one.at_us)

    def patience(self, monotonic: float) -> float | None:
        """Seconds until ``tick`` has something to tell; None: nobody lingers."""
        heard = [self._heard.get(stay.key, monotonic) for stay in self._all()]
        if not heard:
            return None
        return max(0.0, min(heard) + self._linger_us / 1_000_000 - monotonic)

    def _depart(self, stay: Stay) -> list[Told]:
        self._forget(stay)
        self._stays.drop(stay.key)
        return self._departure(stay)

    def _departure(self, stay: Stay) -> list[Told]:
        change = unpacked(stay.last)
        at_us = stay.ended_us + self._linger_us
        return [] if stay.silent else [Told(change, (), company_of(stay, change), at_us)]

    # --- who lingers ------------------------------------------------------------------------------

    def _who_lingers(self) -> dict[str | None, dict[str, Stay]]:
        if self._lingering is None:
            self._lingering = {}
            for key, stay in self._stays.items():
                if not stay.on:
                    self._lingering.setdefault(stay.host, {})[key] = stay
        return self._lingering

    def _all(self) -> list[Stay]:
        return [stay for stays in self._who_lingers().values() for stay in stays.values()]

    def _forget(self, stay: Stay) -> None:
        """Somebody lingers no more."""
        lingering = self._who_lingers().get(stay.host, {})
        lingering.pop(stay.key, None)
        self._heard.pop(stay.key, None)
        if not lingering:
            self._who_lingers().pop(stay.host, None)
