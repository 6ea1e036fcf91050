"""The man pages say all that the program has, and show without a warning."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from usersessionmon.cli.main import COMMANDS, build_parser
from usersessionmon.config import Settings

ROOT = Path(__file__).parents[1]
PAGES = {"8": "user-session-monitor.8", "5": "user-session-monitor.yaml.5"}
EVERY_PAGE = pytest.mark.parametrize("section", PAGES)


def page(section: str) -> str:
    done = subprocess.run(
        [sys.executable, "-B", ROOT / "packaging/manpages.py", section, "0.1.0", "2026-11-21"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def plain(text: str) -> str:
    """A page without its font changes and escapes."""
    return re.sub(r"\\f[BIPR]|\\&", "", text).replace("\\-", "-")


def parts(parser: ArgumentParser, path: str = "") -> Iterator[tuple[str, ArgumentParser]]:
    yield path, parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, below in action.choices.items():
                yield from parts(below, f"{path} {name}".strip())


def test_every_command_and_option_has_its_place() -> None:
    text = plain(page("8"))
    sections = {
        re.sub(r" [A-Z]+(\.\.\.)?", "", title): body  # without operands
        for title, body in re.findall(r"^\.SS (.+?)\n(.*?)(?=^\.S[SH] )", text, re.M | re.S)
    }
    for path, parser in parts(build_parser(list(COMMANDS))):
        if path:
            assert path in sections
            for action in parser._actions:
                for flag in set(action.option_strings) - {"-h", "--help", "--config"}:
                    assert re.search(rf"^{flag}\b", sections[path], re.M), f"{path} {flag}"


def test_every_key_has_its_default_and_an_explanation() -> None:
    def keys(settings: object, above: str = "") -> Iterator[tuple[str, object]]:
        assert dataclasses.is_dataclass(settings)
        for one in dataclasses.fields(settings):
            value = getattr(settings, one.name)
            if dataclasses.is_dataclass(value):
                yield from keys(value, f"{above}{one.name}.")
            else:
                yield above + one.name, value

    body = plain(page("5")).partition(".SH KEYS")[2].partition(".SH SEE ALSO")[0]
    entries = dict[str, tuple[str, str]]()
    for block in re.split(r"^\.TP\n", body, flags=re.M)[1:]:
        lines = block.split("\n.SS ")[0].splitlines()
        named = [line for line in lines if re.match(r"[a-z_0-9.]+:( |$)", line)]
        comment = [line for line in lines if line not in named and not line.startswith(".")]
        for line in named:
            name, _, written = line.partition(":")
            entries[name] = (written.strip(), " ".join(comment))
    for name, default in keys(Settings()):
        said, about = entries[name]
        assert len(about) > 10, name
        if isinstance(default, bool | int | float) and not hasattr(default, "value"):
            assert yaml.safe_load(said) == default, name


@EVERY_PAGE
def test_it_shows_without_a_warning(section: str, tmp_path: Path) -> None:
    file = tmp_path / PAGES[section]
    file.write_text(page(section), encoding="utf-8")
    tools = {
        "mandoc": ["mandoc", "-T", "lint", "-W", "warning", str(file)],
        "groff": ["groff", "-ww", "-man", "-Tutf8", "-z", str(file)],
    }
    there = [words for tool, words in tools.items() if shutil.which(tool)]
    if not there:
        pytest.skip("needs mandoc or groff")
    for words in there:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.stdout + done.stderr == ""


@EVERY_PAGE
def test_no_line_of_a_text_is_taken_for_a_request(section: str) -> None:
    known = {"TH", "SH", "SS", "PP", "TP", "TQ", "IP", "RS", "RE", "nf", "fi", "B", "I", "BR"}
    requests = set(re.findall(r"^[.'](\S*)", page(section), re.M))
    assert requests <= known
