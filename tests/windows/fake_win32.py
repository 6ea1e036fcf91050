"""A double of pywin32 at its modules' boundary: ``win32evtlog``, ``win32event``, ``win32cred`` and
``pywintypes``, with hosts whose event logs are lists of events.

It is as strict as the real one: keyword names, flags, kinds of handles and who may use them, no
handle closed twice and none forgotten, no subscription used again after it failed.  And as nasty:
what a failed ``EvtNext`` would have given is gone for that handle.
"""

# ruff: noqa: N801, N802, N803, N818 - the names are pywin32's own

from __future__ import annotations

import re
import sys
import threading
import traceback
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from operator import attrgetter
from types import ModuleType
from typing import Any

import pytest

FLAGS = {
    "EvtQueryChannelPath": 1,
    "EvtQueryFilePath": 2,
    "EvtQueryForwardDirection": 0x100,
    "EvtQueryReverseDirection": 0x200,
    "EvtSubscribeToFutureEvents": 1,
    "EvtSubscribeStartAtOldestRecord": 2,
    "EvtSubscribeStartAfterBookmark": 3,
    "EvtSubscribeStrict": 0x10000,
    "EvtRenderEventXml": 1,
    "EvtRenderBookmark": 2,
    "EvtRpcLogin": 1,
    "EvtRpcLoginAuthNegotiate": 1,
    "EvtOpenChannelPath": 1,
    "EvtChannelConfigEnabled": 0,
    "EvtChannelLoggingConfigMaxSize": 10,
    "EvtLogOldestRecordNumber": 6,
    "EvtFormatMessageEvent": 1,
}
ZERO = -1
"""In place of an error: a call that failed and says that it did not (code 0)."""
NOTHING = (ZERO, 259, 1460, 4317)
"""Errors of EvtNext by which nothing is lost."""


class error(Exception):
    """``pywintypes.error``"""

    def __init__(self, winerror: int, funcname: str, strerror: str) -> None:
        super().__init__(winerror, funcname, strerror)
        self.winerror, self.funcname, self.strerror = winerror, funcname, strerror


@dataclass(frozen=True)
class Event:
    number: int
    """Of the log that it lies in."""
    xml: str
    age_ms: int = 0


@dataclass
class Channel:
    events: list[Event] = field(default_factory=list)
    denied: int = 0
    """The error of everybody who reads it."""
    enabled: bool = True
    max_bytes: int = 20 * 1024 * 1024
    results: list[Handle] = field(default_factory=list)

    def add(self, event: Event) -> None:
        self.events.append(event)
        for one in self.results:
            if one.signal is not None and not one.world.lose_signals:
                one.signal.event.set()

    def clear(self, *, keep: int = 0) -> None:
        """All but the last ``keep`` are gone, and whoever reads finds that out."""
        self.events[:] = self.events[len(self.events) - keep :]
        for one in self.results:
            one.stale = True
            if one.signal is not None:
                one.signal.event.set()


@dataclass
class Host:
    channels: dict[str, Channel] = field(default_factory=dict)
    down: int = 0
    """The error of every call."""
    password: str = ""
    """Needed, where it is not empty; else 1326."""
    bound: int = 1_000
    """Events that it may send at once; else 1734."""
    messages: dict[str, str] = field(default_factory=dict)
    """By provider."""


@dataclass
class Session:
    host: str
    user: str | None
    domain: str | None
    password: str | None


@dataclass(eq=False)
class Handle:
    """``PyEVT_HANDLE`` or ``PyHANDLE``."""

    world: World
    kind: str
    host: str = ""
    channel: Channel | None = None
    path: str = ""
    what: Any = None
    signal: Handle | None = None
    event: threading.Event = field(default_factory=threading.Event)
    cursor: int = 0
    reverse: bool = False
    spent: bool = False
    stale: bool = False
    asked: int = 0
    closed: bool = False

    def Close(self) -> None:
        if self.closed:
            self.world.complain(f"{self.kind} closed twice")
            raise error(6, "EvtClose", "the handle is invalid")
        self.closed = True
        if self.channel is not None and self in self.channel.results:
            self.channel.results.remove(self)
        code = self.world.trouble("EvtClose", self.host, self.path)
        if code:
            raise error(code, "EvtClose", "refused")


