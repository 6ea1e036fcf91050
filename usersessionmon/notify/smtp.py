"""A talk with a mail server, over the standard library's smtplib: imported when there is first
something to send.

What smtplib leaves open is closed here: every reply is bounded, STARTTLS is never skipped, a
password never goes in the clear, and each recipient's own answer is known before the content goes.
RFC 5321 (the talk), 3207 (STARTTLS), 4616 (AUTH PLAIN), 3463 (enhanced codes).
"""

from __future__ import annotations

import base64
import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .bounded import Cord
from .settings import Security

CONNECT_SECONDS = 10.0
_LINE_LIMIT = 8192
_LINES = 100
_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the server is, and who we are there."""

    host: str
    port: int
    security: Security
    context: ssl.SSLContext | None
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    text: str
    """Not yet safe to show."""


class RefusedError(Exception):
    """The server said no; ``stage`` is the command, or BANNER or CONTENT."""

    def __init__(self, stage: str, reply: Reply) -> None:
        super().__init__(stage)
        self.stage = stage
        self.reply = reply


class LackingError(Exception):
    """The server does not offer what the settings ask for; the text is for people."""


class NoSmtpError(Exception):
    """What answered speaks another language."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Whom the server takes one message for, and what it said of the others."""

    taken: tuple[str, ...]
    deferred: Mapping[str, Reply]
    """Not now (4xx)."""
    refused: Mapping[str, Reply]
    """Not at all (5xx)."""


class _Client(smtplib.SMTP):
    """smtplib's, with replies that end."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            assert self.sock is not None
            self.file = self.sock.makefile("rb")
        texts = []
        for _ in range(_LINES):
            line = self.file.readline(_LINE_LIMIT)
            if not line.endswith(b"\n"):
                raise NoSmtpError if len(line) == _LINE_LIMIT else ConnectionResetError
            if not re.match(rb"[2-5]\d\d[ \r\n-]", line):
                raise NoSmtpError
            texts.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(texts)
        raise NoSmtpError


class Talk:
    """One connection.  ``open`` it, ``post`` messages, ``close`` it.

    Raises RefusedError, LackingError, NoSmtpError, and what sockets and ssl raise.
    """

    def __init__(self, account: Account, cord: Cord, seconds: float) -> None:
        self._account = account
        self._cord = cord
        self._seconds = seconds
        self._smtp: _Client | None = None
        self._secure = False
        self.unanswered = False
        """True while content was sent and the answer to it is not there."""

    def open(self) -> None:
        """Connect, secure the connection, and log in, as the account has it."""
        account = self._account
        made = socket.create_connection((account.host, account.port), CONNECT_SECONDS)
        made.settimeout(self._seconds)
        made = self._cord.watch(made)
        self._smtp = smtp = _Client()
        smtp.sock = made
        if account.security is Security.TLS:
            self._encrypt(smtp)
        self._expect("BANNER", Reply(*_text(smtp.getreply())), 220)
        self._command("EHLO", smtp.local_hostname, 250, smtp.ehlo)
        if account.security is Security.STARTTLS:
            if not smtp.has_extn("starttls"):
                raise LackingError("the server offers no STARTTLS, and nothing is sent without")
            self._command("STARTTLS", "", 220)
            self._encrypt(smtp)
            self._command("EHLO", smtp.local_hostname, 250, smtp.ehlo)
        if account.user:
            self._log_in(smtp)

    def post(
        self,
        sender: str,
        recipients: Sequence[str],
        content: Callable[[Posted], bytes],
    ) -> Posted:
        """One message; ``content`` makes it once it is known who gets it.  When nobody does,
        nothing is sent."""
        self._command("MAIL", f"FROM:<{sender}>", 250)
        posted = self._recipients(recipients)
        if not posted.taken:
            self._say("RSET", "")
            return posted
        self._command("DATA", "", 354)
        self._send(content(posted))
        return posted

    def _recipients(self, recipients: Sequence[str]) -> Posted:
        taken: list[str] = []
        deferred: dict[str, Reply] = {}
        refused: dict[str, Reply] = {}
        for recipient in recipients:
            reply = self._say("RCPT", f"TO:<{recipient}>")
            if reply.code == 421:  # it closes the connection
                raise RefusedError("RCPT", reply)
            if reply.code in (250, 251, 252):
                taken.append(recipient)
            elif 500 <= reply.code <= 599:
                refused[recipient] = reply
            else:
                deferred[recipient] = reply
        return Posted(tuple(taken), deferred, refused)

    def close(self) -> None:
        """Take leave without waiting for the answer."""
        smtp = self._smtp
        if smtp is not None:
            with contextlib.suppress(OSError):
                smtp.putcmd("QUIT")
            smtp.close()

    def _send(self, content: bytes) -> None:
        smtp = self._client
        self.unanswered = True
        smtp.send(stuffed(content) + b".\r\n")
        reply = Reply(*_text(smtp.getreply()))
        self.unanswered = False
        self._expect("CONTENT", reply, 250)

    def _encrypt(self, smtp: _Client) -> None:
        """What was read ahead of it, in the clear, is dropped."""
        context, made = self._account.context, smtp.sock
        assert context is not None
        assert made is not None
        smtp.sock = context.wrap_socket(made, server_hostname=self._account.host)
        smtp.file = None
        self._secure = True

    def _log_in(self, smtp: _Client) -> None:
        if not self._secure:
            raise LackingError("nothing is logged in without TLS")
        user, password = self._account.user, self._account.password
        ways = smtp.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in ways:
            whole = _base64(f"\0{user}\0{password}")
            self._command("AUTH", f"PLAIN {whole}", 235)
        elif "LOGIN" in ways:
            self._command("AUTH", f"LOGIN {_base64(user)}", 334)
            reply = Reply(*_text(smtp.docmd(_base64(password))))
            self._expect("AUTH", reply, 235)
        else:
            raise LackingError("the server takes no password here (neither AUTH PLAIN nor LOGIN)")

    def _command(
        self, stage: str, rest: str, expected: int, way: Callable[[str], Any] | None = None
    ) -> None:
        reply = Reply(*_text(way(rest))) if way else self._say(stage, rest)
        self._expect(stage, reply, expected)

    def _say(self, command: str, rest: str) -> Reply:
        return Reply(*_text(self._client.docmd(command, rest)))

    @staticmethod
    def _expect(stage: str, reply: Reply, code: int) -> None:
        if reply.code != code:
            raise RefusedError(stage, reply)

    @property
    def _client(self) -> _Client:
        assert self._smtp is not None, "open it first"
        return self._smtp


def stuffed(content: bytes) -> bytes:
    """A line that begins with a dot would end the content: it gets a second one."""
    return _DOT.sub(b"..", content)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _text(reply: tuple[int, bytes]) -> tuple[int, str]:
    return reply[0], reply[1].decode("utf-8", "replace")
