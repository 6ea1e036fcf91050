"""Setting values in YAML text and leaving every other character as it is.

The places come from the marks of PyYAML's own parser (the one in Python, whose marks count
characters), and every result is parsed again: it must mean exactly the old document with the one
change, or nothing is changed and the person is told to do it by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from .errors import UserError
from .strict import parse_document

Path = tuple[str, ...]
"""A key with those that it is in: ``("feishu", "secret")``."""

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1."""
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
"""Texts that need no quotes, if they are no other type's."""
_STEP = "  "
_NULL, _STR = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"


def set_values(text: str, values: Mapping[str, str], name: str) -> str:
    """The text with each key (``feishu.secret``) set to its value; an empty value leaves the key
    without one.  Sections that are missing are added at the end.

    ``name``: the file's, for messages.  Raises UserError when the text is no YAML, or a key cannot
    be set without touching anything else.
    """
    for key, value in values.items():
        if not is_one_line(value):
            raise UserError(f"{key}: must be one line without control characters")
        path = tuple(key.split("."))
        before = parse_document(text, name).root
        if _shape(_found(before, path)) == _meaning(value):
            continue
        changed = _set(text, path, value)
        if changed is None or not _is_right(before, changed, path, value):
            raise UserError(f"{name}: {key} cannot be set without touching the rest: do it by hand")
        text = changed
    return text


def is_one_line(value: str) -> bool:
    """Whether a text can be a value here: one line without control characters."""
    return _UNWRITABLE.search(value) is None


def scalars(text: bytes | str, name: str) -> Iterator[tuple[str, str, int]]:
    """Every single value that is given: (key with dots, text, line from 1); of lists their items,
    each under the list's key.  Raises UserError when it is no YAML."""
    try:
        yield from _scalars(parse_document(text, name).root, "")
    except RecursionError as error:  # an alias within itself
        raise UserError(f"{name}: holds itself (an alias within its own anchor)") from error


def _scalars(node: yaml.Node | None, where: str) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
        yield where, str(node.value), node.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, where)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, f"{where}.{key.value}" if where else str(key.value))


# --- changing ---------------------------------------------------------------------------------


def _set(text: str, path: Path, value: str) -> str | None:
    """The changed text, not yet proved; None where there is no place for it."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None or (root.tag == _NULL and root.start_mark.index == root.end_mark.index):
        return _with_lines(text, len(text), _lines(path, value, "", text))
    node, depth = root, 0
    while depth < len(path) - 1:
        inner = _value_of(node, path[depth])
        if inner is None or _is_empty(inner):
            break
        node, depth = inner, depth + 1
    if not isinstance(node, yaml.MappingNode):
        return None
    pair = _pair(node, path[depth])
    rest = path[depth + 1 :]
    if pair is None:
        return _added(text, node, path[depth:], value, at_end=depth == 0)
    key, old = pair
    if rest:
        return _opened(text, node, key, old, rest, value)
    return _replaced(text, node, old, value)


def _replaced(text: str, parent: yaml.MappingNode, old: yaml.Node, value: str) -> str | None:
    """Another value in the place of an old one, which may be nothing."""
    if not isinstance(old, yaml.ScalarNode):
        return None
    begin, end = old.start_mark.index, old.end_mark.index
    new = _quoted(value) if value or not parent.flow_style else "null"
    if begin == end:
        return f"{text[:begin]} {new}{text[end:]}"
    region = text[begin:end]
    if old.style in {"|", ">"}:  # it reaches to the next line that is not its own
        new += region[len(region.rstrip("\r\n")) :]
    head = text[:begin] if new.strip() else text[:begin].rstrip(" ")
    return head + new + text[end:]


def _opened(
    text: str, parent: yaml.MappingNode, key: yaml.Node, old: yaml.Node, rest: Path, value: str
) -> str:
    """A key within a section that is empty so far."""
    begin, end = old.start_mark.index, old.end_mark.index
    if begin != end or parent.flow_style:
        blank = "" if begin != end else " "
        return f"{text[:begin]}{blank}{_flow(rest, value)}{text[end:]}"
    indent = " " * key.start_mark.column + _STEP
    return _with_lines(text, _next_line(text, begin), _lines(rest, value, indent, text))


def _added(
    text: str, node: yaml.MappingNode, path: Path, value: str, *, at_end: bool
) -> str | None:
    """A key that a mapping has not."""
    begin = node.start_mark.index
    if node.flow_style:
        if text[begin : begin + 1] != "{":
            return None
        inner = _flow(path, value)[1:-1] + (", " if node.value else "")
        return text[: begin + 1] + inner + text[begin + 1 :]
    first = node.value[0][0].start_mark
    indent = " " * first.column
    lines = _lines(path, value, indent, text)
    if at_end:
        return _with_lines(text, node.end_mark.index, lines)
    # Behind the section's own line, so that no comment is parted from the key that it is about
    place = text.rfind("\n", 0, begin) + 1
    return _with_lines(text, _above_comments(text, place), lines)


def _above_comments(text: str, place: int) -> int:
    """The beginning of the comments (and blank lines) that stand in front of ``place``."""
    while place:
        before = text.rfind("\n", 0, place - 1) + 1
        line = text[before : place - 1].strip()
        if line and not line.startswith("#"):
            break
        place = before
    return place


def _with_lines(text: str, index: int, lines: str) -> str:
    """``lines`` (with their ends) put in at ``index``, which is to be a line's beginning."""
    head = text[:index]
    if head and not head.endswith(("\n", "\r")):
        head += _ending(text)
    return head + lines + text[index:]