class World:
    """All hosts; "" is this machine."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.credentials: dict[str, tuple[str, bytes]] = {}
        self.trouble: Callable[[str, str, str], int] = lambda _function, _host, _path: 0
        """(function, host, channel) → the error that this call fails with, or 0."""
        self.slow = 0
        """So often each query says that the time is over (1460) before it gives anything."""
        self.lose_signals = False
        self.harsh = True
        """4317 where a subscription has no events, as seen in the wild; else an empty tuple."""
        self.sessions: list[Session] = []
        self.handles: list[Handle] = []
        self.complaints: list[str] = []
        self.longest = 0.02
        """Seconds that a wait takes at most."""
        self.asked: list[tuple[str, str]] = []
        """(host, query) of every subscription."""

    def host(self, name: str, *channels: str) -> Host:
        made = self.hosts[name] = Host({one: Channel() for one in channels})
        return made

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    def check(self) -> None:
        """Nothing was done wrong and every handle was given back."""
        assert self.complaints == []
        assert [one.kind for one in self.handles if not one.closed] == []

    def must(self, held: bool) -> None:
        """Of a call's arguments; also where whoever calls survives an AssertionError."""
        if not held:
            self.complain("".join(traceback.format_stack(limit=3)))
            raise error(87, "", "the parameter is incorrect")

    def make(self, kind: str, **more: Any) -> Handle:
        made = Handle(self, kind, **more)
        self.handles.append(made)
        return made

    def use(self, handle: Any, *kinds: str) -> Handle:
        if not isinstance(handle, Handle) or handle.kind not in kinds:
            self.complain(f"{handle!r} is not {kinds}")
            raise error(6, "", "the handle is invalid")
        if handle.closed:
            self.complain(f"{handle.kind} used after it was closed")
            raise error(6, "", "the handle is invalid")
        return handle

    def local(self, function: str, host: str, path: str) -> None:
        """A call that needs no host."""
        code = self.trouble(function, host, path)
        if code:
            raise error(max(0, code), function, "refused in the system's own words")

    def fail(self, function: str, host: str, path: str = "") -> None:
        code = self.hosts[host].down or self.trouble(function, host, path)
        if code:
            raise error(max(0, code), function, "refused in the system's own words")

    def reach(self, function: str, session: Any, path: str) -> tuple[str, Channel]:
        """The channel that a call is about."""
        name = "" if session is None else self.use(session, "session").host
        if name not in self.hosts:
            raise error(1722, function, "")
        host = self.hosts[name]
        self.fail(function, name, path)
        if session is not None and session.what.password != (host.password or None):
            raise error(1326, function, "")
        if path not in host.channels:
            raise error(15007, function, "")
        channel = host.channels[path]
        if channel.denied:
            raise error(channel.denied, function, "")
        return name, channel

    def modules(self) -> dict[str, ModuleType]:
        """For ``sys.modules``."""
        evtlog, event = ModuleType("win32evtlog"), ModuleType("win32event")
        types, cred = ModuleType("pywintypes"), ModuleType("win32cred")
        vars(evtlog).update(FLAGS)
        vars(evtlog).update(
            {name: getattr(self, name) for name in dir(self) if name.startswith("Evt")}
        )
        vars(event).update(
            CreateEvent=self.create_event, SetEvent=self.set_event,
            ResetEvent=self.reset_event, WaitForSingleObject=self.wait,
        )  # fmt: skip
        vars(types)["error"] = error
        vars(cred).update(CRED_TYPE_GENERIC=1, CredRead=self.cred_read)
        made = (evtlog, event, types, cred)
        return {one.__name__: one for one in made}

    # --- win32evtlog: the names of its parameters are its own -------------------------------------

    def EvtOpenSession(
        self,
        Login: Any,
        LoginClass: int = 1,
        Timeout: int = 0,
        Flags: int = 0,
    ) -> Handle:
        server, user, domain, password, flags = Login
        self.must(isinstance(server, str) and bool(server) and isinstance(flags, int))
        self.must((LoginClass, Timeout, Flags) == (1, 0, 0))
        code = self.trouble("EvtOpenSession", server, "")
        if code:
            raise error(code, "EvtOpenSession", "")
        self.sessions.append(Session(server, user, domain, password))
        return self.make("session", host=server, what=self.sessions[-1])  # it does not connect

    def EvtSubscribe(
        self, ChannelPath: str, Flags: int, SignalEvent: Any = None, Callback: Any = None,
        Context: Any = None, Query: str | None = None, Session: Any = None, Bookmark: Any = None,
    ) -> Handle:  # fmt: skip
        self.must(bool(ChannelPath) and Callback is None and Context is None)
        signal = self.use(SignalEvent, "signal")
        host, channel = self.reach("EvtSubscribe", Session, ChannelPath)
        wanted = predicate(Query)
        self.asked.append((host, Query or ""))
        cursor = 0
        if Flags == 3 | 0x10000:
            cursor = self.use(Bookmark, "bookmark").cursor
            if not any(one.number == cursor for one in channel.events):
                raise error(1168, "EvtSubscribe", "")
        else:
            self.must(Flags == 2 and Bookmark is None)
        made = self.make(
            "subscription", host=host, channel=channel, path=ChannelPath, what=wanted,
            signal=signal, cursor=cursor,
        )  # fmt: skip
        channel.results.append(made)
        if any(one.number > cursor and wanted(one) for one in channel.events):
            signal.event.set()
        return made

    def EvtQuery(
        self,
        Path: str,
        Flags: int,
        Query: str | None = None,
        Session: Any = None,
    ) -> Handle:
        self.must(Flags in {1 | 0x100, 1 | 0x200})
        host, channel = self.reach("EvtQuery", Session, Path)
        made = self.make(
            "query", host=host, channel=channel, path=Path, what=predicate(Query),
            reverse=bool(Flags & 0x200),
        )  # fmt: skip
        made.cursor = 1 << 62 if made.reverse else 0
        channel.results.append(made)
        return made

    def EvtNext(
        self,
        ResultSet: Any,
        Count: int,
        Timeout: int = -1,
        Flags: int = 0,
    ) -> tuple[Handle, ...]:
        one = self.use(ResultSet, "subscription", "query")
        self.must(Count > 0 and Timeout >= 0 and Flags == 0)
        if one.spent:
            self.complain(f"{one.kind} used after it failed")
            raise error(6, "EvtNext", "")
        found = list(islice(self._behind(one), Count))
        code = self.hosts[one.host].down or self.trouble("EvtNext", one.host, one.path)
        one.asked += 1
        code = code or (1460 if one.kind == "query" and one.asked <= self.slow else 0)
        code = code or (15011 if one.stale else 0)
        code = code or (1734 if len(found) > self.hosts[one.host].bound else 0)
        if not code and not found and one.kind == "subscription" and self.harsh:
            code = 4317
        if code not in NOTHING and found:
            one.cursor = found[-1].number
        if code:
            one.spent = code not in NOTHING
            raise error(max(0, code), "EvtNext", "")
        return tuple(self.make("event", host=one.host, path=one.path, what=e) for e in found)

    def _behind(self, one: Handle) -> Iterator[Event]:
        assert one.channel is not None
        events = one.channel.events
        if one.reverse:
            end = bisect_left(events, one.cursor, key=attrgetter("number"))
            return (events[i] for i in reversed(range(end)) if one.what(events[i]))
        first = bisect_right(events, one.cursor, key=attrgetter("number"))
        return (events[i] for i in range(first, len(events)) if one.what(events[i]))

    def EvtRender(self, Event: Any, Flags: int, Context: Any = None) -> str:
        self.must(Context is None)
        one = self.use(Event, "event" if Flags == 1 else "bookmark")
        self.local("EvtRender", one.host, one.path)
        if Flags == 1:
            return str(one.what.xml)
        self.must(Flags == 2)
        return bookmark_xml(one.path, one.cursor)

    def EvtCreateBookmark(self, BookmarkXML: str | None = None) -> Handle:
        self.local("EvtCreateBookmark", "", "")
        made = self.make("bookmark")
        if BookmarkXML is not None:
            found = re.search(r"Channel='([^']+)' RecordId='(\d+)'", BookmarkXML)
            if found is None:
                made.closed = True
                raise error(87, "EvtCreateBookmark", "")
            made.path, made.cursor = found[1], int(found[2])
        return made

    def EvtUpdateBookmark(self, Bookmark: Any, Event: Any) -> None:
        mark, one = self.use(Bookmark, "bookmark"), self.use(Event, "event")
        self.local("EvtUpdateBookmark", one.host, one.path)
        mark.path, mark.cursor, mark.host = one.path, one.what.number, one.host

    def EvtOpenChannelConfig(
        self,
        ChannelPath: str,
        Session: Any = None,
        Flags: int = 0,
    ) -> Handle:
        host, channel = self.reach("EvtOpenChannelConfig", Session, ChannelPath)
        return self.make("config", host=host, what=channel)

    def EvtGetChannelConfigProperty(
        self,
        ChannelConfig: Any,
        PropertyId: int,
        Flags: int = 0,
    ) -> tuple[Any, int]:
        one = self.use(ChannelConfig, "config")
        found: tuple[Any, int] = {0: (one.what.enabled, 13), 10: (one.what.max_bytes, 10)}[
            PropertyId
        ]
        return found

    def EvtOpenLog(self, Path: str, Flags: int, Session: Any = None) -> Handle:
        self.must(Flags == 1)
        host, channel = self.reach("EvtOpenLog", Session, Path)
        return self.make("log", host=host, what=channel)

    def EvtGetLogInfo(self, Log: Any, PropertyId: int) -> tuple[Any, int]:
        one = self.use(Log, "log")
        self.must(PropertyId == 6)
        return (one.what.events[0].number if one.what.events else None), 10

    def EvtOpenPublisherMetadata(
        self, PublisherIdentity: str, Session: Any = None, LogFilePath: Any = None,
        Locale: int = 0, Flags: int = 0,
    ) -> Handle:  # fmt: skip
        host = "" if Session is None else self.use(Session, "session").host
        self.fail("EvtOpenPublisherMetadata", host)
        if PublisherIdentity not in self.hosts[host].messages:
            raise error(2, "EvtOpenPublisherMetadata", "")
        return self.make("metadata", host=host, what=PublisherIdentity)

    def EvtFormatMessage(
        self,
        Metadata: Any,
        Event: Any,
        Flags: int,
        ResourceId: int = 0,
    ) -> str:
        one, event = self.use(Metadata, "metadata"), self.use(Event, "event")
        self.must(Flags == 1 and event.host == one.host)
        said = self.hosts[one.host].messages[one.what]
        if not said:
            raise error(15028, "EvtFormatMessage", "")
        return said

    # --- win32event, win32cred --------------------------------------------------------------------

    def create_event(self, attributes: None, manual: int, initial: int, name: None, /) -> Handle:
        self.must((attributes, manual, initial, name) == (None, 1, 1, None))
        made = self.make("signal")
        made.event.set()
        return made

    def set_event(self, handle: Any, /) -> None:
        self.use(handle, "signal").event.set()

    def reset_event(self, handle: Any, /) -> None:
        self.use(handle, "signal").event.clear()

    def wait(self, handle: Any, milliseconds: int, /) -> int:
        one = self.use(handle, "signal")
        self.must(type(milliseconds) is int and milliseconds >= 0)
        return 0 if one.event.wait(min(milliseconds / 1000, self.longest)) else 258

    def cred_read(self, target: str, kind: int, flags: int = 0) -> dict[str, Any]:
        self.must(kind == 1 and flags == 0)
        if target not in self.credentials:
            raise error(1168, "CredRead", "")
        user, blob = self.credentials[target]
        return {"TargetName": target, "UserName": user, "CredentialBlob": blob}


