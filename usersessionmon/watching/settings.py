"""What the configuration says of the daily report and of the monitor's own heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from usersessionmon.detect.windows import time_of_day
from usersessionmon.notify.settings import check_proxy, check_webhook, either
from usersessionmon.strict import BadValueError, refuse


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """The daily report."""

    at: str = ""
    """``08:30``, by the configuration's time zone; empty: none."""
    top: int = 20
    """So many users are named."""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        try:
            time_of_day(self.at or "00:00")
        except ValueError:
            yield BadValueError("at", 'must be a time of day such as "08:30"')
        if not 1 <= self.top <= 100:
            yield BadValueError("top", "must be from 1 to 100")


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """Signs of life: to a URL, and to the chat."""

    url: str = field(default="", repr=False)
    """As healthchecks.io gives it; it is a secret."""
    url_file: str = ""
    minutes: int = 5
    fail: bool = True
    """Say at ``URL/fail`` when something is wrong; else nothing is sent then."""
    chat_hours: int = 0
    """A notice that all is well, every so many hours; 0: none."""
    proxy: str = field(default="", repr=False)
    ca_file: str = ""

    def __post_init__(self) -> None:
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[BadValueError]:
        try:
            check_webhook("url", self.url)
        except BadValueError as error:
            yield error
        yield from either("url", self)
        yield from check_proxy(self.proxy)
        if not 1 <= self.minutes <= 1440:
            yield BadValueError("minutes", "must be from 1 to 1440")
        if not 0 <= self.chat_hours <= 720:
            yield BadValueError("chat_hours", "must be from 0 (none) to 720")

    @property
    def is_set(self) -> bool:
        """Whether there is a URL at all."""
        return bool(self.url or self.url_file)
