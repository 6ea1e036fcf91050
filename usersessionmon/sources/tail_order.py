"""Which rotated copies came after the file that was read last, and in what order.

No naming can be trusted alone: with logrotate the lowest number is the newest, with a hand-made
``mv log log.7`` it is the highest, and days may be written before years.  So what is known of the
past tells which copies are old, and on which side of ours the old ones lie tells what the names
mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .tail_part import HEAD_MAX, PACKED, Mark, Part, digest
from .tail_siblings import DATED, Sibling, opened, peek, siblings

PAST_MAX = 16
"""How many files that are done with are remembered."""
_HEAD_LEAST = 16
"""Fewer bytes are no proof that two files are one."""


class Past(NamedTuple):
    """What is known of the files that are done with."""

    read: tuple[Mark, ...] = ()
    """Files that were read, or were there before the first start: none of it is news."""
    seen_ns: int = 0
    """When the followed file was modified, as last seen at its path.  What came after it was made
    later, so it cannot be older.  0: unknown."""

    def holds(self, head: bytes) -> bool:
        """True for the first bytes of a file that was read; of a copy of it, packed or not, too."""
        for mark in self.read:
            known = head[: mark.head_size]
            telling = len(known.strip(b"\0\n")) >= _HEAD_LEAST
            if telling and len(known) == mark.head_size and digest(known) == mark.head_hash:
                return True
        return False

    def more(self, *marks: Mark) -> Past:
        """With files that were read just now; the oldest are forgotten."""
        return self._replace(read=(*self.read, *marks)[-PAST_MAX:])

    def beside(self, marks: Sequence[Mark]) -> Past:
        """With files that are being read."""
        return self._replace(read=(*self.read, *marks))


def before(path: Path) -> tuple[Mark, ...]:
    """The copies that are there before anything was read, oldest first, as far as remembered."""
    marks = []
    for sibling in reversed(siblings(path)[:PAST_MAX]):
        head = peek(sibling.path)
        marks.append(Mark(*sibling.identity, len(head), len(head), digest(head)))
    return tuple(marks)


def all_copies(path: Path) -> list[Part]:
    """The rotated copies that are there, oldest first by their times, opened at their beginnings;
    each text once."""
    heads = [peek(path)]
    parts: list[Part] = []
    for sibling in siblings(path):
        part = opened(sibling.path) if sibling.scheme and sibling.size else None
        if part is None:
            continue
        head = part.peek()
        if any(_same_text(head, other) for other in heads):
            part.close()
            continue
        heads.append(head)
        parts.insert(0, part)
    return parts


def copies_since(path: Path, since_us: int, past: Past) -> list[Part]:
    """The rotated copies of a log that was not there at ``since_us``, oldest first."""
    fresh: list[Part] = []
    for part in all_copies(path):
        if _modified_us(part.path) >= since_us and not past.holds(part.peek()):
            fresh.append(part)
        else:
            part.close()
    return fresh


def _modified_us(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1000
    except OSError:  # it was removed in this moment
        return 0


def newer(than: Sibling, others: list[Sibling], known: list[bytes], past: Past) -> list[Part]:
    """The rotated copies that came after one, oldest first, opened at their beginnings.

    A text that lies there twice is taken once (packed just now, or copied by hand).  With one that
    begins like a ``known`` one the caller's own file is reached: it and what is newer is left out.
    """
    heads: list[bytes] = []
    parts: list[Part] = []
    for sibling in after(than, others, past):
        part = opened(sibling.path)
        if part is None:
            continue
        head = part.peek()
        if any(_same_text(head, other) for other in known):
            part.close()
            break
        if any(_same_text(head, other) for other in heads):
            part.close()
            continue
        heads.append(head)
        parts.append(part)
    return parts


def after(than: Sibling, others: list[Sibling], past: Past) -> list[Sibling]:
    """The rotated copies that came after one, oldest first."""
    floor = min(past.seen_ns, than.modified_ns)
    fresh: list[Sibling] = []
    old: list[Sibling] = []
    plain = {sibling.path.name for sibling in [than, *others]}
    for other in others:
        packing = other.path.suffix in PACKED and other.path.stem in plain  # at this moment
        if other.scheme and other.identity != than.identity and not packing:
            (old if _is_old(other, floor, past) else fresh).append(other)
    rising = _rising(than, old, fresh, floor)
    chosen = []
    for other in fresh:
        if other.scheme != than.scheme or rising is None:
            if other.modified_ns >= (than.modified_ns if other.size else floor):
                chosen.append(other)
        elif other.rank != than.rank and (other.rank > than.rank) == rising:
            chosen.append(other)
    return _sorted(chosen, than, rising)


def _is_old(other: Sibling, floor: int, past: Past) -> bool:
    """True when it was read, or is older than what was.

    An empty file is never old: a daemon that was not told may still write to it.
    """
    if not other.size:
        return False
    return other.modified_ns < floor or (bool(past.read) and past.holds(peek(other.path)))


def _rising(than: Sibling, old: list[Sibling], fresh: list[Sibling], floor: int) -> bool | None:
    """True when a newer copy is the one of higher rank; None when the names do not tell."""
    written = [other for other in fresh if other.size]
    sides = _sides(than, old)
    if sides:
        later = [other for other in written if other.modified_ns > than.modified_ns]
        mixed = len(sides) > 1 or (floor and sides <= _sides(than, later))
        return None if mixed else False in sides
    if floor:  # nothing is old: all that is there came later
        for group in (written, fresh):
            sides = _sides(than, group)
            if len(sides) == 1:
                return True in sides
    usual = than.scheme == DATED
    apart = [other for other in _alike(than, fresh) if other.modified_ns != than.modified_ns]
    votes = [(other.rank > than.rank) == (other.modified_ns > than.modified_ns) for other in apart]
    unusual = len(votes) > 1 and all(vote != usual for vote in votes)
    return usual != unusual


def _sides(than: Sibling, group: list[Sibling]) -> set[bool]:
    """On which sides of one the others lie by their names: True for a higher rank."""
    return {other.rank > than.rank for other in _alike(than, group)}


def _alike(than: Sibling, group: list[Sibling]) -> list[Sibling]:
    return [other for other in group if other.scheme == than.scheme and other.rank != than.rank]


def _sorted(chosen: list[Sibling], than: Sibling, rising: bool | None) -> list[Sibling]:
    """Oldest first: by the names where they tell, since a late line changes an old copy's time."""
    chosen = sorted(chosen, key=lambda sibling: sibling.modified_ns)
    schemes = {sibling.scheme for sibling in chosen}
    if len(schemes) != 1:
        return chosen
    if schemes != {than.scheme}:
        rising = DATED in schemes
    if rising is not None:
        chosen.sort(key=lambda sibling: sibling.rank, reverse=not rising)
    return chosen


def _same_text(one: bytes, other: bytes) -> bool:
    """One begins like the other, for a whole line at least."""
    shorter, longer = sorted((one, other), key=len)
    return (b"\n" in shorter or len(shorter) == HEAD_MAX) and longer.startswith(shorter)
