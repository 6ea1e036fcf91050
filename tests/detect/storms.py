"""Storms of failed logins: who is tried, and in which order the attackers come."""

from __future__ import annotations

import random
from collections.abc import Callable

STORM, ADDRESSES = 3000, 200

NAMES: dict[str, Callable[[int], tuple[str | None, bool | None]]] = {
    "root": lambda n: ("root", True),
    "exist": lambda n: (f"u{n % 40}", True),
    "invalid": lambda n: (f"u{n}", False),
    "few invalid": lambda n: (f"u{n % 4}", False),
    "unknown": lambda n: (f"u{n % 700}", None),
    "two accounts": lambda n: (f"u{n % 2}", True),
    "nobody": lambda n: (None, None),
    "mixed": lambda n: ((f"u{n % 9}", True), ("root", True), (f"x{n}", False))[n % 3],
}
ORDERS = ("round robin", "one by one", "shuffled", "two loud", "loud at last", "one sweeps")


def sources(order: str, rng: random.Random) -> list[int]:
    """Which of the addresses each failure comes from; every one has its share."""
    numbers = [n % ADDRESSES for n in range(STORM)]
    if order == "one by one":
        numbers.sort()
    elif order == "shuffled":
        rng.shuffle(numbers)
    elif order in ("two loud", "loud at last"):
        numbers = list(range(ADDRESSES)) + [n % 2 for n in range(STORM - ADDRESSES)]
        if order == "two loud":
            numbers.reverse()
    elif order == "one sweeps":
        numbers.sort(key=lambda n: n != 7)
    return numbers


def address(number: int, sixth: int) -> str:
    """Every ``sixth`` is of IPv6, each in a network of its own; 0: none."""
    if sixth and number % sixth == 0:
        return f"2001:db8:0:{number:x}::{number + 5:x}"
    return f"203.0.{number >> 8}.{number & 255}"
