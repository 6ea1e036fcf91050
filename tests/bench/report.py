"""How the results are shown, and what several measures need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


class SkipError(Exception):
    """A measure cannot be taken here; says why."""


@dataclass(slots=True)
class Report:
    """Prints as it goes; ``missed`` are the targets that were not reached."""

    missed: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def row(self, name: str, text: str) -> None:
        print(f"  {name:<38} {text}", flush=True)

    def target(self, name: str, text: str, value: float, most: float, unit: str = "") -> None:
        """A row with its target; ``value`` may be ``most`` at most."""
        reached = value <= most
        if not reached:
            self.missed.append(name)
        self.row(name, f"{text:<32} target ≤ {most:g}{unit}: {'yes' if reached else 'NO'}")

    def least(self, name: str, text: str, value: float, least: float, unit: str = "") -> None:
        """A row with its target; ``value`` must be ``least`` at least."""
        if value < least:
            self.missed.append(name)
        self.row(name, f"{text:<32} target ≥ {least:g}{unit}: {'NO' if value < least else 'yes'}")

    def truth(self, name: str, wrong: Sequence[str]) -> None:
        """A row that says whether everything was right."""
        if wrong:
            self.missed.append(name)
        self.row(name, "all right" if not wrong else "WRONG: " + "; ".join(wrong[:4]))


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that ``part`` (0 to 1) of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def spread(seconds: Sequence[float]) -> str:
    """``p50 1.2 ms, p99 3.4 ms``"""
    middle, late = 1000 * percentile(seconds, 0.5), 1000 * percentile(seconds, 0.99)
    return f"p50 {middle:.1f} ms, p99 {late:.1f} ms"
