"""Which events are asked for: Windows' own small part of XPath 1.0.

The host judges it, so what does not matter never travels.  An expression may hold some twenty
comparisons; a query that would need more asks for a little more than it wants.
"""

from __future__ import annotations

from collections.abc import Collection

from .channels import FORWARDED, WANTED

COMPARISONS = 20


def wanted_ids(channel: str) -> frozenset[int]:
    """Of a channel; a collector's holds those of all."""
    if channel == FORWARDED:
        return frozenset().union(*WANTED.values())
    return WANTED[channel]


def query_of(ids: Collection[int], since_ms: int | None = None) -> str:
    """Events with one of the ids; ``since_ms``: no older than so many milliseconds."""
    room = COMPARISONS - (since_ms is not None)
    runs = _merged([(one, one) for one in sorted(ids)], room)
    words = " or ".join(_range(first, last) for first, last in runs)
    late = "" if since_ms is None else f" and TimeCreated[timediff(@SystemTime) <= {since_ms}]"
    return f"*[System[({words}){late}]]"


def record_query(record_id: int) -> str:
    return f"*[System[(EventRecordID={record_id})]]"


def _merged(runs: list[tuple[int, int]], room: int) -> list[tuple[int, int]]:
    """Neighbours as one, then the nearest ones, until they fit into so many comparisons."""
    gap = 1
    while gap == 1 or _cost(runs) > room:
        merged = runs[:1]
        for first, last in runs[1:]:
            if first - merged[-1][1] <= gap:
                merged[-1] = (merged[-1][0], last)
            else:
                merged.append((first, last))
        runs = merged
        gap *= 2
    return runs


def _cost(runs: list[tuple[int, int]]) -> int:
    return sum(1 if first == last else 2 for first, last in runs)


def _range(first: int, last: int) -> str:
    if first == last:
        return f"EventID={first}"
    return f"(EventID >= {first} and EventID <= {last})"
