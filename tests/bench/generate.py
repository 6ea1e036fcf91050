"""A made-up month of a server that faces the internet, with the truth about it.

By hand: ``python -m tests.bench.generate FOLDER --lines 1000000 --form rfc3164`` writes
``FOLDER/auth.log`` and beside it ``truth.tsv``: a line for each login and logout (event, user,
address, port, second) and at its end how many attempts failed.  The same seed gives the same bytes.

Of the lines some 60 % are guessing, 13 % people's sessions, 12 % cron, 10 % the system's own and
5 % sudo; connections overlap, and long sessions cross the whole log.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

HOST = "web-1"
BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
SECOND = 1_000_000
GAP_US = 7 * SECOND
"""Between two happenings, on the average."""
MAX_PID = 4_194_304
KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
GUESSES = (
    *("admin", "test", "oracle", "ubuntu", "postgres", "git", "pi", "user", "ftpuser", "hadoop"),
    *("deploy", "minecraft", "www", "jenkins", "guest", "support", "nagios", "es", "steam", "dev"),
)


class Form(StrEnum):
    RFC3164 = "rfc3164"
    RFC3339 = "rfc3339"


class Truth(NamedTuple):
    """What a line tells; ``failed``: how many attempts."""

    event: str = ""
    user: str = ""
    ip: str = ""
    port: int = 0
    failed: int = 0


NOTHING = Truth()


class Line(NamedTuple):
    """A line that is to be written at its time."""

    text: str
    """``tag[pid]: text``"""
    truth: Truth = NOTHING


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is on, until the time that stands beside this in the queue."""

    pid: int
    user: str
    ip: str
    port: int
    logind: int
    lost: bool


