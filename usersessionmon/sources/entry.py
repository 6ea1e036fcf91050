"""A journal entry → ``Record``: what can be decided from the entry alone.

Shared by the live journal, journal files and journalctl's ``export`` and ``json`` output, so that
the same entry always gives the same record.  Names with ``_`` in front are journald's own and no
sender can write them (systemd.journal-fields(7)); all others are the sender's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from usersessionmon.model import Moment, Record, Trusted

MESSAGE_BYTES = 4096
"""A message is cut here: no line that matters is longer, and a hostile one may be megabytes."""
_FIELD_BYTES = 512
_LAST_US = 253_402_200_000_000_000  # a day before the year 10000, which no datetime can hold

_TRANSPORTS = frozenset({"syslog", "journal", "stdout", "driver"})
_SENDER_FIELDS = (
    "SESSION_ID",
    "USER_ID",
    "LEADER",
    "CLASS",
    "TYPE",
    "SHUTDOWN",
    "MESSAGE_ID",
    "N_DROPPED",
)
_ORIGIN_FIELDS = (
    "_TRANSPORT",
    "_UID",
    "_EXE",
    "_COMM",
    "_SYSTEMD_UNIT",
    "_AUDIT_SESSION",
    "_HOSTNAME",
    "_BOOT_ID",
    "_MACHINE_ID",
)
_OWN_FIELDS = ("SYSLOG_IDENTIFIER", "MESSAGE", "_PID")
_TIMES = ("__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP")
FIELDS = frozenset((*_ORIGIN_FIELDS, *_OWN_FIELDS, *_SENDER_FIELDS, *_TIMES))
"""All that ``record_of`` looks at; readers may leave out every other field."""

Wanted = Callable[[str], bool]
"""True for the programs (syslog tags) that some rule is about."""


class Refusal(StrEnum):
    """Why an entry of a wanted program was not taken."""

    REPEATED = "repeated"  # a field that must be single is there more than once
    TRANSPORT = "transport"  # came by a way that none of the real senders uses
    MACHINE = "machine"  # another machine's
    MESSAGE = "message"  # no message, or one too big for the export
    TIME = "time"  # no time, or an impossible one
    UNREADABLE = "unreadable"  # damaged on the disk


def record_of(
    fields: Mapping[str, object],
    *,
    realtime_us: int,
    wanted: Wanted,
    zone: tzinfo,
    machine_id: str | None = None,
    refused: Counter[Refusal] | None = None,
) -> Record | None:
    """The entry as a record, or None when its program does not matter or it must not be believed.

    ``fields`` maps names to ``bytes``, ``str`` or ``int``, or to a list of these where the entry
    has the field more than once.  ``realtime_us`` is the entry's ``__REALTIME_TIMESTAMP``.
    ``machine_id`` (32 hex digits): take only this machine's.  ``refused`` counts what was wanted
    and not taken.  Never raises for what an entry holds.
    """
    identifier = fields.get("SYSLOG_IDENTIFIER")
    if identifier is None:
        return None
    if isinstance(identifier, list):
        if refused is not None and any(wanted(text_of(value)) for value in identifier):
            refused[Refusal.REPEATED] += 1
        return None
    program = text_of(identifier, _FIELD_BYTES)
    if not wanted(program):
        return None
    return _record(fields, program, realtime_us, zone, machine_id, refused)


class _Origin(NamedTuple):
    """Where an entry comes from, by journald's own fields: the same for many entries."""

    trusted: Trusted | None
    host: str | None
    boot: str | None
    machine: str | None
    kernel: bool
    refusal: Refusal | None


def _record(
    fields: Mapping[str, object],
    program: str,
    realtime_us: int,
    zone: tzinfo,
    machine_id: str | None,
    refused: Counter[Refusal] | None,
) -> Record | None:
    message, pid = fields.get("MESSAGE"), fields.get("_PID")
    origin = _origin(tuple(map(fields.get, _ORIGIN_FIELDS)))
    refusal = origin.refusal or _refusal(origin, message, pid, machine_id)
    time = moment_of(realtime_us, zone)
    if refusal is not None or time is None:
        if refused is not None:
            refused[refusal or Refusal.TIME] += 1
        return None
    return Record(
        time,
        origin.host,
        program,
        _number(pid),
        _message(message),
        origin.boot,
        _monotonic(fields.get("__MONOTONIC_TIMESTAMP")),
        False,
        origin.trusted,
        _sender_fields(fields) if "SESSION_ID" in fields or "MESSAGE_ID" in fields else None,
    )


