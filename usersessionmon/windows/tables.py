"""What Windows' numbers and names mean: sub-status codes, reasons, accounts that are no persons.

Sources: Microsoft's pages on events 4624, 4625 and 4648, ``ExtendedDisconnectReasonCode``, and
"Well-known SIDs".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from usersessionmon.model import Reason

_NO_SUCH_ACCOUNT = frozenset({0xC0000064})
_ACCOUNT_EXISTS = frozenset(
    {
        0xC000006A,  # wrong password
        0xC000006E,  # restricted: a blank password over the network, …
        0xC000006F,  # outside its hours
        0xC0000070,  # not from this workstation
        0xC0000071,  # password expired
        0xC0000072,  # disabled
        0xC000015B,  # this kind of logon is not granted to it: the password was right
        0xC0000193,  # account expired
        0xC0000224,  # must change its password
        0xC0000234,  # locked out
        0xC0000413,  # authentication firewall
    }
)
"""The others (no logon server, clocks apart, trust failures, bad name *or* password): unknown."""

NO_USER = "NOUSER"
"""What Windows' sshd hands to the system for a name that does not exist."""

_NOBODYS_SIDS = frozenset({"S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-7", "S-1-5-17"})
_NOBODYS_PREFIXES = ("S-1-5-80-", "S-1-5-82-", "S-1-5-90-", "S-1-5-96-", "S-1-5-111-")
"""Services, application pools, the window manager, the font driver host, sshd's virtual accounts:
their names are translated, their SIDs are not."""
_NOBODYS_NAMES = frozenset(
    {"system", "local service", "network service", "anonymous logon", "iusr", "-", ""}
)
_NOBODYS_SHAPES = re.compile(r"(?:dwm|umfd)-\d+|sshd_\d+|.*\$", re.IGNORECASE | re.DOTALL)

_ENDS: Mapping[int, Reason] = {
    1: Reason.KILLED,  # disconnected by an administrator's tool
    2: Reason.KILLED,  # logged off by one
    3: Reason.TIMEOUT,  # idle limit
    4: Reason.TIMEOUT,  # limit of the session's time
    5: Reason.KILLED,  # replaced by another connection
    6: Reason.KILLED,  # out of memory
    11: Reason.USER,  # the user's own disconnect
    12: Reason.USER,  # the user logged off
}
REPLACED = 5
OWN = 11
REFUSED = frozenset({7, 8, 9, 10})
"""The connection was refused: it was no session's."""
_PROTOCOL = 4096
_DIGITS = re.compile(r"[0-9]{1,10}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,32}")

_RESTARTS = frozenset(
    {
        *("restart", "reboot", "neustart", "neu starten", "redémarrer", "redémarrage", "reiniciar"),
        *("riavvia", "riavvio", "перезапуск", "перезагрузка", "重启", "重新启动", "重新啟動"),
        *("再起動", "다시 시작"),
    }
)
"""System 1074 names what was asked for in the system's language; anything else is a shutdown."""


def is_nobody(sid: str | None, name: str | None) -> bool:
    """Whether an account is no person's: the system's own, a service's, a computer's."""
    if sid is not None and (sid in _NOBODYS_SIDS or sid.startswith(_NOBODYS_PREFIXES)):
        return True
    text = (name or "").strip()
    return text.casefold() in _NOBODYS_NAMES or _NOBODYS_SHAPES.fullmatch(text) is not None


def valid_user(status: str | None, sub_status: str | None) -> bool | None:
    """The contract's ``valid_user`` of a 4625.  Codes are compared as numbers: their case differs
    between versions."""
    code = _number(sub_status) or _number(status)
    if code in _NO_SUCH_ACCOUNT:
        return False
    return True if code in _ACCOUNT_EXISTS else None


def reason_of(code: int) -> Reason:
    """How a session ended, by the reason of LSM's event 40."""
    return _ENDS.get(code, Reason.NETWORK if code >= _PROTOCOL else Reason.UNKNOWN)


def is_restart(kind: str) -> bool:
    """What was asked for by System 1074 (``param5``)."""
    return kind.strip().casefold() in _RESTARTS


def address(text: str | None) -> str | None:
    """A client's address, normalised; None for what is none, or is this computer's own.

    ``LOCAL`` and ``Unknown`` are translated on localised systems: whatever is no address is none.
    """
    if text is None:
        return None
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
        return str(found) if _ZONE.fullmatch(found.scope_id) else None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    return None if found.is_loopback or found.is_unspecified else str(found)


def port(text: str | None) -> int | None:
    """A client's port; None for 0 and for what is none."""
    found = number(text)
    return found if 0 < found < 65536 else None


def plain(text: str | None) -> str | None:
    """With control characters escaped, as no account or host has any."""
    return None if text is None else _CONTROL.sub(lambda one: f"\\x{ord(one[0]):02x}", text)


def account(text: str | None) -> tuple[str | None, str | None]:
    """(domain, name) of ``DOMAIN\\name``."""
    domain, found, name = (text or "").rpartition("\\")
    return (domain or None) if found else None, name or None


def number(text: str | None) -> int:
    """A decimal of at most ten digits; -1 for what is none."""
    return int(text) if text is not None and _DIGITS.fullmatch(text) else -1


def _number(text: str | None) -> int:
    try:
        return int(text or "0", 0) & 0xFFFFFFFF
    except ValueError:
        return 0
