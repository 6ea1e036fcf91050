"""``scan --json`` beside ``grep -c`` on one core and one file, and against the truth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .generate import BEGIN, Form
from .report import Report

RATIO = 30.0
"""At most this many times the time of ``grep -c``, at a million lines."""
FAIL2BAN_RATIO = 15.0
"""At least so many times as fast as fail2ban-regex with the filter sshd."""
PEAK_MIB = 64.0
ROUNDS = 3


class Took(NamedTuple):
    """One run of a command."""

    seconds: float
    cpu: float
    peak_kib: int
    status: int


Fact = tuple[str, ...]


def measure(folder: Path, lines: int, report: Report) -> None:
    """Both forms of a log of so many lines."""
    for form in Form:
        _measure(folder, lines, form, report)


def _measure(folder: Path, lines: int, form: Form, report: Report) -> None:
    place = folder / form.value
    command = [sys.executable, "-m", "tests.bench.generate", str(place)]
    subprocess.run([*command, "--lines", str(lines), "--form", form.value], check=True)
    log = place / "auth.log"
    size = log.stat().st_size
    report.title(f"scan: {lines:,} lines, {size / 1e6:.0f} MB, {form.value}, best of {ROUNDS}")
    told = place / "events.jsonl"
    grep: list[Took] = []
    scan: list[Took] = []
    for _ in range(ROUNDS):
        grep.append(run(["grep", "-c", "sshd", str(log)], place / "grep.txt"))
        scan.append(run(_scan_command(log, form), told))
    quick, best = min(took.seconds for took in grep), min(took.seconds for took in scan)
    peak = max(took.peak_kib for took in scan) / 1024
    report.row("grep -c sshd", f"{quick:.3f} s")
    report.row("scan --json", f"{best:.2f} s, {lines / best:,.0f} lines a second")
    text = f"{best / quick:.1f} ×"
    if lines >= 1_000_000:
        report.target("scan / grep", text, best / quick, RATIO, " ×")
    else:
        report.row("scan / grep", f"{text} (the start counts: no target at so few lines)")
    report.target("peak memory", f"{peak:.1f} MiB", peak, PEAK_MIB, " MiB")
    statuses = [f"scan ended with {took.status}" for took in scan if took.status]
    report.truth("the truth", statuses or compare(told, place / "truth.tsv"))
    _beside_fail2ban(log, place, best, report)


def run(command: Sequence[str], output: Path) -> Took:
    """Run a command alone on one core; its standard output goes to a file."""
    cpu = max(os.sched_getaffinity(0))
    runner = [sys.executable, "-m", "tests.bench.child", str(output), str(cpu)]
    done = subprocess.run([*runner, *command], stdout=subprocess.PIPE, check=True)
    return Took(**json.loads(done.stdout))


def _scan_command(log: Path, form: Form) -> list[str]:
    command = [sys.executable, "-m", "usersessionmon", "scan", "--json", str(log)]
    if form is Form.RFC3164:
        command += ["--year", str(BEGIN.year), "--timezone", "UTC"]
    return command


def compare(told: Path, truth: Path) -> list[str]:
    """What differs between the events and the truth, in words; empty: nothing."""
    facts: Counter[Fact] = Counter()
    failed = 0
    with told.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["event"] == "login_failed":
                failed += event["count"]
            elif event["event"] in {"login", "logout"}:
                peer = str(event["ip"]), str(event["port"])
                facts[event["event"], event["user"], *peer, event["time"][:19]] += 1
    true_failed = 0
    wrong: list[str] = []
    with truth.open(encoding="utf-8") as lines:
        for line in lines:
            name, *rest = line.rstrip("\n").split("\t")
            if name == "failed":
                true_failed = int(rest[0])
            elif facts[name, *rest] > 0:
                facts[name, *rest] -= 1
            else:
                wrong.append("not found: " + " ".join([name, *rest]))
    wrong += ["invented: " + " ".join(fact) for fact, count in facts.items() if count > 0]
    if failed != true_failed:
        wrong.append(f"{failed} failed attempts, in truth {true_failed}")
    return wrong


def _beside_fail2ban(log: Path, place: Path, best: float, report: Report) -> None:
    if shutil.which("fail2ban-regex") is None:
        report.row("scan beside fail2ban-regex", "skipped: fail2ban is not installed")
        return
    took = run(["fail2ban-regex", "--usedns", "no", str(log), "sshd"], place / "fail2ban.txt")
    report.row("fail2ban-regex", f"{took.seconds:.1f} s, {took.peak_kib / 1024:.0f} MiB")
    faster = took.seconds / best
    report.least("fail2ban-regex / scan", f"{faster:.1f} ×", faster, FAIL2BAN_RATIO, " ×")
