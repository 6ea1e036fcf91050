"""The quick look at a message's words never hides a line that would match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.rules.fields import HOLES
from usersessionmon.rules.matcher import find, load_rules
from usersessionmon.rules.template import Line, compile_line
from usersessionmon.rules.words import FREE

RULES = load_rules("generic")
LINES = [line for rule in RULES.rules for line in rule.lines]


def _accepts(line: Line, text: str) -> bool:
    first, _, rest = text.partition(" ")
    words = line.words
    return (
        words.first.takes(first)
        and words.second.takes(rest.partition(" ")[0])
        and words.last.takes(text.rpartition(" ")[2])
    )


@pytest.mark.parametrize("name", sorted(set(HOLES) - FREE))
@given(data=st.data())
def test_only_free_holes_hold_blanks(name: str, data: st.DataObject) -> None:
    assert " " not in data.draw(st.from_regex(HOLES[name].shape, fullmatch=True))


@given(line=st.sampled_from(LINES), data=st.data())
def test_whatever_a_line_takes_has_its_words(line: Line, data: st.DataObject) -> None:
    text = "".join(
        data.draw(st.from_regex(HOLES[part.text].shape, fullmatch=True))
        if part.is_hole
        else part.text
        for part in line.parts
    )
    if line.regex.fullmatch(text):
        assert _accepts(line, text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a", "a"),
        ("a {text}", "a "),
        ("a {text}", "a b c"),
        ("{user} from {ip}", "x y from 192.0.2.1"),
        ("{user}", ""),
        ("{user}.", "x y."),
        ("a{some_text}b c", "a bb c"),
        ("a  b", "a  b"),
        ("{word}: x", "b: x"),
    ],
)
def test_words_at_the_edges(source: str, text: str) -> None:
    assert _accepts(compile_line(source), text)


@pytest.mark.parametrize(
    ("source", "text"),
    [("a", "a b"), ("a b", "a c"), ("a {text}", "b c"), ("{text} b", "b c"), ("{port} a", "x a")],
)
def test_words_that_a_line_cannot_have(source: str, text: str) -> None:
    assert not _accepts(compile_line(source), text)


def test_every_candidate_is_found_as_if_all_were_tried_in_order() -> None:
    examples = [(rule.pack, example.text) for rule in RULES.rules for example in rule.spec.examples]
    tables = {program: RULES.table(program) for program in ("sshd", "sudo", "systemd-logind", "su")}
    for _, text in examples:
        for table in tables.values():
            assert table is not None
            slow = next((c for c in table.candidates if c.line.match(text) is not None), None)
            found = find(table, text)
            assert (found and found[0]) is slow


def test_foreign_words_are_not_remembered_without_end() -> None:
    table = RULES.table("sshd")
    assert table is not None
    for number in range(10_000):
        find(table, f"{number} x{number} y{number}")
        find(table, f"x{number} from y")
        table.hush(f"{number}")
    assert len(table._choices) <= 4096
    assert len(table._beginnings) <= 4096
    assert len(table.quiet) <= 4096
    assert len(table._shared) <= len(table.candidates)
