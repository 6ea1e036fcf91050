"""``python -m tests.bench``: measures this machine and prints ratios within one run.

Everything runs on loopback and in a temporary directory.  Other work on the machine moves the
numbers much more than the ratios.  Ends with 1 when a target was missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import burst, crowd, evtx, idle, journal, latency, scan
from .report import Report, SkipError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    measures = ("scan", "evtx", "latency", "journal", "idle", "burst", "crowd")
    parser.add_argument("only", nargs="*", help=f"of {', '.join(measures)}; default: all")
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of the scanned log")
    parser.add_argument("--notices", type=int, default=latency.NOTICES)
    parser.add_argument("--seconds", type=float, default=idle.SECONDS, help="of being idle")
    parser.add_argument(
        "--ssh", default=journal.SSH, help="a command that logs in to this host without asking"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.only) - set(measures))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(measures)}")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="usm-bench-") as folder:
        place = Path(folder)
        steps: dict[str, Callable[[], None]] = {
            "scan": lambda: scan.measure(place / "scan", options.lines, report),
            "evtx": lambda: evtx.measure(place / "evtx", report),
            "latency": lambda: latency.measure(place / "latency", report, options.notices),
            "journal": lambda: journal.measure(place / "journal", report, options.ssh),
            "idle": lambda: _idle(place / "idle", report, options.seconds),
            "burst": lambda: burst.measure(place / "burst", report),
            "crowd": lambda: crowd.measure(place / "crowd", report),
        }
        for name, step in steps.items():
            if not options.only or name in options.only:
                try:
                    step()
                except SkipError as skip:
                    report.row(f"{name}: skipped", str(skip))
    print(f"\ntargets missed: {', '.join(report.missed) or 'none'}")
    return 1 if report.missed else 0


def _idle(folder: Path, report: Report, seconds: float) -> None:
    idle.measure_file(folder / "file", report, seconds)
    journal.measure_idle(folder / "journal", report, seconds)


if __name__ == "__main__":
    sys.exit(main())
