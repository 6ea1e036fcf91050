"""One way to step through a journal, whatever python-systemd's version offers.

``journal`` opens the reader; here are only the steps.  No converter ever runs on a field: with the
default ones any local user can send a field that makes ``get_next()`` raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

ERRORS = (OSError, ValueError)
"""What python-systemd makes of libsystemd's errors (EINVAL becomes ValueError)."""

Stamp = tuple[int, int, str]
"""Microseconds since the epoch, microseconds since the boot, boot id (32 hex digits)."""

Terms = tuple[tuple[str, ...], ...]
"""Matches: an entry needs one of the terms, and of a term one of its alternatives."""

# The indexed fields that all who matter use: what they say is checked after reading.
_FACILITIES = ("SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10")  # auth, authpriv
_MESSAGE_IDS = (  # systemd's sd-messages.h
    "MESSAGE_ID=8d45620c1a4348dbb17410da57c60c66",  # logind: new session
    "MESSAGE_ID=3354939424b4456d9802ca8333ed424a",  # logind: session removed
    "MESSAGE_ID=98268866d1d54a499c4e98921d93bc40",  # logind: the system goes down
    "MESSAGE_ID=6bbd95ee977941e497c48be27c254128",  # the system is suspended
    "MESSAGE_ID=8811e6df2a8e40f58a94cea26f8ebf14",  # … and goes on
    "MESSAGE_ID=f77379a8490b408bbe5f6940505a777b",  # journald started
    "MESSAGE_ID=d93fb3c9c24d451a97cea615ce59c00b",  # journald stopped
    "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e",  # journald dropped lines of somebody
)
_SSHD = ("sshd", "sshd-session", "sshd-auth", "sshd.pam")


class Log(Protocol):
    """The steps; each raises one of ``ERRORS`` when the journal is damaged or gone."""

    reader: Any

    def advance(self) -> bool:
        """To the next entry; False when there is none now."""

    def retreat(self) -> bool:
        """To the entry before; False when there is none."""

    def program(self) -> str:
        """The entry's syslog tag, empty where it has none."""

    def fields(self) -> Mapping[str, object]:
        """All its fields, as ``entry.record_of`` takes them."""

    def stamp(self) -> Stamp: ...

    def cursor(self) -> str: ...


def words(error: Exception) -> str:
    """What went wrong, without Python's decoration."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def terms(extra_identifiers: Sequence[str]) -> Terms:
    """What a reader is to look for.

    ``extra_identifiers`` are tags of programs that log with a facility of their own.
    """
    tags = dict.fromkeys((*_SSHD, *extra_identifiers))
    return (_FACILITIES, _MESSAGE_IDS, tuple(f"SYSLOG_IDENTIFIER={tag}" for tag in tags))


def match(log: Log, wanted: Terms) -> None:
    """Filter by these terms from now on, by none when empty.  The place is lost: seek again."""
    log.reader.flush_matches()
    for index, alternatives in enumerate(wanted):
        if index:
            log.reader.add_disjunction()
        for alternative in alternatives:
            log.reader.add_match(alternative)


def wrap(reader: Any) -> Log:
    """The quick steps where this python-systemd has them, else the documented ones.

    Measured with 60,000 entries of 22 fields: 310,000 entries/s against 73,000.
    """
    if all(hasattr(reader, name) for name in ("_next", "_get", "_get_all", "_get_cursor")):
        return QuickLog(reader)
    return PlainLog(reader)


class QuickLog:
    """By python-systemd's unconverted primitives: one field is looked at before all are copied."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self._next = reader._next
        self._get = reader._get

    def advance(self) -> bool:
        return bool(self._next())

    def retreat(self) -> bool:
        return bool(self.reader._next(-1))

    def program(self) -> str:
        try:
            tag: bytes = self._get("SYSLOG_IDENTIFIER")
        except KeyError:
            return ""
        return tag.decode("utf-8", "backslashreplace")

    def fields(self) -> Mapping[str, object]:
        fields: dict[str, object] = self.reader._get_all()
        fields["__MONOTONIC_TIMESTAMP"] = self.reader._get_monotonic()[0]
        return fields

    def stamp(self) -> Stamp:
        mono_us, boot = self.reader._get_monotonic()
        return int(self.reader._get_realtime()), int(mono_us), _hex(boot)

    def cursor(self) -> str:
        return str(self.reader._get_cursor())


class PlainLog:
    """By the documented ``get_next`` alone, with converters that convert nothing."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        reader.converters = dict.fromkeys(reader.converters, unchanged)
        self._entry: dict[str, Any] = {}

    def advance(self) -> bool:
        self._entry = self.reader.get_next()
        return bool(self._entry)

    def retreat(self) -> bool:
        self._entry = self.reader.get_previous()
        return bool(self._entry)

    def program(self) -> str:
        tag = self._entry.get("SYSLOG_IDENTIFIER", "")
        if isinstance(tag, list):
            tag = tag[0]
        return tag.decode("utf-8", "backslashreplace") if isinstance(tag, bytes) else str(tag)

    def fields(self) -> Mapping[str, object]:
        return self._entry

    def stamp(self) -> Stamp:
        mono_us, boot = self._entry["__MONOTONIC_TIMESTAMP"]
        return int(self._entry["__REALTIME_TIMESTAMP"]), int(mono_us), _hex(boot)

    def cursor(self) -> str:
        return str(self._entry["__CURSOR"])


def _hex(boot: bytes) -> str:
    return boot.hex()


def unchanged(value: object) -> object:
    """A converter that converts nothing."""
    return value
