"""The rule packs: list them, run every rule's own examples, explain what a line means."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.contract import event_object
from usersessionmon.envelope.text import loose
from usersessionmon.errors import TroubleError
from usersessionmon.host import facts
from usersessionmon.model import Record
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules import selftest
from usersessionmon.rules.coverage import Coverage
from usersessionmon.rules.explain import Explanation, explain, guess
from usersessionmon.rules.matcher import RuleSet
from usersessionmon.rules.pack import Keeps, identifiers, own_rules
from usersessionmon.sessions.engine import Engine
from usersessionmon.sources.archive import ReadOptions, Tally, read_path
from usersessionmon.wiring.here import look_around
from usersessionmon.wiring.log import rules_of

from .common import add_actions, check_path, settings_if_any
from .output import cell, complain, say, say_json, table, warn

EXAMPLE = (
    "user-session-monitor rules explain "
    "'sshd[1]: Accepted password for alice from 192.0.2.7 port 50022 ssh2'"
)


_LONG = 2000
"""Characters of a line that are shown."""


_KEEPS = {
    Keeps.JOURNAL: "the journal alone",
    Keeps.FILES: "files alone",
    Keeps.BOTH: "the journal, and files where a syslog daemon runs",
}
_ACTIONS = {
    "list": ("the rules that apply on this host", "user-session-monitor rules list"),
    "test": ("run every rule's own examples", "user-session-monitor rules test"),
    "explain": ("why a line means what it means, or nothing", EXAMPLE),
    "coverage": (
        "how many lines are understood; the others by shape, names masked",
        "user-session-monitor rules coverage /var/log/auth.log",
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    for name, action in add_actions(parser, _ACTIONS).items():
        action.add_argument("--json", action="store_true", help="JSON Lines")
        if name == "explain":
            action.add_argument(
                "lines", metavar="LINE", nargs="+", help="a log line; - reads lines"
            )
        elif name == "coverage":
            action.add_argument("paths", metavar="PATH", nargs="+", help="a log, as scan reads it")


def main(options: argparse.Namespace) -> int:
    settings = settings_if_any(options)
    rules = rules_of(settings, look_around(settings).os_ids)
    if options.action == "list":
        return _list(rules, as_json=options.json)
    if options.action == "test":
        return _test(rules, as_json=options.json)
    if options.action == "coverage":
        return _coverage(rules, options.paths, as_json=options.json)
    return _explain(rules, options.lines, as_json=options.json)


def _list(rules: RuleSet, *, as_json: bool) -> int:
    if as_json:
        for rule in rules.rules:
            say_json(
                {
                    "rule": rule.name,
                    "pack": rule.pack,
                    "file": rule.file,
                    "service": rule.service,
                    "means": rule.means,
                    "lines": [line.source for line in rule.lines],
                }
            )
        return 0
    distro = rules.distro
    say(f"distro {distro.name}: {distro.about}")
    say(f"  keeps its log in: {_KEEPS[distro.keeps]}; files: {', '.join(distro.log_files)}")
    for quirk in distro.quirks:
        say(f"  {quirk}")
    if summary := _own(rules):
        say(summary)
    rows = [
        [rule.name, rule.means, str(len(rule.lines)), rule.lines[0].source] for rule in rules.rules
    ]
    table(("rule", "means", "lines", "first line"), rows, drop=("lines",))
    return 0


def _own(rules: RuleSet) -> str:
    """A line about the user's own rules; empty when there are none."""
    files = [pack.file for pack in rules.packs if pack.own]
    count, replacing = own_rules(rules.packs)
    if not files:
        return ""
    return f"own rules: {count}, in place of built-in ones: {replacing} ({', '.join(files)})"


def _test(rules: RuleSet, *, as_json: bool) -> int:
    verdicts = list(selftest.run(rules))
    bad = [verdict for verdict in verdicts if verdict.problem]
    if as_json:
        for verdict in verdicts:
            say_json(verdict._asdict())
    else:
        for verdict in bad:
            say(f"BAD {verdict.file}: {verdict.rule}: {verdict.problem}: {verdict.text!r}")
        say(
            f"{len(verdicts) - len(bad)} of {len(verdicts)} examples hold, {len(rules.rules)} rules"
        )
        if summary := _own(rules):
            say(summary)
    return 1 if bad else 0


