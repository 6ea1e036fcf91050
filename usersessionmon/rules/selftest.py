"""Every rule's own examples, run: what ``rules test`` and the test suite do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from usersessionmon.model import Moment, Record

from .dispatch import Rule
from .matcher import RuleSet, find, make_event, unwrap
from .pack import Example

_INCIDENTAL = frozenset({"pam_module", "pam_phase", "key_type"})
"""Captures that an example need not repeat."""


class Verdict(NamedTuple):
    """One example's outcome; ``problem`` is empty when it holds."""

    rule: str
    file: str
    text: str
    problem: str


def run(rules: RuleSet) -> Iterator[Verdict]:
    """Check every example and every ``never`` of every rule, and that each line has an example."""
    for rule in rules.rules:
        used: set[str] = set()
        program = program_of(rules, rule)
        for example in rule.spec.examples:
            problem, line = _check(rules, rule, program, example)
            used.add(line)
            yield Verdict(rule.name, rule.file, example.text, problem)
        for line_source in rule.spec.lines:
            if line_source not in used:
                yield Verdict(rule.name, rule.file, line_source, "this line has no example")
        for text in rule.spec.never:
            yield Verdict(rule.name, rule.file, text, _check_never(rules, rule, program, text))


def program_of(rules: RuleSet, rule: Rule) -> str:
    """A program whose lines the rule is for."""
    pack = next(pack for pack in rules.packs if pack.name == rule.pack)
    return pack.spec.programs[0].removesuffix("*")


def _check(rules: RuleSet, rule: Rule, program: str, example: Example) -> tuple[str, str]:
    table = rules.table(program)
    assert table is not None
    text, _ = unwrap(example.text)
    found = find(table, text)
    if found is None:
        return "no rule understands it", ""
    candidate, captures = found
    if candidate.rule is not rule:
        return f"the rule {candidate.rule.name} takes it", ""
    record = Record(Moment(0, ""), None, program, None, text)
    event = make_event(record, rule, captures, 1)
    wanted = example.means or rule.means
    if event.means is not wanted:
        return f"it means {event.means}, not {wanted}", candidate.line.source
    ignored = _INCIDENTAL | set(rule.spec.sets)
    got = {key: value for key, value in event.got.items() if key not in ignored}
    if got != example.gives:
        return f"it gives {got}, not {example.gives}", candidate.line.source
    return "", candidate.line.source


def _check_never(rules: RuleSet, rule: Rule, program: str, text: str) -> str:
    table = rules.table(program)
    assert table is not None
    found = find(table, text)
    if found is not None and found[0].rule is rule:
        return "the rule takes it and must not"
    return ""
