"""One sign of life to a URL, sent beside the main loop: whatever the server does, nothing waits.

The URL is a secret (who has it can say that all is well), so only its host is ever shown.
"""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from usersessionmon.clock import Clock
from usersessionmon.notify.http import HttpClient, Reply, Unanswered
from usersessionmon.notify.secret import Secret

LOG = logging.getLogger("usersessionmon")


class Outcome(NamedTuple):
    """What became of the last one."""

    at_us: int
    where: str
    """The URL without what is secret of it."""
    ok: bool
    """The server took it."""
    said: str
    """Safe to show."""


class Pinger:
    """``send`` is for one thread, and returns at once."""

    def __init__(self, url: Secret, client: HttpClient, clock: Clock) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None
        self._said = ""

    @property
    def outcome(self) -> Outcome | None:
        with self._lock:
            return self._outcome

    def send(self, line: str, *, fail: bool = False) -> bool:
        """Begin to POST ``line``, to ``URL/fail`` when something is wrong; False when the last one
        still goes on."""
        if self._thread is not None and self._thread.is_alive():
            return False
        self._thread = threading.Thread(
            target=self._post, args=(line, fail), name="heartbeat", daemon=True
        )
        self._thread.start()
        return True

    def close(self) -> None:
        """Cut what goes on."""
        self._client.close()
        if self._thread is not None:
            self._thread.join(1.0)

    def _post(self, line: str, fail: bool) -> None:
        url = self._url.text()
        answer = self._client.post(
            failing(url) if fail else url, line.encode(), "text/plain; charset=utf-8"
        )
        outcome = Outcome(self._clock.now_us(), host_of(url), *_judged(answer))
        with self._lock:
            self._outcome = outcome
        if outcome.said != self._said:
            level = logging.INFO if outcome.ok else logging.WARNING
            LOG.log(level, "heartbeat to %s: %s", outcome.where, outcome.said)
            self._said = outcome.said


def _judged(answer: Reply | Unanswered) -> tuple[bool, str]:
    if isinstance(answer, Unanswered):
        return False, answer.text
    return 200 <= answer.status < 300, f"HTTP {answer.status}"


def failing(url: str) -> str:
    """Where healthchecks.io wants to hear that something is wrong."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


def host_of(url: str) -> str:
    """The part of the address that is no secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/****"
