"""4778 and 4779: a window station was given to a session, or taken from it (where audited)."""

from __future__ import annotations

from usersessionmon.model import Reason, Record, WindowsEvent

from .book import UNLOCK_SECONDS, Book
from .joining import has_left, left_lately, lsm_tells, luid_of
from .state import Conn, Desk
from .tables import address, is_nobody
from .why import SAME_US, SECOND

_STATION_US = SECOND
_CONSOLE = "Console"


def station(book: Book, record: Record, event: WindowsEvent) -> None:
    """4778, 4779: a desktop session was reconnected or disconnected."""
    fields = event.fields
    user, luid = fields.get("AccountName"), luid_of(fields.get("LogonID"))
    if user is None or luid is None or is_nobody(None, user):
        return
    place = address(fields.get("ClientAddress"))
    name = fields.get("ClientName")
    conn = book.of_luid(luid)
    if lsm_tells(book, record):
        if conn is not None and conn.lsm is not None and not conn.told:
            conn.ip, conn.client_host = conn.ip or place, None if place else name
        return
    if event.id == 4779:
        if (conn is None or not conn.over) and not left_lately(book, record, user):
            _leave_station(book, record, event, conn, user, luid)
    elif conn is None or conn.over or not _is_repeat(conn, record):
        _enter_station(book, record, event, conn, user, luid)


def _is_repeat(conn: Conn, record: Record) -> bool:
    return conn.us is not None and abs(record.time.us - conn.us) <= SAME_US


def _leave_station(
    book: Book, record: Record, event: WindowsEvent, conn: Conn | None, user: str, luid: str
) -> None:
    fields = event.fields
    if conn is None or conn.over:
        session = f"{book.prefix(record)}:{book.log.boots}:{luid}"
        conn = book.begin_lost(record, user, fields.get("AccountDomain"), session)
        conn.luids, conn.rid = [luid], event.record_id
    place = address(fields.get("ClientAddress"))
    conn.ip = conn.ip or place
    conn.client_host = None if conn.ip else conn.client_host or fields.get("ClientName")
    conn.station, conn.kept, conn.end_rid = fields.get("SessionName"), True, event.record_id
    desk = book.log.desks.get(luid) or book.desk(luid, conn.session, user)
    desk.session = conn.session
    has_left(book, record, user)
    book.end(conn, record, "4779", Reason.UNKNOWN, wait=UNLOCK_SECONDS)
    book.touch(conn)


def _enter_station(
    book: Book, record: Record, event: WindowsEvent, conn: Conn | None, user: str, luid: str
) -> None:
    fields = event.fields
    place, station = address(fields.get("ClientAddress")), fields.get("SessionName")
    for other in book.waiting():
        taken = other.end_by == "4779" and other.station == station and other.end_us is not None
        if taken and abs(record.time.us - (other.end_us or 0)) <= _STATION_US:
            if other.user.casefold() != user.casefold() and station != _CONSOLE:
                other.reason, other.abnormal = Reason.KILLED, True
                other.by_user, other.by_ip = user, place
            book.settle(other)
    if conn is not None and not conn.over:
        book.end(conn, record, "reopened", Reason.UNKNOWN, wait=0.0)
        conn.inferred = True
        book.settle(conn)
    desk = book.log.desks.get(luid)
    if desk is None:
        desk = book.desk(luid, f"{book.prefix(record)}:{book.log.boots}:{luid}", user)
    if _came_back(book, record, desk, user, luid):
        return
    new = book.begin(record, user, fields.get("AccountDomain"), desk.session)
    desk.rows += 1
    new.row = f"{desk.session}+{event.record_id}"
    new.rid, new.luids, new.again, new.ip = event.record_id, [luid], True, place
    new.client_host = None if place else fields.get("ClientName")
    new.station, new.tty = station, "console" if station == _CONSOLE else "rdp"
    book.touch(new)
    book.settle(new)


def _came_back(book: Book, record: Record, desk: Desk, user: str, luid: str) -> bool:
    """Whoever comes back to an older session signs in first, by a logon that is over at once."""
    last = book.signed_last(user)
    if last is None or last.lsm is not None or luid in last.luids:
        return False
    if last.us is None or not 0 <= record.time.us - last.us <= SAME_US:
        return False
    book.unname(last)
    if not last.told:
        desk.rows += 1
        last.session, last.again = desk.session, True
        last.row = f"{desk.session}+{last.rid}"
    if last.over and not last.told:
        last.end_us, last.end_by, last.reason = None, "", None
    book.name(last, luid)
    book.settle(last)
    return True
