"""journalctl's own output as a source: ``-o export`` and ``-o json``.

Both are read from any stream, one entry in memory at a time and only the fields that matter.
Damage costs the entry it is in: what cannot be understood is passed over to the next one.  Only
where the end itself is missing EOFError is raised, behind the last whole entry.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import tzinfo
from typing import BinaryIO

from usersessionmon.model import Record

from .entry import FIELDS, Refusal, Wanted, record_of

_LINE_BYTES = 64 * 1024  # kept of one text field; journald's own LineMax is 48 KiB
_JSON_BYTES = 4 * 1024 * 1024  # one JSON line; without --all each field is at most 4 KiB
_BINARY_BYTES = 768 * 1024 * 1024  # journald's own limit (DATA_SIZE_MAX)
_CHUNK = 1024 * 1024
_KNOWN = {name.encode(): name for name in FIELDS}
_LEAST = frozenset(("_UID", "MESSAGE"))
"""The end of a file ends an entry that has these, even without the blank line behind it."""
_NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

_Fields = dict[str, object]


def read_export(
    stream: BinaryIO,
    *,
    wanted: Wanted,
    zone: tzinfo,
    refused: Counter[Refusal] | None = None,
) -> Iterator[Record]:
    """The records of ``journalctl -o export`` (https://systemd.io/JOURNAL_EXPORT_FORMATS).

    Raises EOFError where the last entry has no end."""
    fields: _Fields = {}
    whole, begun, entries = True, False, 0
    while line := stream.readline(_LINE_BYTES):
        if line == b"\n":
            if whole:
                yield from _record(fields, wanted, zone, refused)
            entries += begun
            fields, whole, begun = {}, True, False
            continue
        begun = True
        name, equals, value = line.partition(b"=")
        if equals:
            ended = line.endswith(b"\n") or _skip_line(stream)
            _keep(fields, name, value.removesuffix(b"\n"))
            whole = whole and ended
        elif _is_name(line):
            whole = _binary(stream, line[:-1], fields) and whole
        elif not line.endswith(b"\n"):
            whole = _skip_line(stream) and whole
    if not begun:
        return
    if not whole or not fields.keys() >= _LEAST:
        # Where the file broke off, the field that shows a forgery may be what is missing.
        raise EOFError(f"entry {entries + 1}, its last one, has no end")
    yield from _record(fields, wanted, zone, refused)


def read_json(
    stream: BinaryIO,
    *,
    wanted: Wanted,
    zone: tzinfo,
    refused: Counter[Refusal] | None = None,
) -> Iterator[Record]:
    """The records of ``journalctl -o json`` (``json-seq``, ``json-sse``): one object a line.

    A number array is a field that is not text, ``null`` one that was too big to be printed, any
    other array a field that is there several times.  Raises EOFError where the last line has no
    end.
    """
    number = 0
    while line := stream.readline(_JSON_BYTES):
        number += 1
        if len(line) == _JSON_BYTES and not line.endswith(b"\n"):
            if not _skip_line(stream):
                raise EOFError(f"line {number}, its last one, has no end")
            continue
        try:
            entry = json.loads(line.lstrip(b"\x1e").removeprefix(b"data: "))
        except (ValueError, RecursionError) as error:
            if not line.endswith(b"\n"):
                raise EOFError(f"line {number}, its last one, has no end") from error
            continue
        if isinstance(entry, dict):
            fields = {name: _json_value(entry[name]) for name in entry.keys() & FIELDS}
            yield from _record(fields, wanted, zone, refused)


def _record(
    fields: _Fields, wanted: Wanted, zone: tzinfo, refused: Counter[Refusal] | None
) -> Iterator[Record]:
    if not fields:
        return
    stamp = fields.get("__REALTIME_TIMESTAMP")
    digits = stamp.decode("ascii", "replace") if isinstance(stamp, bytes) else str(stamp)
    known = len(digits) <= 20 and digits.isascii() and digits.isdigit()
    record = record_of(
        fields, realtime_us=int(digits) if known else -1, wanted=wanted, zone=zone, refused=refused
    )
    if record is not None:
        yield record


def _keep(fields: _Fields, name: bytes, value: bytes) -> None:
    known = _KNOWN.get(name)
    if known is None:
        return
    if known in fields:
        fields[known] = [fields[known], value]  # that it is repeated is all that matters
    else:
        fields[known] = value


def _is_name(line: bytes) -> bool:
    """A line that is nothing but a field's name announces a binary value."""
    return 2 <= len(line) <= 65 and line.endswith(b"\n") and _NAME.issuperset(line[:-1])


def _binary(stream: BinaryIO, name: bytes, fields: _Fields) -> bool:
    """Read a value that is preceded by its length; False when the entry is damaged."""
    head = stream.read(8)
    if len(head) < 8:
        return False
    length = int.from_bytes(head, "little")
    if length > _BINARY_BYTES:
        return False  # no length: go on with the lines
    value = stream.read(min(length, _LINE_BYTES))
    left = length - len(value)
    while left > 0:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            return False
        left -= len(chunk)
    _keep(fields, name, value)
    return stream.read(1) == b"\n"


def _skip_line(stream: BinaryIO) -> bool:
    """Pass over the rest of a line; False when the stream ended before it did."""
    while chunk := stream.readline(_CHUNK):
        if chunk.endswith(b"\n"):
            return True
    return False


def _json_value(value: object) -> object:
    if not isinstance(value, list):
        return value if isinstance(value, str) or type(value) is int else None
    if value and all(type(byte) is int and 0 <= byte <= 255 for byte in value):
        return bytes(value)
    # Whatever else stands in the array is never looked at: the field is there several times.
    return [text for text in value if isinstance(text, str)]
