"""What several commands need: settings, logging, the state for reading."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection, Error

from usersessionmon.config import MonitorSettings, Settings, find_config, load
from usersessionmon.entries import JournalHandler
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.store import db
from usersessionmon.store.faults import trouble
from usersessionmon.store.place import changing, reading, state_dir

from .output import complain, printable


def add_actions(
    parser: argparse.ArgumentParser, actions: Mapping[str, tuple[str, str]]
) -> dict[str, argparse.ArgumentParser]:
    """The actions of a command (``rules list``, …), each with its text and an example."""
    group = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    made = {}
    for name, (text, example) in actions.items():
        made[name] = action = group.add_parser(
            name, help=text, description=text, epilog=f"Example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        action.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS,
                            help="the configuration to use")  # fmt: skip
    return made


def settings_of(options: argparse.Namespace) -> Settings:
    """The configuration that the command line names, or the default one."""
    return load(find_config(options.config))


def settings_if_any(options: argparse.Namespace) -> Settings:
    """For commands that need no configuration: the default one is used where it can be read and
    is right, and else said and passed over.  One that was asked for must be right."""
    try:
        return settings_of(options)
    except UserError as error:
        if options.config is not None:
            raise
        complain([f"going on with the defaults: {line}" for line in error.lines])
        return Settings(monitor=MonitorSettings(rules_dir=""))


class LogFormat(logging.Formatter):
    """Plain lines, with the level in front where nothing else tells it."""

    def __init__(self, *, with_level: bool) -> None:
        super().__init__("%(message)s")
        self._with_level = with_level

    def format(self, record: logging.LogRecord) -> str:
        text = "\n".join(printable(line) for line in super().format(record).splitlines())
        if self._with_level and record.levelno >= logging.WARNING:
            return f"{record.levelname.lower()}: {text}"
        return text


def log_to_stderr(level: str) -> None:
    """Send the program's own log to standard error, where people read it; where that leads to the
    journal, straight there with its fields."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormat(with_level=True))
    if _is_journal(sys.stderr.fileno(), os.environ.get("JOURNAL_STREAM", "")):
        handler = JournalHandler(handler)
        handler.setFormatter(LogFormat(with_level=False))
    log_to(handler, level)


def log_to(handler: logging.Handler, level: str) -> None:
    """Send the program's own log there."""
    logger = logging.getLogger("usersessionmon")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())


def _is_journal(descriptor: int, stream: str) -> bool:
    """Whether the descriptor is the stream that systemd connected to the journal
    (systemd.exec(5), ``$JOURNAL_STREAM``)."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def check_path(path: str) -> None:
    """Raise TroubleError for a path that is none (an unset variable of a script)."""
    if not path:
        raise TroubleError("'': the path is empty; give a log, or - for standard input")


def folder_of(settings: Settings) -> Path:
    return state_dir(settings.state.dir)


@contextmanager
def state_of(settings: Settings) -> Iterator[Connection | None]:
    """The state, read-only; None when there is none yet.  Errors of SQLite become TroubleError."""
    folder = folder_of(settings)
    with reading(folder) as connection:
        try:
            yield connection
        except Error as error:
            raise trouble(folder / db.FILE_NAME, error) from error


@contextmanager
def saved_state_of(settings: Settings) -> Iterator[Connection]:
    """As ``state_of``, for commands that have nothing to say without a state."""
    with state_of(settings) as connection:
        yield _there(connection, settings)


@contextmanager
def changed_state_of(settings: Settings) -> Iterator[Connection]:
    """The state, for changing a little of it beside the monitor."""
    with changing(folder_of(settings)) as connection:
        yield _there(connection, settings)


def _there(connection: Connection | None, settings: Settings) -> Connection:
    if connection is None:
        raise TroubleError(
            f"{folder_of(settings)}: there is no state yet: start the monitor first "
            "(user-session-monitor run)"
        )
    return connection
