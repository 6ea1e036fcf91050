"""What the daily report says, gathered from the state's tables in small steps, so that the main
loop goes on between them however many sessions there are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from usersessionmon.model import PersonDay, Report, SessionView
from usersessionmon.store import counts, figures, state
from usersessionmon.totals import Total

from .numbers import whole

STEP = 500
"""Sessions that one step looks at."""
OPEN_MOST = 10_000
PEOPLE_MOST = 5_000
ADDRESSES_MOST = 50
"""What is told apart; names and addresses are foreign text."""
TOP = 5
"""Of the addresses and accounts that failed."""
OTHERS = "…"


class Summary:
    """Call ``step`` until it gives the report."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        since_us: int,
        until_us: int,
        *,
        people: int,
        lines_before: tuple[int, int],
        dropped_before: int,
    ) -> None:
        """``people``: so many are named.  ``lines_before``: (understood, not understood) when the
        last report was made; ``dropped_before`` likewise."""
        self._connection = connection
        self._since_us = since_us
        self._until_us = until_us
        self._people_shown = people
        self._lines_before = lines_before
        self._dropped_before = dropped_before
        self._below: int | None = None
        self._newest = state.newest_row(connection)
        self._people: dict[str | None, _Person] = {}
        self._abnormal = 0

    def step(self) -> Report | None:
        """Look at some more; None: not done."""
        rows = state.touched_before(self._connection, self._below or self._newest + 1, STEP)
        if rows:
            self._below = rows[-1][0]
        views = [view for _, view in rows]
        self._add(view for view in views if view.state == "closed" and self._is_in(view))
        if len(rows) == STEP and any(view.state == "open" or self._is_in(view) for view in views):
            return None
        # Those that ended since the first step stand behind what was the newest row then.
        behind = state.touched_after(self._connection, self._newest, OPEN_MOST)
        self._add(view for view in behind if view.state == "closed" and self._is_in(view))
        self._add(islice(state.sessions(self._connection, state.Query(only_open=True)), OPEN_MOST))
        return self._report()

    def _is_in(self, view: SessionView) -> bool:
        end = view.logout_time or view.login_time
        return end is not None and end.us >= self._since_us

    def _add(self, views: Iterable[SessionView]) -> None:
        for view in views:
            self._abnormal += view.abnormal
            name = view.user
            if name not in self._people and len(self._people) >= PEOPLE_MOST:
                name = OTHERS
            person = self._people.setdefault(name, _Person(name))
            person.total.add(view, self._until_us, self._since_us)
            person.became.update(dict.fromkeys(view.became))
            where = view.ip or ""
            if where in person.addresses or len(person.addresses) < ADDRESSES_MOST:
                person.addresses[where] += 1
            else:
                person.more = True

    def _report(self) -> Report:
        ranked = sorted(
            self._people.values(), key=lambda one: (-one.total.sessions, one.total.name or "")
        )
        failures = counts.sum_failures(self._connection, self._since_us, self._until_us, TOP)
        now = figures.figures(self._connection, self._until_us)
        before = self._lines_before
        if before[0] > now.understood or before[1] > now.missed:
            before = (0, 0)  # the state is a new one
        good, bad = now.understood - before[0], now.missed - before[1]
        return Report(
            since_us=self._since_us,
            until_us=self._until_us,
            people=tuple(one.day() for one in ranked[: self._people_shown]),
            more_people=max(0, len(ranked) - self._people_shown),
            sessions=sum(one.total.sessions for one in ranked),
            on_now=now.on_now,
            abnormal=self._abnormal,
            failures=failures.times,
            failed_from=failures.addresses,
            failed_as=failures.users,
            understood=good,
            lines=good + bad,
            last_line_us=whole(state.read_facts(self._connection).get("last_line_us")),
            waiting=now.waiting,
            dropped=max(0, figures.dropped(self._connection) - self._dropped_before),
        )


class _Person:
    def __init__(self, name: str | None) -> None:
        self.total = Total(name)
        self.addresses: Counter[str] = Counter()
        self.more = False
        self.became: dict[str, None] = {}

    def day(self) -> PersonDay:
        total = self.total
        where = [ip for ip, _ in self.addresses.most_common() if ip]
        return PersonDay(
            total.name, total.sessions, total.open, total.duration,
            tuple(where), self.more, tuple(self.became),
        )  # fmt: skip
