"""Notices as a mail (RFC 5322): imported when there is first something to send."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from usersessionmon.model import Severity

from .base import Queued
from .sanitize import one_word
from .text import render_lines
from .words import Voice

_SERVERS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What all mails of a channel have in common."""

    channel: str
    sender: str
    to: tuple[str, ...]
    voice: Voice

    def letter(self, batch: Sequence[Queued], now_us: int, missed: Sequence[str]) -> bytes:
        """The mail's bytes.  ``missed``: who is not to get it, for those who are."""
        title, *lines = render_lines(batch, now_us=now_us, voice=self.voice)
        servers = _servers(batch)
        subject = f"{title} · {servers}" if servers else title
        mail = EmailMessage(policy=SMTP)
        # an encoded word (RFC 2047) in it would be decoded, by this library and by readers
        mail["Subject"] = subject.replace("=?", "＝?")
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Date"] = format_datetime(datetime.fromtimestamp(now_us // 1_000_000, self.voice.zone))
        mail["Message-ID"] = self._message_id(batch)
        mail["Auto-Submitted"] = "auto-generated"
        if any(queued.notice.severity is Severity.ABNORMAL for queued in batch):
            mail["X-Priority"] = "1"
            mail["Importance"] = "high"
        if missed:
            lines += ["", self.voice.say("未能送达：{}").format(", ".join(missed))]
        # base64: no line of ours is too long for a server, or begins with a dot
        mail.set_content("\n".join([title, *lines, ""]), charset="utf-8", cte="base64")
        return mail.as_bytes()

    def _message_id(self, batch: Sequence[Queued]) -> str:
        """The same for the same notices, whatever is said of a repeat."""
        digest = hashlib.sha256(self.channel.encode())
        for queued in batch:
            notice = queued.notice
            parts = (queued.number, queued.queued_us, notice.at_us, notice.title, notice.digest)
            digest.update(repr(parts).encode())
        local = f"{batch[0].number}.{digest.hexdigest()[:16]}"
        return f"<{local}@{self.sender.rpartition('@')[2]}>"


def _servers(batch: Sequence[Queued]) -> str:
    """Whose notices these are, so that mails can be sorted by it."""
    names = list(dict.fromkeys(queued.notice.host for queued in batch if queued.notice.host))
    named = [one_word(name) for name in names[:_SERVERS_NAMED]]
    return ", ".join(named) + (" …" if len(names) > _SERVERS_NAMED else "")
