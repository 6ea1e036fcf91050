"""The configuration: typed settings, where they are looked for, and what they may say."""

from __future__ import annotations

import ipaddress
import urllib.parse
import zoneinfo
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from usersessionmon.errors import UserError
from usersessionmon.model import ChangeKind
from usersessionmon.strict import BadValueError, build, read_document

SYSTEM_CONFIG = Path("/etc/user-session-monitor/config.yaml")
LOCAL_CONFIG = Path("config/config.yaml")


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

    def __post_init__(self) -> None:
        if self.log_file and not self.log_file.startswith("/"):
            raise BadValueError("log_file", "must be an absolute path")


@dataclass(frozen=True, slots=True)
class FeishuSettings:
    webhook_url: str = field(default="", repr=False)
    webhook_url_file: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    style: Style = Style.TEXT
    proxy: str = ""
    """URL of a proxy; empty: none, whatever the environment says."""
    ca_file: str = ""
    """A private CA's certificates (PEM); empty: the system's."""

    def __post_init__(self) -> None:
        check_webhook("webhook_url", self.webhook_url)
        if self.webhook_url and self.webhook_url_file:
            raise BadValueError(
                "webhook_url_file", "give webhook_url or webhook_url_file, not both"
            )
        if self.secret and self.secret_file:
            raise BadValueError("secret_file", "give secret or secret_file, not both")


@dataclass(frozen=True, slots=True)
class StateSettings:
    dir: str = "/var/lib/user-session-monitor"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How this server is called in notices; empty: found out."""

    name: str = ""
    ip: str = ""


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
    log: LogSettings = field(default_factory=LogSettings)
    language: Language = Language.ZH
    timezone: str = ""
    """An IANA name (``Asia/Shanghai``); empty: the host's zone."""

    def __post_init__(self) -> None:
        if self.timezone:
            try:
                zoneinfo.ZoneInfo(self.timezone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise BadValueError(
                    "timezone", "must be a time zone's name such as Asia/Shanghai"
                ) from error


@dataclass(frozen=True, slots=True)
class Webhook:
    """What is needed to reach the Feishu bot; never printed."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


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

    None: no webhook is configured.  Raises UserError for a file that cannot be read.
    """
    url = settings.webhook_url or _read_secret("feishu.webhook_url_file", settings.webhook_url_file)
    if not url:
        return None
    try:
        check_webhook("feishu.webhook_url_file", url)
    except BadValueError as error:
        raise UserError(
            f"{settings.webhook_url_file}: feishu.webhook_url_file: its text {error}"
        ) from error
    return Webhook(url, settings.secret or _read_secret("feishu.secret_file", settings.secret_file))


def _read_secret(key: str, path: str) -> str:
    if not path:
        return ""
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"{path}: {key}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {key}: is not text") from error
    if not text:
        raise UserError(f"{path}: {key}: the file is empty")
    return text
