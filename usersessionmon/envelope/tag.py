"""What stands between the time and the text: host, facility, tag, pid.

A tag is everything up to ``[digits]`` or a colon, without a blank; it may hold brackets and
slashes itself (``gdm-password]``, ``sshd(pam_unix)``, ``ssh.service/sshd``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FACILITIES = (
    rb"(?:kern|user|mail|daemon|auth|security|syslog|lpr|news|uucp|cron|authpriv|ftp|ntp"
    rb"|local[0-7])"
)
_LEVELS = rb"(?:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug)"
_PRIORITY = re.compile(_FACILITIES + rb"\." + _LEVELS)
_UPPER_LEVELS = frozenset(
    b"EMERG ALERT CRIT CRITICAL ERR ERROR WARN WARNING NOTICE INFO DEBUG".split()
)
_WITH_PID = re.compile(rb"(.{1,256}?)\[(\d{1,10})\](:?)")
_METALOG = re.compile(rb"\[([^\s\[\]]{1,64})\]")
_SOLARIS = re.compile(rb"\[ID \d{1,10} " + _FACILITIES + rb"\." + _LEVELS + rb"\] ")
_APPLE_LEVEL = re.compile(rb" <[A-Z][a-z]{1,15}>: ?")
_RSYSLOGD = re.compile(rb"rsyslogd-?\d{1,5}")
_UNIT = re.compile(rb".+\.(?:service|scope|slice|socket|mount|timer|target)")
# what collectors put in front of a line: the container runtimes' `stdout F`, socklog's `auth.info:`
_COLLECTED = re.compile(
    rb"[ \t]*(?:(?:stdout|stderr) [FP](?::\S{1,64})?|(?P<socklog>%b\.%b):) "
    % (_FACILITIES, _LEVELS)
)
# sysklogd, Busybox, the BSDs (`--- … ---` is macOS); syslog-ng quotes the message and says who did
_REPEATED = re.compile(rb"(?:--- )?last message repeated (\d{1,9}) times?(?: ---)?", re.IGNORECASE)
_REPEATED_QUOTED = re.compile(rb"repeated (\d{1,9}) times, suppressed by syslog-ng on \S{1,255}")


class Head(NamedTuple):
    """The rest of a line, taken apart; ``program`` None: it has no tag."""

    host: bytes | None
    program: bytes | None
    pid: int | None
    text: bytes


def split_head(rest: bytes) -> Head:
    """Take apart what follows a time (blanks in front of it do not matter)."""
    rest = rest.lstrip(b" \t")
    if rest.startswith(b": "):  # the time is followed by a colon where there is nobody to name
        rest = rest[2:]
    without = _metalog(rest) or _repeated(rest) or split_tag(rest)
    if without is not None:
        return without
    word, _, more = rest.partition(b" ")
    if word in _UPPER_LEVELS or _PRIORITY.fullmatch(word):
        return split_tag(more) or Head(None, None, None, more)
    more = more.lstrip(b" ")
    facility, _, behind = more.partition(b" ")
    if _PRIORITY.fullmatch(facility):
        more = behind
    found = _repeated(more) or split_tag(more)
    return found._replace(host=word) if found else Head(word, None, None, more)


def split_tag(rest: bytes) -> Head | None:
    """``tag[pid]: text``, ``tag: text`` or ``tag[pid] text``; None when there is no tag."""
    found = _first_tag(rest)
    if found is not None and found.program == b"pam":  # `pam: gdm-password[1600]: …`
        inner = _first_tag(found.text)
        if inner is not None and inner.pid is not None:
            return inner
    return found


def _first_tag(rest: bytes) -> Head | None:
    word = rest[: rest.find(b" ")] if b" " in rest else rest
    found = _WITH_PID.match(word)
    if found is not None and (found.end() == len(word) or found[3]):
        name, pid = found[1], int(found[2])
        text = rest[found.end() :]
        apple = None if found[3] else _APPLE_LEVEL.match(text)
        text = text[apple.end() :] if apple else text
    elif word.endswith(b":") and len(word) > 1 and not word.endswith(b"::"):
        name, pid, text = word[:-1], None, rest[len(word) :]
    else:
        return None
    return Head(None, program_name(name), pid, clean_text(text))


def program_name(tag: bytes) -> bytes:
    """The program that a tag names: without a path, a unit or rsyslogd's message number."""
    if b"/" in tag and (tag.startswith(b"/") or b".service/" in tag or b".scope/" in tag):
        return tag.rpartition(b"/")[2] or tag
    return b"rsyslogd" if _RSYSLOGD.fullmatch(tag) else tag


def is_unit(head: Head) -> bool:
    """journalctl -o with-unit writes the unit where the tag should be: nothing says who wrote."""
    return head.pid is not None and _UNIT.fullmatch(head.program or b"") is not None


def collected(rest: bytes) -> tuple[bytes, bool]:
    """What follows a collector's time, without the collector's own words; and whether they are
    socklog's, whose time is in UTC."""
    found = _COLLECTED.match(rest)
    return (rest[found.end() :], found["socklog"] is not None) if found else (rest, False)


def clean_text(text: bytes) -> bytes:
    """Without the blanks behind the tag and without Solaris' message id."""
    text = text.lstrip(b" ")
    if text.startswith(b"[ID "):
        found = _SOLARIS.match(text)
        if found is not None:
            return text[found.end() :]
    return text


def _metalog(rest: bytes) -> Head | None:
    found = _METALOG.match(rest)
    if found is None or rest[found.end() : found.end() + 1] != b" ":
        return None
    if not any(byte in b"abcdefghijklmnopqrstuvwxyz" for byte in found[1]):
        return None  # a kernel's clock
    return Head(None, program_name(found[1]), None, clean_text(rest[found.end() :]))


def _repeated(rest: bytes) -> Head | None:
    """The logger's own words that the line before came again; they have no tag."""
    if rest[:12].lower() != b"last message" and not rest.startswith(b"--- last"):
        return None
    rest = rest.rstrip(b"\r ")
    found = _REPEATED.fullmatch(rest)
    if found is None and rest.startswith(b"Last message '"):
        found = _REPEATED_QUOTED.fullmatch(rest, rest.rfind(b"' repeated ") + 2)
    if found is None:
        return None
    return Head(None, b"", None, b"last message repeated %s times" % found[1])