def bookmark_xml(channel: str, number: int) -> str:
    return (
        "<BookmarkList>\r\n  "
        f"<Bookmark Channel='{channel}' RecordId='{number}' IsCurrent='true'/>\r\n</BookmarkList>"
    )


_QUERY = re.compile(r"\*\[System\[\((.+?)\)( and TimeCreated\[.*\])?\]\]")
_LATE = re.compile(r" and TimeCreated\[timediff\(@SystemTime\) <= (\d+)\]")
_WORDS = re.compile(r"EventRecordID|EventID|\d+|>=|<=|=|\(|\)|and|or| ")


def predicate(query: str | None) -> Callable[[Event], bool]:
    """The part of Windows' XPath that it knows; anything else is error 15001, as are more than
    twenty comparisons."""
    found = _QUERY.fullmatch(query or "")
    words = _WORDS.findall(found[1]) if found else []
    comparisons = sum(word in {"=", "<=", ">="} for word in words) + bool(found and found[2])
    if found is None or "".join(words) != found[1] or not 0 < comparisons <= 20:
        raise error(15001, "EvtQuery", "")
    late = _LATE.fullmatch(found[2] or "")
    if found[2] and late is None:
        raise error(15001, "EvtQuery", "")
    code = compile("".join({"=": "=="}.get(word, word) for word in words), "query", "eval")
    most = int(late[1]) if late else None

    def fits(event: Event) -> bool:
        known = {"EventID": id_of(event.xml), "EventRecordID": event.number}
        return bool(eval(code, {}, known)) and (most is None or event.age_ms <= most)

    return fits


