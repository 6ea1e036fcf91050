"""Validate the configuration, the log source, the state directory and the rules, and say of each
what is wrong and how to mend it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from usersessionmon.clock import SystemClock
from usersessionmon.config import Settings, find_config, load
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.pace import Budget
from usersessionmon.rules import selftest
from usersessionmon.rules.pack import own_rules
from usersessionmon.store import db, state
from usersessionmon.store.faults import is_full
from usersessionmon.store.place import check_whole, holder, reading
from usersessionmon.system import users
from usersessionmon.wiring.here import look_around, zone_of
from usersessionmon.wiring.log import choose_source, rules_of
from usersessionmon.wiring.monitor import CONFIG, config_problems
from usersessionmon.wiring.notices import channels_of
from usersessionmon.wiring.windows import try_servers

from .common import folder_of, state_of
from .output import say, say_json

EXAMPLE = "user-session-monitor check"


class Finding(NamedTuple):
    part: str
    ok: bool
    text: str


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON Lines, one part a line")
    parser.add_argument(
        "--configuration",
        action="store_true",
        help="only whether a running monitor would take the configuration up",
    )


def main(options: argparse.Namespace) -> int:
    """0 when all is well, 1 when something must be mended; 2 for a bad configuration."""
    path = find_config(options.config)
    settings = load(path)  # what is wrong with it is told by main, all of it
    channels = channels_of(settings, zone_of(settings), sys.stdout)  # so is what one cannot use
    findings = [
        Finding("configuration", True, "the defaults hold" if path is None else f"{path} is valid")
    ]
    if options.configuration:
        _would_be_taken(options.config, settings)
    else:
        for part, look in (
            ("channels", partial(_channels, channels)),
            ("rules", _rules),
            ("source", _source),
            ("state", _state),
        ):
            findings += _looked(part, look, settings)
    for finding in findings:
        if options.json:
            say_json(finding._asdict())
        else:
            mark = "ok " if finding.ok else "BAD"
            say(f"{mark} {finding.part:<14} {finding.text}")
    return 0 if all(finding.ok for finding in findings) else 1


def _would_be_taken(path: str | None, settings: Settings) -> None:
    """Raise UserError with all that a reload refuses."""
    problems = config_problems(path, settings, _began_with(settings))
    if problems:
        raise UserError(problems)


def _began_with(settings: Settings) -> str:
    """The configuration file of the monitor that runs on this state; empty where it is unknown."""
    try:
        if holder(folder_of(settings)) is None:
            return ""
        with state_of(settings) as connection:
            return "" if connection is None else state.read_facts(connection).get(CONFIG, "")
    except TroubleError:
        return ""


def _looked(
    part: str, look: Callable[[Settings], list[tuple[bool, str]]], settings: Settings
) -> list[Finding]:
    try:
        return [Finding(part, ok, text) for ok, text in look(settings)]
    except (UserError, TroubleError) as error:
        return [Finding(part, False, line) for line in error.lines]


def _channels(
    made: Sequence[tuple[BatchChannel, Budget]], settings: Settings
) -> list[tuple[bool, str]]:
    found = [(True, f"{channel.name}: {channel.address}") for channel, _ in made]
    for channel, _ in made:
        channel.close()
    if not settings.all_channels():
        return [(True, "none is configured: notices go to the terminal (feishu.webhook_url)")]
    return [*found, (True, "try them: user-session-monitor test-notify")]


def _rules(settings: Settings) -> list[tuple[bool, str]]:
    rules = rules_of(settings, look_around(settings).os_ids)
    verdicts = list(selftest.run(rules))
    bad = [verdict for verdict in verdicts if verdict.problem]
    if bad:
        return [
            (False, f"{verdict.file}: {verdict.rule}: {verdict.problem}: {verdict.text!r}")
            for verdict in bad
        ]
    text = f"{len(rules.rules)} rules for {rules.distro.name}, {len(verdicts)} examples hold"
    own, replacing = own_rules(rules.packs)
    if own:
        text += f"; own rules: {own}, in place of built-in ones: {replacing}"
    return [(True, text), *_unread(settings.monitor.rules_dir)]


def _unread(folder: str) -> list[tuple[bool, str]]:
    """Files that were meant as rules, by the look of their names."""
    meant = sorted(Path(folder).glob("*.yml")) if folder else []
    return [(False, f"{path}: is not read: call it {path.stem}.yaml") for path in meant]


def _source(settings: Settings) -> list[tuple[bool, str]]:
    # Own rules say nothing of the source, and what is wrong with them is told already.
    builtin = replace(settings, monitor=replace(settings.monitor, rules_dir=""))
    choice = choose_source(settings, rules_of(builtin, look_around(settings).os_ids))
    found = [(False, problem) for problem in choice.problems]
    if choice.kind == "journal":
        return [*found, (True, f"the journal: {choice.why}")]
    if choice.kind == "windows":
        return [
            *found,
            (True, f"{choice.path}: {choice.why}"),
            *try_servers(settings, SystemClock()),
        ]
    if not os.access(choice.path, os.R_OK):
        if not found:
            found.append((False, f"{choice.path}: cannot be read"))
        return found
    weak = "a file proves nothing: any local user can write lines into it (logger); the journal can"
    return [*found, (True, f"{choice.path}: {choice.why}; {weak}")]


def _state(settings: Settings) -> list[tuple[bool, str]]:
    folder = folder_of(settings)
    pid = holder(folder)
    if pid is not None:
        return [(True, f"{folder}: in use by the running monitor (pid {pid})")]
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [(False, f"{folder}: cannot be written by this user ({users.own_name()})")]
    if is_full(nearest / db.FILE_NAME):
        return [(False, f"{folder}: the disk is full: free some space")]
    if not folder.exists():
        return [(True, f"{folder}: will be made")]
    with reading(folder) as connection:
        if connection is not None:
            check_whole(connection, folder / db.FILE_NAME)
    return [(True, f"{folder}: can be written")]
