"""A rule's line: literal text with named holes, compiled to one anchored regular expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from usersessionmon.errors import UserError

from .bounds import check_bounds
from .fields import HOLES, Reader, Value, is_ip, read_ip
from .words import Part, Words, words_of

_HOLE = re.compile(r"\{([a-z_]+)\}|([{}])")


@dataclass(frozen=True)
class Line:
    """A compiled line of a rule."""

    source: str
    parts: tuple[Part, ...]
    pattern: str
    """The regular expression."""
    fills: tuple[tuple[str, Reader], ...]
    """(capture, reader) of each group of ``pattern``, in order."""
    literal: int
    """How many characters are literal: the more, the sooner a line is tried."""
    words: Words
    tail: str = ""
    """The literal text at its end: looked at first, because an expression that has to give up there
    tries every other way before."""
    compound: bool = False
    """True when a hole holds more than one capture (``peer``, ``ip_port``)."""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Compiled when it is needed first: most never are."""
        return re.compile(self.pattern, re.DOTALL)

    def match(self, text: str) -> dict[str, Value] | None:
        """What the holes hold, or None when the text is not of this line."""
        if not text.endswith(self.tail):
            return None
        found = self.regex.fullmatch(text)
        if found is None:
            return None
        got = {
            name: read(value)
            for (name, read), value in zip(self.fills, found.groups(), strict=False)
        }
        if self.compound and not tell_apart(got):
            return None
        return got


@lru_cache(maxsize=4096)
def _peer(text: str) -> tuple[str, str | None]:
    if text == "UNKNOWN" or is_ip(text):
        return "ip", read_ip(text)
    return "client_host", text


def tell_apart(got: dict[str, Value]) -> bool:
    """Turn ``peer`` (sshd's name-or-address, PAM's rhost) into ``ip`` or ``client_host``, and
    ``ip_port`` (dropbear's ``[address]:port``) into both.  False: it is no such thing."""
    peer = got.pop("peer", None)
    if isinstance(peer, str):
        name, value = _peer(peer)
        got[name] = value
    both = got.pop("ip_port", None)
    if isinstance(both, str):
        address, _, port = both.rpartition(":")
        address = address.removeprefix("[").removesuffix("]")
        if not is_ip(address) or not port.isascii() or not port.isdigit():
            return False
        got["ip"], got["port"] = read_ip(address), int(port)
    return True


def split(source: str) -> tuple[Part, ...]:
    """The pieces of a template.  Raises UserError for an unknown hole or a stray brace."""
    parts: list[Part] = []
    end = 0
    for hole in _HOLE.finditer(source):
        if hole.start() > end:
            parts.append(Part(source[end : hole.start()], is_hole=False))
        name = hole.group(1)
        if name is None:
            raise UserError(f"a stray brace in {source!r}: braces are for holes")
        if name not in HOLES:
            raise UserError(f"unknown hole {{{name}}} in {source!r}; known: {', '.join(HOLES)}")
        parts.append(Part(name, is_hole=True))
        end = hole.end()
    if end < len(source):
        parts.append(Part(source[end:], is_hole=False))
    return tuple(parts)


def compile_line(source: str) -> Line:
    """Compile one line.  Raises UserError when it says something that it cannot mean, or when a
    text could be made that takes it too long."""
    parts = split(source)
    check_bounds(source, parts)
    pattern: list[str] = []
    fills: list[tuple[str, Reader]] = []
    for part in parts:
        if not part.is_hole:
            pattern.append(re.escape(part.text))
            continue
        hole = HOLES[part.text]
        if hole.into is None:
            pattern.append(f"(?:{hole.shape})")
        elif any(name == hole.into for name, _ in fills):
            raise UserError(f"two holes of {source!r} fill {hole.into}")
        else:
            pattern.append(f"({hole.shape})")
            fills.append((hole.into, hole.read))
    return Line(
        source=source,
        parts=parts,
        pattern="".join(pattern),
        fills=tuple(fills),
        literal=sum(len(part.text) for part in parts if not part.is_hole),
        words=words_of(parts),
        tail="" if not parts or parts[-1].is_hole else parts[-1].text,
        compound=any(name in {"peer", "ip_port"} for name, _ in fills),
    )


def fill(line: Line, values: Mapping[str, str]) -> str:
    """The text that a program would write: the template with its holes filled (for tests)."""
    return "".join(values[part.text] if part.is_hole else part.text for part in line.parts)


def stopped_at(line: Line, text: str) -> int:
    """How many parts of the line the beginning of ``text`` satisfies (for ``explain``)."""
    pattern = ""
    for index, part in enumerate(line.parts):
        pattern += f"(?:{HOLES[part.text].shape})" if part.is_hole else re.escape(part.text)
        if re.match(pattern, text, re.DOTALL) is None:
            return index
    return len(line.parts)
