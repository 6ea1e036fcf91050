"""The command line as a tree of values, read from the program's own parser.

Man page and completions are written from it, so that they cannot say anything else than ``--help``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from usersessionmon.cli.main import COMMANDS, build_parser

NAME = "user-session-monitor"
_FILES = {"FILE", "PATH"}


@dataclass(frozen=True, slots=True)
class Word:
    """An option or an operand."""

    flags: tuple[str, ...]
    """Empty: an operand."""
    help: str
    value: str
    """What its value is called; empty: it takes none."""
    choices: tuple[str, ...] = ()
    optional: bool = False
    """The value may be left out."""
    repeated: bool = False

    @property
    def kind(self) -> str:
        """What can be put there: choices, file, user, other, or nothing at all (empty)."""
        if self.choices:
            return "choices"
        if self.value in _FILES:
            return "file"
        if "--user" in self.flags:
            return "user"
        return "other" if self.value else ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its words; the program itself is the one whose path is empty."""

    path: tuple[str, ...]
    help: str
    description: str
    epilog: str
    words: tuple[Word, ...]
    commands: tuple[Command, ...]

    @property
    def options(self) -> tuple[Word, ...]:
        return tuple(word for word in self.words if word.flags)

    @property
    def operands(self) -> tuple[Word, ...]:
        return tuple(word for word in self.words if not word.flags)

    def walk(self) -> Iterator[Command]:
        """This one and all below, in the order of ``--help``."""
        yield self
        for command in self.commands:
            yield from command.walk()


def read() -> Command:
    return _command(build_parser(list(COMMANDS)), (), "")


def _command(parser: argparse.ArgumentParser, path: tuple[str, ...], text: str) -> Command:
    words: list[Word] = []
    below: list[Command] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            below += [
                _command(one, (*path, name), helps[name])
                for name, one in action.choices.items()
                if name in helps  # one without a help text is hidden
            ]
        else:
            words.append(_word(action))
    return Command(
        path, text, parser.description or "", parser.epilog or "", tuple(words), tuple(below)
    )


def _word(action: argparse.Action) -> Word:
    takes_none = action.nargs == 0
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return Word(
        tuple(action.option_strings),
        (action.help or "").replace("%(prog)s", NAME).replace("%%", "%"),
        "" if takes_none else metavar,
        tuple(str(one) for one in action.choices or ()),
        optional=action.nargs in ("?", "*"),
        repeated=action.nargs in ("+", "*"),
    )
