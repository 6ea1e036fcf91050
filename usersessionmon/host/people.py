"""Who is on this host now: by sshd's processes, by logind and by utmp, each completing the others.

A connection to sshd is served by a process of root's (the monitor, whose pid is in the log) with,
once somebody is logged in, a child of that user's.  The child is the proof: before that, only
sshd's own account has processes there, whatever name the client gave.  Root has no such child
before OpenSSH 9.8: then the monitor's own title says so.  Titles are believed of root's processes
alone.  Processes of containers on this host are theirs and not this host's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from . import utmp
from .alive import START_SLACK_US, Host, LogindSession, Process
from .connections import established

SSHD = frozenset({"sshd", "sshd-session"})
PERSONS = frozenset({"user", "user-early", "user-light", "user-incomplete"})
_TITLE = re.compile(r"sshd(?:-session)?: (?P<rest>.+)", re.DOTALL)
_PRIV = " [priv]"
_BEFORE = (" [net]", " [accepted]", " [pam]", "[accepted]", "[net]", " [listener]", " startups")
_TTYS = re.compile(r"(?P<user>.+)@(?P<tty>[a-zA-Z0-9/,]{1,200})", re.DOTALL)
_ANCESTORS = 4
_ENTRY_LATE_US = 600_000_000
"""A process writes its utmp entry this soon after the login; an older entry is of another one."""


class Person(NamedTuple):
    """Somebody who is on.  ``pid`` is the process that the log names: for ssh the monitor."""

    user: str
    service: str
    pid: int
    ticks: int | None
    """When that process began, in the kernel's ticks since the boot, which no clock moves."""
    since_us: int | None
    """When the login was, as well as can be known."""
    child: tuple[int, int] | None = None
    """The user's own sshd: pid, ticks."""
    ip: str | None = None
    port: int | None = None
    client_host: str | None = None
    tty: str | None = None
    logind: str | None = None
    uid: int | None = None


def people(host: Host, utmp_file: Path | None = None) -> list[Person]:
    """Everybody who is on, in the order of their logins."""
    found = {person.pid: person for person in _by_sshd(host)}
    for session in host.logind_sessions():
        _add_logind(found, session, host)
    for entry in utmp.who(utmp_file or host.run / "utmp"):
        _add_utmp(found, entry, host)
    peers = established(host.proc) if found else {}
    for pid, person in found.items():
        if person.service == "sshd":
            found[pid] = _with_peer(person, peers, host)
    return sorted(found.values(), key=lambda person: (person.since_us or 0, person.pid))


# --- sshd's processes -----------------------------------------------------------------------------


def _by_sshd(host: Host) -> Iterable[Person]:
    tree = {
        pid: process
        for pid in host.pids()
        if host.name_of(pid) in SSHD and (process := host.process(pid)) is not None
    }
    children: dict[int, list[Process]] = {}
    for process in tree.values():
        children.setdefault(process.parent, []).append(process)
    for monitor in tree.values():
        parent = tree.get(monitor.parent)
        served = parent is not None and _rest(parent).endswith(_PRIV)
        if monitor.uid == 0 and not monitor.elsewhere and not served:
            person = _person(monitor, children.get(monitor.pid, ()), host)
            if person is not None:
                yield person


def _person(monitor: Process, children: Iterable[Process], host: Host) -> Person | None:
    title = _rest(monitor)
    if not title.endswith(_PRIV):
        return _of_root(monitor, title, host)
    user = title.removesuffix(_PRIV)
    for child in children:
        own = _rest(child)
        match = _TTYS.fullmatch(own)
        tty = match["tty"] if match is not None and match["user"] == user else None
        if child.uid == 0:
            logged_in = tty is not None or own == user
        else:
            # The network's child before a login has sshd's own account, and says so.
            logged_in = not own.endswith(_BEFORE) and own != title
        if logged_in:
            begun = host.since_us(child.ticks)
            ends = (child.pid, child.ticks)
            tty = None if tty == "notty" else tty
            return Person(
                user, "sshd", monitor.pid, monitor.ticks, begun, ends, tty=tty, uid=child.uid
            )
    return None


