"""Becoming somebody else on Windows: runas, other credentials, a consent with another account."""

from __future__ import annotations

from collections.abc import Mapping

from usersessionmon.model import Change, ChangeKind, Link, Record, WindowsEvent

from .book import Book
from .joining import RECENT, partner
from .state import Conn
from .tables import is_nobody, plain
from .why import SECOND

_FOLD_US = 2 * SECOND
"""An elevation makes several records at once."""


def given(book: Book, record: Record, event: WindowsEvent) -> None:
    """4648: somebody gave another account's name and password."""
    target = event.fields.get("TargetUserName")
    subject = event.fields.get("SubjectUserName")
    if subject is None or is_nobody(event.fields.get("SubjectUserSid"), subject):
        return
    if target is None or is_nobody(None, target) or _is_same(event.fields, subject, target):
        return
    elevate(book, record, event, target)


def _is_same(fields: Mapping[str, str], subject: str, target: str) -> bool:
    """Whether both names are one account's; a target may be named like an address of mail."""
    name, _, realm = target.casefold().partition("@")
    if name != subject.casefold():
        return False
    here, there = fields.get("SubjectDomainName"), fields.get("TargetDomainName", realm)
    first = [(one or "").partition(".")[0].casefold() for one in (here, there)]
    return first[0] == first[1] or not all(first)


def elevate(book: Book, record: Record, event: WindowsEvent, target: str) -> None:
    """Somebody became somebody else: one event, however many records it has."""
    fields, log = event.fields, book.log
    user = fields.get("SubjectUserName")
    if is_nobody(fields.get("SubjectUserSid"), user):
        user = None
    key, us = (user or "").casefold(), record.time.us
    name = target.casefold()
    folded = any(
        abs(us - at) <= _FOLD_US and became == name and (who == key or not key or not who)
        for at, who, became in log.elevated[-RECENT:]
    )
    log.note(log.elevated, (us, key, name))
    if folded:
        return
    conn, link = _whose(book, record, event, user)
    home: tuple[str | None, str | None] = (None, None)
    if conn is not None:
        home = conn.session, conn.user
    else:
        home = log.homes.get(fields.get("SubjectLogonId", ""), home)
        link = None if home[0] is None else Link.LOGON
    book.out.append(
        Change(
            kind=ChangeKind.ELEVATION,
            time=record.time,
            host=plain(record.host),
            service="windows",
            user=plain(user) or home[1],
            target_user=plain(target),
            session=home[0],
            login_user=home[1],
            login_from=None if conn is None else conn.ip or conn.client_host,
            link=link,
            inferred=link is Link.ONLY,
            domain=fields.get("SubjectDomainName") if user is not None else None,
        )
    )


def _whose(
    book: Book, record: Record, event: WindowsEvent, user: str | None
) -> tuple[Conn | None, Link | None]:
    """In whose session: by the logon id, else the only one there is."""
    conn = book.of_luid(event.fields.get("SubjectLogonId"))
    if conn is not None:
        other = partner(book, conn) if conn.shared and not conn.told else None
        return other or conn, Link.LOGON
    if user is None:
        there = book.at(record.time.us)
        if len(there) == 1:
            return there[0], Link.ONLY
    return None, None