def _coverage(rules: RuleSet, paths: list[str], *, as_json: bool) -> int:
    coverage, tally = Coverage(rules), Tally()
    read = ReadOptions(
        wanted=rules.wanted,
        zone=facts.local_zone(),
        now_us=SystemClock().now_us(),
        identifiers=identifiers(rules.packs),
        tally=tally,
        notice=warn,
    )
    status = 0
    for path in paths:
        try:
            check_path(path)
            for records in read_path(path, read):
                coverage.add(records)
        except TroubleError as error:
            complain(error.lines)
            status = 1
    good, missed = coverage.understood.total(), coverage.missed.total()
    if as_json:
        say_json(
            {
                "understood": good,
                "not_understood": missed,
                "programs": {
                    program: {
                        "understood": coverage.understood[program],
                        "not_understood": coverage.missed[program],
                    }
                    for program in sorted({*coverage.understood, *coverage.missed})
                },
                "without_known_header": tally.not_understood,
            }
        )
        for shape, count in coverage.shapes.most_common():
            say_json({"count": count, "program": shape.program, "shape": shape.text})
        return status
    say(f"{good} of {good + missed} lines of the programs that matter are understood")
    if tally.not_understood:
        say(f"{tally.not_understood} lines have no header that is known")
    for shape, count in coverage.shapes.most_common():
        say(f"{count:>8}  {cell(shape.program)}: {cell(shape.text, _LONG)}")
    return status


def _explain(rules: RuleSet, lines: list[str], *, as_json: bool) -> int:
    zone, now = facts.local_zone(), SystemClock().now_us()
    for raw in _lines(lines):
        line = loose(raw, wanted=rules.wanted, zone=zone, reference_us=now)
        record = line.record if line.tagged or line.timed else guess(rules, line.record)
        text = raw.decode("utf-8", "backslashreplace")
        found = None if record is None else explain(rules, record)
        if as_json:
            say_json(_object(rules, text, record, found))
        else:
            _show(rules, text, record, found)
    return 0


def _lines(arguments: list[str]) -> Iterator[bytes]:
    """The lines to judge: the arguments, or standard input's for ``-``."""
    for argument in arguments:
        if argument != "-":
            yield argument.encode("utf-8", "surrogateescape")
            continue
        for line in sys.stdin.buffer:
            yield line.removesuffix(b"\n")


def _object(
    rules: RuleSet, text: str, record: Record | None, found: Explanation | None
) -> dict[str, Any]:
    rule = None if found is None else found.rule
    event = None if found is None else found.event
    return {
        "line": text,
        "understood": None if found is None else found.understood,
        "program": None if record is None or not record.program else record.program,
        "rule": None if rule is None else rule.name,
        "means": None if event is None else event.means,
        "event": _event(rules, record),
    }


def _event(rules: RuleSet, record: Record | None) -> dict[str, Any] | None:
    """What ``scan`` would print for a log of this one line."""
    if record is None or not rules.wanted(record.program):
        return None
    pipeline = Pipeline(rules, Engine())
    changes = [*pipeline.one(record), *pipeline.finish()]
    return event_object(changes[0]) if changes else None


def _show(rules: RuleSet, text: str, record: Record | None, found: Explanation | None) -> None:
    say(f"line     {cell(text, _LONG)}")
    if record is None or found is None:
        say("header   not understood, and no program writes such a line")
        say()
        return
    pid = "" if record.pid is None else f", pid {record.pid}"
    say(f"header   {record.time.text}, host {cell(record.host)}, {cell(record.program)}{pid}")
    if found.understood is None:
        say("rule     none: this program's lines do not matter")
    elif found.rule is not None and found.line is not None and found.event is not None:
        say(f"rule     {found.rule.name} in {found.rule.file}: {found.line.source}")
        got = ", ".join(f"{key}={value!r}" for key, value in found.event.got.items())
        say(f"means    {found.event.means} ({found.event.service}); {cell(got, _LONG)}")
    elif found.nearest is not None and found.nearest_rule is not None:
        say(f"rule     none; nearest {found.nearest_rule.name}: {found.nearest.source}")
        say(f"         which stopped at {found.stopped}")
    else:
        say("rule     none")
    event = _event(rules, record)
    if event is None:
        say("event    none")
    else:
        pairs = ", ".join(f"{key}={value}" for key, value in event.items() if value is not None)
        say(f"event    {cell(pairs, _LONG)}")
    say()
