"""E-mail by SMTP as a channel.  One message a notice, or a digest.

A notice is delivered when the server's last answer to the content is 250 for every recipient.
Where it takes some recipients only, those have it at once and are not sent it again:

- who is put off (4xx) gets it with the repeats, which go to them alone; after ``PATIENCE_SECONDS``
  nobody waits for them any more;
- who is refused for good (5xx) holds nobody up.  The log, ``status`` and the mail itself name them,
  so that they are not missed silently.

Mail systems drop what comes twice under one Message-ID, so a repeat has that of the first.
"""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .base import Answer, Queued, Result
from .bounded import Bounded, Unfinished
from .http import EXCHANGE_SECONDS
from .sanitize import harmless
from .secret import Secret, secret_of
from .settings import MailSettings, Security
from .shares import Shares
from .words import Voice

if TYPE_CHECKING:
    from .mailing import Mailing
    from .smtp import Account

LOG = logging.getLogger("usersessionmon.delivery")
PATIENCE_SECONDS = 3600
_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_SAID_LIMIT = 200
_ANSWER_LIMIT = 4096


class MailChannel:
    """Sends to some people.  ``send`` is for one thread; ``close`` may come from any."""

    def __init__(
        self,
        name: str,
        settings: MailSettings,
        password: Secret,
        voice: Voice,
        seconds: float = EXCHANGE_SECONDS,
    ) -> None:
        """``seconds`` bounds a whole exchange."""
        self._name = name
        self._settings = settings
        self._password = password
        self._voice = voice
        self._seconds = seconds
        self._port = settings.port or _PORTS[settings.security]
        self._to = tuple(dict.fromkeys(settings.to))
        self._shares = Shares()
        self._bounded = Bounded[Result]("smtp-exchange", seconds)
        self._put_off: dict[str, int] = {}
        """Since when (microseconds UTC) recipients are put off."""
        self._missed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self._name

    @property
    def address(self) -> str:
        return f"{', '.join(self._to)} by {self._settings.host}:{self._port}"

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        """Text is the only form."""
        return True

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        """All: the longest digest is below 1 MB, which every server takes."""
        return len(batch)

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        mailing = self._mailing(batch, now_us)
        result = self._bounded.run({"": mailing})[""]
        if isinstance(result, Unfinished):
            result = mailing.lost(result.text)
        for some, taken in mailing.taken:
            self._shares.note(some, taken)
        self._remember(mailing, now_us)
        result = Result(result.answer, self._safe(result.said))
        if result.answer is Answer.DELIVERED:
            self._shares.forget(batch)
            self._tell_missed(frozenset(mailing.refused), result.said)
        return result

    def close(self) -> None:
        self._bounded.close()

    def _mailing(self, batch: Sequence[Queued], now_us: int) -> Mailing:
        from .letter import Letterhead  # with the mail libraries, when they are first needed
        from .mailing import Mailing

        patient_us = now_us - PATIENCE_SECONDS * 1_000_000
        return Mailing(
            self._account,
            Letterhead(self._name, self._settings.sender, self._to, self._voice),
            self._shares.groups(batch, self._to),
            shared=self._shares.anybody(batch),
            given_up=frozenset(who for who, us in self._put_off.items() if us < patient_us),
            now_us=now_us,
            seconds=self._seconds,
        )

    def _account(self) -> Account:
        from .smtp import Account

        settings = self._settings
        context = None
        if settings.security is not Security.NONE:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
        return Account(
            settings.host,
            self._port,
            settings.security,
            context,
            settings.user,
            self._password.text(),
        )

    def _remember(self, mailing: Mailing, now_us: int) -> None:
        """Since when each recipient is put off."""
        for _, taken in mailing.taken:
            for who in taken:
                self._put_off.pop(who, None)
        for who in mailing.deferred:
            self._put_off.setdefault(who, now_us)

    def _tell_missed(self, missed: frozenset[str], said: str) -> None:
        """In the log, once for each change."""
        if missed == self._missed:
            return
        self._missed = missed
        if missed:
            LOG.error("delivery to %s: %s", self._name, said)
        else:
            LOG.info("delivery to %s: no recipient is refused any more", self._name)

    def _safe(self, said: str) -> str:
        """A server may repeat what it was sent."""
        # made harmless first: a password with something invisible in it would be whole afterwards
        clean = harmless(said, _ANSWER_LIMIT)
        password = self._password.text()
        plain = (password, f"\0{self._settings.user}\0{password}")
        hidden = [*plain, *(base64.b64encode(text.encode()).decode("ascii") for text in plain)]
        for text in sorted(hidden, key=len, reverse=True):
            if password and len(text) > 3:
                clean = clean.replace(harmless(text, _ANSWER_LIMIT), "****")
        return harmless(clean, _SAID_LIMIT)


def make(name: str, where: str, settings: MailSettings, voice: Voice) -> MailChannel:
    """The channel that the settings describe; ``where`` are their keys.  Raises UserError."""
    return MailChannel(name, settings, secret_of(where, settings, "password"), voice)
