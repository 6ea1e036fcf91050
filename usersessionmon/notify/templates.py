"""Texts of the user's own: lines with holes such as ``{user}``, and nothing that computes.

A line with a hole whose value is not known is left out, but for the first and those that tell what
is unusual: these two kinds must always come, so there what is not known is ``-``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from usersessionmon.strict import nearest, shown

from .sanitize import visible

KEYWORD = "通知"
"""Bots with keyword protection refuse what lacks it."""
UNUSUAL = "unusual"
_LINES, _BYTES = 30, 4096
_TITLE, _TITLE_HOLES, _TITLE_TEXT = 80, 4, 48
"""A title's characters, the most holes of one, and the most text around them: the keyword must
never be what is cut off, marks behind it (1/2) included."""
_TOLD = 6000
"""Bytes of the lines that a template gives, whatever the values hold: a body has 20,000."""

_ALL = (
    *("time", "host", "server_ip", "service", "user", "domain", "ip", "port", "tty", "inferred"),
    UNUSUAL,
)
HOLES: Mapping[str, tuple[str, ...]] = {
    "login": (*_ALL, "session", "client_host", "method", "key", "key_fingerprint", "reconnected"),
    "logout": (
        *_ALL, "session", "login_time", "duration", "reason", "abnormal",
        "disconnected", "by_user", "by_ip",
    ),
    "login_failed": (
        *_ALL, "client_host", "method", "key", "key_fingerprint", "valid_user", "count",
    ),
    "elevation": (*_ALL, "session", "target_user", "command", "login_user", "login_from", "key"),
}  # fmt: skip
"""What may stand in the text for each kind of event; the contract's names where it has one."""

_PIECE = re.compile(
    r"(?P<brace>\{\{|\}\})|\{(?P<hole>[A-Za-z0-9_]+)\}|(?P<bad>\{[^{}]*\}?|\})|(?P<text>[^{}]+)"
)


class _Piece(NamedTuple):
    text: str
    is_hole: bool


class Line(NamedTuple):
    """One line of a template."""

    pieces: tuple[_Piece, ...]

    @property
    def holes(self) -> list[str]:
        return [piece.text for piece in self.pieces if piece.is_hole]

    @property
    def plain(self) -> list[str]:
        """What stands between the holes."""
        return [piece.text for piece in self.pieces if not piece.is_hole]

    def filled(self, values: Mapping[str, str | None], limit: int = 100) -> str:
        return "".join(
            visible(values.get(text) or "-", limit) if is_hole else text
            for text, is_hole in self.pieces
        )


def parse(text: str) -> tuple[Line, ...]:
    """A template that has no mistakes, as lines; none for an empty one."""
    return tuple(_line(line) for line in _lines(text))


def mistakes(kind: str, text: str) -> Iterator[str]:
    """What is wrong with a template for this kind of event."""
    lines = _lines(text)
    if not lines:
        return
    if len(lines) > _LINES or len(text.encode("utf-8", "replace")) > _BYTES:
        yield f"must have at most {_LINES} lines and {_BYTES} bytes"
        return
    for number, line in enumerate(lines, start=1):
        for problem in _wrong_pieces(line, HOLES[kind]):
            yield f"line {number}: {problem}"
    yield from _wrong_title(_line(lines[0]))


def fill(
    template: Sequence[Line], values: Mapping[str, str | None], unusual: Sequence[str]
) -> tuple[str, list[str], bool]:
    """A title and lines; and whether ``unusual`` is in them, a line each."""
    first, *rest = template
    room = (_TITLE - sum(map(len, first.plain))) // max(1, len(first.holes))
    lines: list[str] = []
    left = _TOLD
    placed = False
    for line in rest:
        if UNUSUAL in line.holes:
            placed = True
            lines += [line.filled({**values, UNUSUAL: one}) for one in unusual]
            continue
        made = line.filled(values)
        left -= len(made.encode("utf-8", "replace")) + 1
        if left >= 0 and all(values.get(name) for name in line.holes):
            lines.append(made)
    return first.filled(values, room), lines if left >= 0 else [*lines, "…"], placed


def _lines(text: str) -> list[str]:
    whole = text.strip()
    return [line.rstrip() for line in whole.split("\n")] if whole else []


def _line(text: str) -> Line:
    pieces = []
    for found in _PIECE.finditer(text):
        hole = found["hole"]
        plain = found["brace"][0] if found["brace"] else found[0]
        pieces.append(_Piece(plain, False) if hole is None else _Piece(hole, True))
    return Line(tuple(pieces))


def _wrong_pieces(line: str, holes: Sequence[str]) -> Iterator[str]:
    for found in _PIECE.finditer(line):
        hole = found["hole"]
        if found["bad"]:
            yield (
                f"{shown(found['bad'])}: between {{ and }} stands a name and nothing else; "
                "a plain brace is {{ or }}"
            )
        elif hole is not None and hole not in holes:
            known = f"known here are {', '.join(holes)}"
            yield f"nothing is called {{{shown(hole)}}}{nearest(hole, holes)}; {known}"


def _wrong_title(first: Line) -> Iterator[str]:
    plain = first.plain
    if not any(KEYWORD in text for text in plain):
        yield f"the first line must contain {KEYWORD}: a bot with that keyword refuses it else"
    if UNUSUAL in first.holes:
        yield f"line 1: {{{UNUSUAL}}} needs a line of its own below the first"
    if len(first.holes) > _TITLE_HOLES or sum(map(len, plain)) > _TITLE_TEXT:
        yield (
            f"the first line must have at most {_TITLE_HOLES} names in braces and {_TITLE_TEXT} "
            "characters around them"
        )
