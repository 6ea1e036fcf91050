"""The program's own log in the journal: fields and ids, and what happens when nobody takes it."""

from __future__ import annotations

import io
import logging
import socket
import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.entries import Entry, JournalHandler, datagram, entry


def parsed(data: bytes) -> dict[str, bytes]:
    """As the protocol's page describes it."""
    fields = {}
    while data:
        head, _, data = data.partition(b"\n")
        if b"=" in head:
            name, _, value = head.partition(b"=")
        else:
            (length,) = struct.unpack("<Q", data[:8])
            name, value, data = head, data[8 : 8 + length], data[9 + length :]
        fields[name.decode()] = value
    return fields


@given(text=st.text(max_size=300))
def test_any_text_is_one_field(text: str) -> None:
    fields = parsed(datagram({"MESSAGE": text, "PRIORITY": "6"}))
    assert fields == {"MESSAGE": text.encode("utf-8", "backslashreplace"), "PRIORITY": b"6"}


def logger_to(path: Path, fallback: io.StringIO) -> logging.Logger:
    handler = JournalHandler(logging.StreamHandler(fallback), str(path))
    logger = logging.getLogger(f"test.{path}")
    logger.handlers[:] = [handler]
    logger.propagate = False
    return logger


def test_an_entry_arrives_with_its_id_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(5)
        logger = logger_to(path, io.StringIO())
        logger.error(
            "delivery to %s: HELD\nfor ever", "ops",
            extra=entry(Entry.CHANNEL_HELD, channel="ops", said=None),
        )  # fmt: skip
        fields = parsed(journal.recv(65536))
        logger.handlers[0].close()
    assert fields["MESSAGE"] == b"delivery to ops: HELD\nfor ever"
    assert fields["MESSAGE_ID"] == Entry.CHANNEL_HELD.encode()
    assert fields["PRIORITY"] == b"3" and fields["USM_CHANNEL"] == b"ops"
    assert fields["SYSLOG_IDENTIFIER"] == b"user-session-monitor"
    assert "USM_SAID" not in fields


def test_what_the_journal_does_not_take_is_not_lost(tmp_path: Path) -> None:
    stream = io.StringIO()
    logger = logger_to(tmp_path / "nobody", stream)
    logger.warning("still told")
    logger.handlers[0].close()
    assert stream.getvalue() == "still told\n"


def test_ids_are_different() -> None:
    assert len({kind.value for kind in Entry}) == len(Entry)
    assert all(len(kind) == 32 and int(kind, 16) for kind in Entry)
