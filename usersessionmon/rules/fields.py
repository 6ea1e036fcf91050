"""The one table of the holes that a rule's line may have: their shape, and how they are read.

A hole's shape is linear to match: no nested quantifiers; ``bounds`` limits what a line of several
holes may cost.
``user`` and ``claimed`` both fill ``user``: the first is an account that exists (take the leftmost
reading, what follows may be the client's text), the second is what an outsider typed (greedy, so
the rightmost address wins).  sshd writes names through vis(3); PAM and the others write the bytes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

Value = str | int | bool | None
Reader = Callable[[str], Value]


class Hole(NamedTuple):
    shape: str
    """A regular expression without capturing groups."""
    into: str | None
    """The capture that it fills (a key of ``model.Captures``); None: matched and forgotten."""
    read: Reader


_OCTAL_RUN = re.compile(r"(?:\\[0-3][0-7]{2})+")
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_V4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
"""Addresses that are in their normal form already."""
_PRIORITY_OF_NONE = frozenset({"UNKNOWN"})


def undo_vis(text: str) -> str:
    r"""Undo vis(3) as sshd uses it (log.c): ``\\`` is a backslash, ``\303\251`` is é.

    Control characters and bytes that are no UTF-8 stay escaped, and what other writers than sshd
    left raw is escaped, so that the result is printable.
    """
    if "\\" not in text:
        return text if text.isprintable() else visible(text)
    pieces = text.split("\\\\")  # an escaped backslash never begins another escape
    return "\\".join(visible(_OCTAL_RUN.sub(_octal_bytes, piece)) for piece in pieces)


def _octal_bytes(match: re.Match[str]) -> str:
    codes = [int(code, 8) for code in match.group()[1:].split("\\")]
    try:
        text = bytes(codes).decode("utf-8")
    except UnicodeDecodeError:
        return match.group()
    return visible(text)


def _octal(character: str) -> str:
    """Half of a surrogate pair (from a JSON log) is three bytes as well."""
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))


def visible(text: str) -> str:
    """A name as PAM and others write it, with control characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _octal(c) for c in text)


@lru_cache(maxsize=4096)
def read_ip(text: str) -> str | None:
    """An address in its normal form: IPv4-mapped is unmapped, a zone (``%eth0``) stays.

    None for ``UNKNOWN`` (sshd on something that is no IP socket).  An address that is cut or
    malformed, as in anonymised logs, stays as it was written.
    """
    if _PLAIN_V4.fullmatch(text) is not None:
        return text
    if text in _PRIORITY_OF_NONE:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def is_ip(text: str) -> bool:
    """Whether the text is a well-formed address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def read_fingerprint(text: str) -> str | None:
    """A SHA256 fingerprint; None for the MD5 ones, which the contract does not carry."""
    return text if text.startswith("SHA256:") else None


def read_tty(text: str) -> str:
    """A terminal without its folder: ``/dev/pts/3`` is ``pts/3``."""
    return visible(text.removeprefix("/dev/"))


def _nothing(_: str) -> Value:
    return None


def _forget(shape: str) -> Hole:
    return Hole(shape, None, _nothing)


_IP = r"(?:[0-9A-Fa-f:.]{1,45}[xX]{0,3}(?:%[0-9A-Za-z_.-]{1,32})?|UNKNOWN)"
_NUMBER = r"[0-9]{1,10}"
_LAZY = r".*?"
_GREEDY = r".*"

HOLES: dict[str, Hole] = {
    # who
    "user": Hole(_LAZY, "user", undo_vis),
    "claimed": Hole(_GREEDY, "user", undo_vis),
    "name": Hole(_LAZY, "user", visible),
    "claimed_name": Hole(_GREEDY, "user", visible),
    "caller": Hole(r"\S{1,256}", "user", visible),
    "by_user": Hole(r"\S{0,256}", "by_user", visible),
    "target_user": Hole(r"\S{1,256}", "target_user", visible),
    "uid": Hole(_NUMBER, "uid", int),
    "by_uid": Hole(_NUMBER, "by_uid", int),
    # from where
    "ip": Hole(_IP, "ip", read_ip),
    "ip_port": Hole(r"\S{3,80}", "ip_port", visible),
    "peer": Hole(r"\S{1,256}", "peer", visible),
    "port": Hole(r"[0-9]{1,5}", "port", int),
    # how
    "method": Hole(r"[A-Za-z0-9_@./-]{1,64}", "method", str),
    "key_type": Hole(r"[A-Z0-9-]{2,32}", "key_type", str),
    "key_fingerprint": Hole(
        r"(?:SHA256:[A-Za-z0-9+/=]{1,64}|(?:MD5:)?[0-9a-f]{2}(?::[0-9a-f]{2}){15})",
        "key_fingerprint",
        read_fingerprint,
    ),
    "key_id": Hole(_LAZY, "key_id", undo_vis),
    "tty": Hole(r"\S{1,64}", "tty", read_tty),
    "command": Hole(_GREEDY, "command", visible),
    "count": Hole(_NUMBER, "count", int),
    # processes and sessions
    "child_pid": Hole(_NUMBER, "child_pid", int),
    "monitor_pid": Hole(_NUMBER, "monitor_pid", int),
    "logind_session": Hole(r"[0-9A-Za-z]{1,32}", "logind_session", str),
    "logind_class": Hole(r"[0-9A-Za-z_-]{1,32}", "logind_class", str),
    "pam_module": Hole(r"pam_[a-z0-9_]{1,32}", "pam_module", str),
    "pam_service": Hole(r"[^\s:()]{1,64}", "pam_service", visible),
    "pam_phase": Hole(r"[a-z_]{1,16}", "pam_phase", str),
    # matched and forgotten
    "padding": _forget(r" {0,32}"),
    # up to the first USER= or COMMAND=, and no further: what follows may be typed by the caller
    "sudo_parts": _forget(r"(?:[A-Z]+=(?:(?! ; (?:USER|COMMAND)=).)*? ; )?"),
    "sudo_more": _forget(r"(?:(?:GROUP|TSID|ENV)=(?:(?! ; COMMAND=).)*? ; )?"),
    "sudo_refusal": _forget(
        r"(?:user NOT |command not |setid command |a password is |a terminal is |no tty |sorry, |"
        r"problem with |unknown user|unable to |parse error |account validation |policy |PAM )[^;]*"
    ),
    "ruser": _forget(r"[^ ].*?"),
    "serial": _forget(r"[0-9]{1,20}"),
    "number": _forget(r"-?[0-9]{1,20}"),
    "word": _forget(r"\S{1,512}"),
    "maybe_word": _forget(r"\S{0,512}"),
    "address": _forget(r"\S{1,128}"),
    "text": _forget(_GREEDY),
    "some_text": _forget(_LAZY),
    "ending": _forget(r".*(?<! \[preauth\])"),
    "who": _forget(r"(?:authenticating|invalid)"),
    "function": _forget(r"[a-z0-9_]{1,64}"),
}
