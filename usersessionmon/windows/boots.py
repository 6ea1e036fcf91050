"""Security's boots and clocks: what a boot ended, and when its people were seen last."""

from __future__ import annotations

from datetime import datetime

from usersessionmon.model import Reason, Record, WindowsEvent

from .book import BOOT_SECONDS, Book
from .joining import conclude
from .state import Conn
from .why import BOOT_US, SECOND

_JUMP_US = 60 * SECOND


def boot(book: Book, record: Record, _event: WindowsEvent) -> None:
    """Whoever was on is not any more; LSM may still tell of an orderly end."""
    log = book.log
    for conn in book.brief():
        if not conn.told:
            conclude(book, conn)
    log.note(log.booted, (record.time.us, "4608"))
    log.note(log.signs, (record.time.us, log.last_us, log.last_text))
    log.boots += 1
    log.homes.clear()
    for conn in list(log.conns.values()):
        redo = conn.lsm is not None and conn.end_by == "boot" and conn.wait is not None
        if conn.rid is None and not (redo and _is_of(conn, record)):
            continue
        concluded = conn.end_by == "reopened" or (conn.end_by == "boot" and conn.vague)
        if conn.over and conn.lsm is not None and concluded:
            conn.end_us, conn.vague = None, False  # Security's log knows better
        if not conn.over:
            end_by_boot(book, conn, record)
            if conn.lsm is None and (conn.told or book.patient):
                book.settle(conn)
            elif conn.lsm is not None and book.patient:
                book.hold(conn, conn.wait or BOOT_SECONDS)
        book.unname(conn)
    for key in [key for key in log.desks if key.startswith("0x")]:
        del log.desks[key]


def end_by_boot(book: Book, conn: Conn, record: Record) -> None:
    """The host went down under it; when exactly is not known: its last sign of life stands."""
    book.end(conn, record, "boot", Reason.REBOOT, wait=BOOT_SECONDS)
    conn.crossed_us = record.time.us
    conn.inferred = True
    us, text = _last_sign(book, record)
    if conn.us is not None and conn.us < us <= record.time.us:
        conn.end_us, conn.end_text = us, text
    else:
        conn.vague = True


def _last_sign(book: Book, record: Record) -> tuple[int, str]:
    """The last record before a boot, of Security or of LSM."""
    log = book.log
    found = [(log.lsm_us, log.lsm_text)]
    found += [(us, text) for at, us, text in log.signs if abs(at - record.time.us) <= BOOT_US]
    return max((one for one in found if one[0] < record.time.us - SECOND), default=(0, ""))


def _is_of(conn: Conn, record: Record) -> bool:
    return conn.crossed_us is not None and abs(conn.crossed_us - record.time.us) <= BOOT_US


def clock(book: Book, _record: Record, event: WindowsEvent) -> None:
    before, after = _moment(event.fields.get("PreviousTime")), _moment(event.fields.get("NewTime"))
    if before is not None and after is not None and abs(after - before) > _JUMP_US:
        book.log.note(book.log.jumps, (event.record_id, before, after))


def _moment(text: str | None) -> int | None:
    """Microseconds of a time within a record: UTC, seven or nine digits."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    if found.tzinfo is None:
        return None
    return int(found.timestamp()) * SECOND + found.microsecond
