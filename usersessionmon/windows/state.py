"""What is remembered of one Windows host, and how it is saved."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from usersessionmon.model import Moment, Reason

from .memory import Moments

MAX_FACTS = 1000
"""Boots, shutdowns and the like that are remembered of a host …"""
KEPT_FACTS = 50
"""… and those that are saved: live, only the last ones matter."""
MAX_CONNS = 20_000
MAX_DESKS = 10_000
MAX_HINTS = 512
MAX_TWINS = 4
MAX_EARLY = 100_000
"""In a replay, of which nothing is saved."""


@dataclass(slots=True)
class Conn:
    """One connection of a person to a desktop (or by sshd): from its login to its logout.

    It stands in the Security log, in LSM's, or in both: ``rid`` and ``lsm`` are the records of its
    login there.
    """

    number: int
    host: str | None
    user: str
    domain: str | None
    session: str
    row: str = ""
    service: str = "windows"
    ip: str | None = None
    port: int | None = None
    client_host: str | None = None
    tty: str | None = None
    us: int | None = None
    text: str = ""
    rid: int | None = None
    lsm: int | None = None
    kind: int = 0
    """Security's logon type."""
    shared: bool = False
    """Both channels were read when it began."""
    signed_us: int | None = None
    """When Security told of it."""
    luids: list[str] = field(default_factory=list)
    ts: str | None = None
    """LSM's SessionID."""
    again: bool = False
    told: bool = False
    wait: float | None = None
    """Seconds for which what is known may still become more; None: nothing is waited for."""
    end_us: int | None = None
    end_text: str = ""
    end_rid: int | None = None
    """Of Security."""
    end_lsm: int | None = None
    end_by: str = ""
    """``4647``, ``4634``, ``4779``, ``23``, ``24``, ``boot``, ``reopened``"""
    reason: Reason | None = None
    abnormal: bool = False
    inferred: bool = False
    kept: bool = False
    by_user: str | None = None
    by_ip: str | None = None
    station: str | None = None
    """The window station (``RDP-Tcp#8``), where an event names it."""
    crossed_us: int | None = None
    """LSM started anew while it was open: at a boot, if another channel says so."""
    asked: bool = False
    """The user asked to log off (4647)."""
    gone_us: int | None = None
    """When Security told that its logon is gone."""
    muted: bool = False
    """All of it is told already, by the other channel."""
    vague: bool = False
    """Its end is only known to lie before a boot: the duration cannot be told."""

    @property
    def login_time(self) -> Moment | None:
        return None if self.us is None else Moment(self.us, self.text)

    @property
    def end_time(self) -> Moment | None:
        return None if self.end_us is None else Moment(self.end_us, self.end_text)

    @property
    def over(self) -> bool:
        return self.end_us is not None


@dataclass(slots=True)
class Desk:
    """A desktop session, whether somebody is in it or not."""

    session: str
    user: str
    rows: int = 1
    """Connections that it has had."""


@dataclass(slots=True)
class Log:
    """What is remembered of one host's event log, all its channels together.

    Facts are lists of (microseconds, …), in the order in which they were read.
    """

    origin: str
    counter: int = 0
    boots: int = 0
    """By Security's 4608."""
    starts: int = 0
    """By LSM's own starts."""
    started_us: int = 0
    last_us: int = 0
    """Security's last record: a sign of life before a boot."""
    last_text: str = ""
    conns: dict[int, Conn] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    """By LSM's SessionID, by Security's logon id."""
    booted: list[tuple[int, str]] = field(default_factory=list)
    downs: list[tuple[int, str]] = field(default_factory=list)
    """(us, what was asked for); "": an orderly end of which no more is known."""
    crashes: list[tuple[int, str]] = field(default_factory=list)
    jumps: list[tuple[int, int, int]] = field(default_factory=list)
    """(record id of Security, before, after): the clock was set."""
    passed: list[tuple[int, str, str]] = field(default_factory=list)
    """(us, user, address) of 1149: the network part of an RDP connection succeeded."""
    broken: list[tuple[int, str]] = field(default_factory=list)
    """A line of the transport broke."""
    sources: dict[str, tuple[int, str]] = field(default_factory=dict)
    """LSM's 39 by target session: (us, source session)."""
    reasons: dict[str, tuple[int, int]] = field(default_factory=dict)
    """LSM's 40 by session: (us, reason)."""
    lsm_first_us: int = 0
    lsm_last_us: int = 0
    """What LSM's log covers."""
    elevated: list[tuple[int, str, str]] = field(default_factory=list)
    """(us, subject, target) of the last elevations."""
    early: Moments = field(default_factory=Moments)
    """Logins that LSM told, and their logouts; Security's log has yet to come to them."""
    late: Moments = field(default_factory=Moments)
    """The same with the two channels exchanged."""
    left: list[tuple[int, str]] = field(default_factory=list)
    """(us, user) of the last logouts that Security told."""
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """(session, user) by the logon ids that were seen since the boot, those of twins and of unlocks
    among them."""
    known: dict[str, int] = field(default_factory=dict)
    """LSM's SessionIDs that were seen since it started."""
    signs: list[tuple[int, int, str]] = field(default_factory=list)
    """(us of a boot, us, text): Security's last record before it."""
    lsm_text: str = ""
    lsm_us: int = 0
    """LSM's last record."""

    def note(self, facts: list[Any], fact: tuple[object, ...]) -> None:
        """Remember a fact, and not for ever."""
        facts.append(fact)
        if len(facts) > MAX_FACTS:
            del facts[: len(facts) - MAX_FACTS]

    def hint(self, hints: dict[str, Any], key: str, value: object, most: int = MAX_HINTS) -> None:
        """The same, for what is looked up; the latest stands last."""
        hints.pop(key, None)
        hints[key] = value
        if len(hints) > most:
            del hints[next(iter(hints))]


_FACTS = ("booted", "downs", "crashes", "jumps", "passed", "broken", "elevated", "left", "signs")
_MOMENTS = ("early", "late")
_HINTS = ("sources", "reasons", "homes")


def dump(log: Log) -> str:
    """As JSON text."""
    data: dict[str, Any] = {item.name: getattr(log, item.name) for item in dataclasses.fields(log)}
    for name in _FACTS:
        data[name] = data[name][-KEPT_FACTS:]
    for name in _MOMENTS:
        data[name] = list(data[name])
    data["conns"] = [_plain(conn) for conn in log.conns.values()]
    data["desks"] = {key: dataclasses.astuple(desk) for key, desk in log.desks.items()}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Log:
    """The inverse of ``dump``.  Raises ValueError, TypeError or KeyError for other text."""
    data = json.loads(text)
    for name in _FACTS:
        data[name] = [tuple(item) for item in data[name]]
    for name in _MOMENTS:
        data[name] = Moments((us, user) for us, user in data[name])
    for name in _HINTS:
        data[name] = {key: tuple(value) for key, value in data[name].items()}
    data["desks"] = {key: Desk(*value) for key, value in data["desks"].items()}
    conns = [Conn(**item) for item in data["conns"]]
    for conn in conns:
        conn.reason = None if conn.reason is None else Reason(conn.reason)
    data["conns"] = {conn.number: conn for conn in conns}
    return Log(**data)


def _plain(conn: Conn) -> dict[str, Any]:
    """Fields at their defaults are left out."""
    kept = {}
    for item in dataclasses.fields(conn):
        value = getattr(conn, item.name)
        if value != item.default and value != []:
            kept[item.name] = value
    return kept
