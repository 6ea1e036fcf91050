"""Who really wrote a journal entry, and what its event is therefore worth.

Anybody on the host can log any text under any name.  Only the fields that journald fills in itself
prove something, and a process chooses its own ``_COMM``.  So:

- what opens, refuses or ends a session, and what ends a boot, must come from uid 0;
- su, sudo and the like run with their caller's uid: these must *be* the set-uid program;
- why a connection ended is written with the session user's uid: it may explain, never end;
- everything else of that kind was written by somebody else in the name of a daemon.

A text log proves nothing and is passed on as such.  Windows' event log names the account that
wrote a record: the system's own stands for uid 0 (``windows.xml``).
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from usersessionmon.model import Captures, Event, Means, Proof, Trusted

from .fields import visible
from .forgeries import Forgeries


class Verdict(StrEnum):
    """What ``judge`` found; for counting."""

    TEXT = "text"  # a text log
    TRUSTED = "trusted"
    ANNOTATES = "annotates"
    UNPROVEN = "unproven"  # not believed, and no attempt to deceive need be behind it
    FORGED = "forged"  # in the name of a daemon that never logs with a user's uid


_PLACES = ("/usr/", "/sbin/", "/bin/", "/lib/", "/lib64/", "/opt/", "/nix/store/", "/gnu/store/")
"""Where only root can put programs (the last two: NixOS and Guix)."""

_BIN = ("/usr/bin/", "/bin/", "/usr/local/bin/", "/usr/lib/cargo/bin/", "/run/wrappers/bin/")
_AGENTS = ("/usr/lib/polkit-1/", "/usr/libexec/", "/usr/libexec/polkit-1/", "/lib/polkit-1/")
_SET_UID = {
    **{name: {folder + name for folder in _BIN} for name in ("su", "pkexec", "doas")},
    "sudo": {folder + name for folder in _BIN for name in ("sudo", "sudo.ws", "sudo-rs")},
    "polkit-agent-helper-1": {folder + "polkit-agent-helper-1" for folder in _AGENTS},
}
"""Programs with the set-uid bit, by tag, and where distributions keep them."""
_ELEVATION_SERVICES = frozenset(
    {"sudo", "sudo-i", "su", "su-l", "pkexec", "polkit", "polkit-1", "doas"}
)

_EXPLAIN = frozenset(
    {Means.LEFT, Means.DISCONNECTED, Means.LOST, Means.TIMED_OUT, Means.KILLED, Means.TTY}
)
_LOGIND_SAYS = frozenset({Means.SESSION_NEW, Means.SESSION_LEFT, Means.SESSION_IDLE})
_HOST_SAYS = frozenset({Means.SHUTDOWN, Means.BOOT, Means.BOOT_HINT})
_MANAGER_SAYS = _HOST_SAYS | {Means.SESSION_STOPPED}
_LOGIND = ("systemd-logind", "elogind", "elogind-daemon")
_LOGIND_UNITS = ("systemd-logind.service", "elogind.service")
_DAEMONS = frozenset({"sshd", "sshd-session", "sshd-auth", "login", "dropbear", "kernel", *_LOGIND})
"""These never log what a session's fate depends on with anybody else's uid than root's."""


def judge(
    event: Event,
    verdicts: Counter[Verdict] | None = None,
    forgeries: Forgeries | None = None,
) -> Event | None:
    """The event with its proof and with what logind's own fields add; None: not to be believed.

    ``verdicts`` counts, ``forgeries`` notes who forged.  Never raises for what a record holds.
    """
    trusted = event.record.trusted
    verdict = Verdict.TEXT if trusted is None else _verdict(event, trusted)
    if verdicts is not None:
        verdicts[verdict] += 1
    if forgeries is not None and verdict is Verdict.FORGED:
        forgeries.add(event.record)
    match verdict:
        case Verdict.TEXT:
            return event
        case Verdict.TRUSTED:
            return event._replace(proof=Proof.TRUSTED, got=_completed(event))
        case Verdict.ANNOTATES:
            assert trusted is not None
            got = event.got.copy()
            if trusted.uid is not None:
                got["uid"] = trusted.uid
            return event._replace(proof=Proof.ANNOTATES, got=got)
        case Verdict.UNPROVEN | Verdict.FORGED:
            return None


