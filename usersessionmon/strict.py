"""YAML → dataclasses, strictly: every mistake is found at once and named with file, line and key.

The only file that imports PyYAML.  A document is read into nodes (which know their lines), checked
against the dataclass of the settings, and built; what is unknown, of a wrong type, missing or given
twice is an error with the nearest known key.  No tags, no anchors' merge tricks, no code.

A field of a dataclass that is left out of its ``repr`` is a secret: no message shows its value.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import io
import os
import stat
import types
import typing
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from .errors import UserError
from .system.files import AT_ONCE, BYTES

T = TypeVar("T")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ENVIRONMENT = "environment "
"""With a variable's name behind it: the name of a document that has no lines."""
MAX_BYTES = 1024 * 1024
"""Of a file; ours have some hundred lines."""
MAX_DEPTH = 50
"""Of lists and mappings within each other; libyaml's composer overflows the stack far above."""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file that still knows its lines."""

    name: str
    root: yaml.Node | None


class BadValueError(ValueError):
    """A value that a settings class does not accept; ``key`` is the field's name."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class BadValuesError(ValueError):
    """All that a settings class does not accept."""

    def __init__(self, mistakes: Iterable[BadValueError]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(f"{mistake.key}: {mistake}" for mistake in self.mistakes))


def refuse(mistakes: Iterable[BadValueError]) -> None:
    """For ``__post_init__``: raise BadValuesError when there is any mistake."""
    found = tuple(mistakes)
    if found:
        raise BadValuesError(found)


class _Problem(NamedTuple):
    node: yaml.Node | None
    """Where."""
    text: str
    """What is wrong, without file and line."""


class _WrongError(Exception):
    """A node is not what it must be."""

    def __init__(self, problems: list[_Problem]) -> None:
        super().__init__()
        self.problems = problems


class _Item(NamedTuple):
    key: str
    key_node: yaml.Node
    value: yaml.Node


