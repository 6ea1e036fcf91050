"""What LSM's channel says: who is in which desktop session, and why they are not any more (rules R4
and R5 of the reading that the tests hold)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from usersessionmon.model import ABNORMAL, Reason, Record, WindowsEvent

from .book import OTHER_HALF_SECONDS, REASON_SECONDS, TAKEN_SECONDS, Book
from .boots import end_by_boot
from .channels import SECURITY
from .joining import apart, passed_by
from .state import MAX_DESKS, Conn
from .tables import OWN, REFUSED, REPLACED, account, address, is_nobody, number, reason_of
from .why import BOOT_US, SECOND, is_boot, moment_text

_HINT_US = 30 * SECOND
"""A reason stands just before the end that it explains."""
_STARTS_US = 60 * SECOND
"""One start of LSM makes several records."""
_AFTER = frozenset({1, 2, 3, 4, 6})
"""Reasons that are news even behind the record of a log-off; the others repeat it."""


def take(book: Book, record: Record, event: WindowsEvent) -> None:
    """One record of LSM's channel."""
    log = book.log
    if SECURITY not in event.beside:
        _expire(book, record)
    if not log.starts and event.id != _START:
        _pass_boots(book, record)
    handler = _HANDLERS.get(event.id)
    if handler is not None:
        handler(book, record, event)
    if SECURITY not in event.beside:
        book.flush_ready()
    log.lsm_first_us = log.lsm_first_us or record.time.us
    log.lsm_last_us = max(log.lsm_last_us, record.time.us)
    log.lsm_us, log.lsm_text = record.time.us, record.time.text
    book.dirty = True


def _expire(book: Book, record: Record) -> None:
    """Without Security only a reason is waited for, and time passes with the log."""
    for conn in book.waiting():
        if conn.lsm is not None and book.has_waited(conn, conn.end_us, record.time.us):
            _let_go(book, conn)


def _let_go(book: Book, conn: Conn) -> None:
    """Its end is as clear as it gets; in a replay it is told when those before it are."""
    if book.patient:
        book.hold(conn, None)
    else:
        book.settle(conn)


def _arrive(book: Book, record: Record, event: WindowsEvent) -> None:
    """21: somebody logged on.  25: somebody is back in a session that had lived on."""
    domain, user = account(event.fields.get("User"))
    ts = _id(event.fields.get("SessionID"))
    if user is None or ts is None or is_nobody(None, user):
        return
    again = event.id == 25
    book.log.hint(book.log.known, ts, record.time.us, MAX_DESKS)
    before = book.of_ts(ts)
    if before is not None:
        _reopened(book, record, before)
    said = event.fields.get("Address")
    place = address(said) if said else passed_by(book, user, record.time.us)
    _name_taker(book, record, ts, user, place)
    _close_door(book, ts)
    for hints in (book.log.sources, book.log.reasons):
        hints.pop(ts, None)
    session, row = _desk(book, record, event, ts, user, again=again)
    conn = _from_security(book, record, user)
    if conn is None:
        conn = book.begin(record, user, domain, session)
        conn.ip = place
        conn.muted = conn.told = SECURITY in event.beside and book.log.late.has(conn.us or 0, user)
    elif not conn.told:
        conn.session = session
        book.date(conn, record)
        conn.ip = conn.ip or place
        conn.domain = domain or conn.domain
    if not conn.told:
        conn.row, conn.again = row, again
        local = (said is not None and place is None) or conn.kind in {2, 11}
        conn.tty = "console" if local and conn.ip is None else conn.tty or "rdp"
    conn.lsm, conn.ts = event.record_id, ts
    for luid in tuple(conn.luids):
        book.name(conn, luid)  # in this session
    _revive(conn)
    book.hold(conn, conn.wait)
    book.touch(conn)
    _announce(book, conn, event)


def _desk(
    book: Book, record: Record, event: WindowsEvent, ts: str, user: str, *, again: bool
) -> tuple[str, str]:
    """(session, row) of a connection to a desktop: the session is that of its first login."""
    desk = book.log.desks.get(ts)
    if again and desk is not None and desk.user == user.casefold():
        desk.rows += 1
        return desk.session, f"{desk.session}+{event.record_id}"
    session = f"{book.prefix(record)}:{book.log.starts}:ts{ts}:{event.record_id}"
    book.desk(ts, session, user.casefold())
    return session, ""


def _from_security(book: Book, record: Record, user: str) -> Conn | None:
    """The same login as Security has told it, if it has."""
    halves = [
        conn
        for conn in book.near(user, record.time.us)
        if conn.lsm is None and conn.rid is not None and conn.service == "windows" and conn.kind
    ]
    return min(halves, key=lambda conn: apart(record.time.us, conn.us), default=None)


