"""The program as a process of its own, followed from the outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "usersessionmon", *arguments]


def run(
    *arguments: str, input: bytes | None = None, env: dict[str, str] | None = None, **more: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    return subprocess.run(
        command(*arguments),
        input=input,
        capture_output=True,
        timeout=60,
        env={**os.environ, **(env or {})},
        check=False,
        **more,
    )


def write_config(folder: Path, log: Path, *, url: str = "", more: str = "") -> Path:
    """A configuration that follows ``log`` with its state in ``folder``."""
    path = folder / "config.yaml"
    path.write_text(
        f"""
monitor: {{source: file, log_file: {log}}}
feishu: {{webhook_url: "{url}"}}
state: {{dir: {folder / "state"}}}
server: {{name: web-1, ip: 192.0.2.10}}
timezone: UTC
{more}
"""
    )
    return path


@contextmanager
def monitor(
    config: Path | None,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """``run`` in the background; killed at the end if it still lives."""
    process = subprocess.Popen(
        command("run", *([] if config is None else ["--config", str(config)]), *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def follows(config: Path) -> bool:
    """Whether the monitor has taken its place in the log: a line before that is none of its."""
    found = json.loads(run("status", "--json", "--config", str(config)).stdout)
    return bool(found["running"]) and found["last_saved"] is not None


def end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """SIGTERM, and what it printed."""
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    return process.returncode, output.decode()


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something that another process does; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def stamp(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def login(at: float, pid: int, user: str, port: int) -> list[str]:
    return [
        f"{stamp(at)} web-1 sshd[{pid}]: Accepted password for {user} from 198.51.100.7 "
        f"port {port} ssh2",
        f"{stamp(at)} web-1 sshd[{pid}]: pam_unix(sshd:session): session opened for user "
        f"{user}(uid=1000) by (uid=0)",
    ]


def logout(at: float, pid: int, user: str, port: int) -> list[str]:
    return [
        f"{stamp(at)} web-1 sshd[{pid + 1}]: Received disconnect from 198.51.100.7 port "
        f"{port}:11: disconnected by user",
        f"{stamp(at)} web-1 sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}",
    ]


def append(log: Path, lines: Sequence[str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