@cache
def id_of(xml: str) -> int:
    found = re.search(r"<EventID[^>]*>(\d+)<", xml)
    assert found is not None
    return int(found[1])


@contextmanager
def installed(world: World, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """The doubles in the place of the modules; at the end all must be as it should be."""
    with patch.context() as inner:
        for name, module in world.modules().items():
            inner.setitem(sys.modules, name, module)
        yield world
    world.check()


def event(
    channel: str,
    number: int,
    event_id: int = 21,
    *,
    host: str = "rds-1",
    user: str = "alice",
    second: int | None = None,
    collected: int | None = None,
    age_ms: int = 0,
) -> Event:
    """An event as Windows renders it.  ``collected``: its number in a collector's log."""
    at = number if second is None else second
    time = f"2026-11-21T{8 + at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.1234567Z"
    provider = PROVIDERS.get(channel, "Microsoft-Windows-Security-Auditing")
    xml = (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='{provider}' Guid='{{5d896912-022d-40aa-a3a8-4fa5515c76d7}}'/>"
        f"<EventID>{event_id}</EventID><Version>0</Version><Level>4</Level><Task>0</Task>"
        "<Opcode>0</Opcode><Keywords>0x1000000000000000</Keywords>"
        f"<TimeCreated SystemTime='{time}'/><EventRecordID>{number}</EventRecordID>"
        "<Correlation/><Execution ProcessID='1020' ThreadID='3512'/>"
        f"<Channel>{channel}</Channel><Computer>{host}</Computer>"
        "<Security UserID='S-1-5-18'/></System><UserData><EventXML xmlns='Event_NS'>"
        f"<User>CORP\\{user}</User><SessionID>2</SessionID><Address>192.0.2.7</Address>"
        "</EventXML></UserData></Event>"
    )
    return Event(number if collected is None else collected, xml, age_ms)


PROVIDERS = {
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational": (
        "Microsoft-Windows-TerminalServices-LocalSessionManager"
    ),
    "System": "EventLog",
}


def fill(channel: Channel, events: Sequence[Event]) -> None:
    for one in events:
        channel.add(one)
