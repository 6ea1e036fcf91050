"""Finding the way back into a log: after a restart, and after more than one rotation at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .tail_order import Past, after, newer
from .tail_part import Mark, Part
from .tail_position import Position
from .tail_siblings import Sibling, find, peek, siblings


def resume(position: Position, path: Path) -> list[Part]:
    """The files that a position speaks of and what was rotated after them, oldest first.

    The file at the path comes last, if it is one of these; else it is all new and not among them.
    Empty when the file that was read last cannot be found: nobody knows then what came after it.
    """
    others = siblings(path)
    found = find(position.marks[-1], path, others) if position.marks else None
    if found is None:
        return []
    parts: list[Part] = []
    for mark in position.marks[:-1]:
        # Read to their ends, and kept for late lines, which come to the file itself and no copy.
        same = [other for other in others if other.identity == (mark.device, mark.inode)]
        old = find(mark, path, same)
        if old is not None and old[1] is not None and old[0].identity != found[0].identity:
            parts.append(old[0])
        elif old is not None:
            old[0].close()
    past = position.past.beside(position.marks)
    return [*parts, found[0], *_after(found[1], path, others, past)]


def resume_behind(mark: Mark, past: Past, path: Path) -> list[Part]:
    """As ``resume``, from the mark of a file that had no lines yet."""
    others = siblings(path)
    found = find(mark, path, others)
    return [] if found is None else [found[0], *_after(found[1], path, others, past)]


def between(parts: Sequence[Part], current: Part, path: Path, past: Past) -> list[Part]:
    """What was written and rotated away since the last of ``parts``, which are read to their ends,
    was the file at the path; ``current`` is that file now."""
    others = siblings(path)
    found = None
    for last in reversed(parts):
        found = find(last.mark(), path, others)
        if found is not None or last.offset:
            break  # only an empty file may be passed over: it may have been packed since
    if found is None:
        return []
    known = {part.identity for part in (*parts, current)}
    part, sibling = found
    if sibling is None or part.identity in known:
        part.close()
        rest = []
    else:
        rest = [part]  # the same log, written anew, and written to before it was rotated
    if sibling is None:
        return []
    past = past.beside([part.mark() for part in parts])
    for part in newer(sibling, others, [current.peek()], past):
        if part.identity in known:
            part.close()
        else:
            rest.append(part)
    return rest


def find_copy(mark: Mark, part: Part, path: Path, past: Past) -> list[Part]:
    """After a truncation of ``part``: the copy that was made before, at the mark, and what was
    copied since.  Empty when there is none."""
    if not mark.head_size:
        return []
    past = past.beside([mark])
    everything = siblings(path)
    others = [other for other in everything if other.identity != part.identity]
    for renamed in [other for other in everything if other.identity == part.identity]:
        later = after(renamed, others, past)
        others = [other for other in others if other not in later]
    found = find(mark, path, others)
    if found is None:
        return []
    copy, sibling = found
    if sibling is None:  # the path is another file by now, with the same text
        copy.close()
        return []
    copy.final = True
    return [copy, *newer(sibling, others, [part.peek(), peek(path)], past)]


def _after(sibling: Sibling | None, path: Path, others: list[Sibling], past: Past) -> list[Part]:
    return [] if sibling is None else newer(sibling, others, [peek(path)], past)
