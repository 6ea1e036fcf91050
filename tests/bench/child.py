"""Runs one command and prints what it took, as JSON: seconds, cpu seconds, peak KiB, status.

A process of its own, because Linux counts the memory of whoever starts a program as the
program's peak: this one is small.  ``python -m tests.bench.child OUTPUT CPU COMMAND…``.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    output, cpu, *command = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    begin = time.perf_counter()
    pid = os.posix_spawnp(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)]
    )
    _, status, usage = os.wait4(pid, 0)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - begin,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak_kib": usage.ru_maxrss,
                "status": os.waitstatus_to_exitcode(status),
            }
        )
    )


if __name__ == "__main__":
    main()
