"""Headers that are not ``time host tag: text``: RFC 5424, old macOS, daemons' own files."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from .stamp import Stamp, read_stamp
from .tag import Head, clean_text

# `-` or `[id name="value" …][…]`, anything in the quotes; linear, as each letter leaves one way.
# No possessive group: the one of Python 3.11.2 (Debian 12) matches too much when it backtracks.
_QUOTED = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_DATA = rb'(?:-|(?:\[[^"\]]*(?:' + _QUOTED + rb'[^"\]]*)*\])+)'
_RFC5424 = re.compile(
    rb"1 (\S{1,40}) (\S{1,255}) (\S{1,255}) (\S{1,128}) \S{1,64} " + _DATA + rb"(?: |\Z)",
    re.DOTALL,
)
_PRIORITY = re.compile(rb"<\d{1,3}>")
_APPLE = re.compile(
    rb"\[Time (\d{4})\.(\d\d)\.(\d\d) (\d\d:\d\d:\d\d) (UTC|[+-]\d{4})\] "
    rb"(?:\[Facility [^\]]{0,64}\] )?\[Sender ([^\]]{1,255})\] \[PID (\d{1,10})\] \[Message "
)
_APPLE_TAIL = re.compile(
    rb"\](?: \[(?:Level|UID|GID) -?\d{1,10}\]){0,3}(?: \[Host ([^\]\s]{1,255})\])?\s*"
)
_APPLE_TAIL_BYTES = 400
_XRDP = re.compile(rb"\[(\d{4})(\d\d)(\d\d)-(\d\d:\d\d:\d\d)\] (?=\[[A-Z]+ *\] )")
_VSFTPD = re.compile(rb" \[pid (\d{1,10})\] ")
_SUDO = re.compile(rb"(?: (\d{4}))? : (?=\S{1,256} : )")
_OPENWRT_CLOCK = re.compile(rb" \[(\d{9,11})\.(\d{1,9})\](?= )")


class Form(NamedTuple):
    """A header that was understood."""

    stamp: Stamp
    head: Head


def skip_priority(line: bytes) -> bytes:
    """The line without ``<38>`` in front."""
    found = _PRIORITY.match(line) if line.startswith(b"<") else None
    return line[found.end() :] if found else line


class Syslog(NamedTuple):
    """A line of RFC 5424: its time as it is written, and the rest."""

    time: bytes
    head: Head


def rfc5424(line: bytes) -> Syslog | None:
    """``1 TIME HOST APP PROCID MSGID DATA TEXT``, the priority taken off already."""
    found = _RFC5424.match(line)
    if found is None:
        return None
    time, host, app, procid = found.groups()
    text = line[found.end() :].removeprefix(b"\xef\xbb\xbf")
    pid = int(procid) if procid.isdigit() and len(procid) <= 10 else None
    program = None if app == b"-" else app
    return Syslog(time, Head(None if host == b"-" else host, program, pid, clean_text(text)))


def rfc5424_stamp(time: bytes) -> Stamp | None:
    """None: the time is not one of RFC 5424."""
    stamp = read_stamp(time)
    return stamp if stamp and stamp.end == len(time) and stamp.year is not None else None


def docker(line: bytes) -> bytes | None:
    """``{"log":"text\\n","stream":"stdout","time":"2026-11-21T08:15:30.123456789Z"}`` as a line
    of text with that time in front."""
    if not line.startswith(b'{"log":"'):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text, written = entry.get("log"), entry.get("time")
    if not isinstance(text, str) or not isinstance(written, str):
        return None
    time = written.encode("utf-8", "backslashreplace")
    if rfc5424_stamp(time) is None:
        return None
    one_line = text.rstrip("\r\n").replace("\n", "\\n")
    return time + b" " + one_line.encode("utf-8", "backslashreplace")


def apple(line: bytes) -> Form | None:
    """``[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 483] [Message …] …``"""
    found = _APPLE.match(line)
    if found is None:
        return None
    year, month, day, clock, zone, sender, pid = found.groups()
    offset = b"Z" if zone == b"UTC" else zone
    stamp = read_stamp(b"%s-%s-%sT%s%s" % (year, month, day, clock, offset))
    if stamp is None:
        return None
    host, text = None, line[found.end() :]
    at = text.rfind(b"] [Level ", max(0, len(text) - _APPLE_TAIL_BYTES))
    tail = _APPLE_TAIL.fullmatch(text, at if at >= 0 else max(0, len(text.rstrip()) - 1))
    if tail is not None:
        host, text = tail[1], text[: tail.start()]
    return Form(stamp, Head(host, sender, int(pid), clean_text(text)))


def xrdp(line: bytes) -> Form | None:
    """xrdp-sesman's own file: ``[20261121-08:15:30] [INFO ] text``."""
    found = _XRDP.match(line)
    if found is None:
        return None
    stamp = read_stamp(b"%s-%s-%sT%s" % found.groups())
    return Form(stamp, Head(None, b"xrdp-sesman", None, line[found.end() :])) if stamp else None


def vsftpd(rest: bytes) -> Head | None:
    """vsftpd's own file, behind its time: `` [pid 4711] [alice] OK LOGIN: …``."""
    found = _VSFTPD.match(rest)
    return Head(None, b"vsftpd", int(found[1]), rest[found.end() :]) if found else None


def sudo(stamp: Stamp, rest: bytes) -> Form | None:
    """sudo's own file, behind its time: `` 2026 : alice : TTY=…``, the year only when wished."""
    found = _SUDO.match(rest)
    if found is None or stamp.year is not None:
        return None
    year = int(found[1]) if found[1] else None
    return Form(stamp._replace(year=year), Head(None, b"sudo", None, rest[found.end() :]))


def openwrt_clock(rest: bytes) -> tuple[int, str, int] | None:
    """What ``logread -t`` adds behind the time: seconds, fraction, and where it ends."""
    found = _OPENWRT_CLOCK.match(rest)
    return (int(found[1]), found[2].decode(), found.end()) if found else None
