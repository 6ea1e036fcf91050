"""Several layers of configuration as one document whose every node knows where it comes from.

The main file, then ``conf.d/*.yaml`` beside it by name, then variables of the environment
(``USM__FEISHU__STYLE=card``): what comes later wins, key by key; lists are taken whole.  A secret
that none of them gives may be a credential of the service (systemd.exec(5), ``LoadCredential=``),
called like its key: ``feishu.webhook_url``.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError
from .strict import ENVIRONMENT, Document, nearest, parse_document, place_of, read_document, shown
from .system.places import RUN

PREFIX = "USM__"
DROP_INS = "conf.d"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
SERVICE_CREDENTIALS = str(RUN / "credentials/user-session-monitor.service")
"""Where the running service's are, for commands that its administrator gives."""
_STR, _NULL, _MAP = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "map"))


def read_layers(path: Path | None, kind: type[Any], environment: Mapping[str, str]) -> Document:
    """All layers of the configuration ``kind`` (a dataclass) as one document.  ``path``: the main
    file, if there is one.  Raises UserError."""
    documents = []
    if path is not None:
        documents = [read_document(path), *map(read_document, _drop_ins(path))]
    documents.append(_from_environment(kind, environment))
    try:
        return _with_credentials(merged(documents), kind, environment)
    except RecursionError as error:  # an alias within itself
        raise UserError(f"{path}: holds itself (an alias within its own anchor)") from error


def merged(documents: Sequence[Document]) -> Document:
    """Later documents over earlier ones; it goes by the name of the first."""
    root: yaml.Node | None = None
    for document in documents:
        root = _over(root, document.root)
    return Document(documents[0].name, root)


def origins(document: Document) -> dict[str, str]:
    """``feishu.style`` → ``FILE:LINE`` for every value that is given."""
    return dict(_origins(document, document.root, ""))


def _drop_ins(path: Path) -> list[Path]:
    folder = path.parent / DROP_INS
    try:
        return sorted(one for one in folder.iterdir() if one.suffix == ".yaml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from error


def _over(below: yaml.Node | None, above: yaml.Node | None) -> yaml.Node | None:
    if above is None or above.tag == _NULL:  # a key without a value keeps what is below
        return below
    if not isinstance(below, yaml.MappingNode) or not isinstance(above, yaml.MappingNode):
        return above
    pairs = list(below.value)
    for key, value in above.value:
        index = next((at for at, pair in enumerate(pairs) if _same(pair[0], key)), None)
        if index is None:
            pairs.append((key, value))
        else:
            old_key, old = pairs[index]
            new = _over(old, value)
            pairs[index] = (old_key if new is old else key, new)
    return yaml.MappingNode(below.tag, pairs, below.start_mark, below.end_mark)


def _same(one: yaml.Node, other: yaml.Node) -> bool:
    both = isinstance(one, yaml.ScalarNode) and isinstance(other, yaml.ScalarNode)
    return both and one.value == other.value


def _origins(document: Document, node: yaml.Node | None, where: str) -> Iterator[tuple[str, str]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = f"{where}.{key.value}" if where else str(key.value)
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _origins(document, value, path)
        elif value.tag != _NULL:
            yield path, place_of(document, key)


def _from_environment(kind: type[Any], environment: Mapping[str, str]) -> Document:
    known = dict(_variables(kind, PREFIX))
    root: yaml.Node | None = None
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise UserError(f"{ENVIRONMENT}{shown(name)}: is no key{nearest(name, known)}")
        root = _over(root, _nested(name, known[name], environment[name]))
    return Document("environment", root)


def _variables(kind: type[Any], prefix: str) -> Iterator[tuple[str, tuple[tuple[str, ...], bool]]]:
    """Variable → (path of the key, whether it is a text as it stands)."""
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        name = f"{prefix}{item.name.upper()}"
        if dataclasses.is_dataclass(hints[item.name]):
            for variable, (path, is_text) in _variables(hints[item.name], f"{name}__"):
                yield variable, ((item.name, *path), is_text)
        else:
            yield name, ((item.name,), hints[item.name] is str)


def _with_credentials(
    document: Document, kind: type[Any], environment: Mapping[str, str]
) -> Document:
    """The document with ``KEY_file`` for each credential ``KEY`` that nothing else gives."""
    folder = Path(environment.get(CREDENTIALS) or SERVICE_CREDENTIALS)
    given, root = origins(document), document.root
    for path, is_text in dict(_variables(kind, PREFIX)).values():
        key = ".".join(path).removesuffix("_file")
        if not is_text or not path[-1].endswith("_file") or key in given or f"{key}_file" in given:
            continue
        file = folder / key
        if os.access(file, os.R_OK):
            root = _over(root, _tree(ENVIRONMENT + CREDENTIALS, path, str(file)))
    return Document(document.name, root)


def _tree(name: str, path: Sequence[str], text: str) -> yaml.Node:
    """A document of one text."""
    mark = yaml.Mark(name, 0, 0, 0, None, 0)
    return _within(path, yaml.ScalarNode(_STR, text, mark, mark), mark)


def _within(path: Sequence[str], node: yaml.Node, mark: yaml.Mark) -> yaml.Node:
    for part in reversed(path):
        node = yaml.MappingNode(_MAP, [(yaml.ScalarNode(_STR, part, mark, mark), node)], mark, mark)
    return node


def _nested(name: str, known: tuple[tuple[str, ...], bool], text: str) -> yaml.Node:
    path, is_text = known
    mark = yaml.Mark(ENVIRONMENT + name, 0, 0, 0, None, 0)
    node: yaml.Node | None
    if is_text:
        node = yaml.ScalarNode(_STR if text else _NULL, text, mark, mark)
    else:
        node = parse_document(text, ENVIRONMENT + name).root
    if node is None:
        node = yaml.ScalarNode(_NULL, "", mark, mark)
    return _within(path, node, mark)