def _refusal(
    origin: _Origin, message: object, pid: object, machine_id: str | None
) -> Refusal | None:
    if message is None:
        return Refusal.MESSAGE
    if isinstance(message, list) or isinstance(pid, list):
        return Refusal.REPEATED
    if machine_id is not None and origin.machine != machine_id:
        return Refusal.MACHINE
    # The kernel's ring is open to every root process, and only its first line matters.
    if origin.kernel and not text_of(message, 16).startswith("Linux version"):
        return Refusal.TRANSPORT
    return None


def _origin(values: tuple[object, ...]) -> _Origin:
    """The origin behind the values of ``_ORIGIN_FIELDS``."""
    try:
        return _usual_origin(values)
    except TypeError:  # a list has no hash
        return _Origin(None, None, None, None, False, Refusal.REPEATED)
    except _UnusualError:
        return _read_origin(values)


class _UnusualError(Exception):
    """Raised so that nothing big is remembered."""


@lru_cache(maxsize=512)
def _usual_origin(values: tuple[object, ...]) -> _Origin:
    if any(isinstance(value, bytes | str) and len(value) > _FIELD_BYTES for value in values):
        raise _UnusualError
    return _read_origin(values)


def _read_origin(values: tuple[object, ...]) -> _Origin:
    """Reads what journald vouches for.

    It writes ``_TRANSPORT`` and ``_UID`` into every entry of a process; where both are missing
    somebody exported chosen fields (``journalctl --output-fields=…``), which proves no more than
    text does.
    """
    transport, uid, exe, comm, unit, audit, host, boot, machine = (
        None if value is None else text_of(value) for value in values
    )
    trusted, believable = None, uid is None
    if transport is not None:
        trusted = Trusted(transport, _number(uid), exe, comm, unit, audit)
        believable = transport in _TRANSPORTS or transport == "kernel"
    refusal = None if believable else Refusal.TRANSPORT
    return _Origin(trusted, host, boot, machine, transport == "kernel", refusal)


def _sender_fields(fields: Mapping[str, object]) -> dict[str, str] | None:
    found = {}
    for name in _SENDER_FIELDS:
        if name in fields:
            text = _text(fields, name)
            if text is not None:
                found[name] = text
    return found or None


def _text(fields: Mapping[str, object], name: str) -> str | None:
    """A single field as text; None where it is missing or there more than once."""
    value = fields.get(name)
    if value is None or isinstance(value, list):
        return None
    return text_of(value, _FIELD_BYTES)


def text_of(value: object, limit: int = _FIELD_BYTES) -> str:
    """A field's value as text that can always be written as UTF-8, cut at ``limit`` bytes."""
    if isinstance(value, bytes):
        raw = value
    else:
        text = str(value)
        if len(text) <= limit and text.isascii():
            return text
        raw = text[:limit].encode("utf-8", "backslashreplace")
    return raw[:limit].decode("utf-8", "backslashreplace")


def _message(value: object) -> str:
    """A message of several lines is judged as the one text that it is: its line feeds escaped."""
    text = text_of(value, MESSAGE_BYTES)
    return text.rstrip("\n").replace("\n", "\\n") if "\n" in text else text


def _number(value: object) -> int | None:
    """A whole number that SQLite can hold, else None."""
    if isinstance(value, int):
        number = value
    elif value is None or isinstance(value, list):
        return None
    else:
        digits = text_of(value, 24)
        number = int(digits) if digits.isascii() and digits.isdigit() else -1
    return number if 0 <= number < 2**63 else None


def _monotonic(value: object) -> int | None:
    """python-systemd gives a pair (microseconds, boot), journalctl the number's digits."""
    return _number(value[0] if isinstance(value, tuple) and value else value)


def moment_of(us: int, zone: tzinfo) -> Moment | None:
    """Microseconds since the epoch as a ``Moment`` in ``zone``; None for what no clock shows."""
    if not 0 <= us <= _LAST_US:
        return None
    second, fraction = divmod(us, 1_000_000)
    before, offset = _second(second, zone)
    return Moment(us, f"{before}.{fraction:06d}{offset}")


@lru_cache(maxsize=64)
def _second(second: int, zone: tzinfo) -> tuple[str, str]:
    """``2026-11-21T08:15:30`` and ``+08:00``: neighbours in a log mostly share their second."""
    text = datetime.fromtimestamp(second, zone).isoformat()
    return text[:19], text[19:]
