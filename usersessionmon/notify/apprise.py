"""Everything that the Apprise library knows how to reach: the only file that imports it, and only
where a channel of this type is configured.

The library bounds no call as a whole, writes addresses (which hold passwords) into its log and its
exceptions, and says no more than true or false.  So each address is called in a thread of its own,
its words are shown to nobody, and false is "unknown" of the decision table: tried again like what
passes by itself, and after ten in a row held as a matter of configuration.

Each address is sent to by itself, and who has a notice is remembered: a repeat goes to the others
alone.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from usersessionmon.errors import UserError
from usersessionmon.model import Severity

from .base import Answer, Queued, Result
from .bounded import Bounded, Cord, Unfinished
from .http import EXCHANGE_SECONDS
from .sanitize import harmless
from .secret import Secret
from .settings import APPRISE_URLS, AppriseSettings
from .shares import Shares
from .text import render_lines
from .words import Voice

LOG = logging.getLogger("usersessionmon.delivery")
_LONGEST = 30_000
"""Characters of one message, where the service takes more."""
_TALKATIVE = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")


@dataclass(frozen=True, slots=True)
class Address:
    """One URL that the library understands."""

    url: str = field(repr=False)
    number: int
    """Its place among them, from 1: how messages name it."""
    kind: str
    longest: int
    """Characters that the service takes in one message."""
    service: Any = field(repr=False)

    @property
    def label(self) -> str:
        return f"number {self.number} ({self.kind})"


class AppriseChannel:
    """Sends to some addresses.  ``send`` is for one thread; ``close`` may come from any."""

    def __init__(
        self, name: str, where: str, urls: Secret, voice: Voice, seconds: float = EXCHANGE_SECONDS
    ) -> None:
        """``urls``: one a line.  ``seconds`` bounds a whole sending.  Raises UserError."""
        self._name = name
        self._where = where
        self._urls = urls
        self._voice = voice
        self._text = urls.text()
        self._addresses = _understood(where, self._text)
        self._shares = Shares()
        self._bounded = Bounded[bool]("apprise-call", seconds)

    @property
    def name(self) -> str:
        return self._name

    @property
    def address(self) -> str:
        return ", ".join(address.label for address in self._addresses)

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Text is the only form."""
        return True

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """How many of ``batch``, from its beginning, every service takes at once; at least 1."""
        limit = min(address.longest for address in self._addresses)
        low, high = 1, len(batch)
        while low < high:
            middle = (low + high + 1) // 2
            lines = render_lines(batch[:middle], now_us=now_us, voice=self._voice)
            if len("\n".join(lines)) <= limit:
                low = middle
            else:
                high = middle - 1
        return low

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        self._read_anew()
        by_url = {address.url: address for address in self._addresses}
        groups = self._shares.groups(batch, list(by_url))
        works: dict[str, Callable[[Cord], bool]] = {}
        shares: dict[str, Sequence[Queued]] = {}
        for some, urls in groups:
            lines = render_lines(some, now_us=now_us, voice=self._voice)
            abnormal = any(queued.notice.severity is Severity.ABNORMAL for queued in some)
            for url in urls:
                works[url] = _work(by_url[url], lines, abnormal=abnormal)
                shares[url] = some
        outcomes = self._bounded.run(works)
        for url, outcome in outcomes.items():
            if outcome is True:
                self._shares.note(shares[url], [url])
        result = _result([(by_url[url], outcome) for url, outcome in outcomes.items()])
        if result.answer is Answer.DELIVERED:
            self._shares.forget(batch)
        return result

    def close(self) -> None:
        self._bounded.close()

    def _read_anew(self) -> None:
        """The addresses as they are now; what cannot be used leaves the last ones."""
        text = self._urls.text()
        if text == self._text:
            return
        self._text = text
        try:
            self._addresses = _understood(self._where, text)
        except UserError as error:
            LOG.error("%s; those before are used", error.lines[0])


def make(name: str, where: str, settings: AppriseSettings, voice: Voice) -> AppriseChannel:
    """The channel that the settings describe; ``where`` are their keys.  Raises UserError."""
    urls = Secret(f"{where}.urls", "\n".join(settings.urls), settings.urls_file)
    return AppriseChannel(name, where, urls, voice)


def _library(where: str) -> Any:
    """Raises UserError where it is missing."""
    try:
        # what its services import may be old: that is not for our users
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="apprise")
        warnings.filterwarnings("ignore", category=ImportWarning)
        import apprise
    except ImportError as error:
        raise UserError(
            f"{where}.type: apprise needs the Apprise library, which is not there: make deps (or "
            "make install) as root brings it, or pip install apprise beside the program"
        ) from error
    _silence()
    # Nobody here goes by the environment's proxy; this library would, and has no setting for it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    return apprise


def _silence() -> None:
    """What the library and its like log holds addresses: nobody gets it, standard error neither."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
        logger.handlers[:] = [logging.NullHandler()]
    root = logging.getLogger()
    if not root.handlers:  # else Python writes what nobody takes to standard error
        root.addHandler(logging.NullHandler())


def _understood(where: str, text: str) -> list[Address]:
    """The addresses of a text; empty lines and those that begin with ``#`` are none."""
    library = _library(where)
    lines = [line.strip() for line in text.splitlines()]
    urls = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not urls or len(urls) > APPRISE_URLS:
        raise UserError(f"{where}.urls: must be 1 to {APPRISE_URLS} addresses")
    known = {"app_id": "user-session-monitor", "async_mode": False, "http_redirects": False}
    wanted = {key: value for key, value in known.items() if hasattr(library.AppriseAsset, key)}
    asset = library.AppriseAsset(**wanted)
    found = [_address(library, asset, url, number) for number, url in enumerate(urls, 1)]
    bad = [number for number, address in enumerate(found, 1) if address is None]
    if bad:
        raise UserError(
            [f"{where}.urls: Apprise does not understand number {number}" for number in bad]
        )
    return [address for address in found if address is not None]


def _address(library: Any, asset: Any, url: str, number: int) -> Address | None:
    try:
        one = library.Apprise.instantiate(url, asset=asset)
    except Exception:  # of any of its hundred services; its text would show the address
        one = None
    if not one:
        return None
    if "overflow=" not in url:
        one.overflow_mode = library.OverflowMode.SPLIT  # in parts rather than refused
    service = library.Apprise(asset=asset)
    service.add(one)
    kind = harmless(url.partition("://")[0], 20)
    return Address(url, number, kind, min(int(one.body_maxlen), _LONGEST), service)


def _work(address: Address, lines: Sequence[str], *, abnormal: bool) -> Callable[[Cord], bool]:
    def work(_cord: Cord) -> bool:
        title, *rest = lines
        try:
            taken = address.service.notify(
                title=title,
                body="\n".join(rest) or title,
                notify_type="warning" if abnormal else "info",
                body_format="text",
                interpret_escapes=False,
            )
        except Exception:  # its text would show the address
            return False
        return bool(taken)

    return work


def _result(outcomes: Sequence[tuple[Address, bool | Unfinished]]) -> Result:
    """Of all addresses that were called."""
    failed = [
        (address, outcome.text if isinstance(outcome, Unfinished) else "did not take it")
        for address, outcome in outcomes
        if outcome is not True
    ]
    if not failed:
        return Result(Answer.DELIVERED, "the library says that all took it")
    said = "; ".join(f"{address.label}: {text}" for address, text in failed)
    hanging = any(isinstance(outcome, Unfinished) for _, outcome in outcomes)
    return Result(Answer.TRANSIENT if hanging else Answer.UNKNOWN, harmless(said, 200))