class World:
    """The server and those who knock at it."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._queue: list[tuple[int, int, Line | Session]] = []
        self._number = 0
        self._pid = 900
        self._logind = 1
        self._lines_waiting = 0
        rng = self._rng
        self._attackers = [_address(rng) for _ in range(3000)]
        self._people = [
            (f"user{number:03}", 1000 + number, _address(rng, 19), "".join(rng.choices(KEYS, k=43)))
            for number in range(200)
        ]
        self._happenings: tuple[Callable[[int], None], ...] = (
            self._guess_name,
            self._guess_password,
            self._knock,
            self._come,
            self._cron,
            self._system,
            self._sudo,
        )
        self._weights = (40, 22, 14, 9, 32, 32, 9)

    def lines(self, count: int) -> Iterator[tuple[int, Line]]:
        """(microseconds since ``BEGIN``, line): ``count`` lines, and what belongs to the last."""
        written = 0
        next_us = GAP_US
        rng = self._rng
        while written + self._lines_waiting < count or self._lines_waiting:
            if written + self._lines_waiting < count:
                while not self._queue or next_us <= self._queue[0][0]:
                    rng.choices(self._happenings, self._weights)[0](next_us)
                    next_us += 1 + int(rng.expovariate(1) * GAP_US)
            us, _, item = heapq.heappop(self._queue)
            if isinstance(item, Line):
                self._lines_waiting -= 1
                written += 1
                yield us, item
            elif written + self._lines_waiting < count:
                self._go(us, item)

    def _put(self, us: int, item: Line | Session) -> None:
        self._number += 1
        self._lines_waiting += isinstance(item, Line)
        heapq.heappush(self._queue, (us, self._number, item))

    def _say(self, us: int, tag: str, *texts: str | tuple[str, Truth], step: int = 900) -> int:
        """Lines of one process, microseconds apart; when the last was written."""
        for text in texts:
            said, truth = (text, NOTHING) if isinstance(text, str) else text
            self._put(us, Line(f"{tag}: {said}", truth))
            us += 1 + int(self._rng.random() * 2 * step)
        return us

    def _new_pid(self) -> int:
        self._pid = (self._pid + self._rng.randint(1, 9)) % MAX_PID or 300
        return self._pid

    # --- guessing ---------------------------------------------------------------------------------

    def _client(self) -> tuple[str, str, int]:
        rng = self._rng
        return f"sshd[{self._new_pid()}]", rng.choice(self._attackers), rng.randint(1025, 65000)

    def _guess_name(self, us: int) -> None:
        tag, ip, port = self._client()
        user = self._rng.choice(GUESSES)
        if self._rng.random() < 0.3:
            user += str(self._rng.randint(1, 99))
        us = self._say(
            us,
            tag,
            f"Invalid user {user} from {ip} port {port}",
            "pam_unix(sshd:auth): check pass; user unknown",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
            f"rhost={ip} ",
        )
        us = self._say(
            us + 2 * SECOND,
            tag,
            (f"Failed password for invalid user {user} from {ip} port {port} ssh2", _failed(1)),
        )
        self._say(
            us + SECOND,
            tag,
            f"Received disconnect from {ip} port {port}:11: Bye Bye [preauth]",
            f"Disconnected from invalid user {user} {ip} port {port} [preauth]",
        )

    def _guess_password(self, us: int) -> None:
        tag, ip, port = self._client()
        line = f"Failed password for root from {ip} port {port} ssh2"
        us = self._say(
            us,
            tag,
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
            f"rhost={ip}  user=root",
        )
        us = self._say(us + 2 * SECOND, tag, (line, _failed(1)))
        if self._rng.random() < 0.4:
            us = self._say(
                us + 5 * SECOND, tag, (f"message repeated 2 times: [ {line}]", _failed(2))
            )
            self._say(
                us + SECOND,
                tag,
                f"Connection reset by authenticating user root {ip} port {port} [preauth]",
                "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= "
                f"rhost={ip}  user=root",
            )
        else:
            self._say(
                us + SECOND,
                tag,
                f"Connection closed by authenticating user root {ip} port {port} [preauth]",
            )

    def _knock(self, us: int) -> None:
        tag, ip, port = self._client()
        text = self._rng.choice(
            (
                f"Connection closed by {ip} port {port} [preauth]",
                f"Connection reset by {ip} port {port} [preauth]",
                "kex_exchange_identification: Connection closed by remote host",
                f"banner exchange: Connection from {ip} port {port}: invalid format",
                f"Did not receive identification string from {ip} port {port}",
                f"Unable to negotiate with {ip} port {port}: no matching host key type found. "
                "Their offer: ssh-rsa,ssh-dss [preauth]",
            )
        )
        self._say(us, tag, text)

    # --- people -----------------------------------------------------------------------------------

    def _come(self, us: int) -> None:
        rng = self._rng
        user, uid, ip, key = rng.choice(self._people)
        pid, port = self._new_pid(), rng.randint(1025, 65000)
        self._logind += 1
        how = "password" if rng.random() < 0.3 else "publickey"
        proof = "" if how == "password" else f": ED25519 SHA256:{key}"
        us = self._say(
            us,
            f"sshd[{pid}]",
            (
                f"Accepted {how} for {user} from {ip} port {port} ssh2{proof}",
                Truth("login", user, ip, port),
            ),
            f"pam_unix(sshd:session): session opened for user {user}(uid={uid}) by (uid=0)",
        )
        self._say(us, "systemd-logind[611]", f"New session {self._logind} of user {user}.")
        stay_us = int(rng.lognormvariate(6.5, 2) * SECOND) + 1000
        session = Session(pid, user, ip, port, self._logind, lost=rng.random() < 0.1)
        self._put(us + stay_us, session)

    def _go(self, us: int, session: Session) -> None:
        user, peer = session.user, f"{session.ip} port {session.port}"
        child = f"sshd[{session.pid + 7}]"
        if session.lost:
            us = self._say(us, child, f"Timeout, client not responding from user {user} {peer}")
        else:
            us = self._say(
                us,
                child,
                f"Received disconnect from {peer}:11: disconnected by user",
                f"Disconnected from user {user} {peer}",
            )
        us = self._say(
            us,
            f"sshd[{session.pid}]",
            (
                f"pam_unix(sshd:session): session closed for user {user}",
                Truth("logout", user, session.ip, session.port),
            ),
        )
        self._say(
            us,
            "systemd-logind[611]",
            f"Session {session.logind} logged out. Waiting for processes to exit.",
            f"Removed session {session.logind}.",
        )

    def _sudo(self, us: int) -> None:
        user, uid, _, _ = self._rng.choice(self._people)
        tag = f"sudo[{self._new_pid()}]"
        opened = f"pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid={uid})"
        us = self._say(
            us,
            tag,
            f"{user:>8} : TTY=pts/{self._rng.randint(0, 30)} ; PWD=/home/{user} ; USER=root ; "
            "COMMAND=/usr/bin/systemctl restart nginx",
            opened,
        )
        self._say(us + SECOND, tag, "pam_unix(sudo:session): session closed for user root")

    # --- the system -------------------------------------------------------------------------------

    def _cron(self, us: int) -> None:
        tag = f"CRON[{self._new_pid()}]"
        session = "pam_unix(cron:session): session"
        us = self._say(us, tag, f"{session} opened for user root(uid=0) by (uid=0)")
        self._say(us + 30_000, tag, f"{session} closed for user root")

    def _system(self, us: int) -> None:
        rng = self._rng
        tag, text = rng.choice(
            (
                ("systemd[1]", "Starting phpsessionclean.service - Clean php session files..."),
                ("systemd[1]", "phpsessionclean.service: Deactivated successfully."),
                ("systemd[1]", "Finished phpsessionclean.service - Clean php session files."),
                ("systemd[1]", f"Started session-{self._logind}.scope - Session of User user007."),
                ("kernel", f"[{us / SECOND:.6f}] TCP: request_sock_TCP: Possible SYN flooding."),
                (f"postfix/smtpd[{self._new_pid()}]", f"connect from unknown[{_address(rng)}]"),
                (f"postfix/smtpd[{self._pid}]", f"disconnect from unknown[{_address(rng)}] quit=1"),
                (f"dhclient[{self._new_pid()}]", "DHCPREQUEST for 192.0.2.10 on eth0 port 67"),
            )
        )
        self._say(us, tag, text)


def _failed(count: int) -> Truth:
    return Truth(failed=count)


def _address(rng: random.Random, net: int = 18) -> str:
    """From the range that is set aside for benchmarks (RFC 2544)."""
    return f"198.{net}.{rng.randint(1, 254)}.{rng.randint(1, 254)}"


def _stamper(form: Form) -> Callable[[int], str]:
    """Microseconds since ``BEGIN`` as a stamp of the form; the second's text is remembered."""
    known: tuple[int, str] = (-1, "")

    def stamp(us: int) -> str:
        nonlocal known
        second, fraction = divmod(us, SECOND)
        if second != known[0]:
            time = BEGIN + timedelta(seconds=second)
            text = f"{time:%b} {time.day:>2} {time:%H:%M:%S}" if form is Form.RFC3164 else ""
            known = second, text or f"{time:%Y-%m-%dT%H:%M:%S}"
        return known[1] if form is Form.RFC3164 else f"{known[1]}.{fraction:06}+00:00"

    return stamp


def generate(folder: Path, *, lines: int, form: Form, seed: int = 20250301) -> tuple[Path, Path]:
    """Write the log and its truth.  Returns both paths."""
    log, truth = folder / "auth.log", folder / "truth.tsv"
    stamp = _stamper(form)
    failed = 0
    with log.open("w", encoding="utf-8") as out, truth.open("w", encoding="utf-8") as told:
        for us, (text, fact) in World(seed).lines(lines):
            out.write(f"{stamp(us)} {HOST} {text}\n")
            failed += fact.failed
            if fact.event:
                time = BEGIN + timedelta(seconds=us // SECOND)
                told.write(f"{fact.event}\t{fact.user}\t{fact.ip}\t{fact.port}\t")
                told.write(f"{time:%Y-%m-%dT%H:%M:%S}\n")
        told.write(f"failed\t{failed}\n")
    return log, truth


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate a log and the truth about it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--form", type=Form, choices=list(Form), default=Form.RFC3164)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    generate(options.folder, lines=options.lines, form=options.form)


if __name__ == "__main__":
    main()
