"""``notices preview``: every notice by the configuration, and nothing sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble
from usersessionmon.cli.main import main
from usersessionmon.notify.examples import EXAMPLES


def preview(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str, *words: str
) -> tuple[int, str, str]:
    config = folder / "config.yaml"
    config.write_text(text, encoding="utf-8")
    status = main(["--config", str(config), "notices", "preview", *words])
    out, err = capsys.readouterr()
    return status, out, err


def objects(out: str) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in out.splitlines()]
    return {one["notice"]: one["body"] for one in found}


def test_every_notice_is_shown_with_its_heading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = preview(capsys, tmp_path, "timezone: UTC")
    blocks = out.rstrip("\n").split("\n\n")
    assert (status, err) == (0, "")
    assert [block.split("\n")[0] for block in blocks] == [f"── {name} ──" for name in EXAMPLES]
    assert all("通知" in block.split("\n")[1] for block in blocks)


def test_it_goes_by_the_configuration_and_by_the_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
server: {name: 门户}
language: en
people: {alice: {feishu: ou_alice}, duty: {feishu: ou_duty}}
mention: {on_duty: [duty]}
templates: {logout: "{host} 再见通知\\n{user}"}
"""
    _, out, _ = preview(capsys, tmp_path, text, "logout", "login")
    assert out.startswith("── logout ──\n门户 再见通知\nalice\n\n── login ──\nUser login notice")
    assert "ou_" not in out, "nobody is called for what is routine"
    _, out, _ = preview(capsys, tmp_path, text, "logout_abnormal", "login", "--lang", "zh")
    assert '\n<at user_id="ou_alice"></at>\n<at user_id="ou_duty"></at>\n\n' in out
    assert "\n用户登录通知\n" in out
    _, out, _ = preview(capsys, tmp_path, text, "logout_abnormal", "--card")
    assert "\n[red] 门户 再见通知\n" in out and out.endswith("<at id=ou_duty></at>\n")


def test_json_is_what_would_be_posted_without_its_signature(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FeishuDouble(secret="s" * 20) as double:
        text = f"feishu: {{webhook_url: '{double.url}', secret: {'s' * 20}, style: card}}"
        _, out, _ = preview(capsys, tmp_path, text, "--json")
        assert double.requests() == []
    bodies = objects(out)
    assert list(bodies) == list(EXAMPLES)
    assert all(set(body) == {"msg_type", "card"} for body in bodies.values())


def test_no_file_with_a_secret_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "feishu: {webhook_url_file: /nowhere/webhook, secret_file: /nowhere/secret}"
    status, out, err = preview(capsys, tmp_path, text, "test")
    assert (status, err) == (0, "") and "测试通知" in out


CHANNELS = """
channels:
  ops: {type: wecom, webhook_url: "https://example.com/send?key=k"}
  hook: {type: webhook, url: "https://example.com/hook"}
  mail: {type: email, host: mail.example.com, sender: a@example.com, to: [b@example.com]}
"""


def test_other_channels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = preview(capsys, tmp_path, CHANNELS, "test", "--channel", "ops", "--json")
    assert objects(out)["test"]["msgtype"] == "text"
    _, out, _ = preview(capsys, tmp_path, CHANNELS, "test")
    assert out.startswith("── test ──\n测试通知\n"), "the first one, where there is no main one"
    _, out, _ = preview(capsys, tmp_path, CHANNELS, "test", "--channel", "hook")
    assert json.loads(out.partition("\n")[2])["notices"][0]["title"] == "测试通知"
    _, out, _ = preview(capsys, tmp_path, CHANNELS, "test", "--channel", "mail")
    assert out.startswith("── test ──\n测试通知\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["logins"], "no notice is called logins (did you mean login?)"),
        (["test", "--channel", "op"], "no channel is called op (did you mean ops?)"),
        (["test", "--channel", "ops", "--card"], "ops is no channel of Feishu"),
        (["test", "--channel", "mail", "--json"], "mail gets no JSON"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    status, out, err = preview(capsys, tmp_path, CHANNELS, *words)
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1


def test_a_wrong_template_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = preview(capsys, tmp_path, "templates:\n  login: 通知 {usr}\n")
    assert status == 2
    assert f"{tmp_path}/config.yaml:2: templates.login: line 1: nothing is called {{usr}}" in err
