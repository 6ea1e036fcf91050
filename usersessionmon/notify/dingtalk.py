"""A DingTalk custom robot as a channel.

Facts: DingTalk's pages 自定义机器人接入 (body, who is called, 20 messages a minute and ten minutes'
block for more), 自定义机器人安全设置 (keyword, signature, IP) and the tables of codes there and in
Alibaba Cloud's "Error codes for alert notifications" (a message holds 20,000 bytes).  Refusals come
as HTTP 200.  Only ``at`` calls anybody; an id shows as a call where it also stands in the text.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
from collections.abc import Mapping, Sequence

from . import robot
from .base import Answer, Queued
from .http import HttpClient, Reply
from .robot import Codes, Request, Robot, called, uncalled
from .secret import Secret, secret_of
from .settings import DingTalkSettings
from .text import render_lines
from .words import Voice

BODY_LIMIT = 20_000
"""Bytes."""

_UNSAFE = 310000
_LACKING = 40035
_THROTTLED = frozenset({130101, 410100, 90030, 1111})
"""1111 is the gateway's own block, which has no ``errcode``."""
_PAYLOAD = frozenset({400105, 430101, 430102, 430103, 430104, 460101})
_GONE = "the webhook's token is wrong or the robot was removed: check webhook_url"
_ADVICE: Mapping[int, str] = {
    300001: _GONE,
    300005: _GONE,
    400101: _GONE,
    400106: _GONE,
    _LACKING: "the token is missing: check webhook_url",
    400013: "the group was dismissed: take another one's robot",
    400102: "the robot is switched off: enable it in the group's settings",
}


def sign(secret: str, timestamp_ms: int) -> str:
    """DingTalk's signature, not yet quoted for the address; good for an hour."""
    message = f"{timestamp_ms}\n{secret}".encode()
    digest = hmac.new(secret.encode("utf-8"), message, hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


class DingTalkChannel(Robot):
    """Sends text messages to one group's robot."""

    limit = BODY_LIMIT

    def __init__(
        self, name: str, url: Secret, secret: Secret, *, client: HttpClient, voice: Voice
    ) -> None:
        super().__init__(name, url, secret, client)
        self._voice = voice

    def request(self, batch: Sequence[Queued], *, now_us: int) -> Request:
        lines = render_lines(batch, now_us=now_us, voice=self._voice)
        text = "\n".join(map(uncalled, lines))
        message: dict[str, object] = {"msgtype": "text"}
        ids = called(batch, self._voice, lambda person: person.dingtalk)
        if ids:
            text += "\n" + " ".join(f"@{one}" for one in ids)
            message["at"] = {"atUserIds": ids}
        message["text"] = {"content": text}
        body = json.dumps(message, ensure_ascii=False).encode("utf-8")
        return Request(self._signed(now_us // 1000), body, len(body))

    def judge(self, reply: Reply) -> tuple[Answer, str]:
        return classify(reply.status, reply.body)

    def _signed(self, timestamp_ms: int) -> str:
        url, secret = self._url.text(), self._secret.text()
        if not secret:
            return url
        pairs = {"timestamp": timestamp_ms, "sign": sign(secret, timestamp_ms)}
        return f"{url}{'&' if '?' in url else '?'}{urllib.parse.urlencode(pairs)}"


def make(name: str, where: str, settings: DingTalkSettings, voice: Voice) -> DingTalkChannel:
    """The channel that the settings describe; ``where`` are their keys.  Raises UserError."""
    return DingTalkChannel(
        name,
        secret_of(where, settings, "webhook_url"),
        secret_of(where, settings, "secret"),
        client=HttpClient(ca_file=settings.ca_file, proxy=settings.proxy),
        voice=voice,
    )


def classify(status: int, body: bytes) -> tuple[Answer, str]:
    """The class of an answer, and what it said (not yet safe to show)."""
    return robot.classify(status, body, _CODES)


def _meaning(code: int, message: str) -> Answer:
    if code == 0:
        return Answer.DELIVERED
    if code == -1:
        return Answer.TRANSIENT
    if code in _THROTTLED:
        return Answer.THROTTLED
    if code in _PAYLOAD or (code == _LACKING and "access_token" not in message):
        return Answer.PAYLOAD
    return Answer.CONFIGURATION if code in _ADVICE or code == _UNSAFE else Answer.UNKNOWN


def _advice(code: int, message: str) -> str | None:
    return _of_unsafe(message.casefold()) if code == _UNSAFE else _ADVICE.get(code)


def _of_unsafe(message: str) -> str:
    """One number for three things; the message is English or Chinese."""
    if "keyword" in message or "关键词" in message:
        return "the robot wants a keyword that the notice lacks: set its keyword to 通知"
    if "whitelist" in message or "白名单" in message:
        return "this host's address is not on the robot's list of IPs: add it there"
    if any(word in message for word in ("sign", "timestamp", "签名", "时间戳")):
        return "the signature was refused: check secret and this host's clock"
    return "the robot's security settings refuse it: look at keyword, signature and IPs"


def _code(payload: Mapping[str, object]) -> tuple[int | None, str]:
    if "errcode" not in payload and "punish" in payload:
        return robot.integer(payload, "status", "punish")
    return robot.integer(payload, "errcode", "errmsg")


_CODES = Codes(_code, _meaning, _advice)
