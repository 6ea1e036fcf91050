"""What the keys of the report and the heartbeat may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from usersessionmon.config import Settings, check_files
from usersessionmon.errors import UserError
from usersessionmon.strict import build, parse_document


def loaded(text: str) -> Settings:
    return build(parse_document(text, "config.yaml"), Settings)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("report: {at: 8.30 h}", "report.at: must be a time of day"),
        ('report: {at: "25:00"}', "report.at: must be a time of day"),
        ("report: {top: 0}", "report.top: must be from 1 to 100"),
        ("heartbeat: {url: http://example.org/x}", "heartbeat.url: must begin with https://"),
        ("heartbeat: {url: https://a/x, url_file: /x}", "heartbeat.url_file: give url or url_file"),
        ("heartbeat: {minutes: 0}", "heartbeat.minutes: must be from 1"),
        ("heartbeat: {chat_hours: -1}", "heartbeat.chat_hours: must be from 0"),
        ("monitor: {alarm_down_minutes: -1}", "monitor.alarm_down_minutes: must be from 0"),
    ],
)
def test_what_is_refused(text: str, mistake: str) -> None:
    with pytest.raises(UserError) as raised:
        loaded(text)
    (line,) = raised.value.lines
    assert line.startswith(f"config.yaml:1: {mistake}")


def test_the_address_is_a_secret() -> None:
    settings = loaded("heartbeat: {url: https://a.example/s3cret, proxy: 'http://u:pw@p:1'}")
    assert settings.heartbeat.is_set
    assert "s3cret" not in repr(settings) and "pw" not in repr(settings.heartbeat)


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    file = tmp_path / "url"
    settings = loaded(f"heartbeat: {{url_file: {file}}}")
    with pytest.raises(UserError, match=r"heartbeat\.url_file: cannot be read"):
        check_files(settings)
    file.write_text("http://example.org/x")
    with pytest.raises(UserError, match=r"heartbeat\.url_file: its text must begin with https"):
        check_files(settings)
    file.write_text("https://a.example/x\n")
    check_files(settings)
