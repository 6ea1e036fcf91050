"""The configuration: typed settings, where they are looked for, and what they may say."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from usersessionmon.detect.settings import DetectSettings, MaintenanceSettings, QuietSettings
from usersessionmon.errors import UserError
from usersessionmon.model import ChangeKind
from usersessionmon.strict import BadValueError, build, read_document, refuse, shown

SYSTEM_CONFIG = Path("/etc/user-session-monitor/config.yaml")
LOCAL_CONFIG = Path("config/config.yaml")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_NAME_MOST = 100
_LONGEST = 64 * 1024
"""Bytes that are read of a file with a secret."""


class SourceKind(StrEnum):
    AUTO = "auto"
    JOURNAL = "journal"
    FILE = "file"


class Style(StrEnum):
    TEXT = "text"
    CARD = "card"


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    source: SourceKind = SourceKind.AUTO
    log_file: str = ""
    distro: str = ""
    """A rule pack's name (``debian``, ``rhel``, …); empty: read from os-release."""
    rules_dir: str = "/etc/user-session-monitor/rules.d"
    alarm_forged: bool = True
    """Tell when somebody writes log lines in a login program's name; needs the journal."""
    alarm_silent: bool = True
    """Tell when people come and go on sshd and the log says nothing."""

    def __post_init__(self) -> None:
        if self.log_file:
            refuse(_no_path("log_file", self.log_file))


@dataclass(frozen=True, slots=True)
class FeishuSettings:
    webhook_url: str = field(default="", repr=False)
    webhook_url_file: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    style: Style = Style.TEXT
    proxy: str = field(default="", repr=False)
    """URL of a proxy, which may hold a password; empty: none, whatever the environment says."""
    ca_file: str = ""
    """A private CA's certificates (PEM); empty: the system's."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        try:
            check_webhook("webhook_url", self.webhook_url)
        except BadValueError as error:
            yield error
        if self.webhook_url and self.webhook_url_file:
            yield BadValueError(
                "webhook_url_file", "give webhook_url or webhook_url_file, not both"
            )
        if self.secret and self.secret_file:
            yield BadValueError("secret_file", "give secret or secret_file, not both")


@dataclass(frozen=True, slots=True)
class StateSettings:
    dir: str = "/var/lib/user-session-monitor"
    keep_days: int = 400
    """How long ended sessions are kept; 0: for ever."""
    max_sessions: int = 500_000
    """How many ended sessions are kept at most; 0: as many as there are."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        yield from _no_path("dir", self.dir)
        for key, most in (("keep_days", 100_000), ("max_sessions", 1_000_000_000)):
            if not 0 <= getattr(self, key) <= most:
                yield BadValueError(key, f"must be a number from 0 (no limit) to {most}")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How this server is called in notices; empty: found out."""

    name: str = ""
    ip: str = ""

    def __post_init__(self) -> None:
        if self.ip and not _is_address(self.ip):
            refuse([BadValueError("ip", "must be an IP address such as 192.0.2.10")])


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    events: tuple[ChangeKind, ...] = (ChangeKind.LOGIN, ChangeKind.LOGOUT)


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True)
class Settings:
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    feishu: FeishuSettings = field(default_factory=FeishuSettings)
    state: StateSettings = field(default_factory=StateSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    detect: DetectSettings = field(default_factory=DetectSettings)
    quiet: QuietSettings = field(default_factory=QuietSettings)
    maintenance: MaintenanceSettings = field(default_factory=MaintenanceSettings)
    keys: dict[str, str] = field(default_factory=dict)
    """What keys are called: fingerprint → name."""
    log: LogSettings = field(default_factory=LogSettings)
    language: Language = Language.ZH
    timezone: str = ""
    """An IANA name (``Asia/Shanghai``); empty: the host's zone."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        for fingerprint, name in self.keys.items():
            if not _FINGERPRINT.fullmatch(fingerprint):
                text = f"{shown(fingerprint)} is no fingerprint (SHA256:…, as ssh-keygen -l shows)"
                yield BadValueError("keys", text)
            elif not (name.strip() and name.isprintable() and len(name) <= _NAME_MOST):
                text = f"the name of {fingerprint} must be 1 to {_NAME_MOST} printable characters"
                yield BadValueError("keys", text)
        if self.timezone and not _is_zone(self.timezone):
            text = "must be a time zone's name such as Asia/Shanghai"
            yield BadValueError("timezone", text)


@dataclass(frozen=True, slots=True)
class Webhook:
    """What is needed to reach the Feishu bot; never printed."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


def _no_path(key: str, path: str) -> Iterator[BadValueError]:
    if not path.startswith("/") or "\0" in path:
        yield BadValueError(key, "must be an absolute path")


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.isprintable()  # an IPv6 zone may hold anything


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
    if any(c.isspace() or not c.isprintable() for c in url):
        raise BadValueError(key, "must not hold blanks or control characters")
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


def find_config(given: str | None) -> Path | None:
    """The file to read: the one given, else the first default that exists, else None.

    Raises UserError when a file was given and is not there, or may not even be looked for.
    """
    if given is not None:
        path = Path(given)
        if not _exists(path):
            raise UserError(f"{path}: there is no such configuration file")
        return path
    return next((path for path in (SYSTEM_CONFIG, LOCAL_CONFIG) if _exists(path)), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UserError(
            f"{path}: may not be read by this user ({error.strerror}): use sudo, or join the "
            "group user-session-monitor"
        ) from error


def load(path: Path | None) -> Settings:
    """Read the settings; None: the defaults.  Raises UserError with a line for every mistake."""
    if path is None:
        return Settings()
    return build(read_document(path), Settings)


def read_webhook(settings: FeishuSettings) -> Webhook | None:
    """The webhook with its secret, from the settings or the files that they name.

    None: no webhook is configured.  Raises UserError, a line for each of the files that cannot be
    used, whether they are needed or not.
    """
    problems: list[str] = []
    url = settings.webhook_url
    if settings.webhook_url_file:
        url = _read_secret("webhook_url_file", settings.webhook_url_file, problems)
        try:
            check_webhook("webhook_url_file", url)
        except BadValueError as error:
            problems.append(
                f"{settings.webhook_url_file}: feishu.webhook_url_file: its text {error}"
            )
    secret = settings.secret
    if settings.secret_file:
        secret = _read_secret("secret_file", settings.secret_file, problems)
    if settings.ca_file:
        _bytes_of("ca_file", settings.ca_file, problems)
    if problems:
        raise UserError(problems)
    return Webhook(url, secret) if url else None


def _read_secret(key: str, path: str, problems: list[str]) -> str:
    """The text of a file; empty, with a line in ``problems``, when there is none."""
    data = _bytes_of(key, path, problems)
    if data is None:
        return ""
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        problems.append(f"{path}: feishu.{key}: is not text")
        return ""
    if not text:
        problems.append(f"{path}: feishu.{key}: the file is empty")
    return text


def _bytes_of(key: str, path: str, problems: list[str]) -> bytes | None:
    """The beginning of a file; None, with a line in ``problems``, when it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_LONGEST)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no file name"
        problems.append(f"{path}: feishu.{key}: cannot be read: {words}")
        return None
