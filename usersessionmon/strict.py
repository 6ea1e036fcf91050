"""YAML → dataclasses, strictly: every mistake is found at once and named with file, line and key.

The only file that imports PyYAML.  A document is read into nodes (which know their lines), checked
against the dataclass of the settings, and built; what is unknown, of a wrong type or given twice
is an error with the nearest known key.  No tags, no anchors' merge tricks, no code.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from .errors import UserError

T = TypeVar("T")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file that still knows its lines."""

    name: str
    root: yaml.Node | None


def read_document(path: Path) -> Document:
    """Parse a YAML file.  Raises UserError, one line, when it cannot be read or is no YAML."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_document(data, str(path))


def parse_document(data: bytes | str, name: str) -> Document:
    """As ``read_document``, from text that is already here."""
    try:
        return Document(name, yaml.compose(data, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context or "cannot be parsed"
        raise UserError(f"{name}:{line}: not valid YAML: {problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200] or "nested too deeply"
        raise UserError(f"{name}: not valid YAML: {problem}") from error


def mapping_items(
    document: Document, node: yaml.Node | None, where: str
) -> list[tuple[str, yaml.Node, yaml.Node]]:
    """The (key, key node, value node) of a mapping, in order.  Raises UserError for anything that
    is no mapping, a key that is no text, or a key given twice (each error a line)."""
    if node is None or _is_null(node):
        return []
    if not isinstance(node, yaml.MappingNode):
        label = where or "the file"
        raise UserError(f"{_at(document, node)}: {label} must be a mapping of names to values")
    problems: list[str] = []
    items: dict[str, tuple[str, yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(f"{_at(document, key)}: a key must be plain text")
        elif key.value in items:
            problems.append(f"{_at(document, key)}: {_join(where, key.value)} is given twice")
        else:
            items[key.value] = (key.value, key, value)
    if problems:
        raise UserError(problems)
    return list(items.values())


def build(document: Document, kind: type[T]) -> T:
    """The document as an instance of the dataclass ``kind``.

    Raises UserError with one line for every mistake in the file.
    """
    problems: list[str] = []
    try:
        value = _build(document, document.root, kind, "", problems)
    except RecursionError as error:  # an alias within itself
        raise UserError(
            f"{document.name}: holds itself (an alias within its own anchor)"
        ) from error
    if problems:
        raise UserError(problems)
    return typing.cast(T, value)


def to_plain(node: yaml.Node | None) -> Any:
    """A node as plain Python values (safe types only)."""
    if node is None:
        return None
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def line_of(node: yaml.Node) -> int:
    """The line (from 1) where a node begins."""
    return int(node.start_mark.line) + 1


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """`` (did you mean X?)`` or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _at(document: Document, node: yaml.Node) -> str:
    return f"{document.name}:{line_of(node)}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _build(
    document: Document, node: yaml.Node | None, kind: Any, where: str, problems: list[str]
) -> Any:
    """One node as ``kind``; mistakes go to ``problems`` and the default stands in."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build_dataclass(document, node, kind, where, problems)
    assert node is not None
    try:
        return _value(document, node, kind, where)
    except UserError as error:
        problems.extend(error.lines)
        return None


def _build_dataclass(
    document: Document, node: yaml.Node | None, kind: Any, where: str, problems: list[str]
) -> Any:
    hints = typing.get_type_hints(kind)
    try:
        items = mapping_items(document, node, where)
    except UserError as error:
        problems.extend(error.lines)
        return None
    given: dict[str, Any] = {}
    for key, key_node, value_node in items:
        if key not in hints:
            allowed = ", ".join(hints)
            problems.append(
                f"{_at(document, key_node)}: unknown key {_join(where, shown(key))}"
                f"{nearest(key, hints)}; allowed here: {allowed}"
            )
            continue
        if _is_null(value_node):
            continue  # a key without a value keeps its default
        given[key] = _build(document, value_node, hints[key], _join(where, key), problems)
    if problems:
        return None
    try:
        return kind(**given)
    except ValueError as error:  # a check between keys, or of a value, in __post_init__
        lines = {key: line_of(key_node) for key, key_node, _ in items}
        key = getattr(error, "key", "")
        line = lines.get(key, line_of(node) if node is not None else 1)
        problems.append(f"{document.name}:{line}: {_join(where, key) or 'this file'}: {error}")
        return None


class BadValueError(ValueError):
    """Raised by a settings class that does not accept a value; ``key`` is the field's name."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def shown(text: str) -> str:
    """Foreign text, cut and with control characters escaped, for a message of one line."""
    cut = text if len(text) <= 60 else text[:60] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _value(document: Document, node: yaml.Node, kind: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        return _value(document, node, options[0], where)
    if origin is tuple:
        return _sequence(document, node, typing.get_args(kind)[0], where)
    if origin is dict:
        return _dictionary(document, node, typing.get_args(kind)[1], where)
    if kind is typing.Any:
        return _plain(document, node, where)
    return _scalar(document, node, kind, where)


def _scalar(document: Document, node: yaml.Node, kind: Any, where: str) -> Any:
    if isinstance(node, yaml.ScalarNode):
        if isinstance(kind, type) and issubclass(kind, StrEnum) and node.value in list(kind):
            return kind(node.value)
        plain = _plain(document, node, where)
        if kind is float and type(plain) is int:
            return float(plain)
        if type(plain) is kind:
            return plain
        got = f"{shown(node.value)!r}"
    else:
        got = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
    raise UserError(f"{_at(document, node)}: {where} must be {_expectation(kind)}, not {got}")


def _plain(document: Document, node: yaml.Node, where: str) -> Any:
    try:
        return to_plain(node)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:
        raise UserError(
            f"{_at(document, node)}: {where} is not a plain value (quote it if it is text)"
        ) from error


def _sequence(document: Document, node: yaml.Node, kind: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise UserError(f"{_at(document, node)}: {where} must be a list")
    problems: list[str] = []
    items = tuple(
        _build(document, item, kind, f"{where}[{index}]", problems)
        for index, item in enumerate(node.value)
    )
    if problems:
        raise UserError(problems)
    return items


def _dictionary(document: Document, node: yaml.Node, kind: Any, where: str) -> dict[str, Any]:
    problems: list[str] = []
    result = {
        key: _build(document, value, kind, _join(where, shown(key)), problems)
        for key, _, value in mapping_items(document, node, where)
    }
    if problems:
        raise UserError(problems)
    return result


def _expectation(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(kind)
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(
        kind, "a value"
    )
