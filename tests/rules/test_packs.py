"""The packs test themselves; these tests make sure that they do, and that they hold together."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.errors import UserError
from usersessionmon.model import Means, Moment, Record
from usersessionmon.rules import selftest
from usersessionmon.rules.bounds import MAX_TEXT
from usersessionmon.rules.fields import HOLES, read_ip, undo_vis
from usersessionmon.rules.matcher import RuleSet, compile_rules, find, load_rules, unwrap
from usersessionmon.rules.pack import (
    Pack,
    PackSpec,
    builtin_distros,
    identifiers,
    resolve_distro,
)
from usersessionmon.rules.template import Line, compile_line, fill
from usersessionmon.strict import build, parse_document

RULES = load_rules("generic")


def test_every_example_holds_and_every_line_has_one() -> None:
    verdicts = list(selftest.run(RULES))
    assert [verdict for verdict in verdicts if verdict.problem] == []
    assert len(verdicts) > 400


def _pack(yaml: str) -> Pack:
    return Pack("own", "own.yaml", build(parse_document(yaml, "own.yaml"), PackSpec))


def test_the_selftest_can_fail() -> None:
    pack = _pack(
        """
programs: [sshd]
service: sshd
rules:
  own.rule:
    means: accepted
    lines: ["Hello {user}", "Bye {user}"]
    examples: [{text: "Hello alice", gives: {user: bob}}, {text: "Hallo", gives: {}}]
    never: ["Hello root"]
