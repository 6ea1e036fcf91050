"""The command line: finding the command, and turning errors into words and exit statuses.

0: done · 1: it ran and found trouble · 2: wrong use or wrong configuration.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from usersessionmon import __version__
from usersessionmon.errors import TroubleError, UserError

from .output import complain

COMMANDS = {
    "run": "monitor this host until stopped",
    "scan": "read logs that exist and print the events",
    "who": "who is on now",
    "history": "past sessions",
    "status": "is the monitor alive, and where it stands",
    "check": "validate configuration, log source, state and rules",
    "test-notify": "send one notice through each configured channel",
    "rules": "list, test and explain the rules",
    "demo": "replay a recorded morning into the terminal",
}


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
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Output is UTF-8 whatever the locale; what is no text is shown escaped.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        words = sys.argv[1:] if arguments is None else arguments
        options = build_parser(words).parse_args(words)
        status = options.main(options)
        sys.stdout.flush()
    except UserError as error:
        complain(error.lines)
        return 2
    except TroubleError as error:
        complain(error.lines)
        return 1
    except BrokenPipeError:
        # Whoever read our output has enough (head, less): no trouble.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return int(status)
