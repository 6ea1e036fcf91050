"""What the configuration says of channels, one class for each kind, and who gets what.

``TYPE`` is the word by which a channel under ``channels:`` says what it is.  What is left out of a
class's ``repr`` is a secret; ``KEY_file`` names a file that holds ``KEY``.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from usersessionmon.fitting import is_address, networks_mistakes
from usersessionmon.model import Severity
from usersessionmon.strict import BadValueError, refuse
from usersessionmon.system.places import is_absolute

from . import templates

_PER_SECOND, _PER_MINUTE = 100, 6000


class Style(StrEnum):
    TEXT = "text"
    CARD = "card"


class Security(StrEnum):
    """How a mail server is spoken to."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FeishuSettings:
    TYPE: ClassVar[str] = "feishu"

    webhook_url: str = field(default="", repr=False)
    webhook_url_file: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    style: Style = Style.TEXT
    proxy: str = field(default="", repr=False)
    """URL of a proxy, which may hold a password; empty: none, whatever the environment says."""
    ca_file: str = ""
    """A private CA's certificates (PEM); empty: the system's."""
    per_second: int = 4
    per_minute: int = 80
    reserve: int = 10
    """So many more a minute for the abnormal."""

    def __post_init__(self) -> None:
        refuse([*_address("webhook_url", self), *either("secret", self), *_budget(self)])

    @property
    def is_set(self) -> bool:
        """Whether there is a bot at all."""
        return bool(self.webhook_url or self.webhook_url_file)


@dataclass(frozen=True, slots=True)
class DingTalkSettings:
    """A custom robot of a DingTalk group; the platform allows 20 messages a minute."""

    TYPE: ClassVar[str] = "dingtalk"

    webhook_url: str = field(default="", repr=False)
    webhook_url_file: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    proxy: str = field(default="", repr=False)
    ca_file: str = ""
    per_second: int = 1
    per_minute: int = 15
    reserve: int = 3

    def __post_init__(self) -> None:
        refuse(
            [
                *_address("webhook_url", self),
                *_needed("webhook_url", self),
                *either("secret", self),
                *_budget(self),
            ]
        )


@dataclass(frozen=True, slots=True)
class WeComSettings:
    """A robot of a WeCom group; the platform allows 20 messages a minute."""

    TYPE: ClassVar[str] = "wecom"

    webhook_url: str = field(default="", repr=False)
    webhook_url_file: str = ""
    proxy: str = field(default="", repr=False)
    ca_file: str = ""
    per_second: int = 1
    per_minute: int = 15
    reserve: int = 3

    def __post_init__(self) -> None:
        refuse([*_address("webhook_url", self), *_needed("webhook_url", self), *_budget(self)])


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A server of one's own that takes JSON."""

    TYPE: ClassVar[str] = "webhook"

    url: str = field(default="", repr=False)
    url_file: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    proxy: str = field(default="", repr=False)
    ca_file: str = ""
    per_second: int = 10
    per_minute: int = 300
    reserve: int = 60

    def __post_init__(self) -> None:
        refuse(
            [
                *_address("url", self),
                *_needed("url", self),
                *either("secret", self),
                *_budget(self),
            ]
        )


@dataclass(frozen=True, slots=True)
class MailSettings:
    """E-mail by SMTP."""

    TYPE: ClassVar[str] = "email"

    host: str = ""
    port: int = 0
    """0: as ``security`` has it, 587 (starttls), 465 (tls) or 25 (none)."""
    security: Security = Security.STARTTLS
    user: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    ca_file: str = ""
    per_second: int = 1
    per_minute: int = 10
    reserve: int = 5

    def __post_init__(self) -> None:
        refuse([*self._mistakes(), *either("password", self), *_budget(self)])

    def _mistakes(self) -> Iterator[BadValueError]:
        if not _HOST.fullmatch(self.host) and not is_address(self.host):
            yield BadValueError("host", "is needed: the mail server, such as smtp.example.com")
        if not 0 <= self.port <= 65535:
            yield BadValueError("port", "must be from 0 (the usual one) to 65535")
        for key, texts in (("sender", (self.sender,)), ("to", self.to or ("",))):
            if not all(_MAIL.fullmatch(text) for text in texts):
                yield BadValueError(key, "must be mail addresses such as ops@example.com")
        if len(self.to) > _RECIPIENTS:
            yield BadValueError("to", f"must be at most {_RECIPIENTS} addresses")
        if bool(self.password or self.password_file) != bool(self.user):
            yield BadValueError("user", "user and password (or password_file) go together")
        if not self.user.isprintable():
            yield BadValueError("user", "must not hold control characters")
        if self.user and self.security is Security.NONE:
            yield BadValueError("security", "none would send the password in the clear")


APPRISE_URLS = 20


@dataclass(frozen=True, slots=True)
class AppriseSettings:
    """Whatever else the Apprise library knows how to reach."""

    TYPE: ClassVar[str] = "apprise"

    urls: tuple[str, ...] = field(default=(), repr=False)
    urls_file: str = ""
    """One URL a line."""
    per_second: int = 1
    per_minute: int = 15
    reserve: int = 3

    def __post_init__(self) -> None:
        mistakes = [*_needed("urls", self), *either("urls", self), *_budget(self)]
        if len(self.urls) > APPRISE_URLS:
            mistakes.append(BadValueError("urls", f"must be at most {APPRISE_URLS}"))
        for number, url in enumerate(self.urls, 1):
            if not url or not url.isprintable():
                mistakes.append(BadValueError("urls", f"number {number} is no address"))
        refuse(mistakes)


