"""``make test-hosts``: the life of each host, as a table.  Arguments go to pytest."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

SUITE_NAMES = {"bookworm": "Debian 12", "trixie": "Debian 13", "testing": "Debian testing"}
_NAME = re.compile(r"test_(?P<step>\w+)\[(?P<suite>\w+)-(?P<way>\w+)\]")
_WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped", "error": "ERROR"}


class Table:
    """What became of each step of each host."""

    def __init__(self) -> None:
        self._steps: list[str] = []
        self._hosts: dict[tuple[str, str], dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = _NAME.search(report.nodeid)
        if found is None or (report.when != "call" and report.passed):
            return
        outcome = "error" if report.when != "call" and report.failed else report.outcome
        if found["step"] not in self._steps:
            self._steps.append(found["step"])
        host = self._hosts.setdefault((found["suite"], found["way"]), {})
        host[found["step"]] = _WORDS[outcome]

    def text(self) -> str:
        head = ["host", "by", *(step.replace("_", " ") for step in self._steps)]
        rows = [head] + [
            [SUITE_NAMES.get(suite, suite), way, *(steps.get(step, "-") for step in self._steps)]
            for (suite, way), steps in self._hosts.items()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def main() -> int:
    os.environ["USM_HOSTS"] = "all"
    os.environ["USM_REQUIRE_SYSTEM"] = "1"
    table = Table()
    tests = str(Path(__file__).with_name("test_hosts.py"))
    status = pytest.main([tests, "-q", "--no-header", *sys.argv[1:]], plugins=[table])
    print(f"\n{table.text()}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
