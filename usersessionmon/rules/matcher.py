"""From a record to what it means: the candidates by its words, then anchored lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from usersessionmon.errors import UserError
from usersessionmon.model import Captures, Event, Proof, Record

from .bounds import MAX_TEXT
from .dispatch import MEMO, Candidate, ProgramTable, Rule
from .pack import (
    Distro,
    Pack,
    RuleSpec,
    ServiceKind,
    ServiceSpec,
    builtin_distros,
    builtin_packs,
    pick_distro,
    resolve_distro,
    service_of,
    user_packs,
    wrong_captures,
)
from .sudo_json import STARTS, said_again
from .template import Line, compile_line

_REPEATED = re.compile(r"message repeated ([1-9][0-9]{0,8}) times: \[ ?(.*)\]", re.DOTALL)
_WRAPPED = ("message repeated ", *STARTS)


class RuleSet:
    """All rules that apply on a host."""

    def __init__(self, packs: Iterable[Pack], distro: Distro, *, own: bool = False) -> None:
        """``own``: some of the packs are the user's."""
        self.distro = distro
        self.own = own
        self.packs = tuple(packs)
        self.rules = tuple(compile_rules(self.packs))
        self._exact: dict[str, ProgramTable | None] = {}
        self._patterns: list[tuple[str, str]] = []
        """(prefix, pack's name) of the programs that end in ``*``"""
        self._named: dict[str, list[str]] = {}
        for pack in self.packs:
            for program in pack.spec.programs:
                if program.endswith("*"):
                    self._patterns.append((program[:-1], pack.name))
                else:
                    self._named.setdefault(program, []).append(pack.name)

    def programs(self) -> tuple[str, ...]:
        """The tags that matter, as the packs write them."""
        return tuple(dict.fromkeys(tag for pack in self.packs for tag in pack.spec.programs))

    def wanted(self, program: str) -> bool:
        """Whether lines of this program matter."""
        return self.table(program) is not None

    def table(self, program: str) -> ProgramTable | None:
        """The candidates of a program; None when it does not matter."""
        try:
            return self._exact[program]
        except KeyError:
            pass
        names = list(self._named.get(program, ()))
        names += [pack for prefix, pack in self._patterns if program.startswith(prefix)]
        table = self._build_table(names) if names else None
        if len(self._exact) >= MEMO:  # tags are foreign text as well
            self._exact.clear()
        self._exact[program] = table
        return table

    def _build_table(self, names: list[str]) -> ProgramTable:
        candidates = [
            Candidate(line, rule)
            for rule in self.rules
            if rule.pack in names
            for line in rule.lines
        ]
        candidates.sort(key=lambda candidate: -candidate.line.literal)
        return ProgramTable(tuple(candidates))

    def match(self, record: Record) -> Event | None:
        """What the record means; None when no rule understands it, or its program is no matter."""
        table = self.table(record.program)
        if table is None:
            return None
        text = record.text
        repeat = 1
        if text.startswith(_WRAPPED):
            text, repeat = unwrap(text)
        found = find(table, text)
        if found is None:
            return None
        return make_event(record, found[0].rule, found[1], repeat)


def unwrap(text: str) -> tuple[str, int]:
    """The inner text of rsyslog's ``message repeated N times: [ … ]`` and N; sudo's JSON as the
    line that a rule has."""
    found = _REPEATED.fullmatch(text)
    text, repeat = (text, 1) if found is None else (found.group(2), int(found.group(1)))
    return (said_again(text) if text.startswith(STARTS) else text), repeat


def find(table: ProgramTable, text: str) -> tuple[Candidate, Captures] | None:
    """The candidate that matches a text, with its captures."""
    if len(text) > MAX_TEXT:
        return None
    for mark, candidate in table.worth(text):
        if mark in text:
            got = candidate.line.match(text)
            if got is not None:
                return candidate, cast(Captures, got)
    return None


def make_event(record: Record, rule: Rule, got: Captures, repeat: int) -> Event:
    """The event of a matched line: the rule's fixed values added, the PAM service looked up."""
    if rule.spec.sets:
        got.update(cast(Captures, rule.spec.sets))
    if got.get("ip", "") is None:
        got["port"] = None  # sshd writes a made-up port beside UNKNOWN
    if rule.spec.shared:
        record = record._replace(pid=None)
    means, service = rule.means, rule.service
    if rule.services:
        pam_service = got.get("pam_service", "")
        if not pam_service and rule.spec.instead:  # an old PAM's line: its program says what it is
            pam_service = got["pam_service"] = record.program.partition("(")[0]
        spec = rule.services.get(pam_service) or ServiceSpec(ServiceKind.NOISE)
        means = rule.spec.instead.get(spec.kind, means)
        service = spec.name or pam_service or record.program
    # Event's own constructor takes three times as long
    return tuple.__new__(Event, (record, means, service, rule.name, got, Proof.TEXT, repeat))


def compile_rules(packs: Iterable[Pack]) -> Iterable[Rule]:
    """Compile every rule; of two with one name the later pack's wins.

    Raises UserError with a line for every rule that cannot be compiled.
    """
    rules: dict[str, Rule] = {}
    problems: list[str] = []
    for pack in packs:
        services, trouble = _services(pack)
        problems += trouble
        if pack.spec.rules and not pack.spec.programs:
            problems.append(f"{pack.file}: programs: name at least one whose lines the rules are")
        for name, spec in pack.spec.rules.items():
            lines: list[Line] = []
            for source in spec.lines:
                try:
                    lines.append(compile_line(source))
                except UserError as error:
                    problems += [f"{pack.file}: {name}: {line}" for line in error.lines]
            problems += [f"{pack.file}: {name}: {line}" for line in _wrong_values(spec)]
            service = pack.spec.service or pack.name
            rules[name] = Rule(
                name, pack.name, pack.file, service, spec.means, spec, tuple(lines), services
            )
    if problems:
        raise UserError(problems)
    return rules.values()


def _wrong_values(spec: RuleSpec) -> Iterator[str]:
    if not spec.lines:
        yield "a rule needs at least one line"
    for problem in wrong_captures(spec.sets):
        yield f"sets: {problem}"
    for example in spec.examples:
        for problem in wrong_captures(example.gives):
            yield f"gives of {example.text!r}: {problem}"


def _services(pack: Pack) -> tuple[dict[str, ServiceSpec], list[str]]:
    services: dict[str, ServiceSpec] = {}
    problems: list[str] = []
    for name, entry in pack.spec.services.items():
        try:
            services[name] = service_of(entry)
        except UserError as error:
            problems += [f"{pack.file}: services.{name}: {line}" for line in error.lines]
    return services, problems


def load_rules(
    distro: str = "", os_ids: tuple[str, ...] = (), rules_dir: Path | None = None
) -> RuleSet:
    """The rules for a host: built-in packs of its distro, then the user's own.

    ``distro`` overrides what the os-release ids say.  Raises UserError for a bad pack.
    """
    specs = builtin_distros()
    chosen = resolve_distro(distro or pick_distro(os_ids, specs), specs)
    known = builtin_packs()
    own = user_packs(rules_dir) if rules_dir is not None else []
    packs = [known[name] for name in chosen.packs]
    return RuleSet([*packs, *own], chosen, own=bool(own))
