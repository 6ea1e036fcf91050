"""Bytes of a log → text."""

from __future__ import annotations

LINE_BYTES = 8192
"""A line is cut here: rsyslog's own limit, and longer ones are hostile."""


def trim(line: bytes) -> bytes:
    """Cut, without a byte order mark and without the NULs that a crash leaves at the beginning."""
    return line.lstrip(b"\0")[:LINE_BYTES].removeprefix(b"\xef\xbb\xbf").rstrip(b"\r")


def name(raw: bytes | None) -> str | None:
    return decode(raw) if raw else None


def decode(raw: bytes) -> str:
    """UTF-8; bytes that are none become ``\\xNN``, and so does NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode(errors="backslashreplace")
    return text.replace("\0", "\\x00") if "\0" in text else text
