"""One host's connections with their indexes, and what is told of them.

A login may have to wait: for its twin, for the 4634 that makes it an unlock, for its other half in
the other channel.  So may a logout, for the record that says why.  ``Conn.wait`` says how long;
``settle`` tells what is known.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice

from usersessionmon.model import (
    ABNORMAL,
    Change,
    ChangeKind,
    Moment,
    Reason,
    Record,
    SessionView,
)

from .channels import LSM, SECURITY
from .rows import change_of, closed, view
from .state import MAX_CONNS, MAX_DESKS, MAX_EARLY, MAX_TWINS, Conn, Desk, Log
from .tables import plain
from .why import SAME_US, SECOND, duration, is_broken, judge_boot, leaving, left_by

UNLOCK_SECONDS = 1.5
"""A logon that ends within a second was an unlock; its twin is there by then, too."""
PARTNER_SECONDS = 10.0
"""Security's half comes first: LSM tells when the desktop is there."""
OTHER_HALF_SECONDS = 2.0
REASON_SECONDS = 1.0
TAKEN_SECONDS = 10.0
"""Who replaced a connection shows when they are in."""
BOOT_SECONDS = 15.0
"""After a boot every channel is read up to it."""
_STEP_BACK = 5 * SECOND
_LATELY = 64
_BRIEF = 512
"""Logons that wait for what makes them one; a flood of them is told as it comes."""
_NEAR = 64
_NAME_MOST, _SESSION_MOST = 255, 600
_SLACK_US = 60 * SECOND


