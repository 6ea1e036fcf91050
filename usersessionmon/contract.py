"""What the outside sees of a change: the contract's event as JSON.

It is put together by hand, for ``scan`` may print millions.
"""

from __future__ import annotations

import json
from typing import Any

from .model import WINDOWS, Change, ChangeKind

_quoted = json.encoder.encode_basestring
_WORDS = {None: "null", True: "true", False: "false"}


def event_object(change: Change) -> dict[str, Any]:
    """The contract's event: every field that its kind has, null when unknown."""
    data: dict[str, Any] = json.loads(event_line(change))
    return data


def event_line(change: Change) -> str:
    """The contract's event as one line of JSON; put together by hand, for there may be millions."""
    kind = change.kind
    if kind is ChangeKind.LOGIN_FAILED:
        more = (
            f'"client_host": {_text(change.client_host)}, "method": {_text(change.method)}, '
            f'"valid_user": {_WORDS[change.valid_user]}, "count": {change.times}'
        )
    elif kind is ChangeKind.LOGIN:
        more = (
            f'"client_host": {_text(change.client_host)}, "method": {_text(change.method)}, '
            f'"key_fingerprint": {_text(change.key_fingerprint)}, '
            f'"session": {_text(change.session)}'
        )
    elif kind is ChangeKind.LOGOUT:
        more = (
            f'"session": {_text(change.session)}, "reason": {_text(change.reason)}, '
            f'"abnormal": {_WORDS[change.abnormal]}, '
            f'"duration": {json.dumps(number(change.duration))}, '
            f'"inferred": {_WORDS[change.inferred]}'
        )
    else:
        more = (
            f'"target_user": {_text(change.target_user)}, "command": {_text(change.command)}, '
            f'"session": {_text(change.session)}, "login_user": {_text(change.login_user)}, '
            f'"login_from": {_text(change.login_from)}, "known_by": {_text(change.link)}, '
            f'"inferred": {_WORDS[change.inferred]}'
        )
    if change.service == WINDOWS:
        more += _of_windows(change)
    port = "null" if change.port is None else change.port
    return shown(
        f'{{"event": "{kind}", "time": {_text(change.time.text)}, "host": {_text(change.host)}, '
        f'"service": {_text(change.service)}, "user": {_text(change.user)}, '
        f'"ip": {_text(change.ip)}, "port": {port}, {more}}}'
    )


def _of_windows(change: Change) -> str:
    """What only Windows tells; other services' objects stay as they are."""
    more = f', "domain": {_text(change.domain)}'
    if change.kind is ChangeKind.LOGIN:
        more += f', "reconnected": {_WORDS[change.again]}'
    elif change.kind is ChangeKind.LOGOUT:
        more += (
            f', "disconnected": {_WORDS[change.kept]}, "by_user": {_text(change.by_user)}, '
            f'"by_ip": {_text(change.by_ip)}'
        )
    return more


def _text(value: str | None) -> str:
    return "null" if value is None else _quoted(value)


def number(value: float | None) -> float | int | None:
    """Whole seconds without a fraction."""
    if value is None:
        return None
    return int(value) if value == int(value) else value


def shown(text: str) -> str:
    """JSON text that a terminal may read: what is not printable is written as ``\\uXXXX``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
