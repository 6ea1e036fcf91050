"""A WeCom (企业微信) group's robot as a channel.

Facts: WeCom's pages 消息推送配置说明, formerly 群机器人配置说明 (body, 2048 bytes of text, 20 a
minute; ``<@userid>`` calls somebody even inside a text: its ＜ is full-width here), and
全局错误码.  Refusals come as HTTP 200.  Nothing is signed: who knows the address may send.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from . import robot
from .base import Answer, Queued
from .http import HttpClient, Reply
from .robot import Codes, Request, Robot, called, uncalled
from .secret import Secret, secret_of
from .settings import WeComSettings
from .text import render_lines
from .words import Voice

TEXT_LIMIT = 2048
"""Bytes of the text alone, as UTF-8."""

_THROTTLED = frozenset({45009, 45033})
_PAYLOAD = frozenset({40008, 40033, 40058, 40063, 44004, 45002, 47001})
_ADVICE: Mapping[int, str] = {
    93000: "the webhook's key is wrong or the robot was removed: check webhook_url",
    93004: "the robot is switched off: enable it in the group's settings",
    93008: "the robot is not in the group any more: add one and set webhook_url",
    93017: "the robot may not send: look at it in the group's settings",
    60020: "this host's address is not allowed: add it to the company's trusted IPs",
}


class WeComChannel(Robot):
    """Sends text messages to one group's robot."""

    limit = TEXT_LIMIT

    def __init__(self, name: str, url: Secret, *, client: HttpClient, voice: Voice) -> None:
        super().__init__(name, url, Secret(f"{name}.secret"), client)
        self._voice = voice

    def request(self, batch: Sequence[Queued], *, now_us: int) -> Request:
        lines = render_lines(batch, now_us=now_us, voice=self._voice)
        content = "\n".join(map(uncalled, lines))
        text: dict[str, object] = {"content": content}
        ids = called(batch, self._voice, lambda person: person.wecom)
        if ids:
            text["mentioned_list"] = ids
        body = json.dumps({"msgtype": "text", "text": text}, ensure_ascii=False).encode("utf-8")
        return Request(self._url.text(), body, len(content.encode("utf-8")))

    def judge(self, reply: Reply) -> tuple[Answer, str]:
        return classify(reply.status, reply.body)


def make(name: str, where: str, settings: WeComSettings, voice: Voice) -> WeComChannel:
    """The channel that the settings describe; ``where`` are their keys.  Raises UserError."""
    return WeComChannel(
        name,
        secret_of(where, settings, "webhook_url"),
        client=HttpClient(ca_file=settings.ca_file, proxy=settings.proxy),
        voice=voice,
    )


def classify(status: int, body: bytes) -> tuple[Answer, str]:
    """The class of an answer, and what it said (not yet safe to show)."""
    return robot.classify(status, body, _CODES)


def _meaning(code: int, _: str) -> Answer:
    if code == 0:
        return Answer.DELIVERED
    if code == -1:
        return Answer.TRANSIENT
    if code in _THROTTLED:
        return Answer.THROTTLED
    if code in _PAYLOAD:
        return Answer.PAYLOAD
    return Answer.CONFIGURATION if code in _ADVICE else Answer.UNKNOWN


def _code(payload: Mapping[str, object]) -> tuple[int | None, str]:
    return robot.integer(payload, "errcode", "errmsg")


_CODES = Codes(_code, _meaning, lambda code, _: _ADVICE.get(code))