class Book:
    """See the module's text.  ``patient``: all that there is will be read before ``finish``, so
    that nothing is told too early; else time passes with ``tick``."""

    def __init__(self, log: Log, *, patient: bool) -> None:
        self.log = log
        self.patient = patient
        self.out: list[Change] = []
        self.views: dict[str, SessionView] = {}
        """Rows to save, by their ids."""
        self.dirty = False
        self._by_luid: dict[str, int] = {}
        self._by_ts: dict[str, int] = {}
        self._by_login: dict[tuple[str, int], dict[int, None]] = {}
        self._signed: dict[str, int] = {}
        self._lately: dict[int, None] = {}
        self._waiting: dict[int, None] = {}
        self._brief: dict[int, None] = {}
        """Of those that wait, the ones that LSM has no part in: their time passes with the log."""
        self._line: list[tuple[int, int, bool]] = []
        """What LSM told and Security may still add to: (record id, conn, is the logout)."""
        for conn in log.conns.values():
            self._index(conn)
            self.hold(conn, conn.wait)
            if conn.over and conn.lsm is not None:
                self._ended(conn)
        for conn in sorted(log.conns.values(), key=lambda one: one.rid or 0):
            if conn.rid is not None:
                self._signed[conn.user.casefold()] = conn.number
        if patient:
            log.early.most = log.late.most = MAX_EARLY
        self.dirty = False

    # --- finding ----------------------------------------------------------------------------------

    def of_luid(self, luid: str | None) -> Conn | None:
        """The connection of one of Security's logon ids, if it is not forgotten."""
        return None if luid is None else self.log.conns.get(self._by_luid.get(luid, 0))

    def of_ts(self, ts: str | None) -> Conn | None:
        """The connection that is in a desktop session now, by LSM."""
        conn = None if ts is None else self.log.conns.get(self._by_ts.get(ts, 0))
        return None if conn is None or conn.over else conn

    def ended(self, ts: str | None) -> Conn | None:
        """The connection that was in a desktop session and that only a boot has ended so far: a
        channel that is read later may know of an orderly end."""
        for conn in self.lately():
            if conn.ts == ts and conn.end_by == "boot":
                return conn
        return None

    def lately(self) -> Iterator[Conn]:
        """The last connections whose end LSM told and that may still be explained."""
        for number in tuple(self._lately):
            conn = self.log.conns.get(number)
            if conn is not None and conn.over and conn.wait is not None:
                yield conn

    def near(self, user: str, us: int) -> Iterator[Conn]:
        """The logins of a user at about that time."""
        name, place = user.casefold(), us // SAME_US
        for slot in (place - 1, place, place + 1):
            for number in islice(reversed(self._by_login.get((name, slot), {})), _NEAR):
                conn = self.log.conns[number]
                if conn.us is not None and abs(conn.us - us) <= SAME_US:
                    yield conn

    def signed_last(self, user: str) -> Conn | None:
        """Whose logon Security told last, of this user."""
        return self.log.conns.get(self._signed.get(user.casefold(), 0))

    def sign(self, conn: Conn, rid: int, us: int) -> None:
        """Security tells of it."""
        conn.rid, conn.signed_us = rid, us
        self._signed[conn.user.casefold()] = conn.number

    def waiting(self) -> list[Conn]:
        """The connections of which something is to be told, the earliest first."""
        return [self.log.conns[number] for number in sorted(self._waiting)]

    def brief(self) -> list[Conn]:
        """Those of them that LSM has no part in."""
        return [self.log.conns[number] for number in self._brief]

    def has_waited(self, conn: Conn, since_us: int | None, now_us: int) -> bool:
        """Whether its time is over by the log itself, whose clock may have been set back."""
        if conn.wait is None or since_us is None:
            return False
        passed = now_us - since_us
        return passed > conn.wait * SECOND or passed < -_STEP_BACK

    def open(self) -> Iterator[Conn]:
        """The connections that are not over."""
        return (conn for conn in self.log.conns.values() if not conn.over)

    def at(self, us: int) -> list[Conn]:
        """The connections that there were at a moment, by the clock."""
        return [
            conn
            for conn in self.log.conns.values()
            if conn.us is not None and conn.us <= us and (conn.end_us is None or conn.end_us >= us)
        ]

    def prefix(self, record: Record) -> str:
        """How the ids of its sessions begin: by whose log it is, for a record may name any host."""
        return f"win:{self.log.origin or (record.host or '').casefold()}"

    # --- changing ---------------------------------------------------------------------------------

    def begin(self, record: Record, user: str, domain: str | None, session: str) -> Conn:
        """A login; it is told when it is settled."""
        self.log.counter += 1
        conn = Conn(
            number=self.log.counter,
            host=plain(record.host),
            user=plain(user[:_NAME_MOST]) or "",
            domain=None if domain is None else plain(domain[:_NAME_MOST]),
            session=session[:_SESSION_MOST],
            us=record.time.us,
            text=record.time.text,
        )
        self.log.conns[conn.number] = conn
        self._index(conn)
        while len(self.log.conns) > MAX_CONNS:
            self.settle(next(iter(self.log.conns.values())), forget=True)
        return conn

    def begin_lost(self, record: Record, user: str, domain: str | None, session: str) -> Conn:
        """A connection whose login was not seen; it is to be ended at once."""
        conn = self.begin(record, user, domain, session)
        self._unlist(conn)
        conn.us, conn.text, conn.told = None, "", True
        return conn

    def date(self, conn: Conn, record: Record) -> None:
        """The login was when this record says."""
        self._unlist(conn)
        conn.us, conn.text = record.time.us, record.time.text
        self._index(conn)

    def hold(self, conn: Conn, seconds: float | None) -> None:
        """What is known of it may become more within so long; None: nothing is waited for."""
        conn.wait = seconds
        self.dirty = True
        if seconds is None:
            self._waiting.pop(conn.number, None)
            self._brief.pop(conn.number, None)
            return
        self._waiting[conn.number] = None
        if conn.lsm is None:
            self._brief[conn.number] = None
            if len(self._brief) > _BRIEF:
                self.settle(self.log.conns[next(iter(self._brief))])
        else:
            self._brief.pop(conn.number, None)

    def touch(self, conn: Conn) -> None:
        """Something about it changed: indexes, and the row that people see."""
        self._index(conn)
        if conn.told and not conn.muted:
            self.views[conn.row or conn.session] = view(conn)

    def desk(self, key: str, session: str, user: str) -> Desk:
        """Remember a desktop session by SessionID or logon id."""
        desk = self.log.desks[key] = Desk(session, user)
        while len(self.log.desks) > MAX_DESKS:
            del self.log.desks[next(iter(self.log.desks))]
        return desk

    def queue(self, conn: Conn, lsm: int, *, out: bool) -> bool:
        """Let what LSM told wait for Security's part of it; False when nobody needs to."""
        if self.patient:
            heapq.heappush(self._line, (lsm, conn.number, out))
        return self.patient

    def end(self, conn: Conn, record: Record, by: str, reason: Reason, *, wait: float) -> None:
        """It is over.  What else is known of its end may be added as long as it waits."""
        conn.end_us, conn.end_text = record.time.us, record.time.text
        conn.end_by, conn.reason = by, reason
        conn.abnormal = reason in ABNORMAL
        self.hold(conn, wait if conn.told else max(wait, conn.wait or 0.0))
        if conn.lsm is not None:
            self._ended(conn)

    def _ended(self, conn: Conn) -> None:
        self._lately.pop(conn.number, None)
        self._lately[conn.number] = None
        if len(self._lately) > _LATELY:
            del self._lately[next(iter(self._lately))]

    def drop(self, conn: Conn) -> None:
        """It was no login after all (an unlock), or is told and over."""
        self.hold(conn, None)
        self.log.conns.pop(conn.number, None)
        name = conn.user.casefold()
        if self._signed.get(name) == conn.number:
            del self._signed[name]
        self._unlist(conn)
        self.unname(conn)
        self._lately.pop(conn.number, None)
        if conn.ts is not None and self._by_ts.get(conn.ts) == conn.number:
            del self._by_ts[conn.ts]
        self.dirty = True

    def _unlist(self, conn: Conn) -> None:
        slot = (conn.user.casefold(), (conn.us or 0) // SAME_US)
        mine = self._by_login.get(slot, {})
        mine.pop(conn.number, None)
        if not mine:
            self._by_login.pop(slot, None)

    def name(self, conn: Conn, luid: str) -> None:
        """One of Security's logon ids is this connection's."""
        other = self.of_luid(luid)
        if other is not None and other is not conn:
            other.luids = [one for one in other.luids if one != luid]
        if luid not in conn.luids:
            conn.luids = [*conn.luids[1 - MAX_TWINS :], luid]
        self.log.hint(self.log.homes, luid, (conn.session, conn.user), MAX_DESKS)
        self.touch(conn)

    def unname(self, conn: Conn) -> None:
        """Its logon ids are somebody else's from now on."""
        for luid in conn.luids:
            if self._by_luid.get(luid) == conn.number:
                del self._by_luid[luid]
        conn.luids = []

    def _index(self, conn: Conn) -> None:
        for luid in conn.luids:
            self._by_luid[luid] = conn.number
        if conn.ts is not None and not conn.over:
            self._by_ts[conn.ts] = conn.number
        if conn.us is not None:
            slot = (conn.user.casefold(), conn.us // SAME_US)
            self._by_login.setdefault(slot, {})[conn.number] = None
        self.dirty = True

    # --- telling ----------------------------------------------------------------------------------

    def settle(self, conn: Conn, *, forget: bool = False) -> None:
        """Nothing more is waited for: tell what is known.  ``forget``: there is no room for it."""
        if conn.number not in self.log.conns:
            return
        self.hold(conn, None)
        self._tell_login(conn)
        if conn.over:
            self._tell_logout(conn)
            self.drop(conn)
        elif forget:
            self.drop(conn)

    def flush(self, lsm: int | None) -> None:
        """Tell what LSM's log has up to this record; None: all of it."""
        while self._line and (lsm is None or self._line[0][0] <= lsm):
            _, number, out = heapq.heappop(self._line)
            conn = self.log.conns.get(number)
            if conn is None:
                continue
            if out and conn.over:
                self.settle(conn)
            elif not out:
                self._tell_login(conn)
                self.hold(conn, conn.wait if conn.over else None)

    def flush_ready(self) -> None:
        """Tell what LSM's log has, in its order, up to the first end that may be explained yet."""
        while self._line:
            _, number, out = self._line[0]
            conn = self.log.conns.get(number)
            if conn is not None and out and conn.wait is not None:
                return
            heapq.heappop(self._line)
            if conn is not None and out and conn.over:
                self.settle(conn)
            elif conn is not None and not out:
                self._tell_login(conn)

    def finish(self) -> None:
        """Nothing follows."""
        self.flush(None)
        for conn in self.waiting():
            self.settle(conn)

    def _tell_login(self, conn: Conn) -> None:
        if conn.told or conn.us is None:
            return
        conn.told = True
        if conn.muted:
            return
        self.views[conn.row or conn.session] = view(conn)
        self.out.append(change_of(conn, ChangeKind.LOGIN, Moment(conn.us, conn.text)))

    def _tell_logout(self, conn: Conn) -> None:
        assert conn.end_us is not None
        if conn.muted:
            return
        if conn.end_by == "boot":
            judge_boot(self.log, conn)
        elif conn.end_by in {"4647", "23"} and conn.reason is Reason.USER:
            conn.reason = leaving(self.log, conn.end_us) or left_by(self.log, conn)
            conn.abnormal = conn.reason is Reason.KILLED
        elif (
            conn.end_by == "24"
            and conn.reason is Reason.UNKNOWN
            and is_broken(self.log, conn.end_us)
        ):
            conn.reason, conn.abnormal = Reason.NETWORK, True
        length = duration(self.log, conn)
        change = change_of(conn, ChangeKind.LOGOUT, Moment(conn.end_us, conn.end_text))
        self.out.append(
            change._replace(
                reason=conn.reason,
                abnormal=conn.abnormal,
                duration=length,
                inferred=conn.inferred,
                login_time=conn.login_time,
                by_user=conn.by_user,
                by_ip=conn.by_ip,
                kept=conn.kept,
            )
        )
        self.views[conn.row or conn.session] = closed(conn, length)
        self._remember(conn)

    def _remember(self, conn: Conn) -> None:
        """The other channel may still come to it."""
        log = self.log
        if conn.us is None or conn.service != "windows":
            return
        if conn.rid is None:
            log.early.add(conn.us, conn.user)
            if not self.patient:
                log.early.forget_before(log.last_us - _SLACK_US)
        elif conn.lsm is None and not _was_taken_back(conn):
            log.late.add(conn.us, conn.user)
            if not self.patient:
                log.late.forget_before(log.lsm_us - _SLACK_US)


def _was_taken_back(conn: Conn) -> bool:
    """Whether its short life in Security's log may be that of who came back to an older session:
    they are in then, as LSM will tell."""
    return conn.end_by == "4634" and (conn.end_us or 0) - (conn.us or 0) <= SAME_US


def both(record: Record) -> bool:
    """Whether Security and LSM of this host are both read."""
    return record.windows is not None and {SECURITY, LSM} <= record.windows.beside
