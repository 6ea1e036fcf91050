"""From a line in the journal to its notice, beside ``journalctl -f``, with real logins by ssh.

Only where systemd-journald and logind run (a host, a booted container).  Nothing of the host is
changed: the ssh command must be one that logs in here without asking.
"""

from __future__ import annotations

import json
import random
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .idle import watch
from .program import running
from .report import Report, SkipError, percentile, spread
from .stub import Arrival, Stub

SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no localhost"
LOGINS = 25
RATIO = 0.1
"""Of the median of ``journalctl -f``, at most."""
PATIENCE = 15.0
NEEDED = (Path("/run/systemd/journal/socket"), Path("/run/systemd/sessions"))
LOGIN, LOGOUT = "用户登录通知", "用户登出通知"


class Entry(NamedTuple):
    """What ``journalctl -f`` showed."""

    title: str
    """Of the notice that the entry leads to."""
    logged: float
    """Seconds since the epoch: when sshd wrote it."""
    shown: float
    """… and when journalctl did."""


class Journal:
    """The logins and logouts that ``journalctl -f`` shows."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.entries: list[Entry] = []
        self._process = process
        self._thread = threading.Thread(target=self._read, name="journalctl", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            shown = time.time()
            entry = json.loads(raw)
            text = str(entry.get("MESSAGE"))
            logged = entry.get("_SOURCE_REALTIME_TIMESTAMP", entry["__REALTIME_TIMESTAMP"])
            if text.startswith("Accepted "):
                self.entries.append(Entry(LOGIN, int(logged) / 1e6, shown))
            elif text.startswith("pam_unix(sshd:session): session closed"):
                self.entries.append(Entry(LOGOUT, int(logged) / 1e6, shown))

    def join(self) -> None:
        self._thread.join()


@contextmanager
def _journalctl() -> Iterator[Journal]:
    command = ["journalctl", "-f", "-n", "0", "-o", "json", "-t", "sshd", "-t", "sshd-session"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        journal = Journal(process)
        try:
            yield journal
        finally:
            process.terminate()
            journal.join()


def require() -> None:
    """Raises SkipError where there is no journal and no logind."""
    missing = [str(path) for path in NEEDED if not path.exists()]
    if missing or shutil.which("journalctl") is None:
        raise SkipError(f"no journald and logind here ({', '.join(missing) or 'no journalctl'})")


def measure(folder: Path, report: Report, ssh: str, logins: int = LOGINS) -> None:
    """One login after another, each for a second."""
    report.title(f"latency: {logins} logins and logouts by ssh, journal source")
    require()
    command = shlex.split(ssh)
    if (
        shutil.which(command[0]) is None
        or subprocess.run([*command, "true"], check=False).returncode
    ):
        raise SkipError(f"`{ssh}` does not log in; give --ssh a command that does, without asking")
    rng = random.Random(7)
    with Stub() as stub, running(folder, source="journal", url=stub.url), _journalctl() as journal:
        time.sleep(2)
        for _ in range(logins):
            begun = len(stub.arrivals)
            subprocess.run([*command, "sleep 1"], check=True, stdin=subprocess.DEVNULL)
            stub.wait_for((LOGIN,), PATIENCE, begun)
            stub.wait_for((LOGOUT,), PATIENCE, begun)
            time.sleep(rng.uniform(0.3, 1.0))
        time.sleep(1)  # journalctl is late
    for title, name in ((LOGIN, "login"), (LOGOUT, "logout")):
        _compare(name, title, stub.arrivals, journal.entries, report)


def _compare(
    name: str, title: str, arrivals: list[Arrival], entries: list[Entry], report: Report
) -> None:
    came = [arrival for arrival in arrivals if arrival.text.startswith(title)]
    logged = [entry for entry in entries if entry.title == title]
    if not came or len(came) != len(logged):
        report.truth(f"{name}s", [f"{len(logged)} in the journal, {len(came)} notices"])
        return
    # The first one loads the HTTP library.
    ours = [notice.wall - entry.logged for notice, entry in zip(came, logged, strict=True)][1:]
    theirs = [entry.shown - entry.logged for entry in logged][1:]
    report.row(f"{name}: journalctl -f", spread(theirs))
    report.row(f"{name}: log → notice at the webhook", spread(ours))
    ratio = percentile(ours, 0.5) / percentile(theirs, 0.5)
    report.target(f"{name}: p50 / journalctl -f", f"{ratio:.3f} ×", ratio, RATIO, " ×")


def measure_idle(folder: Path, report: Report, seconds: float) -> None:
    """On the journal, when nobody comes."""
    report.title(f"idle on the journal, {seconds:.0f} s")
    require()
    with Stub() as stub, running(folder, source="journal", url=stub.url) as program:
        watch(program, "journal", seconds, report)
