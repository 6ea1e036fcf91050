"""What the Security channel says: logons by their ids, failures, elevations, boots (rules R2, R3,
R6, R7 and R8 of the reading that the tests hold)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from usersessionmon.model import Change, ChangeKind, Link, Reason, Record, WindowsEvent

from .book import (
    BOOT_SECONDS,
    BOOT_US,
    JUMP_US,
    PARTNER_SECONDS,
    SAME_US,
    SECOND,
    STEP_BACK,
    UNLOCK_SECONDS,
    Book,
    both,
)
from .channels import OPENSSH
from .state import Conn, Desk
from .tables import NO_USER, address, is_nobody, number, port, valid_user

_INTERACTIVE = frozenset({2, 10, 11, 12})
_MAY_UNLOCK = frozenset({2, 11, 12})
_REMOTE = frozenset({10, 12})
_CLEARTEXT = 8
_NO_FAILURES = frozenset({4, 5})
_FOLD_US = 2 * SECOND
_RECENT = 32
"""An elevation makes several records at once."""
_STATION_US = SECOND
_CONSOLE = "Console"
_END_US = 60 * SECOND
_LUID = re.compile(r"0x[0-9a-fA-F]{1,16}")
_SIGN_IN, _RUN_AS, _CONSENT = "User32", "seclogo", "CredPro"
"""``LogonProcessName``: people sign in by the first alone."""


def take(book: Book, record: Record, event: WindowsEvent) -> None:
    """One record of the Security channel."""
    log = book.log
    _expire(book, record)
    handler = _HANDLERS.get(event.id)
    if handler is not None:
        handler(book, record, event)
    log.last_us, log.last_text = record.time.us, record.time.text
    book.dirty = True


def _expire(book: Book, record: Record) -> None:
    """Time has passed by the log itself: what still waits is told.  (LSM's part waits for more than
    time, and is told elsewhere.)"""
    now = record.time.us
    for conn in book.brief():
        at = conn.end_us if conn.told else conn.us
        if at is not None and conn.wait is not None:
            passed = now - at
            if passed > conn.wait * SECOND or passed < -STEP_BACK:
                conclude(book, conn)


def conclude(book: Book, conn: Conn) -> None:
    """It has waited long enough: LSM's login is the same one, or it is one by itself.

    In a replay LSM's log is known by now; live it would have come.
    """
    other = None if conn.told or not conn.shared else _partner(book, conn)
    if other is not None:
        _join(book, conn, other)
    elif conn.shared and not conn.told and book.log.early.has(conn.us or 0, conn.user):
        book.drop(conn)
    else:
        book.settle(conn)


def _logon(book: Book, record: Record, event: WindowsEvent) -> None:
    fields = event.fields
    user, sid = fields.get("TargetUserName"), fields.get("TargetUserSid")
    if user is None or is_nobody(sid, user):
        return
    kind = number(fields.get("LogonType"))
    process = fields.get("LogonProcessName", "")
    if _is_sshd(event):
        if kind == _CLEARTEXT and OPENSSH not in event.beside:
            _arrive(book, record, event, kind, service="sshd")
    elif process == _RUN_AS and kind in {2, 9}:
        target = fields.get("TargetOutboundUserName") if kind == 9 else user
        if target is not None:  # else 4648 says who
            _elevate(book, record, event, target)
    elif process == _CONSENT:
        _elevate(book, record, event, user)
    elif process == _SIGN_IN and kind in _INTERACTIVE:
        _arrive(book, record, event, kind)


def _arrive(
    book: Book, record: Record, event: WindowsEvent, kind: int, service: str = "windows"
) -> None:
    """Somebody signed in."""
    fields = event.fields
    user, luid = fields["TargetUserName"], _luid(fields.get("TargetLogonId")) or ""
    if luid and _is_twin(book, record, fields, kind):
        return
    place, door = address(fields.get("IpAddress")), port(fields.get("IpPort"))
    _reused(book, record, book.of_luid(luid))
    session = f"win:{record.host or ''}:{book.log.boots}:{luid}"
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
    other = None if book.patient or not conn.shared else _partner(book, conn)
    if other is not None:
        _join(book, conn, other)
    else:
        book.hold(conn, hold)


def _luid(text: str | None) -> str | None:
    """A logon id; None for what is none."""
    return text if text is not None and _LUID.fullmatch(text) else None


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
    linked = _luid(fields.get("TargetLinkedLogonId"))
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
    return same and signed is not None and abs(record.time.us - signed) <= _FOLD_US


def _partner(book: Book, conn: Conn) -> Conn | None:
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


def _join(book: Book, half: Conn, conn: Conn) -> None:
    """Security's part of a login that LSM has told already."""
    luids, asked = half.luids, half.end_rid if half.end_by == "4647" else None
    book.drop(half)
    book.sign(conn, half.rid or 0, half.signed_us or 0)
    conn.kind, conn.shared = half.kind, True
    for luid in luids:
        book.name(conn, luid)
    conn.end_rid = asked
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