def _of_root(monitor: Process, title: str, host: Host) -> Person | None:
    """Root's session, which OpenSSH before 9.8 serves without a child."""
    match = _TTYS.fullmatch(title)
    user = title if match is None else match["user"]
    if user != "root":  # another account of uid 0 cannot be told from a listener's own title
        return None
    tty = None if match is None or match["tty"] == "notty" else match["tty"]
    begun = host.since_us(monitor.ticks)
    return Person(user, "sshd", monitor.pid, monitor.ticks, begun, tty=tty, uid=0)


def _rest(process: Process) -> str:
    """A title behind the program's name; a title that sshd has not set is none."""
    match = _TITLE.fullmatch(process.title)
    return "" if match is None else match["rest"]


def _with_peer(person: Person, peers: Mapping[str, tuple[str, int]], host: Host) -> Person:
    """The client's address, by the sockets of the process that serves it (root may look)."""
    pids = [person.pid] if person.child is None else [person.pid, person.child[0]]
    for pid in pids:
        for inode in host.sockets_of(pid):
            peer = peers.get(inode)
            if peer is not None:
                return person._replace(ip=peer[0], port=peer[1], client_host=None)
    return person


# --- logind and utmp ------------------------------------------------------------------------------


def _add_logind(found: dict[int, Person], session: LogindSession, host: Host) -> None:
    if session.klass not in PERSONS or session.leader is None or session.user is None:
        return
    if session.state == "closing" or session.since_us is None:
        return
    remote = session.remote_host or ""
    address = _address(remote)
    known = found.get(session.leader)
    if known is None:
        ticks = host.start_ticks(session.leader)
        known = Person(session.user, session.service or "login", session.leader, ticks, None)
    found[session.leader] = known._replace(
        since_us=session.since_us,
        ip=known.ip or address,
        client_host=remote if remote and address is None else None,
        tty=known.tty or session.tty,
        logind=session.id,
        uid=session.uid if known.uid is None else known.uid,
    )


def _add_utmp(found: dict[int, Person], entry: utmp.Login, host: Host) -> None:
    """Terminal, time and client of somebody who is on; and of who came by login(1) alone."""
    pid = _holder(found, entry, host)
    if pid is None:
        return
    known = found.get(pid)
    if known is None:
        known = Person(entry.user, "login", pid, host.start_ticks(pid), None)
    elif known.user != entry.user or known.tty not in {None, entry.tty}:
        return
    address = entry.ip or _address(entry.host)
    exact = known.since_us if known.logind is not None else entry.time_us
    name = entry.host if entry.host and address is None else None
    found[pid] = known._replace(
        since_us=exact,
        tty=entry.tty,
        ip=known.ip or address,
        client_host=None if known.ip or address else known.client_host or name,
    )


def _holder(found: Mapping[int, Person], entry: utmp.Login, host: Host) -> int | None:
    """The process that holds the login of an entry: its own, or one above it; None when it is
    gone, or was begun after the entry was written."""
    pid = entry.pid
    for _ in range(_ANCESTORS):
        process = host.process(pid)
        if process is None or process.elsewhere:
            return None
        began = host.since_us(process.ticks)
        if began is not None and began > entry.time_us + START_SLACK_US:
            return None
        if pid in found:
            since = found[pid].since_us
            fits = since is None or abs(entry.time_us - since) <= _ENTRY_LATE_US
            return pid if fits else None
        if process.uid == 0 and host.process_is(pid, {"login"}) and entry.tty:
            return pid
        pid = process.parent
    return None


def _address(text: str) -> str | None:
    """An address in its usual form; None for a name."""
    plain, percent, zone = text.partition("%")
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(plain)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return str(mapped or address) + percent + zone
    return None
