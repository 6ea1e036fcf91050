"""A mail server that lives on loopback: takes what a real one takes, and misbehaves on request.

By hand: ``python -m tests.notify.smtp_double --port 2525 --script 'RCPT=550 5.1.1 no such user'``.

A script has for each stage a list of steps, taken in order; when they are used up the server
behaves.  Stages: BANNER, a command's name, and CONTENT (after the lone dot).  Steps: an answer
(``550 5.1.1 no``; ``|`` begins a further line) · ``ok`` (behave) · ``hang`` · ``drip`` (the answer,
a byte at a time) · ``close`` · ``take-close`` (take the mail, then close) · ``endless`` (an answer
that never ends).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import email
import email.policy
import socket
import ssl
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import BinaryIO

DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that was taken."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    secure: bool

    @property
    def message(self) -> EmailMessage:
        made = email.message_from_bytes(self.content, policy=email.policy.SMTP)
        assert isinstance(made, EmailMessage)
        return made

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class _Talk:
    """One connection's state."""

    connection: socket.socket
    file: BinaryIO
    secure: bool
    logged_in: bool = False
    sender: str = ""
    recipients: list[str] = field(default_factory=list)


class GoneError(Exception):
    """The talk is over."""


class SmtpDouble:
    """A context manager; ``port`` is where it listens."""

    def __init__(
        self,
        script: Mapping[str, Sequence[str]] | None = None,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        at_once: bool = False,
        user: str = "",
        password: str = "",
        ways: str = "PLAIN LOGIN",
        clear_auth: bool = False,
    ) -> None:
        """``tls``: offered by STARTTLS, or spoken ``at_once``.  ``user``: who must log in.
        ``clear_auth``: offer AUTH without TLS, as no server should."""
        self._script = {stage: list(steps) for stage, steps in (script or {}).items()}
        self._tls = tls
        self._at_once = at_once
        self._user = user
        self._password = password
        self._ways = ways
        self._clear_auth = clear_auth
        self._lock = threading.Condition()
        self._mails: list[Mail] = []
        self._commands: list[str] = []
        self._ending = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> SmtpDouble:
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def mails(self) -> list[Mail]:
        with self._lock:
            return list(self._mails)

    def commands(self) -> list[str]:
        """What was said to it, in order, ``BANNER`` for each connection."""
        with self._lock:
            return list(self._commands)

    def wait_for(self, command: str, times: int = 1) -> None:
        """Until a stage was reached so often."""

        def reached() -> bool:
            return sum(one.split(" ")[0] == command for one in self._commands) >= times

        with self._lock:
            assert self._lock.wait_for(reached, 5)

    def wait_for_mails(self, count: int) -> None:
        """Until so many were taken, however long that is."""
        with self._lock:
            self._lock.wait_for(lambda: len(self._mails) >= count)

    def script(self, stage: str, *steps: str) -> None:
        self._script.setdefault(stage, []).extend(steps)

    # --- the talk ---------------------------------------------------------------------------------

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        talk = None
        try:
            if self._at_once:
                connection = self._encrypted(connection)
            with self._lock:
                self._open.append(connection)
            talk = _Talk(connection, connection.makefile("rb"), self._at_once)
            self._answer(talk, "BANNER", "220 mail.example.com ESMTP")
            while line := talk.file.readline(100_000):
                self._do(talk, line.decode("utf-8", "replace").rstrip("\r\n"))
        except (OSError, GoneError):
            pass
        finally:
            if talk is not None:
                talk.file.close()
                talk.connection.close()
            connection.close()

    def _encrypted(self, connection: socket.socket) -> ssl.SSLSocket:
        assert self._tls is not None
        return self._tls.wrap_socket(connection, server_side=True)

    def _do(self, talk: _Talk, line: str) -> None:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                self._answer(talk, line, "|".join(self._greeting(talk)))
            case "STARTTLS":
                self._start_tls(talk, line)
            case "AUTH":
                self._log_in(talk, line, rest)
            case "MAIL":
                allowed = talk.logged_in or not self._user
                talk.sender, talk.recipients = rest[6:-1], []
                self._answer(talk, line, "250 ok" if allowed else "530 5.7.0 log in first")
            case "RCPT":
                if self._answer(talk, line, "250 ok").startswith("25"):
                    talk.recipients.append(rest[4:-1])
            case "DATA":
                if self._answer(talk, line, "354 go on").startswith("354"):
                    self._take(talk)
            case "QUIT":
                self._answer(talk, line, "221 bye")
                raise GoneError
            case _:
                self._answer(talk, line, "250 ok" if verb.upper() == "RSET" else "502 what?")

    def _greeting(self, talk: _Talk) -> list[str]:
        said = ["250-mail.example.com", "250-SIZE 10000000"]
        if self._tls is not None and not talk.secure:
            said.append("250-STARTTLS")
        if self._user and (talk.secure or self._clear_auth):
            said.append(f"250-AUTH {self._ways}")
        return [*said, "250 8BITMIME"]

    def _start_tls(self, talk: _Talk, line: str) -> None:
        answer = self._answer(talk, line, "220 ready" if self._tls else "502 no")
        if not answer.startswith("220"):
            return
        talk.connection = self._encrypted(talk.connection)
        with self._lock:
            self._open.append(talk.connection)
        talk.file = talk.connection.makefile("rb")
        talk.secure = True

    def _log_in(self, talk: _Talk, line: str, rest: str) -> None:
        way, _, first = rest.partition(" ")
        given = base64.b64decode(first).decode()
        if way == "LOGIN":
            talk.connection.sendall(b"334 UGFzc3dvcmQ6\r\n")
            second = base64.b64decode(talk.file.readline(1000)).decode()
            given = f"\0{given}\0{second}"
        talk.logged_in = given == f"\0{self._user}\0{self._password}"
        self._answer(talk, line, "235 ok" if talk.logged_in else "535 5.7.8 wrong")

    def _take(self, talk: _Talk) -> None:
        lines = []
        while (line := talk.file.readline(100_000)) != b".\r\n":
            if not line:
                raise GoneError
            assert line.endswith(b"\r\n"), "a bare LF"
            assert len(line) <= 1000, "a line that is too long"
            lines.append(line.removeprefix(b"."))
        mail = Mail(talk.sender, tuple(talk.recipients), b"".join(lines), talk.secure)
        step = self._next("CONTENT")
        if step in ("ok", "take-close", "drip") or step.startswith("2"):
            with self._lock:
                self._mails.append(mail)
                self._lock.notify_all()
        if step == "take-close":
            raise GoneError
        self._answer(talk, "CONTENT", "250 2.0.0 queued", step)

    def _next(self, stage: str) -> str:
        steps = self._script.get(stage, [])
        return steps.pop(0) if steps else "ok"

    def _answer(self, talk: _Talk, line: str, behave: str, step: str = "") -> str:
        """Say what the script has for this stage, else ``behave``; what was said."""
        stage = line.split(" ")[0].upper()
        with self._lock:
            self._commands.append(line)
            self._lock.notify_all()
        step = step or self._next(stage)
        match step:
            case "close":
                raise GoneError
            case "hang":
                self._ending.wait()
                raise GoneError
            case "endless":
                while not self._ending.is_set():
                    talk.connection.sendall(b"250-more\r\n" * 100)
                raise GoneError
            case "drip":
                for byte in f"{behave}\r\n".encode():
                    talk.connection.sendall(bytes([byte]))
                    self._ending.wait(DRIP_SECONDS)
                return behave
            case _:
                said = behave if step == "ok" else step
                talk.connection.sendall(f"{said}\r\n".replace("|", "\r\n").encode())
                return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--script", action="append", default=[], metavar="STAGE=STEP")
    options = parser.parse_args()
    script: dict[str, list[str]] = {}
    for one in options.script:
        stage, _, step = one.partition("=")
        script.setdefault(stage, []).append(step)
    with SmtpDouble(script, port=options.port) as double:
        seen = 0
        while True:
            double.wait_for_mails(seen + 1)
            for mail in double.mails()[seen:]:
                print(f"--- to {', '.join(mail.recipients)}: {mail.message['Subject']}")
                print(mail.content.decode(), mail.text, sep="\n")
                sys.stdout.flush()
                seen += 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