def _lines(path: Path, value: str, indent: str, text: str) -> str:
    """A key with those that it is in, a line each."""
    end = _ending(text)
    made = ""
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        made += indent + _STEP * depth + _quoted(key) + ":"
        made += (f" {_quoted(value)}" if last and value else "") + end
    return made


def _flow(path: Path, value: str) -> str:
    inner = _quoted(value) if value else "null"
    for key in reversed(path):
        inner = f"{{{_quoted(key)}: {inner}}}"
    return inner


def _quoted(value: str) -> str:
    """A text as YAML, in quotes unless it cannot be taken for anything else."""
    if not value:
        return ""
    if _PLAIN.fullmatch(value) and _resolved(value) == _STR:
        return value
    return json.dumps(value, ensure_ascii=False)


def _resolved(value: str) -> Any:
    resolver: Any = yaml.SafeLoader("")
    return resolver.resolve(yaml.ScalarNode, value, (True, False))


def _next_line(text: str, index: int) -> int:
    found = _BREAK.search(text, index)
    return found.end() if found else len(text)


def _ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


# --- looking ----------------------------------------------------------------------------------


def _pair(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    pairs = (pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode))
    return next((pair for pair in pairs if pair[0].value == key), None)


def _value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pair = _pair(node, key)
    return None if pair is None else pair[1]


def _found(node: yaml.Node | None, path: Path) -> yaml.Node | None:
    for key in path:
        node = _value_of(node, key)
    return node


def _is_empty(node: yaml.Node) -> bool:
    return node.tag == _NULL


# --- proving ----------------------------------------------------------------------------------

Shape = Any
"""What a node means, comparable: scalars as (tag, text), mappings as lists of pairs."""


def _shape(node: yaml.Node | None) -> Shape:
    if node is None or node.tag == _NULL:
        return None
    if isinstance(node, yaml.SequenceNode):
        return (node.tag, [_shape(item) for item in node.value])
    if isinstance(node, yaml.MappingNode):
        return (node.tag, [[_shape(key), _shape(value)] for key, value in node.value])
    return (node.tag, node.value)


def _meaning(value: str) -> Shape:
    return (_STR, value) if value else None


def _is_right(before: yaml.Node | None, changed: str, path: Path, value: str) -> bool:
    """Whether the changed text means what it meant, with the value in its place."""
    try:
        after = parse_document(changed, "").root
        return _same(_shape(before), _shape(after), path, value)
    except (UserError, RecursionError):
        return False


def _same(before: Shape, after: Shape, path: Path, value: str) -> bool:
    if not path:
        return bool(after == _meaning(value))
    if before is None:
        before = ("tag:yaml.org,2002:map", [])
    if after is None or before[0] != after[0]:
        return False
    old, new = _without(before[1], path[0]), _without(after[1], path[0])
    if any(key is not None and key[1] == path[0] for key, _ in new[1]):
        return False  # given twice
    return old[1] == new[1] and _same(old[0], new[0], path[1:], value)


def _without(pairs: Sequence[list[Shape]], key: str) -> tuple[Shape, list[list[Shape]]]:
    """The value of a key, and the other pairs."""
    rest = list(pairs)
    for index, (known, value) in enumerate(rest):
        if known is not None and known[1] == key:
            del rest[index]
            return value, rest
    return None, rest
