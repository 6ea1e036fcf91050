"""What the small channels say beside: boots and shutdowns (System), addresses (RCM), broken lines
(RdpCoreTS)."""

from __future__ import annotations

from usersessionmon.model import Record, WindowsEvent

from .book import Book
from .tables import account, address

_BROKEN = frozenset({142, 143})


def of_system(book: Book, record: Record, event: WindowsEvent) -> bool:
    """True: the host has come up."""
    log, us = book.log, record.time.us
    book.dirty = True
    match event.id:
        case 12 | 6005:
            log.note(log.booted, (us, str(event.id)))
            return True
        case 41 | 6008:
            log.note(log.crashes, (us, str(event.id)))
        case 1074:
            log.note(log.downs, (us, event.fields.get("param5", "shutdown") or "shutdown"))
        case 6006:
            log.note(log.downs, (us, ""))
        case _:
            pass
    return False


def of_rcm(book: Book, record: Record, event: WindowsEvent) -> None:
    """1149: an RDP connection was let through to the logon; whether somebody logs on is open."""
    _, user = account(event.fields.get("Param1"))
    place = address(event.fields.get("Param3"))
    if event.id == 1149 and user is not None and place is not None:
        book.log.note(book.log.passed, (record.time.us, user.casefold(), place))
        book.dirty = True


def of_rdp_core(book: Book, record: Record, event: WindowsEvent) -> None:
    """142, 143: the transport broke."""
    if event.id in _BROKEN:
        book.log.note(book.log.broken, (record.time.us, str(event.id)))
        book.dirty = True