def _verdict(event: Event, trusted: Trusted) -> Verdict:
    if trusted.transport == "kernel":
        # Only root may write to /dev/kmsg; logind and others do while journald is away.
        return Verdict.TRUSTED if event.record.program == "kernel" else Verdict.UNPROVEN
    if trusted.uid is None:
        return Verdict.UNPROVEN
    if event.means is Means.NOTHING:  # of no consequence, whoever wrote it
        return Verdict.ANNOTATES if trusted.uid else Verdict.TRUSTED
    if trusted.uid == 0:
        return _by_root(event, trusted)
    if event.means in _EXPLAIN:
        return Verdict.ANNOTATES if _placed_by_root(trusted.exe) else _disbelief(event)
    if event.record.program in _SET_UID and event.service in _ELEVATION_SERVICES:
        return _by_set_uid(event, trusted)
    return _disbelief(event)


def _disbelief(event: Event) -> Verdict:
    """Programs of users' own may log what they like; only in a daemon's name it is a forgery."""
    return Verdict.FORGED if event.record.program in _DAEMONS else Verdict.UNPROVEN


def _by_root(event: Event, trusted: Trusted) -> Verdict:
    if not _placed_by_root(trusted.exe):
        return Verdict.UNPROVEN
    if _is_logind_line(event):
        return Verdict.TRUSTED if _is_logind(trusted) else Verdict.FORGED
    if event.means in _MANAGER_SAYS and event.record.program == "systemd":
        # A user's service manager has the same tag; only the first process speaks for the host.
        return Verdict.TRUSTED if event.record.pid == 1 else Verdict.UNPROVEN
    return Verdict.TRUSTED


def _by_set_uid(event: Event, trusted: Trusted) -> Verdict:
    """Whoever logs and then quickly becomes the real sudo can still win against journald's look
    at ``/proc``: good enough for an elevation, which opens and ends no session."""
    if trusted.exe is None:
        return Verdict.UNPROVEN
    program = event.record.program
    if trusted.exe not in _SET_UID[program]:
        # In a place that is not known: root's all the same, and no proof.
        alike = trusted.exe.endswith(f"/{program}") and _placed_by_root(trusted.exe)
        return Verdict.UNPROVEN if alike else Verdict.FORGED
    return (
        Verdict.TRUSTED if event.got.get("by_uid", trusted.uid) == trusted.uid else Verdict.FORGED
    )


def _placed_by_root(exe: str | None) -> bool:
    """journald cannot name the program of a process that is gone: then the uid alone decides."""
    return exe is None or (exe.startswith(_PLACES) and "/../" not in exe)


def _is_logind_line(event: Event) -> bool:
    return event.means in _LOGIND_SAYS or (
        event.means in _HOST_SAYS and event.record.program in _LOGIND
    )


def _is_logind(trusted: Trusted) -> bool:
    if trusted.comm is None and trusted.unit is None:
        return True
    return trusted.comm in _LOGIND or trusted.unit in _LOGIND_UNITS


def _completed(event: Event) -> Captures:
    """The captures, with what logind says in fields of its own where that is more exact."""
    fields = event.record.fields
    if not fields or not _is_logind_line(event):
        return event.got
    got = event.got.copy()
    if session := fields.get("SESSION_ID"):
        got["logind_session"] = session
    if user := fields.get("USER_ID"):
        got["user"] = visible(user)
    if kind := fields.get("CLASS"):
        got["logind_class"] = kind
    if shutdown := fields.get("SHUTDOWN"):
        got["shutdown"] = shutdown
    leader = fields.get("LEADER", "")
    if leader.isascii() and leader.isdigit() and len(leader) <= 10:
        got["leader"] = int(leader)
    return got
