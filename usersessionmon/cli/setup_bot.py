"""The group's bot for ``setup``: where its webhook and secret come from, and a notice to try it."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from usersessionmon.clock import Clock
from usersessionmon.config import FEISHU, Settings
from usersessionmon.errors import UserError
from usersessionmon.notify.base import Answer, Queued
from usersessionmon.notify.registry import channel_of
from usersessionmon.notify.settings import FeishuSettings, check_webhook
from usersessionmon.notify.text import test_notice
from usersessionmon.notify.words import Voice
from usersessionmon.strict import BadValueError
from usersessionmon.wiring.here import look_around
from usersessionmon.wiring.notices import server_of
from usersessionmon.yamledit import is_one_line

from .asking import Talk
from .refusals import explain

_LONGEST = 64 * 1024
_ADVICE = re.compile(r" \([^()]*\)$")
"""What the channel adds for logs; here it is said in more words."""
_OTHERS = {"oapi.dingtalk.com": "dingtalk", "qyapi.weixin.qq.com": "wecom"}
"""Robots of other platforms, which are set up elsewhere."""


@dataclass(frozen=True, slots=True)
class Bot:
    """What is wanted in place of what the configuration has.  None: as it is; empty: none."""

    url: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    had_url: bool = False
    had_secret: bool = False

    @property
    def is_set(self) -> bool:
        return self.had_url if self.url is None else bool(self.url)

    @property
    def has_secret(self) -> bool:
        return self.had_secret if self.secret is None else bool(self.secret)

    def over(self, settings: FeishuSettings) -> FeishuSettings:
        """The settings with what is wanted."""
        if self.url is not None:
            settings = replace(settings, webhook_url=self.url, webhook_url_file="")
        if self.secret is not None:
            settings = replace(settings, secret=self.secret, secret_file="")
        return settings

    def changes(self) -> dict[str, str]:
        """As keys of the configuration; a file that was named in their place is named no more."""
        given: dict[str, str] = {}
        for key, value in (("webhook_url", self.url), ("secret", self.secret)):
            if value is not None:
                given |= {f"feishu.{key}": value, f"feishu.{key}_file": ""}
        return given


@dataclass(frozen=True, slots=True)
class Tried:
    delivered: bool
    report: dict[str, Any]


def bot_of(options: argparse.Namespace, settings: FeishuSettings) -> Bot:
    """By the options.  Raises UserError for a file that cannot be used."""
    bot = Bot(
        had_url=settings.is_set,
        had_secret=bool(settings.secret or settings.secret_file),
    )
    if options.no_webhook:
        return replace(bot, url="")
    if options.webhook_file:
        url = _text_of("--webhook-file", options.webhook_file)
        wrong = mistake_in(url)
        if wrong:
            raise UserError(f"--webhook-file {options.webhook_file}: the webhook {wrong}")
        bot = replace(bot, url=url)
    if options.secret_file:
        bot = replace(bot, secret=_text_of("--secret-file", options.secret_file))
    return bot


def mistake_in(url: str) -> str:
    """What is wrong with a webhook; empty: nothing."""
    try:
        check_webhook("webhook_url", url)
    except BadValueError as error:
        return str(error)
    host = urlsplit(url).hostname or ""
    if host in _OTHERS:
        return f"is not Feishu's: put it under channels, with type: {_OTHERS[host]} (see README)"
    return ""


def keep_or_ask(talk: Talk, bot: Bot) -> Bot:
    """Ask for both; Enter keeps what is there."""
    if not bot.is_set:
        talk.say("Add a custom bot to the group: settings (设置) → bots (群机器人) → custom bot")
        talk.say(
            "(自定义机器人), with the keyword 通知 or with signature check, and copy its address."
        )
    none = "Enter keeps it, - removes it" if bot.is_set else "Enter: none, notices are printed"
    while True:
        url = talk.ask_hidden(f"webhook, not shown as you paste it ({none})")
        wrong = "" if url in {"", "-"} else mistake_in(url)
        if not wrong:
            break
        talk.say(f"the webhook {wrong}")
    bot = replace(bot, url={"": bot.url, "-": ""}.get(url, url))
    return _ask_secret(talk, bot) if bot.is_set else bot


def _ask_secret(talk: Talk, bot: Bot) -> Bot:
    none = "Enter keeps it, - removes it" if bot.has_secret else "Enter: none"
    while True:
        secret = talk.ask_hidden(f"secret of the signature check (签名校验), not shown ({none})")
        if is_one_line(secret):
            return replace(bot, secret={"": bot.secret, "-": ""}.get(secret, secret))
        talk.say("the secret must be one line without control characters")


def masked_url(settings: Settings) -> str | None:
    """The bot's address, which opens nothing; None: there is no bot."""
    if not settings.feishu.is_set:
        return None
    channel = channel_of(FEISHU, FEISHU, settings.feishu, Voice(look_around(settings).zone))
    try:
        return channel.address
    finally:
        channel.close()


def try_out(settings: Settings, clock: Clock, talk: Talk) -> Tried:
    """Send one notice through the bot and say what its answer means.  Raises UserError."""
    here = look_around(settings)
    voice = Voice(here.zone, settings.language.value, settings.people)
    channel = channel_of(FEISHU, FEISHU, settings.feishu, voice)
    now_us = clock.now_us()
    try:
        talk.say(f"sending a test notice to {channel.address}")
        notice = test_notice(server_of(settings, here), now_us)
        result = channel.send([Queued(0, notice, now_us, 0)], now_us=now_us)
    finally:
        channel.close()
    delivered = result.answer is Answer.DELIVERED
    report = {"delivered": delivered, "answer": result.answer, "said": result.said}
    if delivered:
        talk.say("delivered: it stands in the group now")
        return Tried(True, report)
    talk.say(f"NOT delivered: {_ADVICE.sub('', result.said)}")
    feishu = settings.feishu
    has_secret = bool(feishu.secret or feishu.secret_file)
    talk.all(explain(result, has_secret=has_secret, now_us=now_us))
    return Tried(False, report)


def _text_of(option: str, name: str) -> str:
    """The text of a file, or of standard input."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_LONGEST)
        else:
            with Path(name).open("rb") as file:
                data = file.read(_LONGEST)
        text = data.decode("utf-8").strip()
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no text"
        raise UserError(f"{option} {name}: cannot be read: {words}") from error
    if not text:
        raise UserError(f"{option} {name}: is empty")
    if not is_one_line(text):
        raise UserError(f"{option} {name}: must hold one line")
    return text
