"""The documents say what the program does: their commands, keys, fields, texts and messages."""

from __future__ import annotations

import ast
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml

from usersessionmon.cli.main import COMMANDS, build_parser, main
from usersessionmon.cli.output import session_object
from usersessionmon.config import Settings, load
from usersessionmon.contract import event_object
from usersessionmon.model import WINDOWS, Change, ChangeKind, Moment, Reason, SessionView
from usersessionmon.notify.base import Queued
from usersessionmon.notify.text import notice_of, render_text
from usersessionmon.notify.words import Server, Voice
from usersessionmon.rules.matcher import load_rules
from usersessionmon.rules.pack import builtin_distros
from usersessionmon.rules.selftest import run as run_examples

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
READMES = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=lambda path: path.name)
DOCUMENTS = (ENGLISH, CHINESE, ROOT / "CONTRIBUTING.md")
EXAMPLE = ROOT / "config/config.yaml.example"
ZONE = timezone(timedelta(hours=8))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(path), re.DOTALL | re.MULTILINE)


def shell_commands(path: Path) -> Iterator[list[str]]:
    """The commands of a document's shell blocks as words, pipes taken apart, without sudo."""
    for line in "".join(blocks(path, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("|") if "|" in words else len(words)
            command = words[:end]
            words = words[end + 1 :]
            yield command[1:] if command[0] == "sudo" else command


def rows(path: Path, columns: int) -> list[list[str]]:
    """The cells of the tables with so many columns, without the rule below the head."""
    found = []
    for line in text_of(path).splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if line.startswith("| ") and len(cells) == columns and not cells[0].startswith("---"):
            found.append(cells)
    return found


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_written_down_is_accepted(document: Path) -> None:
    ours = [words for words in shell_commands(document) if "user-session-monitor" in words[0]]
    assert ours
    for words in ours:
        build_parser(words[1:]).parse_args(words[1:])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_written_down_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = [words[1:] for words in shell_commands(document) if words[0] == "make"]
    named += [code.split()[1:] for code in in_code(text_of(document)) if code.startswith("make ")]
    wanted = {word for words in named for word in words if "=" not in word and "/" not in word}
    assert wanted
    assert wanted <= targets


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    example = re.search(r"^Example: user-session-monitor (.+)$", capsys.readouterr().out, re.M)
    assert example is not None
    words = shlex.split(example[1])
    assert words[0] == name
    build_parser(words).parse_args(words)


@READMES
def test_every_command_and_option_is_described(readme: Path) -> None:
    named = {code.split()[0] for row in rows(readme, 2) for code in in_code(row[0])}
    assert set(COMMANDS) <= named
    text = text_of(readme)
    for command in set(COMMANDS) - {"demo"}:  # its one option is for tests
        for word in words_of(choices_of(build_parser([command]))[command]):
            assert word in text, f"{command} {word}"
    for action in choices_of(choices_of(build_parser(["rules"]))["rules"]):
        assert f"`rules {action}" in text


def choices_of(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    group = parser._subparsers
    assert group is not None
    choices = group._group_actions[0].choices
    assert isinstance(choices, dict)
    return choices


def words_of(parser: ArgumentParser) -> list[str]:
    words = [word for action in parser._actions for word in action.option_strings]
    return [word for word in words if word != "-h"]


# --- the two READMEs ------------------------------------------------------------------------------


def test_both_readmes_have_the_same_sections() -> None:
    def shape(path: Path) -> list[str]:
        outside = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
        return [line.split()[0] for line in re.findall(r"^#+ .*$", outside, re.MULTILINE)]

    assert shape(ENGLISH) == shape(CHINESE)


@pytest.mark.parametrize("language", ["sh", "text", "yaml"])
def test_both_readmes_show_the_same(language: str) -> None:
    def bare(path: Path) -> list[str]:
        return [re.sub(r" *# .*", "", block) for block in blocks(path, language)]

    assert bare(ENGLISH) == bare(CHINESE)


@pytest.mark.parametrize("columns", [2, 3])
def test_both_readmes_have_the_same_rows(columns: int) -> None:
    def keys(path: Path) -> list[list[str]]:
        return [in_code(row[0]) + in_code(row[1] if columns == 3 else "") for row in table(path)]

    def table(path: Path) -> list[list[str]]:
        return rows(path, columns)

    assert keys(ENGLISH) == keys(CHINESE)
    assert len(keys(ENGLISH)) > 10


# --- configuration --------------------------------------------------------------------------------


def plain(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(plain(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


def flat(settings: Any, prefix: str = "") -> dict[str, str]:
    """Every key with its default as text."""
    found: dict[str, str] = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        if is_dataclass(value):
            found |= flat(value, f"{prefix}{item.name}.")
        else:
            found[prefix + item.name] = plain(value)
    return found


@READMES
def test_every_key_stands_there_with_its_default(readme: Path) -> None:
    settings = flat(Settings())
    tables = [row for row in rows(readme, 3) if in_code(row[0])[:1] and row[0].count("`") == 2]
    described = {in_code(row[0])[0]: "".join(in_code(row[1])) for row in tables}
    assert {key: described.get(key, "missing") for key in settings} == settings
    assert {key for key in described if "." in key} == {key for key in settings if "." in key}


@READMES
def test_every_value_of_a_key_is_named(readme: Path) -> None:
    """Of keys with a closed list of values."""
    meaning = {in_code(row[0])[0]: row[2] for row in rows(readme, 3) if in_code(row[0])}
    text = text_of(EXAMPLE)
    for key, values in (
        ("monitor.source", ("auto", "journal", "file", "windows")),
        ("monitor.distro", tuple(builtin_distros())),
        ("feishu.style", ("text", "card")),
        ("notices.events", tuple(ChangeKind)),
        ("detect.first_from.scope", ("network", "address")),
        ("log.level", ("debug", "info", "warning", "error")),
        ("language", ("zh", "en")),
    ):
        assert set(in_code(meaning[key])) >= set(values), key
        assert all(value in text for value in values), key


def test_the_example_has_every_key_and_means_the_defaults() -> None:
    def keys(mapping: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for key, value in mapping.items():
            if isinstance(value, dict):
                yield from keys(value, f"{prefix}{key}.")
            else:
                yield prefix + key

    assert list(keys(yaml.safe_load(text_of(EXAMPLE)))) == list(flat(Settings()))
    assert load(EXAMPLE) == Settings()


# --- what is shown --------------------------------------------------------------------------------


def moment(clock: str) -> Moment:
    time = datetime.fromisoformat(f"2026-11-21T{clock}+08:00")
    return Moment((time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), clock)


def shown(changes: list[Change], *, language: str = "zh", at: Moment | None = None) -> str:
    notices = [
        notice_of(change, Server("web-1", "192.0.2.10", {"web-1"}, ZONE, language))
        for change in changes
    ]
    queue = [Queued(number, notice, notice.at_us, 0) for number, notice in enumerate(notices)]
    now = at or changes[0].time
    return render_text(queue, now_us=now.us, voice=Voice(ZONE, language)) + "\n"


@READMES
def test_the_notices_are_as_shown(readme: Path) -> None:
    begin, end = moment("08:15:30"), moment("09:00:01")
    login = Change(
        ChangeKind.LOGIN, begin, "web-1", "sshd", "alice", "198.51.100.7", method="publickey",
        key_fingerprint="SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE",
    )  # fmt: skip
    other = Change(ChangeKind.LOGIN, begin, "web-1", "sshd", "bob", "198.51.100.7")
    logout = Change(
        ChangeKind.LOGOUT, end, "web-1", "sshd", "alice", "198.51.100.7",
        reason=Reason.NETWORK, abnormal=True, duration=2671.0, login_time=begin,
    )  # fmt: skip
    thrown_out = Change(
        ChangeKind.LOGOUT, end, "RDP-01", "windows", "alice", "198.51.100.7",
        reason=Reason.KILLED, abnormal=True, duration=2671.0, login_time=begin, tty="rdp",
        by_user="bob", by_ip="203.0.113.9", kept=True, domain="CORP",
    )  # fmt: skip
    notices, english, digest, _, desktop = blocks(readme, "text")
    assert notices == f"{shown([login])}\n{shown([logout])}"
    assert english == shown([logout], language="en")
    assert digest == shown([login, other, logout], at=moment("10:00:00"))
    assert desktop == shown([thrown_out])


@READMES
def test_who_is_as_shown(readme: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--fast"]) == 0
    printed = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert blocks(readme, "text")[3] in printed


@READMES
def test_every_field_of_the_json_output_is_named(readme: Path) -> None:
    at = moment("08:15:30")
    view = SessionView(
        "", None, WINDOWS, None, None, None, None, None, at, at, 1.5, Reason.USER,
        abnormal=False, inferred=False, state="closed", tty=None,
    )  # fmt: skip
    section = text_of(readme).partition("## JSON")[2].partition("\n## ")[0]
    named = set(in_code(section))
    for kind in ChangeKind:
        for service in ("sshd", WINDOWS):
            assert set(event_object(Change(kind, at, None, service))) <= named
    assert set(session_object(view)) | {"confirmed"} <= named
    assert set(Reason) <= named


# --- messages and rules ---------------------------------------------------------------------------


def texts_of_the_program() -> str:
    """Every text that the program or the set-up can print, holes of f-strings left out."""
    found = [text_of(path) for path in sorted((ROOT / "packaging").glob("*.sh"))]
    for path in sorted((ROOT / "usersessionmon").rglob("*.py")):
        nodes = ast.walk(ast.parse(text_of(path)))
        constants = (node.value for node in nodes if isinstance(node, ast.Constant))
        found += [value for value in constants if isinstance(value, str)]
    return "\n".join(found)


@READMES
def test_every_message_of_the_troubleshooting_table_is_real(readme: Path) -> None:
    after = text_of(readme).partition("| `missing: ")
    table = "".join(after[1:]).partition("\n\n")[0]
    messages = [in_code(line)[0] for line in table.splitlines()]
    assert len(messages) > 15
    program = texts_of_the_program()
    for message in messages:
        for part in message.split("…"):
            assert part.strip(" ):;?") in program, f"{message}: {part}"


def test_the_rules_shown_hold(tmp_path: Path) -> None:
    (shown_rules,) = blocks(ROOT / "CONTRIBUTING.md", "yaml")
    (tmp_path / "myvpn.yaml").write_text(shown_rules, encoding="utf-8")
    rules = load_rules("generic", rules_dir=tmp_path)
    assert {"myvpn.accepted", "myvpn.ended"} <= {rule.name for rule in rules.rules}
    assert [verdict for verdict in run_examples(rules) if verdict.problem] == []


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name
)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = text_of(document)
    for goal in re.findall(r"\]\(([^)]+)\)", text):
        if goal.startswith("https://"):
            continue
        name, _, anchor = goal.partition("#")
        target = ROOT / name if name else document
        assert target.exists(), goal
        if anchor:
            heads = re.findall(r"^#+ (.*)$", text_of(target), re.MULTILINE)
            assert anchor in {head.lower().replace(" ", "-") for head in heads}, goal
