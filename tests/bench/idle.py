"""What a monitor costs that has nothing to do, before its first notice and after it."""

from __future__ import annotations

import time
from pathlib import Path

from .latency import PATIENCE, Log, log_in
from .program import Program, running
from .report import Report
from .stub import Stub

SECONDS = 20.0
SETTLE = 3.0
RESIDENT_MIB = 48.0
CPU_MS = 2.0
WAKEUPS = 6.0


def measure_file(folder: Path, report: Report, seconds: float = SECONDS) -> None:
    """On a file that nobody writes to."""
    report.title(f"idle on a quiet file, {seconds:.0f} s each")
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "auth.log")
    with Stub() as stub, running(folder, source="file", log=log.path, url=stub.url) as program:
        watch(program, "before the first notice", seconds, report)
        log_in(log, 1, "bench")
        came = stub.wait_for(("bench",), PATIENCE)
        report.truth("the notice", [] if came else ["it never came"])
        watch(program, "after a notice", seconds, report)


def watch(program: Program, name: str, seconds: float, report: Report) -> None:
    """Three rows: memory, processor, wake-ups."""
    time.sleep(SETTLE)
    before = program.usage()
    time.sleep(seconds)
    after = program.usage()
    span = after.at - before.at
    cpu = 1000 * (after.cpu - before.cpu) / span
    wakeups = (after.wakeups - before.wakeups) / span
    resident = after.resident_mib
    report.target(f"resident, {name}", f"{resident:.1f} MiB", resident, RESIDENT_MIB, " MiB")
    report.target(f"CPU, {name}", f"{cpu:.2f} ms a second", cpu, CPU_MS, " ms/s")
    report.target(f"wake-ups, {name}", f"{wakeups:.1f} a second", wakeups, WAKEUPS, "/s")
