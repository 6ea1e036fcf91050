"""From a line's writing to its notice's arrival, beside a ``tail -F`` of the same file.

The program sends at most 4 notices a second and 80 a minute and folds what is more into digests,
so lines are written at random intervals of 0.6 to 1.2 s: 67 notices a minute at the most.
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from .program import running
from .report import Report, percentile, spread
from .stub import Stub

NOTICES = 100
INTERVAL = (0.6, 1.2)
MARGIN_MS = 20.0
"""The 99th percentile may be this much later than that of ``tail -F``."""
PATIENCE = 10.0


class Wrote(NamedTuple):
    """One happening: its lines, written at once."""

    at: float
    user: str
    title: str
    """The notice's first line."""


class Log:
    """The file that is followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"")

    def write(self, pid: int, *texts: str) -> float:
        """Append lines of one sshd process with a single write; when that was begun."""
        now = datetime.now().astimezone().isoformat(timespec="microseconds")
        lines = "".join(f"{now} bench-1 sshd[{pid}]: {text}\n" for text in texts)
        at = time.monotonic()
        with self.path.open("ab", buffering=0) as file:
            file.write(lines.encode())
        return at


def log_in(log: Log, pid: int, user: str) -> Wrote:
    at = log.write(
        pid,
        f"Accepted password for {user} from 198.18.0.7 port {20000 + pid} ssh2",
        f"pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)",
    )
    return Wrote(at, user, "用户登录通知")


def log_out(log: Log, pid: int, user: str) -> Wrote:
    peer = f"198.18.0.7 port {20000 + pid}"
    at = log.write(
        pid,
        f"Received disconnect from {peer}:11: disconnected by user",
        f"Disconnected from user {user} {peer}",
        f"pam_unix(sshd:session): session closed for user {user}",
    )
    return Wrote(at, user, "用户登出通知")


class Tail:
    """What ``tail -F`` showed, and when."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.seen: dict[tuple[str, str], float] = {}
        """(user, title of the notice) → when its last line came."""
        self._process = process
        self._thread = threading.Thread(target=self._read, name="tail", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            at = time.monotonic()
            words = raw.decode().split()
            if "Accepted" in words:
                self.seen[words[words.index("for") + 1], "用户登录通知"] = at
            elif "closed" in words:
                self.seen[words[-1], "用户登出通知"] = at

    def join(self) -> None:
        self._thread.join()


@contextmanager
def _tail(path: Path) -> Iterator[Tail]:
    with subprocess.Popen(["tail", "-n", "0", "-F", str(path)], stdout=subprocess.PIPE) as process:
        tail = Tail(process)
        try:
            yield tail
        finally:
            process.terminate()
            tail.join()


def measure(folder: Path, report: Report, notices: int = NOTICES) -> None:
    """Half of the notices are logins, half logouts; the very first is shown by itself."""
    report.title(f"latency: {notices} notices, file source, written every {INTERVAL} s at random")
    rng = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "auth.log")
    wrote: list[Wrote] = []
    with Stub() as stub, running(folder, source="file", log=log.path, url=stub.url) as program:
        report.row("start to ready", f"{program.started:.2f} s")
        with _tail(log.path) as tail:
            time.sleep(1)  # both are to wait for the file
            first = log_in(log, 1, "bench")
            opening = stub.wait_for(("bench",), PATIENCE)
            for number in range(notices):
                time.sleep(rng.uniform(*INTERVAL))
                pid, user = 100 + number // 2, f"bench{number // 2:04}"
                wrote.append((log_out if number % 2 else log_in)(log, pid, user))
            arrived = [stub.wait_for((item.title, item.user), PATIENCE) for item in wrote]
    pairs = list(zip(wrote, arrived, strict=True))
    lost = [f"{item.title} {item.user} never came" for item, arrival in pairs if arrival is None]
    report.truth("every notice came", lost)
    if opening is not None:
        report.row("the first notice (loads requests)", f"{1000 * (opening.at - first.at):.1f} ms")
    ours = [arrival.at - item.at for item, arrival in pairs if arrival is not None]
    theirs = [
        tail.seen[item.user, item.title] - item.at
        for item in wrote
        if (item.user, item.title) in tail.seen
    ]
    if not ours or not theirs:
        report.truth("latency", ["nothing to compare"])
        return
    report.row("tail -F", spread(theirs))
    report.row("write → notice at the webhook", spread(ours))
    late = 1000 * (percentile(ours, 0.99) - percentile(theirs, 0.99))
    report.target("p99 behind tail -F", f"{late:+.1f} ms", late, MARGIN_MS, " ms")
