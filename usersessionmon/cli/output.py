"""What commands print: JSON Lines for programs, aligned text for people.

Foreign text is made harmless before it reaches a terminal.  rich is imported only when a person
looks at a table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from usersessionmon.contract import number, shown
from usersessionmon.model import WINDOWS, Moment, NamedBy, SessionView
from usersessionmon.notify.sanitize import harmless

from .streams import give_up

if TYPE_CHECKING:
    from rich.console import Console

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": "))
_GAP = 3
"""Blanks between two columns."""
_MANY = 500
"""Rows beyond which a table is plain lines."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def session_object(view: SessionView) -> dict[str, Any]:
    """The contract's row of ``who``, ``history`` and ``scan --sessions``."""
    data = {
        "session": view.session,
        "host": view.host,
        "service": view.service,
        "user": view.user,
        "ip": view.ip,
        "port": view.port,
        "method": view.method,
        "key_fingerprint": view.key_fingerprint,
        "login_time": view.login_time.text if view.login_time else None,
        "logout_time": view.logout_time.text if view.logout_time else None,
        "duration": number(view.duration),
        "reason": view.reason,
        "abnormal": view.abnormal,
        "inferred": view.inferred,
        "state": view.state,
        "tty": view.tty,
        "elevated_to": " → ".join(view.elevated_to) or None,
        "became": " → ".join(view.became) or None,
        "person": person_of(view),
        "key_name": view.key_name,
        "key_named_by": view.key_named_by,
    }
    if view.service == WINDOWS:
        data |= {"disconnected": view.kept, "by_user": view.by_user, "by_ip": view.by_ip}
    return data


def ended_by(view: SessionView) -> list[str]:
    """Of a Windows session: whether it lives on, and who ended the connection, where it was not
    left: somebody else, or the same person from elsewhere, who is back then."""
    if view.by_user is None:
        return ["disconnected"] if view.kept else []
    where = "" if view.by_ip is None else f" from {cell(view.by_ip)}"
    if view.by_user.casefold() == (view.user or "").casefold():
        return [f"replaced{where}"]
    by = f"by {cell(view.by_user)}{where}"
    return ["disconnected", by] if view.kept else [by]


def person_of(view: SessionView) -> str | None:
    """Whose session it is: by the name that the configuration or a certificate gives the key, else
    by the account's.  A comment in authorized_keys proves nothing."""
    named = view.key_named_by in {NamedBy.CONFIG, NamedBy.CERTIFICATE}
    return view.key_name if named else view.user


def json_line(data: Mapping[str, Any]) -> str:
    """One object as one line of valid UTF-8.

    Terminals read JSON too: what is not printable is written as ``\\uXXXX``, which means the same.
    """
    return shown(_ENCODER.encode(data))


def printable(text: str) -> str:
    """Foreign text for one line of a message: as it is, but what a terminal would obey or hide is
    escaped (``\\x1b``), and so is a file name's byte that is no UTF-8 (``\\xff``)."""
    if text.isprintable():
        return text
    known = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in known)


def say(text: str = "") -> None:
    """One line for people, on standard output."""
    print(printable(text))


def say_json(data: Mapping[str, Any]) -> None:
    print(json_line(data))


def complain(lines: Iterable[str]) -> None:
    """Trouble, on standard error, one line each."""
    for line in lines:
        warn(f"user-session-monitor: {line}")


def warn(text: str) -> None:
    """Something to know beside the answer; on standard error.  When that cannot be written there
    is nobody left to be told."""
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except OSError:
        give_up(sys.stderr)


def clock_text(moment: Moment | None, zone: tzinfo) -> str:
    """``2026-11-21 08:15:30`` in the reader's zone."""
    return "-" if moment is None else micros_text(moment.us, zone)


def micros_text(us: int, zone: tzinfo) -> str:
    try:
        time = (_EPOCH + timedelta(microseconds=us)).astimezone(zone)
    except OverflowError:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S")


def span_text(seconds: float | None) -> str:
    """``1d 02:03:04``"""
    if seconds is None:
        return "-"
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    text = f"{hours:02}:{minutes:02}:{left:02}"
    return f"{days}d {text}" if days else text


def cell(text: str | int | None, limit: int = 100) -> str:
    """Foreign text for a table's cell."""
    return "-" if text is None or text == "" else harmless(str(text), limit)


def cut(text: str, width: int) -> str:
    """As much of a line as a terminal of this width has room for."""
    from rich.cells import set_cell_size

    return set_cell_size(printable(text), width).rstrip()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, drop: Sequence[str]) -> None:
    """A table that fits the terminal: columns of ``drop`` are left out, in that order, until it
    does; what is still too wide is cut.  A column with nothing in it is left out everywhere.

    Not a terminal: no colours, and as wide as it needs to be.
    """
    console, shown, widths = _fitted(columns, rows, drop)
    if len(shown) > _MANY:
        _plain_table(columns, shown, widths, console.width)
    else:  # how writing fails is the same for every command
        sys.stdout.write(_fine_table(columns, shown, list(widths), console))


def table_text(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, drop: Sequence[str]
) -> str:
    """As ``table`` would print it."""
    console, shown, widths = _fitted(columns, rows, drop)
    return _fine_table(columns, shown, list(widths), console)


def _fitted(
    columns: Sequence[str], rows: Sequence[Sequence[str]], drop: Sequence[str]
) -> tuple[Console, list[list[str]], dict[int, int]]:
    """The terminal, what is safe to print there, and the widths of the columns that fit."""
    from rich.cells import cell_len
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, color_system=None, width=10_000)
    shown = [[printable(text) for text in row] for row in rows]
    widths = {
        index: max(cell_len(name), *(cell_len(row[index]) for row in shown))
        for index, name in enumerate(columns)
        if any(row[index] not in {"-", ""} for row in shown) or name not in {"", *drop}
    }
    for name in drop:
        if sum(widths.values()) + _GAP * (len(widths) - 1) <= console.width:
            break
        widths.pop(columns.index(name), None)
    return console, shown, widths


def _fine_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], chosen: Sequence[int], console: Console
) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index in chosen:
        grid.add_column(Text(columns[index]), no_wrap=True, overflow="ellipsis")
    for row in rows:
        grid.add_row(*(Text(row[index]) for index in chosen))
    with console.capture() as capture:
        console.print(grid)
    return capture.get()


def _plain_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], widths: Mapping[int, int], width: int
) -> None:
    """The same columns line by line: rich takes a millisecond for each row of a large table."""
    from rich.cells import cell_len, set_cell_size

    gap = " " * _GAP
    for row in (columns, *rows):
        words = [row[index] + " " * (room - cell_len(row[index])) for index, room in widths.items()]
        line = gap.join(words).rstrip()
        print(line if cell_len(line) <= width else set_cell_size(line, width).rstrip())


@contextmanager
def progress_of(path: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on standard error, when a person waits and the output goes elsewhere.

    Gives a function of (bytes done, bytes in all if known), or None when nobody looks.
    """
    if path == "-" or not sys.stderr.isatty() or sys.stdout.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # the events go where they were sent, not to the bar's terminal
    )
    with bar:
        task = bar.add_task(cell(path), total=None)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield progress
