"""JSON Schema (draft 2020-12) of a configuration that is made of dataclasses, for editors."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(kind: type[Any], title: str) -> dict[str, Any]:
    """The schema of a file that ``strict.build`` reads as ``kind``.

    A key with a default may be left empty.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **_mapping(kind),
    }


def _mapping(kind: Any, tag: str = "") -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    keys: dict[str, Any] = {"type": {"const": tag}} if tag else {}
    needed = ["type"] if tag else []
    for item in dataclasses.fields(kind):
        schema = _value(hints[item.name])
        default = _default(item)
        if default is dataclasses.MISSING:
            needed.append(item.name)
        else:
            schema = _or_empty(schema)
            if isinstance(default, (str, int, float, bool)):
                schema["default"] = default
        if item.repr is False:
            schema["description"] = "a secret"
        keys[item.name] = schema
    found = {"type": "object", "properties": keys, "additionalProperties": False}
    return found | ({"required": needed} if needed else {})


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default is not dataclasses.MISSING:
        return item.default
    missing = item.default_factory is dataclasses.MISSING
    return dataclasses.MISSING if missing else None


def _or_empty(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _value(kind: Any) -> dict[str, Any]:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _one_of(list(_options(kind)))
    if origin is tuple:
        return {"type": "array", "items": _value(typing.get_args(kind)[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(typing.get_args(kind)[1])}
    if dataclasses.is_dataclass(kind):
        return _mapping(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"type": "string", "enum": [word.value for word in kind]}
    return {"type": _SIMPLE[kind]}


def _options(kind: Any) -> Iterator[Any]:
    return (option for option in typing.get_args(kind) if option is not type(None))


def _one_of(options: list[Any]) -> dict[str, Any]:
    """Several dataclasses are told apart by their key ``type`` (``strict``)."""
    if len(options) == 1:
        return _value(options[0])
    return {"oneOf": [_mapping(option, option.TYPE) for option in options]}
