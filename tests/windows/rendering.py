"""Events as XML, as the renderers write them, and where the real logs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from usersessionmon.windows.channels import LSM, SECURITY

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "windows"
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
NO_SAMPLES = "the folder with samples of Windows event logs is not here"


def event(
    number: int = 4625,
    channel: str = SECURITY,
    data: Sequence[tuple[str | None, str]] | Mapping[str, str] = (),
    *,
    record_id: int = 7,
    time: str = "2026-11-21T08:15:30.1234567Z",
    computer: str = "rds-1.example.org",
    provider: str = "Microsoft-Windows-Security-Auditing",
    qualifiers: int | None = None,
    after: str = "",
    front: str = "",
) -> str:
    """As ``EvtRender`` writes it: one line, single quotes.  Values are escaped; ``front`` is markup
    at the beginning of ``System``, ``after`` behind the data."""
    more = "" if qualifiers is None else f" Qualifiers='{qualifiers}'"
    pairs = data.items() if isinstance(data, Mapping) else data
    return (
        f"<Event xmlns='{NAMESPACE}'><System>{front}<Provider Name='{provider}' Guid='{{5d89}}'/>"
        f"<EventID{more}>{number}</EventID><Version>2</Version><Level>0</Level><Task>12546</Task>"
        f"<TimeCreated SystemTime='{time}'/><EventRecordID>{record_id}</EventRecordID>"
        "<Correlation ActivityID='{a-b}'/><Execution ProcessID='704' ThreadID='3632'/>"
        f"<Channel>{channel}</Channel><Computer>{escape(computer)}</Computer><Security/></System>"
        f"<EventData>{''.join(_data(name, value) for name, value in pairs)}</EventData>"
        f"{after}</Event>"
    )


def lsm(number: int, fields: Mapping[str, str], record_id: int = 7, computer: str = "rds-1") -> str:
    """An event with ``UserData``, in a namespace of its own."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    user = f"<UserData><EventXML xmlns='Event_NS'>{inner}</EventXML></UserData>"
    return event(number, LSM, record_id=record_id, computer=computer).replace(
        "<EventData></EventData>", user
    )


def indented(xml: str) -> str:
    """The same as the ``evtx`` package writes it: a declaration, double quotes, blanks in what is
    empty."""
    lines = xml.replace("'", '"').replace("><", ">\n  <").replace("/>", ">\n    </_>")
    parts: list[str] = []
    name = ""
    for line in lines.split("\n"):
        opening = line.strip()
        if opening.startswith("</_>"):
            line = line.replace("</_>", f"</{name}>")
        elif opening.startswith("<") and not opening.startswith("</"):
            name = opening[1:].split(" ")[0].split(">")[0]
        parts.append(line)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + "\n".join(parts)


def _data(name: str | None, value: str) -> str:
    named = "" if name is None else f" Name='{name}'"
    return f"<Data{named}>{escape(value)}</Data>"
