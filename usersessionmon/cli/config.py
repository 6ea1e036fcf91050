"""The configuration: what holds and where each value comes from, its JSON Schema for editors, and
the Go original's file in the new form."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from usersessionmon.config import Settings, find_config
from usersessionmon.layers import origins, read_layers
from usersessionmon.schema import schema_of
from usersessionmon.strict import build

from .common import add_actions
from .migrate import migrate
from .output import cell, say, say_json, table

EXAMPLE = "user-session-monitor config show --changed"
_ACTIONS = {
    "show": ("what holds, and where each value comes from; secrets are masked", EXAMPLE),
    "schema": (
        "the configuration's JSON Schema, for editors",
        "user-session-monitor config schema > config.schema.json",
    ),
    "migrate": (
        "the Go original's config.yaml in the new form, with comments; it holds secrets",
        "user-session-monitor config migrate old.yaml --output config.yaml",
    ),
}
_HIDDEN = "****"


class Value(NamedTuple):
    key: str
    value: Any
    """As JSON has it; a secret is masked."""
    secret: bool


def arguments(parser: argparse.ArgumentParser) -> None:
    for name, action in add_actions(parser, _ACTIONS).items():
        if name == "migrate":
            action.add_argument("old", metavar="OLD", help="the file of the Go original")
            action.add_argument("--output", metavar="NEW", help="the file to make (mode 0640), in "
                                "place of standard output; it must not be there")  # fmt: skip
            continue
        action.add_argument("--json", action="store_true", help="JSON Lines")
        if name == "show":
            action.add_argument(
                "--changed", action="store_true", help="only what differs from the default"
            )


def main(options: argparse.Namespace) -> int:
    if options.action == "migrate":
        return migrate(options.old, options.output)
    if options.action == "schema":
        for line in json.dumps(schema_of(Settings, "user-session-monitor"), indent=2).splitlines():
            say(line)
        return 0
    path = find_config(options.config)
    document = read_layers(path, Settings, os.environ)
    settings, given = build(document, Settings), origins(document)
    rows = [(value, _origin(value.key, given)) for value in values(settings)]
    if options.changed:
        usual = {value.key: value.value for value in values(Settings())}
        rows = [row for row in rows if row[0].key not in usual or row[0].value != usual[row[0].key]]
    if options.json:
        for value, origin in rows:
            say_json({**value._asdict(), "origin": origin})
    else:
        _show(rows)
    return 0


def values(settings: Any, prefix: str = "") -> Iterator[Value]:
    """Every key with what holds, in the order of the example."""
    for item in dataclasses.fields(settings):
        value, key = getattr(settings, item.name), f"{prefix}{item.name}"
        if dataclasses.is_dataclass(value):
            yield from values(value, f"{key}.")
        elif isinstance(value, dict) and value:
            yield from _entries(value, key)
        else:
            yield Value(key, _HIDDEN if value and not item.repr else _plain(value), not item.repr)


def _entries(entries: dict[str, Any], key: str) -> Iterator[Value]:
    """What a mapping of names holds."""
    for name, value in entries.items():
        if not dataclasses.is_dataclass(value):
            yield Value(f"{key}.{name}", _plain(value), False)
            continue
        if hasattr(value, "TYPE"):
            yield Value(f"{key}.{name}.type", value.TYPE, False)
        yield from values(value, f"{key}.{name}.")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        found = {item.name: getattr(value, item.name) for item in fields}
        return {
            item.name: _plain(found[item.name])
            for item in fields
            if found[item.name] != item.default
        }
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, StrEnum) else value


def _origin(key: str, given: dict[str, str]) -> str:
    """Where a value stands: by its own key, or by that of the list or mapping that it is in."""
    while key:
        if key in given:
            return given[key]
        key = key.rpartition(".")[0]
    return "default"


def _show(rows: list[tuple[Value, str]]) -> None:
    if not rows:
        say("nothing differs from the defaults")
        return
    shown = [
        (cell(value.key), cell(_text(value.value), 200), cell(origin, 200))
        for value, origin in rows
    ]
    table(("KEY", "VALUE", "FROM"), shown, drop=())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
