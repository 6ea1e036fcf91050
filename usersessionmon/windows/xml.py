"""One rendered event (``<Event>…</Event>``) to what the program needs of it.

The same text comes from a live log (``EvtRender``), from the ``evtx`` package, from ``wevtutil``
and from ``Get-WinEvent … | % ToXml()``; they differ in quotes, blanks, digits of the time and in
what they write for nothing.  Pure, and it never raises for what a record holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple
from xml.etree import ElementTree as ET

from usersessionmon.model import Moment, Record, Trusted, WindowsEvent

from .channels import OPENSSH, PROVIDERS, SHORT, SYSTEM, WANTED

LONGEST = 256 * 1024
"""Characters of one record.  Windows' own hold 64 KiB at most, before they are rendered."""
_VALUE_MOST = 8 * 1024
_FIELDS_MOST = 100
_NAME_MOST = 255
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_FRONT = re.compile(r"\ufeff?\s*(?:<\?xml[^<>]*\?>\s*)?<Event(?:\s[^<>]*)?>\s*<System>")
_DECLARATION = re.compile(r"\ufeff?\s*<\?xml[^<>]*\?>")
_ELEMENT = re.compile(r"<(EventID|EventRecordID|Channel|Computer)([^<>]*)>([^<]*)<")
_ELEMENTS = 4
_QUALIFIERS = re.compile(r"""| Qualifiers=["'][0-9]{0,10}["']""")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_WHOLE = re.compile(r"[0-9]{1,20}")
_ZERO = re.compile(r"0x0+")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?"
    r"(?:Z|[+-]00:?00)?"
)
_SYSTEM = re.compile(r"S-1-5-18|S-1-5-21(?:-[0-9]{1,10}){3}-500")
"""The system's account and the built-in Administrator: on Linux both would be root."""
_SOMEBODY = 65_534
_PROGRAM = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Unread(Enum):
    """Why a record gave nothing."""

    UNWANTED = "unwanted"  # its event tells of nobody
    DAMAGED = "damaged"  # no event, or without what every event has


class Glance(NamedTuple):
    """What a first pass needs of a record."""

    channel: str
    id: int
    record_id: int
    computer: str


class Rendered(NamedTuple):
    """One event that matters, before it is known whose log it is in."""

    channel: str
    provider: str
    id: int
    version: int
    record_id: int
    time: Moment
    computer: str
    pid: int | None
    sid: str
    """The account that wrote the record, as Windows itself adds it; empty: it is not said."""
    fields: dict[str, str]


def record_of(xml: str, origin: str, beside: frozenset[str]) -> Record | None:
    """The record of one rendered event; None when it does not matter or cannot be understood."""
    event = read(xml)
    return None if isinstance(event, Unread) else record(event, origin, beside)


def glance(xml: str) -> Glance | Unread:
    """Which record it is, mostly without parsing it."""
    seen = _quick(xml)
    if seen is not None:
        return seen
    root = _parsed(xml)
    system = {} if root is None else _system(root)
    number, record_id = _whole(_text(system, "EventID")), _whole(_text(system, "EventRecordID"))
    if number is None or record_id is None:
        return Unread.DAMAGED
    return Glance(_text(system, "Channel"), number, record_id, _text(system, "Computer"))


def read(xml: str, channel: str | None = None) -> Rendered | Unread:
    """One rendered event, if it is one of those that matter (of this channel)."""
    seen = _quick(xml)
    if seen is not None and not _wanted(seen.channel, seen.id):
        return Unread.UNWANTED
    if seen is not None and channel not in {None, seen.channel}:
        return Unread.UNWANTED
    root = _parsed(xml)
    event = Unread.DAMAGED if root is None else _rendered(root)
    if isinstance(event, Rendered) and channel not in {None, event.channel}:
        return Unread.UNWANTED
    return event


def record(event: Rendered, origin: str, beside: frozenset[str]) -> Record | None:
    """What travels on.  sshd's own lines are what they are on Linux: text for the rules."""
    host = event.computer or None
    if event.channel == OPENSSH:
        program, text = _line(event.fields)
        found = Record(event.time, host, program, event.pid, text, trusted=_writer(event.sid))
        return found if text else None
    windows = WindowsEvent(
        event.channel,
        event.provider,
        event.id,
        event.version,
        event.record_id,
        event.fields,
        origin,
        beside,
    )
    return Record(event.time, host, SHORT[event.channel], event.pid, "", windows=windows)


def _writer(sid: str) -> Trusted | None:
    """Everybody on a host may write to sshd's channel.  sshd itself runs as the system; in older
    versions the part behind the login wrote as its user."""
    if not sid:
        return None
    return Trusted("eventlog", 0 if _SYSTEM.fullmatch(sid) else _SOMEBODY, sid=sid)


def _line(fields: dict[str, str]) -> tuple[str, str]:
    """(program, line) of a record that sshd wrote."""
    process = fields.get("process", "")
    program = process if _PROGRAM.fullmatch(process) else "sshd"
    text = fields.get("payload", "").removeprefix(f"{program}: ").removeprefix("sshd: ")
    return program, text.replace("\n", "\\n")


def _wanted(channel: str, number: int) -> bool:
    return number in WANTED.get(channel, ())


