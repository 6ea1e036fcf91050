"""A Feishu custom bot as a channel: bodies, signatures, and what its answers mean.

Facts: Feishu's pages on custom bots and their error codes.  An answer counts as delivered only
when it is HTTP 2xx with a JSON object whose ``code`` is the integer 0: most refusals are HTTP 200.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence

from . import robot
from .base import Answer, Queued
from .card import card_of
from .http import HttpClient, Reply
from .robot import Codes, Request, Robot, called
from .secret import Secret, secret_of
from .settings import FeishuSettings, Style
from .text import render_lines, render_page
from .words import Voice

BODY_LIMIT = 20_000
"""Bytes.  Feishu says 20 KB and does not say whether that is 20,000 or 20,480."""

_THROTTLED = frozenset({11232, 99991400})
_PAYLOAD = frozenset({19002, 19036, 11246})
_ADVICE: Mapping[int, str] = {
    19001: "the webhook's token is wrong or the bot was removed: check feishu.webhook_url",
    19021: "the signature was refused: check feishu.secret and this host's clock",
    19022: "this host's address is not on the bot's list of allowed IPs: add it there",
    19024: "the bot wants a keyword that the notice lacks: set its keyword to 通知",
    19007: "the bot is switched off: enable it in the group's settings",
}


def sign(secret: str, timestamp: int) -> str:
    """Feishu's signature: the HMAC's key is time stamp and secret, its message is empty."""
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode("ascii")


class FeishuChannel(Robot):
    """Sends to one bot."""

    limit = BODY_LIMIT

    def __init__(
        self,
        url: Secret,
        secret: Secret,
        *,
        client: HttpClient,
        voice: Voice,
        card: bool = False,
        name: str = "feishu",
    ) -> None:
        """``secret``: empty when the bot does not check signatures.  ``card``: send cards (JSON
        1.0) until the bot refuses one."""
        super().__init__(name, url, secret, client)
        self._voice = voice
        self._card = card

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Whether this batch would go as text: there is then no plainer form to fall back to."""
        return not self._card or any(queued.plain for queued in batch)

    def request(self, batch: Sequence[Queued], *, now_us: int) -> Request:
        body = self.body(batch, now_us=now_us)
        return Request(self._url.text(), body, len(body))

    def judge(self, reply: Reply) -> tuple[Answer, str]:
        return classify(reply.status, reply.body)

    def body(self, batch: Sequence[Queued], *, now_us: int) -> bytes:
        """The request's bytes, signed for the moment ``now_us``."""
        message = self._message(batch, now_us)
        secret = self._secret.text()
        if secret:
            timestamp = now_us // 1_000_000
            message = {"timestamp": str(timestamp), "sign": sign(secret, timestamp), **message}
        return json.dumps(message, ensure_ascii=False).encode("utf-8")

    def _message(self, batch: Sequence[Queued], now_us: int) -> dict[str, object]:
        voice = self._voice
        ids = called(batch, voice, lambda person: person.feishu)
        if self.is_plain(batch):
            lines = render_lines(batch, now_us=now_us, voice=voice)
            text = "\n".join([*lines, *(f'<at user_id="{one}"></at>' for one in ids)])
            return {"msg_type": "text", "content": {"text": text}}
        page = render_page(batch, now_us=now_us, voice=voice)
        notices = [queued.notice for queued in batch]
        return {"msg_type": "interactive", "card": card_of(page, notices, ids, voice.say)}


def make(name: str, where: str, settings: FeishuSettings, voice: Voice) -> FeishuChannel:
    """The channel that the settings describe; ``where`` are their keys.  Raises UserError."""
    return FeishuChannel(
        secret_of(where, settings, "webhook_url"),
        secret_of(where, settings, "secret"),
        client=HttpClient(ca_file=settings.ca_file, proxy=settings.proxy),
        voice=voice,
        card=settings.style is Style.CARD,
        name=name,
    )


def classify(status: int, body: bytes) -> tuple[Answer, str]:
    """The class of an answer, and what it said (not yet safe to show)."""
    return robot.classify(status, body, _CODES)


def _meaning(code: int, message: str) -> Answer:
    if code == 0:
        return Answer.DELIVERED
    if code in _THROTTLED:
        return Answer.THROTTLED
    if code == 9499:
        return _by_text_of_9499(message.casefold())
    if code in _PAYLOAD:
        return Answer.PAYLOAD
    return Answer.CONFIGURATION if code in _ADVICE else Answer.UNKNOWN


def _by_text_of_9499(message: str) -> Answer:
    """One number for two things."""
    if "too many request" in message:
        return Answer.THROTTLED
    return Answer.PAYLOAD if "bad request" in message else Answer.UNKNOWN


def _code(payload: Mapping[str, object]) -> tuple[int | None, str]:
    """``StatusCode`` speaks only where ``code`` is absent."""
    names = ("code", "msg") if "code" in payload else ("StatusCode", "StatusMessage")
    return robot.integer(payload, *names)


_CODES = Codes(_code, _meaning, lambda code, _: _ADVICE.get(code), prefix="feishu.")