def _revive(conn: Conn) -> None:
    """Security ends the logon by which somebody came back to an older session; they are in."""
    if conn.over and not conn.told:
        conn.end_us, conn.end_text, conn.end_rid, conn.end_by = None, "", None, ""
        conn.reason, conn.abnormal = None, False


def _announce(book: Book, conn: Conn, event: WindowsEvent) -> None:
    if conn.muted:
        return
    queued = book.queue(conn, event.record_id, out=False)
    if SECURITY not in event.beside:
        if not queued:
            book.settle(conn)
    elif queued:
        book.hold(conn, OTHER_HALF_SECONDS)
    elif conn.rid is not None:
        book.settle(conn)
    else:
        book.hold(conn, OTHER_HALF_SECONDS)


def _reopened(book: Book, record: Record, conn: Conn) -> None:
    """Its end was never logged: all that is known is that it is over."""
    book.end(conn, record, "reopened", Reason.UNKNOWN, wait=REASON_SECONDS)
    conn.inferred, conn.end_lsm = True, None
    if conn.crossed_us is not None and is_boot(book.log, conn.crossed_us):
        end_by_boot(book, conn, record)
    _over(book, conn, record)


def _name_taker(book: Book, record: Record, ts: str, user: str, place: str | None) -> None:
    """Whoever comes in just after a connection was replaced has replaced it."""
    for conn in book.lately():
        if conn.end_by != "24" or conn.end_us is None:
            continue
        if conn.by_user is not None and conn.ts != ts:
            continue  # whoever is back in the very session has taken it, whoever else came
        if conn.reason is Reason.KILLED and 0 <= record.time.us - conn.end_us <= _HINT_US:
            code = book.log.reasons.get(conn.ts or "", (0, 0))[1]
            own = conn.ts == ts
            by = book.log.sources.get(conn.ts or "", (0, ""))[1]
            other = conn.user.casefold() != user.casefold()
            if (code == REPLACED and (own or other)) or by == ts:
                conn.by_user, conn.by_ip = user, place
                alone = not any(one.lsm is not None for one in book.open())
                if conn.told and not book.patient and (own or by == ts or alone):
                    book.settle(conn)


def _there(book: Book, record: Record, event: WindowsEvent, ts: str | None) -> Conn | None:
    """Who was in a desktop session until now."""
    conn = book.of_ts(ts)
    if conn is not None or ts is None:
        return conn
    conn = book.ended(ts)
    if conn is None:
        return _unseen(book, record, event, ts)
    if (conn.crossed_us or 0) < record.time.us:
        return None
    conn.inferred = conn.abnormal = conn.vague = False
    conn.end_rid = None
    return conn


def _unseen(book: Book, record: Record, event: WindowsEvent, ts: str) -> Conn | None:
    """Somebody leaves whose login is older than the log; what follows is an echo."""
    domain, user = account(event.fields.get("User"))
    if user is None or ts in book.log.known or is_nobody(None, user):
        return None
    book.log.hint(book.log.known, ts, record.time.us, MAX_DESKS)
    session = f"{book.prefix(record)}:{book.log.starts}:ts{ts}:{event.record_id}"
    conn = book.begin_lost(record, user, domain, session)
    conn.ts, conn.lsm = ts, event.record_id
    book.desk(ts, session, user.casefold())
    return conn


def _id(text: str | None) -> str | None:
    """A SessionID; None for what is none."""
    found = number(text)
    return None if found < 0 else str(found)


def _close_door(book: Book, ts: str) -> None:
    """Who was in this session before is told to have left before somebody is told to be in it."""
    if not book.patient:  # a replay keeps the order of the log by itself
        for conn in book.lately():
            if conn.ts == ts:
                book.settle(conn)


def _logged_off(book: Book, record: Record, event: WindowsEvent) -> None:
    ts = _id(event.fields.get("SessionID"))
    conn = _there(book, record, event, ts)
    if ts is not None:
        book.log.desks.pop(ts, None)
    for left in book.lately():
        if left.ts == ts:
            left.kept = False  # disconnected, and then logged off at once
    if conn is None or ts is None:
        return
    code = _recent(book.log.reasons.get(ts), record)
    book.end(conn, record, "23", Reason.USER, wait=REASON_SECONDS)
    if code in _AFTER:
        _explain(book, conn, record, code)
    _over(book, conn, record)


def _disconnected(book: Book, record: Record, event: WindowsEvent) -> None:
    ts = _id(event.fields.get("SessionID"))
    conn = _there(book, record, event, ts)
    if conn is None or ts is None:
        return
    conn.ip = conn.ip or address(event.fields.get("Address"))
    code = _recent(book.log.reasons.get(ts), record)
    book.end(conn, record, "24", Reason.UNKNOWN, wait=REASON_SECONDS)
    conn.kept = True
    if code is not None:
        _explain(book, conn, record, code)
        unnamed = conn.by_user is None and (code == REPLACED or _is_anothers(book, ts, record))
        book.hold(conn, TAKEN_SECONDS if unnamed else REASON_SECONDS)
    _over(book, conn, record)


