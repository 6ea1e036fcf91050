"""``scan --json`` on Windows event logs beside the bare ``evtx`` package, and its memory.

Nobody can write an event log but Windows.  So the set is made of the samples' own chunks: files as
large as wanted in which they stand again and again.  What is scanned is a log of many generations,
each of which numbers its records from the beginning.  To ``scan`` all after the first are copies:
every one is parsed and understood as always, and then recognised, so that the events that it prints
are few; the rate is that of reading, which is what takes the time.
"""

from __future__ import annotations

import json
import struct
import sys
from importlib.util import find_spec
from pathlib import Path

from .report import Report, SkipError
from .scan import Took, run

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "windows"
SAMPLE = "win10-shared-Security.evtx"
HEAD, CHUNK = 4096, 64 * 1024
SMALL, LARGE = 10_000_000, 100_000_000
ROUNDS = 3
RATIO = 20.0
"""At most this many times the time of the bare parser, which makes the same XML in Rust."""
GROWTH_MIB = 8.0
"""So much more memory at most for ten times as much."""
BARE = """
import sys, evtx
print(sum(1 for _ in evtx.PyEvtxParser(sys.argv[1], number_of_threads=1).records()))
"""


def measure(folder: Path, report: Report) -> None:
    """Raises SkipError without the samples or the package."""
    if find_spec("evtx") is None:
        raise SkipError("the evtx package is not installed")
    if not (SAMPLES / SAMPLE).exists():
        raise SkipError("the samples of Windows event logs are not here")
    folder.mkdir()
    small = _made(folder / "small.evtx", SMALL)
    large = _made(folder / "large.evtx", LARGE)
    size = large.stat().st_size
    report.title(f"evtx: {size / 1e6:.0f} MB of event logs, best of {ROUNDS}")
    bare: list[Took] = []
    scan: list[Took] = []
    for _ in range(ROUNDS):
        bare.append(run([sys.executable, "-c", BARE, str(large)], folder / "records"))
        scan.append(run(_scan(large), folder / "events.jsonl"))
    records = int((folder / "records").read_text(encoding="utf-8"))
    quick, best = min(took.seconds for took in bare), min(took.seconds for took in scan)
    report.row("the bare parser", f"{quick:.2f} s, {records / quick:,.0f} records a second")
    report.row("scan --json", f"{best:.2f} s, {records / best:,.0f} records a second")
    report.target("scan / bare parser", f"{best / quick:.1f} ×", best / quick, RATIO, " ×")
    alone = run(_scan(small), folder / "small.jsonl")
    peak, little = max(took.peak_kib for took in scan) / 1024, alone.peak_kib / 1024
    text = f"{little:.1f} MiB at 10 MB, {peak:.1f} MiB"
    report.target("peak memory grows by", text, peak - little, GROWTH_MIB, " MiB")
    statuses = [f"scan ended with {took.status}" for took in (*scan, alone) if took.status]
    report.truth("the truth", statuses or _compare(folder))


def _made(path: Path, size: int) -> Path:
    data = (SAMPLES / SAMPLE).read_bytes()
    chunks = [data[at : at + CHUNK] for at in range(HEAD, len(data), CHUNK)]
    chunks = [chunk for chunk in chunks if chunk.startswith(b"ElfChnk\0")]
    times = -(-size // (CHUNK * len(chunks)))
    head = bytearray(data[:HEAD])
    struct.pack_into("<H", head, 42, times * len(chunks))
    with path.open("wb") as file:
        file.write(head)
        for _ in range(times):
            file.writelines(chunks)
    return path


def _scan(path: Path) -> list[str]:
    return [sys.executable, "-m", "usersessionmon", "scan", "--json", str(path)]


def _compare(folder: Path) -> list[str]:
    """The events are those of the sample, however often it stands there."""
    run(_scan(SAMPLES / SAMPLE), folder / "truth.jsonl")
    truth = _events(folder / "truth.jsonl")
    names = ("events.jsonl", "small.jsonl")
    wrong = [f"{name} has other events" for name in names if _events(folder / name) != truth]
    return wrong if truth else ["the sample gives no events"]


def _events(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
