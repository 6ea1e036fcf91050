"""CSV for spreadsheets (RFC 4180)."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .output import printable

_FORMULA = frozenset("=+-@＝＋－＠")
"""The wide ones too: some spreadsheets take them for the others."""
HELP = (
    "Cells that begin with = + - @ get an apostrophe in front, so that no spreadsheet takes a "
    "name for a formula."
)


def write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A head and a line for each row, on standard output; lines end with CR LF."""
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = printable(str(value))
    return f"'{text}" if text.lstrip()[:1] in _FORMULA else text