def _over(book: Book, conn: Conn, record: Record) -> None:
    """Let the end wait for its reason."""
    assert record.windows is not None
    conn.end_lsm = record.windows.record_id
    book.touch(conn)
    book.queue(conn, conn.end_lsm, out=True)


def _explain(book: Book, conn: Conn, record: Record, code: int) -> None:
    reason = reason_of(code)
    if code in REFUSED:
        reason = Reason.UNKNOWN
    if _is_anothers(book, conn.ts or "", record):
        reason = Reason.KILLED
        taker = book.of_ts(book.log.sources[conn.ts or ""][1])
        if taker is not None:
            conn.by_user, conn.by_ip = taker.user, taker.ip
    elif code == OWN:
        reason = Reason.USER
    conn.reason = reason
    conn.abnormal = reason in ABNORMAL


def _is_anothers(book: Book, ts: str, record: Record) -> bool:
    """Whether another session has just asked for the end of this one."""
    source = book.log.sources.get(ts)
    return source is not None and source[1] != ts and abs(record.time.us - source[0]) <= _HINT_US


def _recent(hint: tuple[int, int] | None, record: Record) -> int | None:
    """The reason that was given just before."""
    return hint[1] if hint is not None and 0 <= record.time.us - hint[0] <= _HINT_US else None


def _source(book: Book, record: Record, event: WindowsEvent) -> None:
    """39: one session disconnects another, or itself."""
    target, source = _id(event.fields.get("TargetSession")), _id(event.fields.get("Source"))
    if target is not None and source is not None:
        book.log.hint(book.log.sources, target, (record.time.us, source))


def _reason(book: Book, record: Record, event: WindowsEvent) -> None:
    """40: why a session is disconnected.  It stands before the 24; behind a log-off it is news only
    when somebody else or a limit was behind it."""
    ts, code = _id(event.fields.get("Session")), number(event.fields.get("Reason"))
    if ts is None:
        return
    book.log.hint(book.log.reasons, ts, (record.time.us, code))
    if code not in _AFTER and not _is_anothers(book, ts, record):
        return
    for conn in book.lately():
        ended = conn.end_us if conn.ts == ts and conn.end_by == "23" else None
        if ended is not None and abs(record.time.us - ended) <= REASON_SECONDS * SECOND * 2:
            _explain(book, conn, record, code)


def _started(book: Book, record: Record, _event: WindowsEvent) -> None:
    """32: LSM starts, which it does at a boot; whether it was one another channel must say."""
    log = book.log
    if abs(record.time.us - log.started_us) > _STARTS_US:
        log.starts += 1
        log.known.clear()
    log.started_us = record.time.us
    for conn in book.open():
        if conn.lsm is not None:
            conn.crossed_us = record.time.us
    booted(book, record)


def _pass_boots(book: Book, record: Record) -> None:
    """A log that was filtered has none of LSM's starts: then a boot that lies between two of its
    records by the clock has ended what was open."""
    log, us = book.log, record.time.us
    between = [at for at, _ in log.booted if log.lsm_us < at <= us]
    if not log.lsm_us or not between:
        return
    for conn in list(book.open()):
        if conn.lsm is not None and conn.us is not None and conn.us < between[0]:
            end_by_boot(book, conn, record)
            conn.crossed_us = between[0]
            if conn.vague:
                conn.end_us, conn.end_text = between[0], moment_text(between[0])
            if conn.ts is not None:
                log.desks.pop(conn.ts, None)
            book.queue(conn, conn.lsm, out=True)


def booted(book: Book, record: Record) -> None:
    """A sign of a boot came: with LSM's own start it ends what was open."""
    for conn in list(book.open()):
        if conn.lsm is None or conn.crossed_us is None or not is_boot(book.log, conn.crossed_us):
            continue
        if abs(record.time.us - conn.crossed_us) > BOOT_US:
            continue
        assert record.windows is not None
        end_by_boot(book, conn, record)
        if conn.ts is not None:
            book.log.desks.pop(conn.ts, None)
        if record.program == "LSM":
            _over(book, conn, record)
        else:
            book.queue(conn, conn.lsm, out=True)


_START = 32
_HANDLERS: Mapping[int, Callable[[Book, Record, WindowsEvent], None]] = {
    21: _arrive,
    23: _logged_off,
    24: _disconnected,
    25: _arrive,
    _START: _started,
    39: _source,
    40: _reason,
}
