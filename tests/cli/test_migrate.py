"""`config migrate`: the Go original's file in the new form."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from usersessionmon.cli.config_file import example_text
from usersessionmon.cli.main import main
from usersessionmon.config import MonitorSettings, Settings, load
from usersessionmon.notify.settings import FeishuSettings

Capture = pytest.CaptureFixture[str]
WEBHOOK = "https://open.feishu.cn/open-apis/bot/v2/hook/t0ken-t0ken-t0ken"
OLD = f'feishu:\n  webhook_url: "{WEBHOOK}"\nmonitor:\n  log_file: /var/log/secure\n'


def migrate(tmp_path: Path, text: str, *words: str) -> int:
    (tmp_path / "old.yaml").write_text(text)
    return main(["config", "migrate", str(tmp_path / "old.yaml"), *words])


def test_to_standard_output_it_is_a_whole_file(tmp_path: Path, capsys: Capture) -> None:
    assert migrate(tmp_path, OLD) == 0
    said = capsys.readouterr()
    assert "with its secrets as they are" in said.err and "t0ken" not in said.err
    (tmp_path / "new.yaml").write_text(said.out)
    feishu, monitor = (
        FeishuSettings(webhook_url=WEBHOOK),
        MonitorSettings(log_file="/var/log/secure"),
    )
    assert load(tmp_path / "new.yaml") == Settings(feishu=feishu, monitor=monitor)
    assert [line for line in said.out.splitlines() if line.lstrip().startswith("#")] == [
        line for line in example_text().splitlines() if line.lstrip().startswith("#")
    ]


def test_to_a_file_that_only_we_can_read_and_that_was_not_there(
    tmp_path: Path, capsys: Capture
) -> None:
    new = tmp_path / "new.yaml"
    assert migrate(tmp_path, OLD, "--output", str(new)) == 0
    assert "it has feishu.webhook_url and monitor.log_file" in capsys.readouterr().err
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    before = new.read_bytes()
    assert migrate(tmp_path, "monitor: {}", "--output", str(new)) == 1
    assert "is there already and is not overwritten" in capsys.readouterr().err
    assert new.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"old.yaml", "new.yaml"}


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("monitor:\n  interval: 5\n", 0, "old.yaml:2: monitor.interval: the new program has no"),
        ("feishu: {retries: [1, 2]}", 0, "old.yaml:1: feishu.retries: the new program has no"),
        (OLD.replace("https", "http"), 1, "in the clear can be read and forged"),
        ("feishu: {webhook_url: '${HOOK}'}", 1, "must begin with https://"),
        ("monitor: {log_file: auth.log}", 1, "must be an absolute path"),
        ("feishu: {webhook_url: ''}\nmonitor:\n", 0, ""),
    ],
)
def test_what_is_not_carried_over_is_named(
    tmp_path: Path, capsys: Capture, text: str, status: int, said: str
) -> None:
    assert migrate(tmp_path, text) == status
    found = capsys.readouterr()
    assert said in found.err and "t0ken" not in found.err
    assert "http://open" not in found.out


@pytest.mark.parametrize("text", ["a: [", "\0"])
def test_what_is_no_yaml_is_one_line(tmp_path: Path, capsys: Capture, text: str) -> None:
    assert migrate(tmp_path, text) == 2
    found = capsys.readouterr()
    assert len(found.err.splitlines()) == 1 and found.out == ""


def test_a_file_that_is_not_there(capsys: Capture) -> None:
    assert main(["config", "migrate", "/nowhere/old.yaml"]) == 2
    assert "/nowhere/old.yaml: there is no such file" in capsys.readouterr().err
