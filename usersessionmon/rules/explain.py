"""Why a line means what it means, or where the nearest rule stopped."""

from __future__ import annotations

from typing import NamedTuple

from usersessionmon.model import Event, Record

from .dispatch import Rule
from .matcher import RuleSet, find, make_event, unwrap
from .template import Line, stopped_at

_NO_GUESS = 4
"""A line with no more literal text than this says nothing about who wrote it."""


class Explanation(NamedTuple):
    """What ``rules explain`` shows of one record."""

    record: Record
    understood: bool | None
    """None when the program is not one that matters."""
    rule: Rule | None
    line: Line | None
    event: Event | None
    nearest: Line | None = None
    nearest_rule: Rule | None = None
    stopped: str = ""
    """The piece of ``nearest`` that the text did not have."""


def guess(rules: RuleSet, record: Record) -> Record | None:
    """The record of a line without a tag, given to the program whose line it most literally is.

    None when it is no program's.
    """
    text, _ = unwrap(record.text)
    best, literal = "", 0
    for program in rules.programs():
        table = rules.table(program.removesuffix("*"))
        found = None if table is None else find(table, text)
        if found is not None and found[0].line.literal > literal:
            best, literal = program.removesuffix("*"), found[0].line.literal
    return record._replace(program=best) if literal > _NO_GUESS else None


def explain(rules: RuleSet, record: Record) -> Explanation:
    """Look one record up."""
    table = rules.table(record.program)
    if table is None:
        return Explanation(record, None, None, None, None)
    text, repeat = unwrap(record.text)
    found = find(table, text)
    if found is not None:
        candidate, captures = found
        event = make_event(record, candidate.rule, captures, repeat)
        return Explanation(record, True, candidate.rule, candidate.line, event)
    best, reached = None, 0
    for candidate in table.candidates:
        parts = stopped_at(candidate.line, text[:500])
        weight = sum(len(part.text) for part in candidate.line.parts[:parts] if not part.is_hole)
        if weight > reached:
            best, reached = candidate, weight
    if best is None:
        return Explanation(record, False, None, None, None)
    parts = stopped_at(best.line, text[:500])
    missing = best.line.parts[parts] if parts < len(best.line.parts) else None
    stopped = (
        "the end of the line"
        if missing is None
        else (f"{{{missing.text}}}" if missing.is_hole else repr(missing.text))
    )
    return Explanation(record, False, None, None, None, best.line, best.rule, stopped)
