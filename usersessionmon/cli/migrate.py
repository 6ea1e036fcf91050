"""The Go original's configuration in the new form: its two keys, in the example's text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from usersessionmon.errors import UserError
from usersessionmon.notify.settings import check_webhook
from usersessionmon.strict import BadValueError, shown
from usersessionmon.yamledit import is_one_line, scalars, set_values

from . import config_file
from .output import warn


@dataclass(frozen=True, slots=True)
class Carried:
    """What the old file gives: values for the new one, and a line for each thing that it does
    not, with the reason."""

    values: dict[str, str]
    left: tuple[str, ...]


def migrate(old: str, output: str | None) -> int:
    """0 when all that matters was carried over, else 1; the new file is written all the same.

    Raises UserError for a file that cannot be read, TroubleError for one that cannot be written.
    """
    text = config_file.read_text(Path(old))
    if text is None:
        raise UserError(f"{old}: there is no such file")
    carried = carry(text, old)
    new = set_values(config_file.example_text(), carried.values, old)
    if output is None:
        warn("what follows is a configuration with its secrets as they are: keep it to yourself")
        sys.stdout.write(new)
    else:
        config_file.write_new(Path(output), new)
        warn(f"{output} is written, for its owner and group alone: {_said(carried)}")
    for line in carried.left:
        warn(line)
    return 1 if any(_is_refusal(line) for line in carried.left) else 0


def carry(text: str, name: str) -> Carried:
    """Read the old file leniently.  Raises UserError when it is no YAML."""
    values: dict[str, str] = {}
    left: list[str] = []
    for key, value, line in scalars(text, name):
        if not value.strip():
            continue
        place = f"{name}:{line}: {shown(key)}"
        if key not in _KEYS:
            left.append(f"{place}: the new program has no such key")
            continue
        wrong = _KEYS[key](value.strip())
        if wrong:
            left.append(f"{place}{_REFUSED}{wrong}")
        else:
            values[key] = value.strip()
    return Carried(values, tuple(left))


_REFUSED = ": NOT carried over: "


def _is_refusal(line: str) -> bool:
    return _REFUSED in line


def _said(carried: Carried) -> str:
    return (
        f"it has {' and '.join(carried.values)}" if carried.values else "nothing was carried over"
    )


def _webhook(value: str) -> str:
    """What is wrong with it; empty: nothing."""
    try:
        check_webhook("webhook_url", value)
    except BadValueError as error:
        said = str(error)
        if value.startswith("http://"):
            said += ": what is sent in the clear can be read and forged on the way"
        return f"it {said}; give it with user-session-monitor setup"
    return "" if is_one_line(value) else "it must be one line"


def _log_file(value: str) -> str:
    if not value.startswith("/") or not is_one_line(value):
        return "it must be an absolute path; left empty, the log is found by itself"
    return ""


_KEYS: dict[str, Callable[[str], str]] = {
    "feishu.webhook_url": _webhook,
    "monitor.log_file": _log_file,
}
