"""Why a connection ended, and how long it was."""

from __future__ import annotations

from datetime import UTC, datetime

from usersessionmon.model import Reason

from .memory import SLOT_US
from .state import Conn, Log
from .tables import is_restart

SECOND = 1_000_000
SAME_US = SLOT_US
"""Security and LSM tell of one login within this time of each other."""
LEAVING_US = 60 * SECOND
"""Who leaves within this time of a restart that somebody asked for leaves because of it."""
ASKED_US = 600 * SECOND
"""A shutdown that was asked for with a delay comes within this time."""
BOOT_US = 180 * SECOND
"""The records of one boot lie within this time."""


def duration(log: Log, conn: Conn) -> float | None:
    """Seconds; None when the clock was set in between, or does not allow it."""
    if conn.us is None or conn.end_us is None or conn.vague or conn.end_us < conn.us:
        return None
    for rid, before, after in log.jumps:
        if conn.rid is not None and rid < conn.rid:
            continue
        if conn.end_rid is not None and rid > conn.end_rid:
            continue
        if conn.us <= before and conn.end_us >= after and _lies_in(conn, before, after):
            return None
    return (conn.end_us - conn.us) / SECOND


def leaving(log: Log, us: int) -> Reason | None:
    """Whether somebody had asked for a restart or a shutdown when a session ended."""
    named = [kind for at, kind in log.downs if kind and abs(us - at) <= LEAVING_US]
    if named:
        return _down(named[-1])
    downs = [at for at, kind in log.downs if not kind and 0 <= at - us <= LEAVING_US]
    if not downs:
        return None
    asked = [k for at, k in log.downs if k and 0 <= downs[0] - at <= ASKED_US]
    return _down(asked[-1] if asked else "")


def left_by(log: Log, conn: Conn) -> Reason:
    """Whose doing a log-off was that LSM tells of.  Security says so when the user asked; when its
    log, read beyond that moment, does not, somebody else did (an administrator's tool)."""
    assert conn.end_us is not None
    gone = conn.gone_us is not None and abs(conn.gone_us - conn.end_us) <= 2 * SECOND
    read = gone or log.last_us >= conn.end_us + SECOND
    if conn.end_by == "23" and conn.rid is not None and not conn.asked and read:
        return Reason.KILLED
    return Reason.USER


def is_boot(log: Log, us: int) -> bool:
    """Whether another channel says that the host came up at about that time."""
    return any(abs(at - us) <= BOOT_US for at, _ in log.booted)


def is_broken(log: Log, us: int) -> bool:
    """Whether the transport broke at about that time."""
    return any(abs(us - at) <= SAME_US for at, _ in log.broken)


def judge_boot(log: Log, conn: Conn) -> None:
    """Whether the host went down in order before the boot that ended a session."""
    boot_us = conn.crossed_us or conn.end_us or 0
    earlier = max((at for at, _ in log.booted if at < boot_us - BOOT_US), default=0)
    crashed = any(abs(at - boot_us) <= BOOT_US for at, _ in log.crashes)
    kinds = [(at, kind) for at, kind in log.downs if earlier <= at <= boot_us + SECOND]
    conn.inferred = True
    if crashed or not kinds:
        conn.reason, conn.abnormal = Reason.REBOOT, True
        return
    named = [kind for _, kind in kinds if kind]
    conn.reason, conn.abnormal = _down(named[-1] if named else ""), False
    last = max(at for at, _ in kinds)
    if conn.us is not None and conn.vague and last > conn.us and conn.end_us is not None:
        conn.end_us, conn.end_text = last, moment_text(last)
        conn.vague = False


def _down(kind: str) -> Reason:
    return Reason.REBOOT if is_restart(kind) else Reason.SHUTDOWN


def _lies_in(conn: Conn, before: int, after: int) -> bool:
    """Whether a jump may lie within a connection of which only the times are known: one back in
    time makes every moment between its ends ambiguous."""
    assert conn.us is not None
    assert conn.end_us is not None
    if conn.rid is not None and conn.end_rid is not None:
        return True
    return before <= after or conn.end_us >= after >= conn.us or conn.us <= before <= conn.end_us


def moment_text(us: int) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(us // SECOND, UTC).replace(microsecond=us % SECOND).isoformat()
