"""One login as Security and as LSM tell it, and what each of them knows of the other."""

from __future__ import annotations

import re

from usersessionmon.model import Record, WindowsEvent

from .book import Book, both
from .state import Conn
from .why import SAME_US, SECOND

RECENT = 32
"""Of what happens again and again only the last few are looked at."""
_LUID = re.compile(r"0x[0-9a-fA-F]{1,16}")


def expire(book: Book, record: Record) -> None:
    """Time has passed by the log itself: what still waits is told.  (LSM's part waits for more than
    time, and is told elsewhere.)"""
    for conn in book.brief():
        if book.has_waited(conn, conn.end_us if conn.told else conn.us, record.time.us):
            conclude(book, conn)


def conclude(book: Book, conn: Conn) -> None:
    """It has waited long enough: LSM's login is the same one, or it is one by itself.

    In a replay LSM's log is known by now; live it would have come.
    """
    other = None if conn.told or not conn.shared else partner(book, conn)
    if other is not None:
        join(book, conn, other)
    elif conn.shared and not conn.told and book.log.early.has(conn.us or 0, conn.user):
        book.drop(conn)
    else:
        book.settle(conn)


def partner(book: Book, conn: Conn) -> Conn | None:
    """The same login as LSM told it; not one that is nearer to another logon of the same user."""
    assert conn.us is not None
    found = list(book.near(conn.user, conn.us))
    halves = [one for one in found if one.lsm is not None and one.rid is None]
    others = [one for one in found if one.lsm is None and one.shared and not one.told]
    for other in sorted(halves, key=lambda one: apart(one.us, conn.us)):
        if all(apart(other.us, one.us) >= apart(other.us, conn.us) for one in others):
            return other
    return None


def apart(lsm_us: int | None, us: int | None) -> int:
    """How far LSM's login is from Security's, which comes first."""
    passed = (lsm_us or 0) - (us or 0)
    return passed if passed >= 0 else SAME_US // 2 - passed


def join(book: Book, half: Conn, conn: Conn) -> None:
    """Security's part of a login that LSM has told already."""
    luids, asked = half.luids, half.end_rid if half.end_by == "4647" else None
    book.drop(half)
    book.sign(conn, half.rid or 0, half.signed_us or 0)
    conn.kind, conn.shared = half.kind, True
    for luid in luids:
        book.name(conn, luid)
    conn.end_rid, conn.asked = asked, asked is not None
    if not conn.told:
        conn.ip = conn.ip or half.ip
        conn.port = half.port if conn.ip == half.ip else None
        conn.domain = conn.domain or half.domain
    book.touch(conn)
    if book.patient:
        book.flush(conn.lsm)
    elif not conn.over:
        book.settle(conn)


def passed_by(book: Book, user: str, us: int) -> str | None:
    """The address of the RDP connection that was let through for a user just before."""
    name = user.casefold()
    for at, who, place in reversed(book.log.passed):
        if who == name and 0 <= us - at <= 60 * SECOND:
            book.log.passed.remove((at, who, place))
            return place
    return None


def lsm_tells(book: Book, record: Record) -> bool:
    """Whether LSM's log will say, or has said, what became of its sessions at this time."""
    log = book.log
    if not both(record) or not book.patient:
        return both(record)
    return log.lsm_first_us - SAME_US <= record.time.us <= log.lsm_last_us + SAME_US


def has_left(book: Book, record: Record, user: str) -> None:
    book.log.note(book.log.left, (record.time.us, user.casefold()))


def left_lately(book: Book, record: Record, user: str) -> bool:
    name = user.casefold()
    return any(
        who == name and 0 <= record.time.us - at <= SAME_US for at, who in book.log.left[-RECENT:]
    )


def luid_of(text: str | None) -> str | None:
    """A logon id; None for what is none."""
    return text if text is not None and _LUID.fullmatch(text) else None


def is_sshd(event: WindowsEvent) -> bool:
    name = event.fields.get("ProcessName", "").replace("/", "\\").rpartition("\\")[2]
    return name.casefold() in {"sshd.exe", "sshd-session.exe", "sshd-auth.exe"}
