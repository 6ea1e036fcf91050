"""People who log in over ssh from the outside, and what they see of it in the group."""

from __future__ import annotations

import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "correct horse"  # the account of a throw-away host


@dataclass(frozen=True, slots=True)
class Told:
    """A notice, taken apart: its first line and its ``名称：值`` lines."""

    title: str
    values: dict[str, str]

    @classmethod
    def of(cls, text: str) -> Told:
        title, *lines = text.splitlines()
        values = dict(line.split("：", 1) for line in lines if "：" in line)
        return cls(title, values)


class Visit:
    """One ssh session, open from the constructor's return until ``leave`` or ``cut``."""

    def __init__(self, port: int, user: str, address: str, key: Path | None = None) -> None:
        """Log in to 127.0.0.1:``port`` from ``address`` by key, or by password without one."""
        by_key = ["-i", str(key), "-o", "PreferredAuthentications=publickey"]
        by_password = ["-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"]
        self._ssh = subprocess.Popen(
            [
                *([] if key else ["sshpass", "-e"]),
                *("ssh", "-F", "none", "-T", "-p", str(port), "-b", address),
                *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
                *("-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR"),
                *(by_key if key else by_password),
                *(f"{user}@127.0.0.1", "echo ready $SSH_CLIENT; exec cat"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SSHPASS": PASSWORD, "LC_ALL": "C.UTF-8"},
        )
        self.ended = False
        self.user = user
        self.address = address
        self.port = self._await_port()

    def _await_port(self) -> int:
        """The client's port as the server sees it, said by the session itself."""
        assert self._ssh.stdout is not None
        ready, _, _ = select.select([self._ssh.stdout], [], [], 30)
        line = self._ssh.stdout.readline().decode() if ready else ""
        if not line.startswith("ready "):
            self.cut()
            raise AssertionError(f"{self.user} could not log in (ssh said {line!r})")
        return int(line.split()[2])

    def leave(self) -> None:
        """Log out as people do; returns when the connection is closed."""
        assert self._ssh.stdin is not None
        self._ssh.stdin.close()
        try:
            self._ssh.wait(30)
        except subprocess.TimeoutExpired:
            self.cut()
            raise
        self._close()

    def cut(self) -> None:
        """The client is gone without a word."""
        self._ssh.kill()
        self._ssh.wait(30)
        self._close()

    def _close(self) -> None:
        self.ended = True
        for stream in (self._ssh.stdin, self._ssh.stdout):
            if stream is not None:
                stream.close()
