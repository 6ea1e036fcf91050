"""Entries of the program's own log: which of them have a name of their own, and how they reach the
journal with their fields.

In the journal: ``journalctl -u user-session-monitor MESSAGE_ID=…`` (sd_journal_send(3), and
https://systemd.io/JOURNAL_NATIVE_PROTOCOL for the socket).
"""

from __future__ import annotations

import contextlib
import logging
import struct
from collections.abc import Mapping
from enum import StrEnum

from usersessionmon.system import host

IDENTIFIER = "user-session-monitor"
SOCKET = "/run/systemd/journal/socket"
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}
_LONGEST = 16_000
"""Bytes of one field: a datagram must hold them all."""


class Entry(StrEnum):
    """What an entry is about, whatever its words: the journal's ``MESSAGE_ID``."""

    STARTED = "ecc2a4b2a6c242c9b5c9cf08a13198cd"
    RELOADED = "153e47abed654353b440e4e29d7cb8c0"
    RELOAD_REFUSED = "3d548f9edf7d40f3b8219e493cb73913"
    LOG_NOTE = "bf855f77d39b47029f9157040597e39d"
    STATE_TROUBLE = "bee8080f398943d68d338354ca79fef0"
    STATE_WORKS = "3e78f22a9fff4947ace6ea97b91d3fde"
    STATE_DAMAGED = "b812d67fe1c842919e9d30849789364a"
    CHANNEL_HELD = "112168b89c0b42ba998ea32e8ee63c82"
    CHANNEL_FAILS = "027d9ac57fc240cda163ef573df72c52"
    CHANNEL_WORKS = "f345e79ba13c42a18eecdaf9032a7748"
    NOTICE_REFUSED = "0452ebdffad5466088525009d994f405"
    NOTICES_DROPPED = "d06eaf788efa45b6b3a83bc28de5a11a"
    EVENT = "48a3b1f1a1c54b0a9d7c6c2f0f5d3b6e"


def entry(kind: Entry, **fields: str | int | None) -> dict[str, object]:
    """For a logger's ``extra``: ``LOG.error(…, extra=entry(Entry.CHANNEL_HELD, channel=name))``
    gives the journal's entry the field ``USM_CHANNEL``.  What is None is left out."""
    given = {f"USM_{key.upper()}": str(value) for key, value in fields.items() if value is not None}
    return {"journal": {"MESSAGE_ID": kind.value, **given}}


class JournalHandler(logging.Handler):
    """Sends entries with their fields to journald; what it does not take goes to ``fallback``."""

    def __init__(self, fallback: logging.Handler, path: str = SOCKET) -> None:
        super().__init__()
        self._fallback = fallback
        self._path = path
        self._socket = host.datagrams()
        self._socket.setblocking(False)  # a journal that is stuck must not hold us

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(datagram(self._fields(record)), self._path)
        except OSError:
            self._fallback.handle(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        more: Mapping[str, str] = getattr(record, "journal", {})
        return {
            "MESSAGE": self.format(record),
            "PRIORITY": str(_PRIORITIES.get(record.levelno, 6)),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "USM_LOGGER": record.name,
            "CODE_FILE": record.filename,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
            **more,
        }


def datagram(fields: Mapping[str, str]) -> bytes:
    """Fields as the journal's socket takes them: a value with a line break has its length in
    front."""
    parts = []
    for name, text in fields.items():
        value = text.encode("utf-8", "backslashreplace")[:_LONGEST]
        key = name.encode("ascii")
        if b"\n" in value:
            parts.append(key + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(key + b"=" + value + b"\n")
    return b"".join(parts)
