"""Ten thousand failed attempts at once, and a login behind them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from usersessionmon.store import db, state

from .latency import Log, log_in
from .program import running
from .report import Report
from .stub import Stub

FAILURES = 10_000
SECONDS = 3.0
"""The login must be told within this."""
PATIENCE = 60.0


def measure(folder: Path, report: Report, failures: int = FAILURES) -> None:
    report.title(f"burst: {failures:,} failed attempts with a login behind them")
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "auth.log")
    with Stub() as stub, running(folder, source="file", log=log.path, url=stub.url) as program:
        time.sleep(1)
        before = program.usage().resident_mib
        begin = time.monotonic()
        for number in range(failures):
            peer = f"198.18.{number // 250}.{number % 250 + 1} port {10_000 + number}"
            log.write(1000 + number, f"Failed password for root from {peer} ssh2")
        written = time.monotonic() - begin
        wrote = log_in(log, 1, "bench")
        told = stub.wait_for(("用户登录通知", "bench"), PATIENCE)
        after = program.usage().resident_mib
        understood = _understood(program.folder / "state" / db.FILE_NAME)
    if told is None:
        report.truth("the login's notice", ["it never came"])
        return
    report.row("writing the lines took", f"{written:.2f} s")
    took = told.at - wrote.at
    report.target("the login's notice", f"{took:.2f} s after its line", took, SECONDS, " s")
    wrong = [] if understood == failures + 2 else [f"{understood} of {failures + 2} lines"]
    report.truth("every line understood", wrong)
    report.row("resident before, after", f"{before:.1f} MiB, {after:.1f} MiB")


def _understood(file: Path) -> int:
    """sshd's lines that the running program has understood and saved."""
    with contextlib.closing(db.connect(file, read_only=True)) as connection:
        return state.read_coverage(connection)["sshd"][0]
