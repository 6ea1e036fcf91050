"""The command line: finding the command, and turning errors into words and exit statuses.

0: done · 1: it ran and found trouble · 2: wrong use or wrong configuration.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from usersessionmon import __version__
from usersessionmon.errors import TroubleError, UserError

from .output import complain
from .streams import give_up, prepare

COMMANDS = {
    "run": "monitor this host until stopped",
    "scan": "read logs that exist and print the events",
    "who": "who is on now",
    "history": "past sessions",
    "claim": "claim a host for a while, or list the claims",
    "release": "end a claim of a host",
    "status": "is the monitor alive, and where it stands",
    "setup": "guided first run: log, webhook, configuration, service",
    "service": "the monitor as a service of Windows: install, start, stop, remove",
    "check": "validate configuration, log source, state and rules",
    "outbox": "list what waits or was refused, try again, give up",
    "test-notify": "send one notice through each configured channel",
    "notices": "show every notice as the configuration words it",
    "rules": "list, test and explain the rules",
    "config": "what configuration holds, and where it comes from",
    "demo": "replay a recorded morning into the terminal",
}

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""How writing fails; of a file that has a name the error tells it."""


class Parser(argparse.ArgumentParser):
    """Wrong use is one line on standard error and exit status 2."""

    def error(self, message: str) -> NoReturn:
        complain([f"{message} (see {self.prog} --help)"])
        raise SystemExit(2)


def build_parser(words: Sequence[str]) -> Parser:
    """The command line; only a command that stands in ``words`` is imported for its own part."""
    parser = Parser(
        prog="user-session-monitor",
        description="Who is on your servers, since when, and how they left.",
        epilog="Example: user-session-monitor scan /var/log/auth.log",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--config", metavar="FILE", help="the configuration to use")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, text in COMMANDS.items():
        if name not in words:
            commands.add_parser(name, help=text)
            continue
        module = importlib.import_module(f"usersessionmon.cli.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=text,
            description=module.__doc__,
            epilog=f"Example: {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # The same option behind the command must not reset the one before it.
        command.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS,
                             help="the configuration to use")  # fmt: skip
        module.arguments(command)
        command.set_defaults(main=module.main)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    prepare()
    try:
        words = sys.argv[1:] if arguments is None else arguments
        try:
            status = _run(words)
        except SystemExit:  # argparse: the help, the version, or wrong use
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough (head, less): no trouble.
        give_up(sys.stdout)
        return 0
    except OSError as error:
        complain([_words(error)])
        give_up(sys.stdout)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _run(words: Sequence[str]) -> int:
    try:
        options = build_parser(words).parse_args(words)
        return int(options.main(options))
    except UserError as error:
        complain(error.lines)
        return 2
    except TroubleError as error:
        complain(error.lines)
        return 1


def _words(error: OSError) -> str:
    """What the operating system has against going on."""
    reason = error.strerror or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    return f"standard output: cannot be written: {reason}" if error.errno in _UNWRITTEN else reason
