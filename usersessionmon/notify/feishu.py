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

from .base import Answer, Queued, Result
from .http import HttpClient, Reply, Unanswered, masked
from .sanitize import harmless
from .secret import Secret, secret_of
from .settings import FeishuSettings, Style
from .text import render_lines
from .words import Voice

BODY_LIMIT = 20_000
"""Bytes.  Feishu says 20 KB and does not say whether that is 20,000 or 20,480."""
CONTENT_TYPE = "application/json; charset=utf-8"
_SAID_LIMIT = 200
_RETRY_AFTER_LIMIT = 3600.0

_THROTTLED = frozenset({11232, 99991400})
_PAYLOAD = frozenset({19002, 19036, 11246})
_ADVICE: Mapping[int, str] = {
    19001: "the webhook's token is wrong or the bot was removed: check feishu.webhook_url",
    19021: "the signature was refused: check feishu.secret and this host's clock",
    19022: "this host's address is not on the bot's list of allowed IPs: add it there",
    19024: "the bot wants a keyword that the notice lacks: set its keyword to 通知",
    19007: "the bot is switched off: enable it in the group's settings",
}
_STATUS_ADVICE: Mapping[int, str] = {
    401: "the server wants credentials: check feishu.webhook_url",
    403: "the server forbids it: check feishu.webhook_url and what is between",
    404: "there is no such webhook: check feishu.webhook_url",
    407: "the proxy wants credentials: check feishu.proxy",
}


def sign(secret: str, timestamp: int) -> str:
    """Feishu's signature: the HMAC's key is time stamp and secret, its message is empty."""
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode("ascii")


class FeishuChannel:
    """Sends to one bot.  ``send`` is for one thread; ``close`` may come from any."""

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
        self._url = url
        self._secret = secret
        self._client = client
        self._voice = voice
        self._card = card
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def address(self) -> str:
        """The webhook with its token hidden."""
        return masked(self._url.text())

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Whether this batch would go as text: there is then no plainer form to fall back to."""
        return not self._card or any(queued.plain for queued in batch)

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """How many of ``batch``, from its beginning, one body holds; at least 1."""
        low, high = 1, len(batch)
        while low < high:
            middle = (low + high + 1) // 2
            if len(self.body(batch[:middle], now_us=now_us)) <= BODY_LIMIT:
                low = middle
            else:
                high = middle - 1
        return low

    def body(self, batch: Sequence[Queued], *, now_us: int) -> bytes:
        """The request's bytes, signed for the moment ``now_us``."""
        lines = render_lines(batch, now_us=now_us, voice=self._voice)
        message: dict[str, object] = {}
        secret = self._secret.text()
        if secret:
            timestamp = now_us // 1_000_000
            message = {"timestamp": str(timestamp), "sign": sign(secret, timestamp)}
        if self.is_plain(batch):
            message |= {"msg_type": "text", "content": {"text": "\n".join(lines)}}
        else:
            message |= {"msg_type": "interactive", "card": _card(lines)}
        return json.dumps(message, ensure_ascii=False).encode("utf-8")

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        body = self.body(batch, now_us=now_us)
        if len(body) > BODY_LIMIT:
            return Result(Answer.PAYLOAD, f"not sent: {len(body)} bytes, {BODY_LIMIT} are allowed")
        outcome = self._client.post(self._url.text(), body, CONTENT_TYPE)
        if isinstance(outcome, Unanswered):
            answer = Answer.CONFIGURATION if outcome.ours else Answer.TRANSIENT
            return Result(answer, self._safe(outcome.text))
        return self._judged(outcome, now_us)

    def close(self) -> None:
        self._client.close()

    def _judged(self, reply: Reply, now_us: int) -> Result:
        answer, said = classify(reply.status, reply.body)
        wait = retry_after(reply.retry_after, now_us) if answer is not Answer.DELIVERED else None
        return Result(answer, self._safe(said), wait)

    def _safe(self, said: str) -> str:
        """A server may repeat what it was sent."""
        url = self._url.text()
        for hidden in (url, url.rsplit("/", 1)[-1], self._secret.text()):
            if len(hidden) > 3:
                said = said.replace(hidden, "****")
        return harmless(said, _SAID_LIMIT)


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


def _card(lines: Sequence[str]) -> dict[str, object]:
    """A card of JSON 1.0, which every client renders; plain_text keeps foreign text dead."""
    text = {"tag": "plain_text", "content": "\n".join(lines[1:]) or "-"}
    return {
        "config": {"wide_screen_mode": True},
        "header": {"title": {"tag": "plain_text", "content": lines[0]}, "template": "blue"},
        "elements": [{"tag": "div", "text": text}],
    }


def classify(status: int, body: bytes) -> tuple[Answer, str]:
    """The class of an answer, and what it said (not yet safe to show)."""
    payload = _json(body)
    code, message = _code(payload) if isinstance(payload, dict) else (None, "")
    by_code = _by_code(code, message) if code is not None else None
    said = f"code {code}: {message}" if code is not None else f"HTTP {status}"
    if status == 429 or by_code is Answer.THROTTLED:
        return Answer.THROTTLED, said
    if 200 <= status <= 299:
        return _accepted(payload, by_code, code, said)
    by_status = _by_status(status)
    if by_status is not None:
        return by_status, _advised(f"HTTP {status}", _STATUS_ADVICE.get(status))
    if by_code is None or by_code is Answer.DELIVERED or code is None:
        return Answer.UNKNOWN, f"HTTP {status}"
    return by_code, _advised(said, _ADVICE.get(code))


def _accepted(
    payload: object, by_code: Answer | None, code: int | None, said: str
) -> tuple[Answer, str]:
    if by_code is not None and code is not None:
        return by_code, _advised(said, _ADVICE.get(code))
    if payload is _NO_JSON:
        return Answer.TRANSIENT, f"{said}, and the answer is no JSON: is a portal in between?"
    return Answer.UNKNOWN, f"{said}, and the answer has no usable code"


def _by_status(status: int) -> Answer | None:
    if status == 408 or status >= 500:
        return Answer.TRANSIENT
    if status == 413:
        return Answer.PAYLOAD
    if 300 <= status <= 399 or status in _STATUS_ADVICE:
        return Answer.CONFIGURATION
    return None


def _by_code(code: int, message: str) -> Answer:
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


def _advised(said: str, advice: str | None) -> str:
    return f"{said} ({advice})" if advice else said


_NO_JSON = object()


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


def _code(payload: Mapping[str, object]) -> tuple[int | None, str]:
    """The integer code with its message; ``StatusCode`` speaks only where ``code`` is absent.
    JSON's true is no 1 and "0" is no 0."""
    number, words = ("code", "msg") if "code" in payload else ("StatusCode", "StatusMessage")
    value = payload.get(number)
    return (value, str(payload.get(words, ""))) if type(value) is int else (None, "")


def retry_after(value: str | None, now_us: int) -> float | None:
    """Seconds that a Retry-After header asks for (a number or a date), within 1 s and 1 h."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:10])
    else:
        from email.utils import parsedate_to_datetime  # only when a server writes a date

        try:
            seconds = parsedate_to_datetime(text).timestamp() - now_us / 1_000_000
        except (ValueError, TypeError, IndexError, OverflowError, OSError):
            return None
    return min(max(seconds, 1.0), _RETRY_AFTER_LIMIT)