ChannelSettings = (
    FeishuSettings
    | DingTalkSettings
    | WeComSettings
    | WebhookSettings
    | MailSettings
    | AppriseSettings
)


@dataclass(frozen=True, slots=True)
class TemplateSettings:
    """Texts of the user's own for the notices of single events; empty: the built-in ones."""

    login: str = ""
    logout: str = ""
    login_failed: str = ""
    elevation: str = ""

    def __post_init__(self) -> None:
        refuse(
            BadValueError(kind, text)
            for kind in templates.HOLES
            for text in templates.mistakes(kind, getattr(self, kind))
        )


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """What may wait for each channel."""

    max_notices: int = 10_000
    """How many; 0: as many as there are."""
    max_days: int = 7
    """For how long; 0: for ever."""

    def __post_init__(self) -> None:
        refuse(
            BadValueError(key, f"must be a number from 0 (no limit) to {most}")
            for key, most in (("max_notices", 1_000_000), ("max_days", 10_000))
            if not 0 <= getattr(self, key) <= most
        )


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """Which notices go to ``to``: those that fit everything that is given."""

    to: tuple[str, ...]
    """Names of channels; none: nobody is told (it is counted)."""
    events: tuple[str, ...] = ()
    """Kinds of notices (``model.Notice.kind``)."""
    severity: Severity | None = None
    users: tuple[str, ...] = ()
    """Names, in which ``*`` and ``?`` stand for anything."""
    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """As users."""

    def __post_init__(self) -> None:
        refuse([*_kinds("events", self.events), *networks_mistakes("networks", self.networks)])


@dataclass(frozen=True, slots=True)
class PersonSettings:
    """By which ids a person is called in the chats."""

    feishu: str = ""
    """open_id (``ou_…``)"""
    dingtalk: str = ""
    """The userId in the company's directory."""
    wecom: str = ""
    """userid"""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        if self.feishu and not re.fullmatch(r"ou_[0-9A-Za-z_-]{1,64}", self.feishu):
            yield BadValueError("feishu", "must be an open_id (ou_…)")
        for key in ("dingtalk", "wecom"):
            value = getattr(self, key)
            if value and not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_.@-]{0,63}", value):
                yield BadValueError(key, "must be a user's id: letters, digits and _ . @ -")
            elif value.casefold() in {"all", "@all"}:
                yield BadValueError(key, "must be one person's id")


@dataclass(frozen=True, slots=True)
class MentionSettings:
    """Who is called by name when a notice is abnormal."""

    owner: bool = True
    """The person whose account it is about, where ``people`` knows them."""
    on_duty: tuple[str, ...] = ()
    """Names of ``people`` who are called for everything abnormal."""


KINDS = (
    "login",
    "logout",
    "login_failed",
    "elevation",
    "claim",
    "failures",
    "forged",
    "trouble",
    "report",
    "heartbeat",
    "test",
)
"""What ``model.Notice.kind`` can be."""
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(
    rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?=.{{1,253}}$)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
)
_RECIPIENTS = 50


def check_webhook(key: str, url: str) -> None:
    """Raise BadValueError for a webhook address that must not be used."""
    if not url:
        return
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise BadValueError(key, "is not an address (https://…)") from error
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in url):
        # libraries disagree about which host stands beside a backslash
        raise BadValueError(key, "must not hold blanks, backslashes or control characters")
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and _is_loopback(host):
        return
    raise BadValueError(key, "must begin with https:// (http:// only for loopback addresses)")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(key: str, settings: object) -> Iterator[BadValueError]:
    try:
        check_webhook(key, getattr(settings, key))
    except BadValueError as error:
        yield error
    yield from either(key, settings)
    yield from check_proxy(getattr(settings, "proxy"))  # noqa: B009


def check_proxy(proxy: str) -> Iterator[BadValueError]:
    """What is wrong with the address of a proxy; it is not shown, it may hold a password."""
    try:
        parts = urllib.parse.urlsplit(proxy)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if proxy and (not good or not proxy.isprintable() or " " in proxy):
        yield BadValueError("proxy", "must be the address of a proxy such as http://host:port")


def either(key: str, settings: object) -> Iterator[BadValueError]:
    """What is wrong with a key and the file in its place.  Whoever wrote the secret itself where
    the file's name belongs shall not find it in the log as a file that is not there."""
    path = getattr(settings, f"{key}_file")
    if getattr(settings, key) and path:
        yield BadValueError(f"{key}_file", f"give {key} or {key}_file, not both")
    elif path and not is_absolute(path):
        yield BadValueError(f"{key}_file", f"must be the absolute path of a file with the {key}")


def _needed(key: str, settings: object) -> Iterator[BadValueError]:
    if not getattr(settings, key) and not getattr(settings, f"{key}_file"):
        yield BadValueError(key, f"{key} or {key}_file is needed")


def _budget(settings: object) -> Iterator[BadValueError]:
    limits = (("per_second", 1, _PER_SECOND), ("per_minute", 1, _PER_MINUTE), ("reserve", 0, 1000))
    for key, least, most in limits:
        if not least <= getattr(settings, key) <= most:
            yield BadValueError(key, f"must be from {least} to {most}")


def _kinds(key: str, kinds: tuple[str, ...]) -> Iterator[BadValueError]:
    if not set(kinds) <= set(KINDS):
        yield BadValueError(key, f"must be a list of {', '.join(KINDS)}")
