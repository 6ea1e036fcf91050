"""The same work with ten and with ten thousand people on, and two thousand lines a second."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .latency import Log, log_in
from .program import running
from .report import Report
from .scan import Took, run
from .stub import Stub

FEW, MANY = 10, 10_000
VISITS = 4_000
SLOWER = 1.25
"""An event with many on may take so much longer than with few."""
PEAK_MIB = 64.0
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LINES_A_SECOND = 2_000
SECONDS = 60.0
AFTERWARDS = 3.0
"""Seconds within which a login behind the stream is to be told."""


def measure(folder: Path, report: Report, seconds: float = SECONDS) -> None:
    report.title(f"crowd: {VISITS:,} come and go while {FEW:,} or {MANY:,} others are on")
    few, many = (_visits(folder / str(count), count, report) for count in (FEW, MANY))
    text = f"{many / few:.2f} × ({1e6 * few:.0f} and {1e6 * many:.0f} µs an event)"
    report.target(f"an event with {MANY:,} on", text, many / few, SLOWER, " ×")
    _stream(folder / "stream", report, seconds)


def _visits(folder: Path, count: int, report: Report) -> float:
    """Seconds an event takes while ``count`` are on: reading, concluding, saving, printing."""
    folder.mkdir(parents=True, exist_ok=True)
    log, config = folder / "auth.log", folder / "config.yaml"
    config.write_text(
        f"monitor:\n  source: file\n  log_file: {log}\nstate:\n  dir: {folder / 'state'}\n",
        encoding="utf-8",
    )
    with log.open("w", encoding="utf-8") as out:
        out.write("".join(_login(pid) for pid in range(count)))
    _once(folder, config)
    still = _once(folder, config)
    with log.open("a", encoding="utf-8") as out:
        for pid in range(count, count + VISITS):
            out.write(_login(pid) + _logout(pid))
    busy = _once(folder, config)
    peak = busy.peak_kib / 1024
    report.target(f"peak with {count:,} on", f"{peak:.1f} MiB", peak, PEAK_MIB, " MiB")
    command = [sys.executable, "-m", "usersessionmon", "--config", str(config), "who", "--json"]
    on = run(command, folder / "who.jsonl")
    rows = [json.loads(line) for line in (folder / "who.jsonl").read_text().splitlines()]
    right = on.status == 0 and {row["port"] for row in rows} == {1024 + n for n in range(count)}
    report.truth(f"who is on of {count:,}", [] if right else [f"{len(rows)} rows"])
    return max(1e-9, busy.cpu - still.cpu) / (2 * VISITS)


def _once(folder: Path, config: Path) -> Took:
    command = [sys.executable, "-m", "usersessionmon", "--config", str(config), "run"]
    return run([*command, "--once", "--from-start"], folder / "told.txt")


def _login(number: int) -> str:
    peer = f"198.18.0.7 port {1024 + number}"
    return _lines(
        number,
        f"Accepted password for user{number % 500} from {peer} ssh2",
        f"pam_unix(sshd:session): session opened for user user{number % 500}(uid=1000) by (uid=0)",
    )


def _logout(number: int) -> str:
    user = f"user{number % 500}"
    peer = f"198.18.0.7 port {1024 + number}"
    return _lines(
        number,
        f"Received disconnect from {peer}:11: disconnected by user",
        f"Disconnected from user {user} {peer}",
        f"pam_unix(sshd:session): session closed for user {user}",
    )


def _lines(number: int, *texts: str) -> str:
    time = (BEGIN + timedelta(seconds=number)).isoformat()
    return "".join(f"{time} bench-1 sshd[{1000 + number}]: {text}\n" for text in texts)


def _stream(folder: Path, report: Report, seconds: float) -> None:
    """People guess passwords all the time, and somebody logs in behind it all."""
    report.title(f"stream: {LINES_A_SECOND:,} lines a second for {seconds:.0f} s")
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "auth.log")
    step = 0.05
    with Stub() as stub, running(folder, source="file", log=log.path, url=stub.url) as program:
        time.sleep(1)
        before = program.usage()
        begin, number = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < seconds:
            for _ in range(round(LINES_A_SECOND * passed) - number):
                number += 1
                peer = f"198.18.{number % 200}.7 port {1024 + number % 60000}"
                log.write(1000 + number % 30000, f"Failed password for root from {peer} ssh2")
            time.sleep(step)
        wrote = log_in(log, 1, "bench")
        told = stub.wait_for(("用户登录通知", "bench"), 60)
        after = program.usage()
    busy = 100 * (after.cpu - before.cpu) / (after.at - before.at)
    report.row("lines written", f"{number:,}")
    report.row("of one processor", f"{busy:.0f} %")
    report.target("resident", f"{after.resident_mib:.1f} MiB", after.resident_mib, PEAK_MIB, " MiB")
    if told is None:
        report.truth("the login behind it", ["it never came"])
        return
    took = told.at - wrote.at
    report.target("the login behind it", f"{took:.2f} s after its line", took, AFTERWARDS, " s")