"""
    )
    rules = RuleSet([pack], resolve_distro("generic", builtin_distros()))
    problems = {verdict.text: verdict.problem for verdict in selftest.run(rules)}
    assert problems["Hello alice"].startswith("it gives {'user': 'alice'}")
    assert problems["Hallo"] == "no rule understands it"
    assert problems["Bye {user}"] == "this line has no example"
    assert problems["Hello root"] == "the rule takes it and must not"


_SETS = "rules: {{a: {{means: accepted, lines: [x], sets: {{{}}}}}}}"


@pytest.mark.parametrize(
    ("yaml", "word"),
    [
        ("rules: {a: {means: accepted, lines: ['x {nobody}']}}", "unknown hole {nobody}"),
        ("rules: {a: {means: accepted, lines: ['x {user} {name}']}}", "two holes"),
        ("rules: {a: {means: accepted, lines: ['x } y']}}", "stray brace"),
        ("rules: {a: {means: accepted, lines: []}}", "at least one line"),
        ("rules: {a: {means: accepted, lines: [x], sets: {nobody: 1}}}", "unknown capture nobody"),
        (_SETS.format("user: 2026-01-01"), "a: sets: user must be text (put it in quotes)"),
        (_SETS.format("user: {a: b}"), "a: sets: user must be text"),
        (_SETS.format("user: "), "a: sets: user must be text"),
        (_SETS.format("port: true"), "a: sets: port must be a whole number"),
        (_SETS.format("port: -1"), "a: sets: port must be a whole number from 0"),
        (_SETS.format("uid: 100000000000000000000"), "a: sets: uid must be a whole number from 0"),
        (_SETS.format("valid_user: 1"), "a: sets: valid_user must be true or false"),
        (_SETS.format("reason: tired"), "a: sets: reason must be one of user, network"),
        (_SETS.format('user: "a\\e[31m"'), "a: sets: user must be text without control"),
        (
            "rules: {a: {means: accepted, lines: [x], examples: [{text: x, gives: {user: 5}}]}}",
            "a: gives of 'x': user must be text",
        ),
        ("rules: {a: {means: accepted, lines: [x]}}", "programs: name at least one"),
        ("services: {sshd: somehow}\nrules: {}", "unknown kind of PAM service"),
    ],
)
def test_a_bad_pack_is_told_with_file_and_rule(yaml: str, word: str) -> None:
    with pytest.raises(UserError, match=re.escape(word)) as caught:
        compile_rules([_pack(yaml)])
    assert all(line.startswith("own.yaml: ") for line in caught.value.lines)


@pytest.mark.parametrize(
    ("yaml", "where"),
    [
        ("rules: {a: {means: accpted, lines: [x]}}", "own.yaml:1: rules.a.means must be one of"),
        ("rules:\n  a: {meens: accepted}", "own.yaml:2: unknown key rules.a.meens (did you mean"),
        ("rules:\n  a: {means: accepted}", "own.yaml:2: rules.a needs lines"),
        ("rules: {a: {}}", "own.yaml:1: rules.a needs means and lines"),
        ("rules: [1]", "own.yaml:1: rules must be a mapping"),
    ],
)
def test_a_pack_is_read_strictly(yaml: str, where: str) -> None:
    with pytest.raises(UserError) as caught:
        _pack(yaml)
    assert caught.value.lines[0].startswith(where)


# --- the round trip: what is written into a line's holes is read out of it ------------------------

_NAME = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1)
_HOSTILE = st.sampled_from(
    [
        "root from 203.0.113.9 port 4242 ssh2",
        "Accepted password for root from 203.0.113.9 port 22 ssh2",
        " [preauth]",
        "x for y",
        "",
        "a  b",
        "user=root",
    ]
)
_ADDRESS = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
_VALUES: dict[str, st.SearchStrategy[str]] = {
    "ip": _ADDRESS,
    "peer": _ADDRESS,
    "port": st.integers(0, 65535).map(str),
    "user": _NAME.map(lambda text: text.replace("\\", "")),
    "claimed": st.one_of(_NAME.map(lambda text: text.replace("\\", "")), _HOSTILE),
    "claimed_name": st.one_of(_NAME, _HOSTILE),
    "method": st.sampled_from(["password", "publickey", "keyboard-interactive/pam"]),
    "key_type": st.sampled_from(["RSA", "ED25519-SK", "MLDSA44-ED25519"]),
    "key_fingerprint": st.just("SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE"),
}


def _lines(*means: Means) -> list[Line]:
    return [
        line
        for rule in RULES.rules
        if rule.means in means and rule.service == "sshd"
        for line in rule.lines
        if {part.text for part in line.parts if part.is_hole} <= _VALUES.keys()
    ]


TRIPS = _lines(Means.ACCEPTED, Means.FAILED, Means.INVALID_USER)


@given(data=st.data(), line=st.sampled_from(TRIPS))
def test_what_an_outsider_types_is_read_as_what_he_typed(data: st.DataObject, line: Line) -> None:
    """Fill a line's holes with hostile values; whatever rule takes the text must read the same
    address and port, and it must never become a login that it was not."""
    holes = {part.text for part in line.parts if part.is_hole}
    values = {hole: data.draw(_VALUES[hole], label=hole) for hole in holes}
    table = RULES.table("sshd")
    assert table is not None
    found = find(table, fill(line, values))
    assert found is not None
    candidate, got = found
    rule = next(rule for rule in RULES.rules if line in rule.lines)
    if rule.means is not Means.ACCEPTED:
        assert candidate.rule.means is not Means.ACCEPTED
        assert got.get("ip") == read_ip(values["ip"])
        if "port" in values:
            assert got.get("port") == int(values["port"])
    else:
        assert candidate.rule.means is Means.ACCEPTED
        assert got.get("user") == undo_vis(values["user"])


@given(st.text(max_size=300))
def test_any_text_is_understood_or_not_but_never_raises(text: str) -> None:
    for program in ("sshd", "sudo", "su", "systemd-logind", "login", "dropbear", "gdm-password]"):
        RULES.match(Record(Moment(0, ""), None, program, 1, text))


def test_a_message_beyond_the_cap_is_not_looked_at() -> None:
    table = RULES.table("sshd")
    assert table is not None
    line = "Invalid user {} from 203.0.113.9 port 1"
    assert find(table, line.format("a" * 1000)) is not None
    assert find(table, line.format("a" * MAX_TEXT)) is None


def test_holes_are_anchored_shapes_without_groups() -> None:
    for name, hole in HOLES.items():
        assert re.compile(hole.shape).groups == 0, name


def test_a_user_name_is_unescaped_as_sshd_escaped_it() -> None:
    assert undo_vis(r"CORP\\zhang") == r"CORP\zhang"
    assert undo_vis(r"\347\256\241\347\220\206") == "管理"
    assert undo_vis(r"a\nb\033") == r"a\nb\033"
    assert undo_vis(r"\\303\\251") == r"\303\251"
    assert undo_vis(r"\377x") == r"\377x"


@given(st.text(st.characters(exclude_categories=[])))
def test_what_fills_a_capture_is_printable(text: str) -> None:
    for hole in HOLES.values():
        if hole.into is not None and hole.read not in (int, str):
            value = hole.read(text)
            assert value is None or str(value).isprintable() or hole.read is read_ip


def test_control_characters_of_a_name_come_out_as_sshd_would_write_them() -> None:
    assert undo_vis("al\x0bice") == r"al\013ice"
    assert undo_vis("al\x9bice") == r"al\302\233ice"
    assert undo_vis("al\u202eice") == r"al\342\200\256ice"
    assert undo_vis("CORP\\\\al\x1bice") == r"CORP\al\033ice"
    assert undo_vis("\ud800") == r"\355\240\200"


def test_no_line_gives_a_capture_that_a_terminal_obeys() -> None:
    evil = "a\x1b[31m\x9b\u202eb\x7f"
    lines = [
        ("sshd", f"Failed password for {evil} from 192.0.2.1 port 1 ssh2"),
        ("sshd", f"Accepted password for {evil} from 192.0.2.1 port 1 ssh2"),
        ("sudo", f"{evil} : TTY={evil} ; PWD=/ ; USER={evil} ; COMMAND={evil}"),
        ("su", f"(to {evil}) {evil} on {evil}"),
        ("dropbear", f"Password auth succeeded for '{evil}' from [fe80::1%{evil}]:22"),
        (
            "login",
            f"pam_unix(login:session): session opened for user {evil}(uid=1) by {evil}(uid=0)",
        ),
    ]
    for program, text in lines:
        event = RULES.match(Record(Moment(0, ""), None, program, 1, text))
        assert event is not None, text
        assert all(str(value).isprintable() for value in event.got.values()), event.got


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("{text}{text}{text}{text}z", "{text} and {text} need text between them"),
        ("{user}{claimed_host}", "unknown hole"),
        ("{word}{word}z", "{word} and {word} need text between them"),
        ("a {some_text} b {some_text} c {some_text} d {text}", "4 holes of free text"),
        ("{text}a{text}a{text}z{number}", "so many ways"),
        ("{word}a{word}a{word}a{word}z", "so many ways"),
    ],
)
def test_a_line_that_could_take_minutes_is_refused(line: str, word: str) -> None:
    with pytest.raises(UserError, match=re.escape(word)):
        compile_line(line)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{text}a{text}z{number}", "a" * 1000 + "z" * 1000 + "b"),
        ("{text}a{text}a{text}z", "a" * 2000 + "z" * 40 + "b"),
        ("{text}a{text}b{text}z", "a" * 2000 + "z" * 48),
        ("{some_text} from {some_text} to {text}.", " from " * 170 + " to " * 250 + "x"),
        ("{word}a{word}z", "a" * 1000 + "z" * 1000 + "b"),
        ("{word} {word} {word} {word} {word}: {text}", "a " * 1000),
    ],
)
def test_a_line_that_is_taken_is_quick_on_the_worst_text(source: str, text: str) -> None:
    line = compile_line(source)
    begun = time.process_time()
    line.match(text[:MAX_TEXT])
    assert time.process_time() - begun < 1


def test_a_rule_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.yaml")
    with pytest.raises(UserError, match=r"own\.yaml: is no regular file"):
        load_rules("generic", rules_dir=tmp_path)
    (tmp_path / "own.yaml").unlink()
    (tmp_path / "own.yaml").mkdir()
    with pytest.raises(UserError, match=r"own\.yaml: is no regular file"):
        load_rules("generic", rules_dir=tmp_path)


def test_repeated_messages_are_unwrapped() -> None:
    assert unwrap("message repeated 3 times: [ Failed x]") == ("Failed x", 3)
    assert unwrap("message repeated 3 times") == ("message repeated 3 times", 1)


def test_user_packs_override_by_name_and_distro_says_which_apply() -> None:
    own = _pack(
        """
