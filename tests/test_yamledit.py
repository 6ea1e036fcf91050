"""Values are set in YAML text, and nothing else is touched."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from usersessionmon.config import Settings
from usersessionmon.errors import UserError
from usersessionmon.strict import build, parse_document
from usersessionmon.yamledit import scalars, set_values

EXAMPLE = (Path(__file__).parents[1] / "config" / "config.yaml.example").read_text(encoding="utf-8")
LEAVES = ("feishu.webhook_url", "feishu.secret", "monitor.log_file", "server.name", "timezone")
one_line = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)
values = one_line.filter(lambda text: not set(text) & {"\ufeff", "\ufffe", "\uffff"})


def changed(text: str, key: str, value: str) -> Any:
    """The document with the change, by way of plain Python."""
    whole = yaml.safe_load(text) or {}
    inner = whole
    *sections, last = key.split(".")
    for section in sections:
        if inner.get(section) is None:
            inner[section] = {}
        inner = inner[section]
    inner[last] = value or None
    return whole


def differing(old: str, new: str) -> list[str]:
    lines = difflib.ndiff(old.splitlines(keepends=True), new.splitlines(keepends=True))
    return [line.rstrip("\n") for line in lines if line[0] in "+-"]


@settings(max_examples=15)  # the example is long
@given(st.dictionaries(st.sampled_from(LEAVES), values, min_size=1, max_size=3))
def test_the_example_keeps_all_but_the_lines_of_the_keys(wanted: dict[str, str]) -> None:
    text = set_values(EXAMPLE, wanted, "example")
    expected = EXAMPLE
    for key, value in wanted.items():
        assert yaml.safe_load(text) != {}
        expected = yaml.safe_dump(changed(expected, key, value), allow_unicode=True)
    assert yaml.safe_load(text) == yaml.safe_load(expected)
    assert len(text.splitlines()) >= len(EXAMPLE.splitlines())
    own = {key.rpartition(".")[2] + ":" for key in wanted}
    assert all(line[2:].split()[0] in own for line in differing(EXAMPLE, text))


@settings(max_examples=15)
@given(values.filter(bool))
def test_what_was_written_is_what_the_program_reads(secret: str) -> None:
    text = set_values(EXAMPLE, {"feishu.secret": secret}, "example")
    assert build(parse_document(text, "example"), Settings).feishu.secret == secret
    again = set_values(text, {"feishu.secret": ""}, "example")
    assert build(parse_document(again, "example"), Settings) == Settings()


leaf = st.none() | st.integers() | st.booleans() | values | st.lists(values, max_size=2)
words = st.sampled_from(["feishu", "monitor", "a", "b", "secret", "yes", "x y", "1"])
documents = st.dictionaries(words, leaf | st.dictionaries(words, leaf, max_size=4), max_size=5)


@given(
    documents,
    st.sampled_from(["feishu.secret", "monitor.a", "a", "b.b.b", "feishu.b"]),
    values,
    st.sampled_from([None, False, True]),
    st.integers(2, 6),
    st.sampled_from(["", "# head\n", "---\n"]),
    st.sampled_from(["", "# tail\n", "...\n"]),
)
def test_random_documents_change_in_one_place(
    document: dict[str, Any],
    key: str,
    value: str,
    flow: bool | None,
    indent: int,
    head: str,
    tail: str,
) -> None:
    inner: Any = document
    for part in key.split(".")[:-1]:
        inner = inner.get(part)
        if inner is None:
            break
        assume(isinstance(inner, dict))
    body = yaml.safe_dump(
        document, default_flow_style=flow, indent=indent, allow_unicode=True, width=30
    )
    text = head + body + tail
    last = None if inner is None else inner.get(key.rpartition(".")[2])
    if isinstance(last, list | dict):
        with pytest.raises(UserError):  # only a text takes a text's place
            set_values(text, {key: value}, "x")
        return
    new = set_values(text, {key: value}, "x")
    if value or last is not None:
        assert yaml.safe_load(new) == changed(text, key, value)
    else:
        assert new == text
    assert new.startswith(head) and tail in new


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "feishu:\n  secret: s\n"),
        ("# mine\n", "# mine\nfeishu:\n  secret: s\n"),
        ("a: 1", "a: 1\nfeishu:\n  secret: s\n"),
        ("feishu:\n", "feishu:\n  secret: s\n"),
        ("feishu: # bot\nb: 1\n", "feishu: # bot\n  secret: s\nb: 1\n"),
        ("feishu: {}\n", "feishu: {secret: s}\n"),
        ("feishu: ~\n", "feishu: {secret: s}\n"),
        ("{feishu: {a: 1}}", "{feishu: {secret: s, a: 1}}"),
        ("{feishu: }", "{feishu: {secret: s} }"),
        ("feishu:\n  # of a\n  a: 1\n", "feishu:\n  secret: s\n  # of a\n  a: 1\n"),
        ("feishu:\n    secret: old # c\n", "feishu:\n    secret: s # c\n"),
        ("feishu:\n  secret: 'it''s'# c\n", None),
        ('feishu:\n  secret: "o\\n" # c\n', "feishu:\n  secret: s # c\n"),
        ("feishu:\n  secret:   # none\n", "feishu:\n  secret: s   # none\n"),
        ("feishu:\n  secret: |\n    o\n    p\n  a: 1\n", "feishu:\n  secret: s\n  a: 1\n"),
        ("feishu:\r\n  a: 1\r\n", "feishu:\r\n  secret: s\r\n  a: 1\r\n"),
        ("\ufefffeishu:\n  a: 1\n", "\ufefffeishu:\n  secret: s\n  a: 1\n"),
        ("x: &x {secret: o}\nfeishu: *x\n", None),
        ("feishu: [1]\n", None),
        ("feishu:\n  secret: [s]\n", None),
        ("feishu: {secret: o}\nfeishu: {secret: s}\n", None),
    ],
)
def test_every_place_that_a_key_can_have(text: str, expected: str | None) -> None:
    """None: it cannot be done, and is said."""
    if expected is None:
        with pytest.raises(UserError):
            set_values(text, {"feishu.secret": "s"}, "f.yaml")
    else:
        assert set_values(text, {"feishu.secret": "s"}, "f.yaml") == expected


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("zh", "zh"),
        ("/var/log/auth.log", "/var/log/auth.log"),
        ("yes", '"yes"'),
        ("null", '"null"'),
        ("12", '"12"'),
        ("2026-11-21", '"2026-11-21"'),
        ("a#b: 'c' \"d\" 密钥", '"a#b: \'c\' \\"d\\" 密钥"'),
        ("https://open.example/hook/x", '"https://open.example/hook/x"'),
    ],
)
def test_a_text_is_quoted_where_it_could_be_taken_for_something_else(
    value: str, written: str
) -> None:
    assert set_values("k: 1\n", {"k": value}, "f") == f"k: {written}\n"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x1b[0m", "a\u2028b", "\0", "\ud800"])
def test_what_is_no_line_of_text_is_refused(value: str) -> None:
    with pytest.raises(UserError, match=r"^feishu\.secret: must be one line"):
        set_values(EXAMPLE, {"feishu.secret": value}, "f")


def test_setting_what_holds_already_changes_nothing() -> None:
    text = "feishu: {secret: 's' }  # mine\n"
    assert set_values(text, {"feishu.secret": "s"}, "f") is text


def test_the_values_of_a_file_that_is_not_ours() -> None:
    text = "a:\n  b: 1\n  c: [x, 'y']\nd:\n"
    assert list(scalars(text, "f")) == [("a.b", "1", 2), ("a.c", "x", 3), ("a.c", "y", 3)]
    with pytest.raises(UserError, match="holds itself"):
        list(scalars("a: &a [*a]", "f"))
