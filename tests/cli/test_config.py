"""`config`: what holds, where it comes from, and the schema that editors use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from usersessionmon.cli.main import main
from usersessionmon.config import Settings
from usersessionmon.schema import schema_of

Capture = pytest.CaptureFixture[str]
EXAMPLE = Path(__file__).parents[2] / "config" / "config.yaml.example"
TEXT = """
feishu:
  webhook_url: https://example.org/hook/tok3n-tok3n-tok3n
  secret_file: /etc/hidden
  proxy: http://user:tok3n@proxy:8080
channels:
  mail: {type: email, host: mx, sender: a@b.cc, to: [a@b.cc], user: u, password: tok3n}
  more: {type: apprise, urls: ["json://tok3n"]}
routes:
  - {to: []}
people: {alice: {feishu: ou_1}}
language: en
"""


def show(tmp_path: Path, capsys: Capture, *words: str, text: str = TEXT) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert main(["config", "show", "--config", str(path), *words]) == 0
    return capsys.readouterr().out


def found(output: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in output.splitlines()]
    return {row["key"]: row for row in rows}


def test_every_value_with_where_it_comes_from(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USM__MENTION__OWNER", "false")
    rows = found(show(tmp_path, capsys, "--json"))
    file = tmp_path / "config.yaml"
    assert rows["language"] == {
        "key": "language", "value": "en", "secret": False, "origin": f"{file}:12",
    }  # fmt: skip
    assert rows["mention.owner"]["value"] is False
    assert rows["mention.owner"]["origin"] == "environment USM__MENTION__OWNER"
    assert rows["state.dir"]["origin"] == "default"
    assert rows["channels.mail.type"]["value"] == "email"
    assert rows["channels.mail.port"]["origin"] == "default"
    assert rows["routes"]["value"] == [{"to": []}]
    assert rows["people.alice.feishu"]["value"] == "ou_1"


@pytest.mark.parametrize("words", [[], ["--json"], ["--changed"]])
def test_secrets_are_masked(tmp_path: Path, capsys: Capture, words: list[str]) -> None:
    text = show(tmp_path, capsys, *words)
    assert "tok3n" not in text and "****" in text and "/etc/hidden" in text


def test_only_what_is_given(tmp_path: Path, capsys: Capture) -> None:
    rows = found(
        show(tmp_path, capsys, "--changed", "--json", text="log: {level: debug}\nlanguage: zh")
    )
    assert list(rows) == ["log.level"]
    assert "nothing differs" in show(tmp_path, capsys, "--changed", text="")


def test_a_wrong_configuration_is_told(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("languages: en")
    assert main(["config", "show", "--config", str(path)]) == 2
    assert "unknown key languages (did you mean language?)" in capsys.readouterr().err


def valid(text: str) -> bool:
    try:
        jsonschema.validate(yaml.safe_load(text) or {}, schema_of(Settings, "x"))
    except jsonschema.ValidationError:
        return False
    return True


def test_the_schema_takes_what_the_program_takes(capsys: Capture) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    file = EXAMPLE.with_name("config.schema.json")
    assert schema == json.loads(file.read_text()), f"make it anew: config schema > {file.name}"
    assert valid(EXAMPLE.read_text()) and valid(TEXT) and valid("")


@pytest.mark.parametrize(
    "text",
    [
        "languages: en",
        "language: de",
        "feishu: {per_minute: many}",
        "channels: {a: {type: fax}}",
        "channels: {a: {webhook_url: x}}",
        "routes: [{events: [login]}]",
    ],
)
def test_the_schema_refuses_what_the_program_refuses(text: str) -> None:
    assert not valid(text)
