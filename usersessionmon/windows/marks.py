"""How far each channel of each server was read, and the text that this is saved as."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from .channels import SHORT
from .settings import channel_of

MOST_SERVERS = 256
"""Whose places are kept although the configuration does not name them now."""
MOST_COMPUTERS = 2048
"""Of one collector, …"""
MOST_NAMES = 128 * 1024
"""… and characters of their names: the text is written again and again."""
_RECORD = re.compile(r"RecordId\s*=\s*['\"](\d{1,19})['\"]")
_TIME = re.compile(r"<TimeCreated SystemTime=['\"]([^'\"]{1,40})['\"]")
_HEAD = 4000
"""Characters of an event within which its ``System`` part says when it was."""


class Mark(NamedTuple):
    """A place in a channel."""

    bookmark: str = ""
    """As Windows wrote it; empty: before the oldest event."""
    record_id: int = 0
    """Of the event that was read last.  Of forwarded ones the collector's number."""
    at: str = ""
    """That event's time as it stands there: numbers may begin anew."""


Learned = Mapping[str, frozenset[str]]
"""What each computer forwards: channels by computer."""


def mark_of(bookmark: str, xml: str) -> Mark:
    found = _RECORD.search(bookmark)
    return Mark(bookmark, int(found[1]) if found else 0, time_of(xml))


def time_of(xml: str) -> str:
    """``SystemTime`` of an event; empty: it has none."""
    found = _TIME.search(xml, 0, _HEAD)
    return found[1] if found else ""


class Position:
    """All places, and what is known of who forwards what."""

    def __init__(self, text: str | None, servers: Collection[str]) -> None:
        """``text`` as it was saved; what cannot be understood of it is as if it were not there.
        ``servers`` are read now; some others are kept, for they may come back."""
        saved = _loaded(text)
        kept = [name for name in saved if name not in servers][
            : max(0, MOST_SERVERS - len(servers))
        ]
        self._places = {name: _place(saved.get(name)) for name in (*servers, *kept)}
        self._texts: dict[str, str] = {}

    def marks(self, server: str) -> dict[str, Mark]:
        """By channel."""
        return dict(self._places[server].marks)

    def learned(self, server: str) -> Learned:
        return dict(self._places[server].learned)

    def move(self, server: str, channel: str, mark: Mark) -> None:
        self._places[server].marks[channel] = mark
        self._texts.pop(server, None)

    def learn(self, server: str, computer: str, channels: frozenset[str]) -> None:
        learned = self._places[server].learned
        before = learned.pop(computer, None)
        learned[computer] = channels  # it is the latest now
        if before == channels:
            return
        while len(learned) > MOST_COMPUTERS or sum(map(len, learned)) > MOST_NAMES:
            del learned[next(iter(learned))]
        self._texts.pop(server, None)

    def text(self) -> str:
        for server, place in self._places.items():
            if server not in self._texts:
                self._texts[server] = f"{_dumped(server)}:{_dumped(place.plain())}"
        return f"{{{','.join(self._texts[server] for server in self._places)}}}"


class _Place(NamedTuple):
    """Of one server."""

    marks: dict[str, Mark]
    learned: dict[str, frozenset[str]]

    def plain(self) -> dict[str, object]:
        found: dict[str, object] = {"marks": self.marks}
        if self.learned:
            found["learned"] = {
                name: sorted(SHORT[one] for one in known) for name, known in self.learned.items()
            }
        return found


def _place(fields: Any) -> _Place:
    marks: dict[str, Mark] = {}
    learned: dict[str, frozenset[str]] = {}
    try:
        for channel, (bookmark, record_id, at) in fields["marks"].items():
            marks[channel] = Mark(str(bookmark), int(record_id), str(at))
        for computer, channels in fields.get("learned", {}).items():
            known = (channel_of(one) for one in channels)
            learned[computer.casefold()] = frozenset(one for one in known if one is not None)
    except (ValueError, TypeError, KeyError, AttributeError):
        return _Place({}, {})
    return _Place(marks, learned)


def _loaded(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