programs: [sshd]
service: sshd
rules:
  sshd.listening: {means: nothing, lines: ["Server listening on {text}"],
                   examples: [{text: "Server listening on :: port 22."}]}
"""
    )
    rules = RuleSet([*RULES.packs, own], RULES.distro)
    record = Record(Moment(0, ""), None, "sshd", 1, "Server listening on :: port 22.")
    event = rules.match(record)
    assert event is not None
    assert event.means is Means.NOTHING


def test_a_journal_is_searched_for_the_programs_of_other_facilities() -> None:
    builtin = identifiers(RULES.packs)
    ftp = {"vsftpd", "proftpd", "pure-ftpd"}
    others = {"xrdp-sesman", "xrdp-sesexec", "systemd", *ftp}
    assert set(builtin) == others
    for pack in RULES.packs:
        assert set(pack.spec.other_facilities) <= set(pack.spec.programs), pack.name
    own = _pack('programs: [myvpnd, "my*", ""]\nrules: {}')
    assert identifiers([*RULES.packs, dataclasses.replace(own, own=True)]) == (*builtin, "myvpnd")


def test_compiling_a_line_needs_no_braces_in_text() -> None:
    line = compile_line("plain (text) [x] +?")
    assert line.match("plain (text) [x] +?") == {}
    assert line.match("plain (text) [x] +?\n") is None
