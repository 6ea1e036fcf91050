"""The configuration: typed settings, where they are looked for, and what they may say."""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from usersessionmon.detect.fold_settings import FoldSettings, QuietHoursSettings
from usersessionmon.detect.settings import DetectSettings, MaintenanceSettings, QuietSettings
from usersessionmon.errors import UserError
from usersessionmon.fitting import is_address
from usersessionmon.layers import read_layers
from usersessionmon.metrics.settings import MetricsSettings
from usersessionmon.model import ChangeKind
from usersessionmon.notify.secret import file_problems
from usersessionmon.notify.settings import (
    ChannelSettings,
    FeishuSettings,
    MentionSettings,
    OutboxSettings,
    PersonSettings,
    RouteSettings,
    TemplateSettings,
)
from usersessionmon.strict import BadValueError, build, nearest, refuse, shown
from usersessionmon.system import places, users
from usersessionmon.watching.settings import HeartbeatSettings, ReportSettings
from usersessionmon.windows.settings import WindowsSettings

SYSTEM_CONFIG = places.CONFIG
LOCAL_CONFIG = Path("config/config.yaml")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_NAME_MOST = 100
FEISHU, TERMINAL = "feishu", "terminal"
"""The channels whose names are given."""
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class SourceKind(StrEnum):
    AUTO = "auto"
    JOURNAL = "journal"
    FILE = "file"
    WINDOWS = "windows"


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
    rules_dir: str = places.RULES
    alarm_forged: bool = True
    """Tell when somebody writes log lines in a login program's name; needs the journal."""
    alarm_silent: bool = True
    """Tell when people come and go on sshd and the log says nothing."""
    alarm_coverage: bool = True
    """Tell when far fewer lines are understood than usual."""
    alarm_down_minutes: int = 5
    """Tell at the start when nobody watched for longer; 0: never."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        if self.log_file:
            yield from _no_path("log_file", self.log_file)
        if not 0 <= self.alarm_down_minutes <= 10_080:
            yield BadValueError("alarm_down_minutes", "must be from 0 (never) to 10080")


@dataclass(frozen=True, slots=True)
class StateSettings:
    dir: str = places.STATE
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
        if self.ip and not is_address(self.ip):
            refuse([BadValueError("ip", "must be an IP address such as 192.0.2.10")])


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    events: tuple[ChangeKind, ...] = (ChangeKind.LOGIN, ChangeKind.LOGOUT)


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """Hosts that somebody has claimed."""

    notify: bool = True
    """Tell when one is claimed or released; logins there say so in any case."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True)
class Settings:
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    feishu: FeishuSettings = field(default_factory=FeishuSettings)
    channels: dict[str, ChannelSettings] = field(default_factory=dict)
    """Further channels, by name."""
    routes: tuple[RouteSettings, ...] = ()
    """The first that fits a notice says where it goes; none: everywhere."""
    people: dict[str, PersonSettings] = field(default_factory=dict)
    """By account, or by a key's name (``keys``)."""
    mention: MentionSettings = field(default_factory=MentionSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    state: StateSettings = field(default_factory=StateSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    templates: TemplateSettings = field(default_factory=TemplateSettings)
    detect: DetectSettings = field(default_factory=DetectSettings)
    quiet: QuietSettings = field(default_factory=QuietSettings)
    maintenance: MaintenanceSettings = field(default_factory=MaintenanceSettings)
    quiet_hours: QuietHoursSettings = field(default_factory=QuietHoursSettings)
    fold: FoldSettings = field(default_factory=FoldSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    heartbeat: HeartbeatSettings = field(default_factory=HeartbeatSettings)
    claims: ClaimSettings = field(default_factory=ClaimSettings)
    keys: dict[str, str] = field(default_factory=dict)
    """What keys are called: fingerprint → name."""
    windows: WindowsSettings = field(default_factory=WindowsSettings)
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
        if self.windows.servers and self.monitor.source in {SourceKind.JOURNAL, SourceKind.FILE}:
            text = "are followed where monitor.source is auto or windows: one of the two must go"
            yield BadValueError("windows", text)
        yield from self._unknown_names()

    def _unknown_names(self) -> Iterator[BadValueError]:
        for name in self.channels:
            if not _CHANNEL.fullmatch(name):
                text = f"{shown(name)} must be up to 32 small letters, digits, - and _"
                yield BadValueError("channels", text)
            elif name == TERMINAL or (name == FEISHU and self.feishu.is_set):
                yield BadValueError("channels", f"{name} is the name of another channel")
        known = self.all_channels()
        for name in dict.fromkeys(name for route in self.routes for name in route.to):
            if name not in known:
                has = f"the channels are {', '.join(known) or 'none'}"
                if name == FEISHU:
                    has = "there is none without feishu.webhook_url (or its file)"
                text = f"no channel is called {shown(name)}{nearest(name, known)}; {has}"
                yield BadValueError("routes", text)
        for name in self.mention.on_duty:
            if name not in self.people:
                text = f"on_duty: {shown(name)} is not in people{nearest(name, self.people)}"
                yield BadValueError("mention", text)

    def all_channels(self) -> dict[str, ChannelSettings]:
        """Every channel that is configured, by name."""
        main: dict[str, ChannelSettings] = {FEISHU: self.feishu} if self.feishu.is_set else {}
        return main | self.channels

    def channel_names(self) -> list[str]:
        """Of all to which notices are sent; where none is configured, the terminal."""
        return list(self.all_channels()) or [TERMINAL]


def _no_path(key: str, path: str) -> Iterator[BadValueError]:
    if not places.is_absolute(path) or "\0" in path:
        yield BadValueError(key, "must be an absolute path")


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


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
            f"{path}: may not be read by this user ({error.strerror}): {users.MORE_RIGHTS}"
        ) from error


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the file, if there is one, what stands in ``conf.d`` beside it, and
    the environment.  Raises UserError with a line for every mistake."""
    return build(read_layers(path, Settings, environment), Settings)


def check_files(settings: Settings) -> None:
    """Raise UserError with a line for each file that a channel names and that cannot be used,
    whether it is needed or not."""
    problems = file_problems(FEISHU, settings.feishu)
    problems += file_problems("heartbeat", settings.heartbeat)
    for name, channel in settings.channels.items():
        problems += file_problems(f"channels.{name}", channel)
    if problems:
        raise UserError(problems)
