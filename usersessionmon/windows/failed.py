"""4625: somebody was not let in."""

from __future__ import annotations

from usersessionmon.model import Change, ChangeKind, Record, WindowsEvent

from .book import Book
from .channels import OPENSSH
from .joining import is_sshd
from .tables import NO_USER, address, number, plain, port, valid_user

_NO_FAILURES = frozenset({4, 5})


def failed(book: Book, record: Record, event: WindowsEvent) -> None:
    fields = event.fields
    user, place = fields.get("TargetUserName"), address(fields.get("IpAddress"))
    kind = number(fields.get("LogonType"))
    if kind in _NO_FAILURES or (user is None and place is None):
        return
    by_sshd = is_sshd(event)
    if by_sshd and OPENSSH in event.beside:
        return
    known = valid_user(fields.get("Status"), fields.get("SubStatus"))
    if by_sshd and user == NO_USER:
        user, known = None, False
    client = fields.get("WorkstationName")
    if kind in {2, 11} or by_sshd or place is not None or _is_own(record, client):
        client = None
    book.out.append(
        Change(
            kind=ChangeKind.LOGIN_FAILED,
            time=record.time,
            host=plain(record.host),
            service="sshd" if by_sshd else "windows",
            user=plain(user),
            ip=place,
            client_host=plain(client),
            port=port(fields.get("IpPort")) if place is not None else None,
            valid_user=known,
            domain=fields.get("TargetDomainName"),
        )
    )


def _is_own(record: Record, name: str | None) -> bool:
    """Whether a workstation's name is this host's: NetBIOS names have 15 letters."""
    own = (record.host or "").partition(".")[0].casefold()
    return name is not None and name.casefold() in {own, own[:15]}