def _logoff(book: Book, record: Record, event: WindowsEvent) -> None:
    """4647: the user asked.  4634: the logon session is gone, for whatever reason."""
    luid = _luid(event.fields.get("TargetLogonId"))
    conn = book.of_luid(luid)
    asked = event.id == 4647
    if luid is not None and asked:
        book.log.desks.pop(luid, None)
    if conn is None:
        if asked and luid is not None and luid not in book.log.homes:
            _left_unseen(book, record, event, luid)
        return
    if conn.lsm is not None and _lsm_tells(book, record):
        near = conn.end_us is not None and abs(conn.end_us - record.time.us) <= _END_US
        if asked or near:
            conn.end_rid = event.record_id
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
        _has_left(book, record, conn.user)
        if conn.told or not conn.shared:
            book.settle(conn)


def _lsm_tells(book: Book, record: Record) -> bool:
    """Whether LSM's log will say, or has said, what became of its sessions at this time."""
    return both(record) and _lsm_covers(book, record)


def _has_left(book: Book, record: Record, user: str) -> None:
    book.log.note(book.log.left, (record.time.us, user.casefold()))


def _left_lately(book: Book, record: Record, user: str) -> bool:
    name = user.casefold()
    return any(
        who == name and 0 <= record.time.us - at <= SAME_US for at, who in book.log.left[-_RECENT:]
    )


def _left_unseen(book: Book, record: Record, event: WindowsEvent, luid: str) -> None:
    """Somebody asked to log off whose logon is older than the log."""
    user, sid = event.fields.get("TargetUserName"), event.fields.get("TargetUserSid")
    if user is None or is_nobody(sid, user) or _lsm_tells(book, record):
        return
    if _left_lately(book, record, user):
        return  # by the other of their twins
    _has_left(book, record, user)
    session = f"win:{record.host or ''}:{book.log.boots}:{luid}"
    conn = book.begin_lost(record, user, event.fields.get("TargetDomainName"), session)
    conn.rid = conn.end_rid = event.record_id
    book.end(conn, record, "4647", Reason.USER, wait=0.0)
    book.settle(conn)


def _boot(book: Book, record: Record, _event: WindowsEvent) -> None:
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


def _clock(book: Book, _record: Record, event: WindowsEvent) -> None:
    before, after = _moment(event.fields.get("PreviousTime")), _moment(event.fields.get("NewTime"))
    if before is not None and after is not None and abs(after - before) > JUMP_US:
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


def _failed(book: Book, record: Record, event: WindowsEvent) -> None:
    fields = event.fields
    user, place = fields.get("TargetUserName"), address(fields.get("IpAddress"))
    kind = number(fields.get("LogonType"))
    if kind in _NO_FAILURES or (user is None and place is None):
        return
    by_sshd = _is_sshd(event)
    if by_sshd and OPENSSH in event.beside:
        return
    known = valid_user(fields.get("Status"), fields.get("SubStatus"))
    if by_sshd and user == NO_USER:
        user, known = None, False
    client = fields.get("WorkstationName")
    if kind in {2, 11} or by_sshd or place is not None or _is_own(record, client):
        client = None
    book.out.append(
        Change(
            kind=ChangeKind.LOGIN_FAILED,
            time=record.time,
            host=record.host,
            service="sshd" if by_sshd else "windows",
            user=user,
            ip=place,
            client_host=client,
            port=port(fields.get("IpPort")) if place is not None else None,
            valid_user=known,
            domain=fields.get("TargetDomainName"),
        )
    )


def _is_own(record: Record, name: str | None) -> bool:
    """Whether a workstation's name is this host's: NetBIOS names have 15 letters."""
    own = (record.host or "").partition(".")[0].casefold()
    return name is not None and name.casefold() in {own, own[:15]}


