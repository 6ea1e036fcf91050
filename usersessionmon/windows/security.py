"""What the Security channel says: logons by their ids (rules R2 and R7 of the reading that the
tests hold), and where its other records are understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from usersessionmon.model import Reason, Record, WindowsEvent

from .book import PARTNER_SECONDS, UNLOCK_SECONDS, Book, both
from .boots import boot, clock
from .channels import OPENSSH
from .elevations import elevate, given
from .failed import failed
from .joining import (
    expire,
    has_left,
    is_sshd,
    join,
    left_lately,
    lsm_tells,
    luid_of,
    partner,
    passed_by,
)
from .state import Conn
from .stations import station
from .tables import address, is_nobody, number, port
from .why import SECOND

_INTERACTIVE = frozenset({2, 10, 11, 12})
_MAY_UNLOCK = frozenset({2, 11, 12})
_REMOTE = frozenset({10, 12})
_CLEARTEXT = 8
_TWINS_US = 2 * SECOND
_END_US = 60 * SECOND
_SIGN_IN, _RUN_AS, _CONSENT = "User32", "seclogo", "CredPro"
"""``LogonProcessName``: people sign in by the first alone."""


def take(book: Book, record: Record, event: WindowsEvent) -> None:
    """One record of the Security channel."""
    log = book.log
    expire(book, record)
    handler = _HANDLERS.get(event.id)
    if handler is not None:
        handler(book, record, event)
    log.last_us, log.last_text = record.time.us, record.time.text
    book.dirty = True


def _logon(book: Book, record: Record, event: WindowsEvent) -> None:
    fields = event.fields
    user, sid = fields.get("TargetUserName"), fields.get("TargetUserSid")
    if user is None or is_nobody(sid, user):
        return
    kind = number(fields.get("LogonType"))
    process = fields.get("LogonProcessName", "")
    if is_sshd(event):
        if kind == _CLEARTEXT and OPENSSH not in event.beside:
            _arrive(book, record, event, kind, service="sshd")
    elif process == _RUN_AS and kind in {2, 9}:
        target = fields.get("TargetOutboundUserName") if kind == 9 else user
        if target is not None:  # else 4648 says who
            elevate(book, record, event, target)
    elif process == _CONSENT:
        elevate(book, record, event, user)
    elif process == _SIGN_IN and kind in _INTERACTIVE:
        _arrive(book, record, event, kind)


def _arrive(
    book: Book, record: Record, event: WindowsEvent, kind: int, service: str = "windows"
) -> None:
    """Somebody signed in."""
    fields = event.fields
    user, luid = fields["TargetUserName"], luid_of(fields.get("TargetLogonId")) or ""
    if luid and _is_twin(book, record, fields, kind):
        return
    place, door = address(fields.get("IpAddress")), port(fields.get("IpPort"))
    _reused(book, record, book.of_luid(luid))
    session = f"{book.prefix(record)}:{book.log.boots}:{luid}"
    hold = PARTNER_SECONDS if both(record) else UNLOCK_SECONDS
    conn = book.begin(record, user, fields.get("TargetDomainName"), session)
    conn.service, conn.kind = service, kind
    conn.ip, conn.port = place, door
    book.sign(conn, event.record_id, record.time.us)
    conn.tty = None if service == "sshd" else "rdp" if kind in _REMOTE else "console"
    conn.shared = both(record) and service == "windows"
    if luid:
        book.name(conn, luid)
    if place is None and kind in _REMOTE:
        conn.ip = passed_by(book, user, record.time.us)
    book.touch(conn)
    if service == "sshd":
        book.settle(conn)
        return
    other = None if book.patient or not conn.shared else partner(book, conn)
    if other is not None:
        join(book, conn, other)
    else:
        book.hold(conn, hold)


def _reused(book: Book, record: Record, conn: Conn | None) -> None:
    """An id is given out once between two boots: there must have been one that the log has lost."""
    if conn is not None and conn.rid is not None:
        book.log.boots += 1
        if conn.lsm is None and not conn.over:
            book.end(conn, record, "reopened", Reason.UNKNOWN, wait=0.0)
            conn.inferred = True
            book.settle(conn)


def _is_twin(book: Book, record: Record, fields: Mapping[str, str], kind: int) -> bool:
    """An administrator's logon comes twice, with and without the rights; the older versions of the
    event do not link the two."""
    luid = fields.get("TargetLogonId", "")
    linked = luid_of(fields.get("TargetLinkedLogonId"))
    conn = book.of_luid(linked)
    if conn is not None and not _are_twins(conn, record, fields["TargetUserName"]):
        return False
    if conn is None and linked is None:
        last = book.signed_last(fields["TargetUserName"])
        if last is not None and last.kind == kind and last.signed_us == record.time.us:
            conn = last
    if conn is None or (conn.over and conn.lsm is None):
        return False
    book.name(conn, luid)
    return True


def _are_twins(conn: Conn, record: Record, user: str) -> bool:
    """Whoever can write a record could link it to any other."""
    signed = conn.signed_us
    same = conn.user.casefold() == user.casefold()
    return same and signed is not None and abs(record.time.us - signed) <= _TWINS_US


def _logoff(book: Book, record: Record, event: WindowsEvent) -> None:
    """4647: the user asked.  4634: the logon session is gone, for whatever reason."""
    luid = luid_of(event.fields.get("TargetLogonId"))
    conn = book.of_luid(luid)
    asked = event.id == 4647
    if luid is not None and asked:
        book.log.desks.pop(luid, None)
    if conn is None:
        home = book.log.homes.get(luid or "")
        if home is not None:
            _end_of_home(book, record, event, home[0])
        elif asked and luid is not None:
            _left_unseen(book, record, event, luid)
        return
    if conn.lsm is not None and lsm_tells(book, record):
        _confirm(book, conn, record, event)
    elif conn.lsm is None and conn.end_by == "4634" and asked and not conn.told:
        conn.end_by, conn.reason, conn.end_rid = "4647", Reason.USER, event.record_id
    elif not conn.over:
        short = conn.us is not None and 0 <= record.time.us - conn.us <= SECOND
        if not asked and not conn.told and short and conn.kind in _MAY_UNLOCK:
            book.drop(conn)
            return
        conn.end_rid = event.record_id
        reason = Reason.USER if asked else Reason.UNKNOWN
        book.end(conn, record, str(event.id), reason, wait=0.0)
        has_left(book, record, conn.user)
        if conn.told or not conn.shared:
            book.settle(conn)


def _end_of_home(book: Book, record: Record, event: WindowsEvent, session: str) -> None:
    """Who came back to a session logs off by the logon that it began with."""
    for conn in list(book.log.conns.values()):
        late = conn.end_us is not None and abs(conn.end_us - record.time.us) > _END_US
        if conn.session == session and conn.lsm is not None and not late:
            _confirm(book, conn, record, event)


def _confirm(book: Book, conn: Conn, record: Record, event: WindowsEvent) -> None:
    """Security's part of an end that LSM tells of."""
    near = conn.end_us is not None and abs(conn.end_us - record.time.us) <= _END_US
    if event.id == 4647:
        conn.asked = True
    else:
        conn.gone_us = record.time.us
    if conn.asked or near:
        conn.end_rid = event.record_id
    if near and conn.end_lsm is not None:
        book.flush(conn.end_lsm if conn.asked else conn.end_lsm - 1)


def _left_unseen(book: Book, record: Record, event: WindowsEvent, luid: str) -> None:
    """Somebody asked to log off whose logon is older than the log."""
    user, sid = event.fields.get("TargetUserName"), event.fields.get("TargetUserSid")
    if user is None or is_nobody(sid, user) or lsm_tells(book, record):
        return
    if left_lately(book, record, user):
        return  # by the other of their twins
    has_left(book, record, user)
    session = f"{book.prefix(record)}:{book.log.boots}:{luid}"
    conn = book.begin_lost(record, user, event.fields.get("TargetDomainName"), session)
    conn.rid = conn.end_rid = event.record_id
    book.end(conn, record, "4647", Reason.USER, wait=0.0)
    book.settle(conn)


BOOT = 4608
_HANDLERS: Mapping[int, Callable[[Book, Record, WindowsEvent], None]] = {
    BOOT: boot,
    4616: clock,
    4624: _logon,
    4625: failed,
    4634: _logoff,
    4647: _logoff,
    4648: given,
    4778: station,
    4779: station,
}
