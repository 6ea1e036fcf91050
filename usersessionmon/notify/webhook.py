"""A server of one's own that takes JSON, as a channel.

Headers and signature are those of the Standard Webhooks specification 1.0.0: the id stays the same
when a batch is sent again, the time is that of sending.  What the server says beside its status is
not looked at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from .base import Answer, Queued
from .http import HttpClient, Reply
from .robot import Request, Robot, by_status, status_said
from .sanitize import harmless
from .secret import Secret, secret_of
from .settings import WebhookSettings
from .text import render_lines
from .words import Voice

VERSION = 1
BODY_LIMIT = 256 * 1024
NOTICES_LIMIT = 100

_PREFIX = "whsec_"
_HALVES = re.compile("[\ud800-\udfff]")
_PAYLOAD = frozenset({400, 415, 422})
_NOBODY_THERE = "it takes no notices there: check url"
_REFUSED = "it refuses the signature, or wants credentials: check secret and url"
_ADVICE = {401: _REFUSED, 403: _REFUSED, 405: _NOBODY_THERE, 410: _NOBODY_THERE}


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """A symmetric signature of the specification."""
    message = f"{message_id}.{timestamp}.".encode("ascii") + body
    digest = hmac.new(_key(secret), message, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def _key(secret: str) -> bytes:
    """``whsec_`` and base64 as the specification writes keys; any other text is the key itself."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode("utf-8")


class WebhookChannel(Robot):
    """Posts to one server."""

    limit = BODY_LIMIT

    def __init__(
        self, name: str, url: Secret, secret: Secret, *, client: HttpClient, voice: Voice
    ) -> None:
        """``secret``: empty when nothing is to be signed."""
        super().__init__(name, url, secret, client)
        self._voice = voice

    @property
    def address(self) -> str:
        """The server alone: any part of the rest may be what opens it."""
        parts = urlsplit(self._url.text())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        return super().fits(batch[:NOTICES_LIMIT], now_us=now_us)

    def request(self, batch: Sequence[Queued], *, now_us: int) -> Request:
        ordered = sorted(batch, key=lambda queued: (queued.notice.at_us, queued.number))
        message = {
            "version": VERSION,
            "sent": self._time(now_us),
            "notices": [self._object(queued, now_us) for queued in ordered],
        }
        text = _HALVES.sub("\ufffd", json.dumps(message, ensure_ascii=False))
        body = text.encode("utf-8")
        message_id, timestamp = _hash(map(id_of, ordered)), now_us // 1_000_000
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
        secret = self._secret.text()
        if secret:
            headers["webhook-signature"] = sign(secret, message_id, timestamp, body)
        return Request(self._url.text(), body, len(body), headers)

    def judge(self, reply: Reply) -> tuple[Answer, str]:
        return classify(reply.status)

    def _object(self, queued: Queued, now_us: int) -> dict[str, object]:
        notice = queued.notice
        return {
            "id": id_of(queued),
            "number": queued.number,
            "attempt": queued.attempts + 1,
            "kind": notice.kind,
            "severity": notice.severity.value,
            "title": harmless(notice.title),
            "text": render_lines([queued], now_us=now_us, voice=self._voice)[1:],
            "time": self._time(notice.at_us),
            "host": notice.host,
            "event": json.loads(notice.event) if notice.event else None,
        }

    def _time(self, at_us: int) -> str | None:
        """RFC 3339; None for a moment that no calendar has."""
        seconds, micro = divmod(at_us, 1_000_000)
        try:
            at = datetime.fromtimestamp(seconds, self._voice.zone)
        except (OverflowError, ValueError, OSError):
            return None
        return at.replace(microsecond=micro).isoformat()


def id_of(queued: Queued) -> str:
    """What tells a notice from all others of all hosts, and is the same whenever it is sent: its
    number begins anew with each state directory, the moment in which it was queued does not, and
    the line has the host's name."""
    notice = queued.notice
    parts = (queued.number, queued.queued_us, notice.at_us, notice.kind, notice.host, notice.digest)
    return _hash(map(str, parts))


def _hash(parts: Iterable[str]) -> str:
    text = "\n".join(parts).encode("utf-8", "backslashreplace")
    return f"usm_{hashlib.sha256(text).hexdigest()[:32]}"


def make(name: str, where: str, settings: WebhookSettings, voice: Voice) -> WebhookChannel:
    """The channel that the settings describe; ``where`` are their keys.  Raises UserError."""
    return WebhookChannel(
        name,
        secret_of(where, settings, "url"),
        secret_of(where, settings, "secret"),
        client=HttpClient(ca_file=settings.ca_file, proxy=settings.proxy),
        voice=voice,
    )


def classify(status: int) -> tuple[Answer, str]:
    """The class of an answer, and what it said: by its status alone."""
    if 200 <= status <= 299:
        return Answer.DELIVERED, f"HTTP {status}"
    if status in _PAYLOAD:
        return Answer.PAYLOAD, f"HTTP {status}"
    if status in _ADVICE:
        return Answer.CONFIGURATION, f"HTTP {status} ({_ADVICE[status]})"
    return by_status(status) or Answer.UNKNOWN, status_said(status, "url")