def _given(book: Book, record: Record, event: WindowsEvent) -> None:
    """4648: somebody gave another account's name and password."""
    target = event.fields.get("TargetUserName")
    subject = event.fields.get("SubjectUserName")
    if subject is None or is_nobody(event.fields.get("SubjectUserSid"), subject):
        return
    if target is None or is_nobody(None, target) or _is_same(event.fields, subject, target):
        return
    _elevate(book, record, event, target)


def _is_same(fields: Mapping[str, str], subject: str, target: str) -> bool:
    """Whether both names are one account's; a target may be named like an address of mail."""
    name, _, realm = target.casefold().partition("@")
    if name != subject.casefold():
        return False
    here, there = fields.get("SubjectDomainName"), fields.get("TargetDomainName", realm)
    first = [(one or "").partition(".")[0].casefold() for one in (here, there)]
    return first[0] == first[1] or not all(first)


def _elevate(book: Book, record: Record, event: WindowsEvent, target: str) -> None:
    """Somebody became somebody else: one event, however many records it has."""
    fields, log = event.fields, book.log
    user = fields.get("SubjectUserName")
    if is_nobody(fields.get("SubjectUserSid"), user):
        user = None
    key, us = (user or "").casefold(), record.time.us
    name = target.casefold()
    folded = any(
        abs(us - at) <= _FOLD_US and became == name and (who == key or not key or not who)
        for at, who, became in log.elevated[-_RECENT:]
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
            host=record.host,
            service="windows",
            user=user or home[1],
            target_user=target,
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
        other = _partner(book, conn) if conn.shared and not conn.told else None
        return other or conn, Link.LOGON
    if user is None:
        there = book.at(record.time.us)
        if len(there) == 1:
            return there[0], Link.ONLY
    return None, None


def _station(book: Book, record: Record, event: WindowsEvent) -> None:
    """4778, 4779: a desktop session was reconnected or disconnected."""
    fields = event.fields
    user, luid = fields.get("AccountName"), _luid(fields.get("LogonID"))
    if user is None or luid is None or is_nobody(None, user):
        return
    place = address(fields.get("ClientAddress"))
    name = fields.get("ClientName")
    conn = book.of_luid(luid)
    if both(record) and _lsm_covers(book, record):
        if conn is not None and conn.lsm is not None and not conn.told:
            conn.ip, conn.client_host = conn.ip or place, None if place else name
        return
    if event.id == 4779:
        if (conn is None or not conn.over) and not _left_lately(book, record, user):
            _leave_station(book, record, event, conn, user, luid)
    elif conn is None or conn.over or not _is_repeat(conn, record):
        _enter_station(book, record, event, conn, user, luid)


def _lsm_covers(book: Book, record: Record) -> bool:
    log = book.log
    if not book.patient:
        return True
    return log.lsm_first_us - SAME_US <= record.time.us <= log.lsm_last_us + SAME_US


def _is_repeat(conn: Conn, record: Record) -> bool:
    return conn.us is not None and abs(record.time.us - conn.us) <= SAME_US


def _leave_station(
    book: Book, record: Record, event: WindowsEvent, conn: Conn | None, user: str, luid: str
) -> None:
    fields = event.fields
    if conn is None or conn.over:
        session = f"win:{record.host or ''}:{book.log.boots}:{luid}"
        conn = book.begin_lost(record, user, fields.get("AccountDomain"), session)
        conn.luids, conn.rid = [luid], event.record_id
    place = address(fields.get("ClientAddress"))
    conn.ip = conn.ip or place
    conn.client_host = None if conn.ip else conn.client_host or fields.get("ClientName")
    conn.station, conn.kept, conn.end_rid = fields.get("SessionName"), True, event.record_id
    desk = book.log.desks.get(luid) or book.desk(luid, conn.session, user)
    desk.session = conn.session
    _has_left(book, record, user)
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
        desk = book.desk(luid, f"win:{record.host or ''}:{book.log.boots}:{luid}", user)
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


def _is_sshd(event: WindowsEvent) -> bool:
    name = event.fields.get("ProcessName", "").replace("/", "\\").rpartition("\\")[2]
    return name.casefold() in {"sshd.exe", "sshd-session.exe", "sshd-auth.exe"}


BOOT = 4608
_HANDLERS: Mapping[int, Callable[[Book, Record, WindowsEvent], None]] = {
    BOOT: _boot,
    4616: _clock,
    4624: _logon,
    4625: _failed,
    4634: _logoff,
    4647: _logoff,
    4648: _given,
    4778: _station,
    4779: _station,
}
