"""What the robots of chat groups have in common, and other servers that take a POST: one exchange,
what its answer means, and how much one message holds.

Each platform says with an integer in a JSON object whether it took a message, most often as HTTP
200 even when it did not; ``Codes`` are its words for that.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .base import Answer, Queued, Result
from .http import HttpClient, Reply, Unanswered, masked
from .sanitize import harmless
from .secret import Secret
from .settings import PersonSettings
from .words import Voice

CONTENT_TYPE = "application/json; charset=utf-8"
_CALLED_AT_ONCE = 20
_SAID_LIMIT = 200
_ANSWER_LIMIT = 4096
_RETRY_AFTER_LIMIT = 3600.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent now.  ``size`` is what the platform limits, in bytes."""

    url: str = field(repr=False)
    body: bytes
    size: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Codes:
    """How one platform answers."""

    read: Callable[[Mapping[str, object]], tuple[int | None, str]]
    """The integer code of an answer (None: it has none) with its message."""
    meaning: Callable[[int, str], Answer]
    advice: Callable[[int, str], str | None]
    """How to mend what a code complains of."""
    prefix: str = ""
    """In front of the names of keys in advice."""


class Robot(ABC):
    """One group's robot.  ``send`` is for one thread; ``close`` may come from any."""

    limit: int
    """Bytes that one message holds."""

    def __init__(self, name: str, url: Secret, secret: Secret, client: HttpClient) -> None:
        """``secret``: empty when the robot checks no signatures."""
        self._name = name
        self._url = url
        self._secret = secret
        self._client = client

    @property
    def name(self) -> str:
        return self._name

    @property
    def address(self) -> str:
        """The webhook with its token hidden."""
        return masked(self._url.text())

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Text is the plainest form."""
        return True

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """How many of ``batch``, from its beginning, one message holds; at least 1."""
        low, high = 1, len(batch)
        while low < high:
            middle = (low + high + 1) // 2
            if self.request(batch[:middle], now_us=now_us).size <= self.limit:
                low = middle
            else:
                high = middle - 1
        return low

    @abstractmethod
    def request(self, batch: Sequence[Queued], *, now_us: int) -> Request:
        """The message, signed for the moment ``now_us``."""

    @abstractmethod
    def judge(self, reply: Reply) -> tuple[Answer, str]:
        """The class of an answer, and what it said (not yet safe to show)."""

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        request = self.request(batch, now_us=now_us)
        if request.size > self.limit:
            said = f"not sent: {request.size} bytes, {self.limit} are allowed"
            return Result(Answer.PAYLOAD, said)
        outcome = self._client.post(request.url, request.body, CONTENT_TYPE, request.headers)
        if isinstance(outcome, Unanswered):
            answer = Answer.CONFIGURATION if outcome.ours else Answer.TRANSIENT
            said = self._safe(outcome.text, request.url)
            return Result(answer, said, untaken=outcome.unsent)
        answer, said = self.judge(outcome)
        wait = retry_after(outcome.retry_after, now_us) if answer is not Answer.DELIVERED else None
        return Result(answer, self._safe(said, request.url), wait)

    def close(self) -> None:
        self._client.close()

    def _safe(self, said: str, url: str) -> str:
        """A server may repeat what it was sent."""
        secret = self._secret.text()
        # made harmless first: a token with something invisible in it would be whole afterwards
        clean = harmless(said, _ANSWER_LIMIT)
        hidden = {url, secret, urllib.parse.quote(secret, ""), *_tokens(url)}
        for text in sorted(hidden, key=len, reverse=True):
            if len(text) > 3:
                clean = clean.replace(harmless(text, _ANSWER_LIMIT), "****")
        return harmless(clean, _SAID_LIMIT)


def _tokens(url: str) -> list[str]:
    """What may open the door, as it stands in the address and decoded: the values of a query, and
    the last part of the path unless it is a word like ``send``."""
    parts = urllib.parse.urlsplit(url)
    found = [piece.partition("=")[2] or piece for piece in parts.query.split("&")]
    last = parts.path.rpartition("/")[2]
    if not parts.query or len(last) > 11:
        found.append(last)
    return [*found, *map(urllib.parse.unquote, found)]


def called(
    batch: Sequence[Queued], voice: Voice, id_of: Callable[[PersonSettings], str]
) -> list[str]:
    """The ids of those whom the notices call; from the configuration, never from a log."""
    names = [name for queued in batch for name in queued.notice.people]
    known = [id_of(voice.people[name]) for name in names if name in voice.people]
    return list(dict.fromkeys(filter(None, known)))[:_CALLED_AT_ONCE]


def uncalled(line: str) -> str:
    """A line of foreign text in which no ``@`` looks like a call.  By their documents DingTalk and
    WeCom ring nobody for it, but readers would think so; an address (a@example.com) stays."""
    return _CALL.sub("＠", line)


def classify(status: int, body: bytes, codes: Codes) -> tuple[Answer, str]:
    """The class of an answer, and what it said (not yet safe to show)."""
    payload = _json(body)
    code, message = codes.read(payload) if isinstance(payload, dict) else (None, "")
    by_code = codes.meaning(code, message) if code is not None else None
    said = f"code {code}: {message}" if code is not None else f"HTTP {status}"
    if by_code is Answer.THROTTLED:
        return Answer.THROTTLED, said
    if 200 <= status <= 299:
        if by_code is not None and code is not None:
            return by_code, _advised(said, codes.advice(code, message))
        if payload is _NO_JSON:
            return Answer.TRANSIENT, f"{said}, and the answer is no JSON: is a portal in between?"
        return Answer.UNKNOWN, f"{said}, and the answer has no usable code"
    by_status_alone = by_status(status)
    if by_status_alone is not None:
        return by_status_alone, status_said(status, f"{codes.prefix}webhook_url", codes.prefix)
    if by_code is None or by_code is Answer.DELIVERED or code is None:
        return Answer.UNKNOWN, f"HTTP {status}"
    return by_code, _advised(said, codes.advice(code, message))


def by_status(status: int) -> Answer | None:
    """What the status of a refusal means by itself; None: nothing."""
    if status == 429:
        return Answer.THROTTLED
    if status == 408 or status >= 500:
        return Answer.TRANSIENT
    if status == 413:
        return Answer.PAYLOAD
    if 300 <= status <= 399 or status in (401, 403, 404, 407):
        return Answer.CONFIGURATION
    return None


def status_said(status: int, key: str, prefix: str = "") -> str:
    """``key`` is what the configuration calls the address."""
    advice = {
        401: f"the server wants credentials: check {key}",
        403: f"the server forbids it: check {key} and what is between",
        404: f"there is no such webhook: check {key}",
        407: f"the proxy wants credentials: check {prefix}proxy",
    }
    if 300 <= status <= 399:
        return _advised(f"HTTP {status}", f"redirects are not followed: check {key}")
    return _advised(f"HTTP {status}", advice.get(status))


def _advised(said: str, advice: str | None) -> str:
    return f"{said} ({advice})" if advice else said


def integer(payload: Mapping[str, object], number: str, words: str) -> tuple[int | None, str]:
    """The integer called ``number`` with the text called ``words``.  JSON's true is no 1 and "0" is
    no 0."""
    value = payload.get(number)
    return (value, str(payload.get(words, ""))) if type(value) is int else (None, "")


_NO_JSON = object()
_CALL = re.compile(r"(?<![0-9A-Za-z._%+-])@|@(?![0-9A-Za-z-]+\.[A-Za-z])")


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


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