def read_document(path: Path, *, regular: bool = False) -> Document:
    """Parse a YAML file; ``regular``: it must be a file on a disk, not a pipe that never ends.

    Raises UserError, one line, when it cannot be read, is too large or is no YAML.
    """
    try:
        # Without waiting: opening a pipe that nobody writes to would never return.
        descriptor = os.open(path, os.O_RDONLY | BYTES | (AT_ONCE if regular else 0))
        try:
            if regular and not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserError(f"{path}: is no regular file")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: is larger than {MAX_BYTES // 1024} KiB: no file of ours is")
    return parse_document(data, str(path))


def parse_document(data: bytes | str, name: str) -> Document:
    """As ``read_document``, from text that is already here."""
    try:
        _check_depth(data, name)
        return Document(name, yaml.compose(_Named(data, name), Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context or "cannot be parsed"
        raise UserError(f"{name}:{line}: not valid YAML: {problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200] or "nested too deeply"
        raise UserError(f"{name}: not valid YAML: {problem}") from error


class _Named(io.BytesIO):
    """Bytes whose nodes will know what they were called."""

    def __init__(self, data: bytes | str, name: str) -> None:
        super().__init__(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        self.name = name


def build(document: Document, kind: type[T]) -> T:
    """The document as an instance of the dataclass ``kind``.

    Raises UserError with one line for every mistake in it, in the order of files and lines.
    """
    problems: list[_Problem] = []
    try:
        value = _build_dataclass(document.root, kind, "", problems)
    except RecursionError as error:  # an alias within itself
        raise UserError(
            f"{document.name}: holds itself (an alias within its own anchor)"
        ) from error
    if problems:
        problems.sort(key=lambda one: _rank(document, one.node))
        lines = [f"{place_of(document, node)}: {text}" for node, text in problems]
        raise UserError(list(dict.fromkeys(lines)))  # what an alias repeats is one mistake
    return typing.cast(T, value)


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def shown(text: str) -> str:
    """Foreign text, cut and with control characters escaped, for a message of one line."""
    cut = text if len(text) <= 60 else text[:60] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _check_depth(data: bytes | str, name: str) -> None:
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise UserError(f"{name}:{line}: nested more than {MAX_DEPTH} levels deep")


def place_of(document: Document, node: yaml.Node | None) -> str:
    """``FILE:LINE`` where a node begins, or the variable that it comes from."""
    if node is None:
        return f"{document.name}:1"
    mark = node.start_mark
    name = str(mark.name)
    return name if name.startswith(ENVIRONMENT) else f"{name}:{mark.line + 1}"


def _rank(document: Document, node: yaml.Node | None) -> tuple[bool, str, int]:
    """The main file first."""
    if node is None:
        return (False, "", 0)
    mark = node.start_mark
    return (mark.name != document.name, str(mark.name), int(mark.line))


def _wrong(node: yaml.Node, text: str) -> _WrongError:
    return _WrongError([_Problem(node, text)])


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is_null(node: yaml.Node | None) -> bool:
    if node is None:
        return True
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _items(node: yaml.Node | None, where: str, problems: list[_Problem]) -> list[_Item]:
    """What a mapping holds, in order; of a key that is given twice the first."""
    if node is None or _is_null(node):
        return []
    if not isinstance(node, yaml.MappingNode):
        problems.append(
            _Problem(node, f"{where or 'the file'} must be a mapping of names to values")
        )
        return []
    items: dict[str, _Item] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(_Problem(key, "a key must be plain text"))
        elif key.value in items:
            problems.append(_Problem(key, f"{_join(where, shown(key.value))} is given twice"))
        else:
            items[key.value] = _Item(key.value, key, value)
    return list(items.values())


@functools.cache
def _shape(kind: Any) -> tuple[dict[str, Any], dict[str, dataclasses.Field[Any]]]:
    """Types and fields of a dataclass: rule packs are thousands of a few kinds."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    return typing.get_type_hints(kind), fields


def _build_dataclass(
    node: yaml.Node | None, kind: Any, where: str, problems: list[_Problem]
) -> Any:
    """One node as the dataclass ``kind``; mistakes go to ``problems``.

    A key with a mistake keeps its default, so that the others are checked as well.  None when the
    class refuses them, or a key that it needs is missing or wrong.
    """
    hints, fields = _shape(kind)
    found = len(problems)
    items = _items(node, where, problems)
    keys = {item.key: item.key_node for item in items}
    given: dict[str, Any] = {}
    wrong: set[str] = set()
    for key, key_node, value in items:
        if key not in fields:
            text = f"unknown key {_join(where, shown(key))}{nearest(key, fields)}"
            problems.append(_Problem(key_node, f"{text}; allowed here: {', '.join(fields)}"))
        elif not _is_null(value):  # a key without a value keeps its default
            try:
                given[key] = _field(value, fields[key], hints[key], _join(where, key), problems)
            except _WrongError as error:
                wrong.add(key)
                problems += error.problems
    missing = [name for name, field in fields.items() if _is_needed(field) and name not in given]
    if missing:
        if len(problems) == found:
            text = f"{where or 'the file'} needs {' and '.join(missing)}"
            problems.append(_Problem(node, text))
        return None
    try:
        return kind(**given)
    except BadValuesError as error:
        for mistake in error.mistakes:
            if mistake.key in wrong:
                continue  # already told; its default is what is refused here
            at = keys.get(mistake.key, node)
            problems.append(_Problem(at, f"{_join(where, mistake.key)}: {mistake}"))
        return None


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _field(
    node: yaml.Node,
    field: dataclasses.Field[Any],
    kind: Any,
    where: str,
    problems: list[_Problem],
) -> Any:
    if dataclasses.is_dataclass(kind):
        value = _build_dataclass(node, kind, where, problems)
        if value is None:
            raise _WrongError([])  # already told
        return value
    try:
        return _value(node, kind, where)
    except _WrongError as error:
        if field.repr:
            raise
        wanted = "a list" if typing.get_origin(kind) is tuple else "text (put it in quotes)"
        raise _wrong(node, f"{where} must be {wanted}") from error


def _value(node: yaml.Node, kind: Any, where: str) -> Any:
    """One node as ``kind``.  Raises _WrongError with all that is wrong within it."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        if len(options) > 1:
            return _tagged(node, options, where)
        return _value(node, options[0], where)
    if origin is tuple:
        return _sequence(node, typing.get_args(kind)[0], where)
    if origin is dict:
        return _dictionary(node, typing.get_args(kind)[1], where)
    if kind is typing.Any:
        return _plain(node, where)
    if dataclasses.is_dataclass(kind):
        problems: list[_Problem] = []
        value = _build_dataclass(node, kind, where, problems)
        if problems:
            raise _WrongError(problems)
        return value
    return _scalar(node, kind, where)


def _tagged(node: yaml.Node, options: list[Any], where: str) -> Any:
    """A mapping as that one of several dataclasses whose ``TYPE`` its key ``type`` names."""
    kinds = {option.TYPE: option for option in options}
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, f"{where} must be a mapping of names to values")
    named = [pair for pair in node.value if pair[0].value == "type"]
    if not named:
        raise _wrong(node, f"{where} needs type: one of {', '.join(kinds)}")
    word = named[0][1].value
    if not isinstance(word, str) or word not in kinds:
        text = f"{where}.type must be one of {', '.join(kinds)}"
        raise _wrong(named[0][1], text + (nearest(word, kinds) if isinstance(word, str) else ""))
    rest = [pair for pair in node.value if pair is not named[0]]
    bare = yaml.MappingNode(node.tag, rest, node.start_mark, node.end_mark)
    return _value(bare, kinds[word], where)


def _scalar(node: yaml.Node, kind: Any, where: str) -> Any:
    if isinstance(node, yaml.ScalarNode):
        if isinstance(kind, type) and issubclass(kind, StrEnum) and node.value in list(kind):
            return kind(node.value)
        plain = _plain(node, where)
        if kind is float and type(plain) is int:
            return float(plain)
        if type(plain) is kind:
            return plain
        got = f"{shown(node.value)!r}"
    else:
        got = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
    raise _wrong(node, f"{where} must be {_expectation(kind)}, not {got}")


def _plain(node: yaml.Node, where: str) -> Any:
    """A node as plain Python values (safe types only)."""
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        return node.value  # as most of a rule pack is
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, LookupError) as error:
        raise _wrong(node, f"{where} is not a plain value (quote it if it is text)") from error
    finally:
        loader.dispose()


def _sequence(node: yaml.Node, kind: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(node, f"{where} must be a list")
    problems: list[_Problem] = []
    values = [
        _collected(item, kind, f"{where}[{index}]", problems)
        for index, item in enumerate(node.value)
    ]
    if problems:
        raise _WrongError(problems)
    return tuple(values)


def _dictionary(node: yaml.Node, kind: Any, where: str) -> dict[str, Any]:
    problems: list[_Problem] = []
    values = {
        item.key: _collected(item.value, kind, _join(where, shown(item.key)), problems)
        for item in _items(node, where, problems)
    }
    if problems:
        raise _WrongError(problems)
    return values


def _collected(node: yaml.Node, kind: Any, where: str, problems: list[_Problem]) -> Any:
    try:
        return _value(node, kind, where)
    except _WrongError as error:
        problems += error.problems
        return None


def _expectation(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(kind)
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(
        kind, "a value"
    )
