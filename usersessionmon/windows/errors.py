"""What an error of Windows' event log asks for, and the sentence about it.

By the number alone: the text is in the language of the system.  Numbers: winerror.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from .eventlog import EventLogError

GAP = 1168
READERS = "Event Log Readers (S-1-5-32-573)"


class Treatment(Enum):
    EMPTY = auto()
    """No error: there is nothing now."""
    AGAIN = auto()
    """The subscription is spent: a new one from the bookmark, at once."""
    SMALLER = auto()
    """… asking for half as many events at once."""
    GAP = auto()
    """The bookmark's event is gone, or the bookmark is none."""
    DAMAGED = auto()
    """The log, or an event of it, cannot be read."""
    DENIED = auto()
    """For an administrator to mend; looked at again in some minutes."""
    ABSENT = auto()
    """There is no such channel; one may come with a feature that is installed."""
    USELESS = auto()
    """This channel, or our query of it, will never do."""
    REFUSED = auto()
    """The account was refused: each further try would be one step towards locking it."""
    RETRY = auto()
    """The host is out of reach, or nobody knows: all anew, later and later."""


_TREATMENTS: Mapping[int, Treatment] = {
    0: Treatment.EMPTY,
    5: Treatment.DENIED,
    6: Treatment.AGAIN,
    87: Treatment.USELESS,
    259: Treatment.EMPTY,
    1168: Treatment.GAP,
    1326: Treatment.REFUSED,
    1327: Treatment.REFUSED,
    1328: Treatment.REFUSED,
    1329: Treatment.REFUSED,
    1330: Treatment.REFUSED,
    1331: Treatment.REFUSED,
    1385: Treatment.REFUSED,
    1460: Treatment.EMPTY,
    1500: Treatment.DAMAGED,
    1734: Treatment.SMALLER,
    1793: Treatment.REFUSED,
    1907: Treatment.REFUSED,
    1909: Treatment.REFUSED,
    4317: Treatment.EMPTY,
    15001: Treatment.USELESS,
    15005: Treatment.DAMAGED,
    15007: Treatment.ABSENT,
    15009: Treatment.USELESS,
    15011: Treatment.AGAIN,
}
_AWAY = frozenset({53, 1223, 1722, 1723, 1726, 1727, 1753, 1818, 1825})
"""The host, or the call, is gone."""
_READ = "CredRead"
_NO_BOOKMARK = ("EvtCreateBookmark", 87)
"""What was saved is none; the channel has nothing to do with it."""
_SENTENCES: Mapping[int, str] = {
    5: (
        f"access denied: add the account that reads it to the group {READERS} of that host, and "
        "start the service again (a new membership needs a new logon)"
    ),
    53: "not found on the network: is its name right, is it on",
    87: "the query is refused: please report this",
    1326: "wrong user name or password",
    1327: "the account is restricted (blank password, hours, workstations)",
    1328: "the account may not log on at this hour",
    1329: "the account may not log on from this computer",
    1330: "the password of the account has expired",
    1331: "the account is disabled",
    1385: "the account lacks the right to log on over the network at that host",
    1460: "it did not answer in time: is it overloaded, or does it hang",
    1722: (
        "not reachable: is it on, does its firewall allow the group Remote Event Log Management "
        "(RPC, port 135 and above)"
    ),
    1734: "the answer is larger than the host may send",
    1753: "its event log service does not answer",
    1793: "the account has expired",
    1825: "the logon failed for Kerberos or NTLM: are the clocks together, is the name its own",
    1907: "the password of the account must be changed first",
    1909: "the account is locked out",
    15001: "the query is refused: please report this",
    15007: "there is no such channel on this host",
    15009: "such a channel cannot be followed",
}
_STOPPED = "; not tried again until the configuration is loaded anew, for each try counts"


def is_odd(error: EventLogError) -> bool:
    """It says nothing of why: what was asked for may well come when it is asked for again."""
    return error.winerror not in _AWAY and treatment(error) in {Treatment.EMPTY, Treatment.RETRY}


def treatment(error: EventLogError) -> Treatment:
    """What is to be done."""
    if error.function == _READ:
        return Treatment.DENIED
    if (error.function, error.winerror) == _NO_BOOKMARK:
        return Treatment.GAP
    return _TREATMENTS.get(error.winerror, Treatment.RETRY)


def sentence(error: EventLogError) -> str:
    """What it is and how it is mended, for people; nothing foreign but the number."""
    if error.function == _READ:
        return (
            "its credentials are not in the Windows Credential Manager of the account that runs "
            f"this (error {error.winerror}): as that account, cmdkey /generic:NAME /user:… /pass; "
            "a service reads without credentials, as NETWORK SERVICE or a managed account that is "
            "in Event Log Readers there"
        )
    known = _SENTENCES.get(error.winerror, "the event log cannot be read")
    stop = _STOPPED if treatment(error) is Treatment.REFUSED else ""
    return f"{known} (error {error.winerror}){stop}"
