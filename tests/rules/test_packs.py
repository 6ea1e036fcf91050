"""The packs test themselves; these tests make sure that they do, and that they hold together."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.errors import UserError
from usersessionmon.model import Means, Moment, Record
from usersessionmon.rules import selftest
from usersessionmon.rules.fields import HOLES, read_ip, undo_vis
from usersessionmon.rules.matcher import MAX_TEXT, RuleSet, compile_rules, find, load_rules, unwrap
from usersessionmon.rules.pack import Pack, PackSpec, builtin_distros, pick_distro, resolve_distro
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


@pytest.mark.parametrize(
    ("yaml", "word"),
    [
        ("rules: {a: {means: accepted, lines: ['x {nobody}']}}", "unknown hole {nobody}"),
        ("rules: {a: {means: accepted, lines: ['x {user} {name}']}}", "two holes"),
        ("rules: {a: {means: accepted, lines: ['x } y']}}", "stray brace"),
        ("rules: {a: {means: accepted, lines: []}}", "at least one line"),
        ("rules: {a: {means: accepted, lines: [x], sets: {nobody: 1}}}", "unknown capture nobody"),
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
        ("rules: [1]", "own.yaml:1: rules must be a mapping"),
    ],
)
def test_a_pack_is_read_strictly(yaml: str, where: str) -> None:
    with pytest.raises(UserError) as caught:
        _pack(yaml)
    assert caught.value.lines[0].startswith(where)


def test_distros_are_picked_by_id_then_by_family() -> None:
    specs = builtin_distros()
    assert pick_distro(("ubuntu", "debian"), specs) == "ubuntu"
    assert pick_distro(("neon", "ubuntu", "debian"), specs) == "ubuntu"
    assert pick_distro(("nobara", "fedora"), specs) == "rhel"
    assert pick_distro(("unheard",), specs) == "generic"
    assert resolve_distro("ubuntu", specs).log_files == ("/var/log/auth.log",)
    assert resolve_distro("suse", specs).log_files == ("/var/log/messages",)
    with pytest.raises(UserError, match=r"monitor\.distro: unknown distro 'debain'"):
        resolve_distro("debain", specs)


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


def test_compiling_a_line_needs_no_braces_in_text() -> None:
    line = compile_line("plain (text) [x] +?")
    assert line.match("plain (text) [x] +?") == {}
    assert line.match("plain (text) [x] +?\n") is None
