"""Headers that are not ``time host tag: text``: RFC 5424, old macOS, daemons' own files."""

from __future__ import annotations

import re
from typing import NamedTuple

from .stamp import Stamp, read_stamp
from .tag import Head, clean_text

_RFC5424 = re.compile(rb"1 (\S{1,40}) (\S{1,255}) (\S{1,255}) (\S{1,128}) (\S{1,64}) (?=[-\[])")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
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
    found = _PRIORITY.match(line)
    return line[found.end() :] if found else line


def rfc5424(line: bytes) -> Form | None:
    """``1 TIME HOST APP PROCID MSGID DATA TEXT``, the priority taken off already."""
    found = _RFC5424.match(line)
    if found is None:
        return None
    time, host, app, procid, _ = found.groups()
    stamp = read_stamp(time)
    if stamp is None or stamp.end != len(time) or stamp.year is None:
        return None
    end = _structured_data_end(line, found.end())
    if end is None:
        return None
    text = line[end + 1 :].removeprefix(b"\xef\xbb\xbf")
    pid = int(procid) if procid.isdigit() and len(procid) <= 10 else None
    program = None if app == b"-" else app
    return Form(stamp, Head(None if host == b"-" else host, program, pid, clean_text(text)))


def _structured_data_end(line: bytes, start: int) -> int | None:
    """Where ``-`` or ``[id name="value" …][…]`` ends; None when it does not."""
    if line[start : start + 1] == b"-":
        end = start + 1
        return end if line[end : end + 1] in (b" ", b"") else None
    at = start
    while line[at : at + 1] == b"[":
        at += 1
        while True:
            quote, close = line.find(b'"', at), line.find(b"]", at)
            if close < 0:
                return None
            if quote < 0 or close < quote:
                at = close + 1
                break
            value = _QUOTED.match(line, quote)
            if value is None:
                return None
            at = value.end()
    return at if line[at : at + 1] in (b" ", b"") else None


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