def _quick(xml: str) -> Glance | None:
    """By the text alone; None where that leaves any doubt.

    A ``<`` that is not markup can stand in a comment, a CDATA section or a processing instruction
    only.  So where ``System`` comes first and holds none of these, what looks like its elements
    are its elements; each must be there once, for one may lie within another.
    """
    front = _FRONT.match(xml)
    end = xml.find("</System>", 0, LONGEST)
    if front is None or end < 0:
        return None
    head = xml[front.end() : end]
    if "<!" in head or "<?" in head:
        return None
    found = _ELEMENT.findall(head)
    if len(found) != _ELEMENTS:
        return None
    values = {name: text for name, attributes, text in found if _QUALIFIERS.fullmatch(attributes)}
    number, record_id = _whole(values.get("EventID", "")), _whole(values.get("EventRecordID", ""))
    if len(values) != _ELEMENTS or number is None or record_id is None:
        return None
    channel, computer = values["Channel"].strip(), _cut(values["Computer"])
    return (
        None if "&" in channel or "&" in computer else Glance(channel, number, record_id, computer)
    )


def _parsed(xml: str) -> ET.Element | None:
    """The element; None when it is none, too long, or would define entities of its own."""
    if len(xml) > LONGEST or "<!DOCTYPE" in xml:
        return None
    declaration = _DECLARATION.match(xml)
    text = _ILLEGAL.sub("\ufffd", xml[declaration.end() :] if declaration else xml).strip("\ufeff")
    try:
        return ET.fromstring(text)  # noqa: S314 - there is no DTD, and its size is bounded
    except ET.ParseError:
        pass
    try:  # Windows refers to control characters as if XML allowed them
        return ET.fromstring(_REFERENCE.sub(_legal, text))  # noqa: S314 - as above
    except ET.ParseError:
        return None


def _legal(reference: re.Match[str]) -> str:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    if number > 0x10FFFF or _ILLEGAL.match(chr(number)):
        return "\ufffd"
    return reference[0]


def _rendered(root: ET.Element) -> Rendered | Unread:
    system = _system(root)
    channel, number = _text(system, "Channel"), _whole(_text(system, "EventID"))
    record_id = _whole(_text(system, "EventRecordID"))
    time = _moment(_attribute(system, "TimeCreated", "SystemTime"))
    if number is None or record_id is None or time is None:
        return Unread.DAMAGED
    provider = _attribute(system, "Provider", "Name")
    if not _wanted(channel, number) or (channel == SYSTEM and not _is_provider(provider, number)):
        return Unread.UNWANTED
    return Rendered(
        channel=channel,
        provider=provider,
        id=number,
        version=_whole(_text(system, "Version")) or 0,
        record_id=record_id,
        time=time,
        computer=_text(system, "Computer"),
        pid=_whole(_attribute(system, "Execution", "ProcessID")),
        sid=_attribute(system, "Security", "UserID"),
        fields=_fields(root),
    )


def _is_provider(provider: str, number: int) -> bool:
    return provider.casefold() == PROVIDERS.get(number, provider).casefold()


def _system(root: ET.Element) -> dict[str, ET.Element]:
    if _local(root) != "Event":
        return {}
    first: dict[str, ET.Element] = {}
    for child in next((child for child in root if _local(child) == "System"), ()):
        first.setdefault(_local(child), child)
    return first


def _fields(root: ET.Element) -> dict[str, str]:
    """What the event says; the first of a name counts."""
    fields: dict[str, str] = {}
    for name, text in _values(root):
        value = text.strip()
        if value and value != "-" and not (value[:3] == "0x0" and _ZERO.fullmatch(value)):
            fields.setdefault(name[:_NAME_MOST], value[:_VALUE_MOST])
            if len(fields) == _FIELDS_MOST:
                break
    return fields


def _values(root: ET.Element) -> Iterator[tuple[str, str]]:
    for part in root:
        name = _local(part)
        if name == "EventData":
            data = [child for child in part if _local(child) == "Data"]
            for position, child in enumerate(data, start=1):
                yield child.get("Name") or str(position), child.text or ""
        elif name == "UserData":  # one element, whose children are the fields
            for child in next(iter(part), ()):
                yield _local(child), child.text or ""


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(system: dict[str, ET.Element], name: str) -> str:
    element = system.get(name)
    return "" if element is None else _cut(element.text or "")


def _attribute(system: dict[str, ET.Element], name: str, attribute: str) -> str:
    element = system.get(name)
    return "" if element is None else _cut(element.get(attribute, ""))


def _cut(text: str) -> str:
    return text.strip()[:_NAME_MOST]


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if _WHOLE.fullmatch(text) else None


def _moment(text: str) -> Moment | None:
    """``SystemTime`` is UTC, whoever renders it; its digits (6, 7 or 9) are kept."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    date, clock, fraction = found[1], found[2], found[3] or ""
    try:
        whole = datetime.fromisoformat(f"{date}T{clock}+00:00")
    except ValueError:
        return None
    part = int(fraction[1:7].ljust(6, "0")) if fraction else 0
    return Moment((whole - _EPOCH) // _MICROSECOND + part, f"{date}T{clock}{fraction}Z")
