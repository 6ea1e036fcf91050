"""The configuration: defaults, secrets in files, and every mistake told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.config import (
    FeishuSettings,
    Settings,
    check_webhook,
    load,
    read_webhook,
)
from usersessionmon.errors import UserError
from usersessionmon.strict import BadValueError, build, parse_document


def _load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load(path)


def test_an_empty_file_and_empty_keys_are_the_defaults(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == Settings()
    assert _load(tmp_path, "monitor:\n  source:\nfeishu:\nlanguage:\n") == Settings()


def test_the_originals_keys_mean_the_same(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        'feishu:\n  webhook_url: "https://open.feishu.cn/open-apis/bot/v2/hook/x"\n'
        "monitor:\n  log_file: /var/log/secure\n",
    )
    assert settings.feishu.webhook_url.endswith("/hook/x")
    assert settings.monitor.log_file == "/var/log/secure"


def test_secrets_come_from_files_and_are_in_no_repr(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://example.org/hook/token-1\n")
    (tmp_path / "secret").write_text("s3cret\n")
    settings = _load(
        tmp_path,
        f"feishu: {{webhook_url_file: {tmp_path / 'hook'}, secret_file: {tmp_path / 'secret'}}}",
    )
    webhook = read_webhook(settings.feishu)
    assert webhook is not None
    assert (webhook.url, webhook.secret) == ("https://example.org/hook/token-1", "s3cret")
    assert "token" not in repr(webhook)
    assert "s3cret" not in repr(webhook)
    assert "s3cret" not in repr(FeishuSettings(secret="s3cret"))
    assert read_webhook(FeishuSettings()) is None


def test_a_secret_file_must_be_there_and_hold_something(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: feishu\.webhook_url_file: cannot be read"):
        read_webhook(FeishuSettings(webhook_url_file=str(tmp_path / "none")))
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="the file is empty"):
        read_webhook(FeishuSettings(webhook_url_file=str(tmp_path / "empty")))
    (tmp_path / "bad").write_text("http://example.org/x")
    with pytest.raises(UserError, match="must begin with https"):
        read_webhook(FeishuSettings(webhook_url_file=str(tmp_path / "bad")))


@pytest.mark.parametrize(
    "url",
    ["https://open.feishu.cn/x", "http://127.0.0.1:8900/x", "http://[::1]/x", "http://localhost/"],
)
def test_webhooks_that_may_be_used(url: str) -> None:
    check_webhook("webhook_url", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x",
        "ftp://x",
        "https://",
        "open.feishu.cn/x",
        "https://x y/",
        "http://[::1",
        "https://x:99999/",
    ],
)
def test_webhooks_that_may_not(url: str) -> None:
    with pytest.raises(BadValueError):
        check_webhook("webhook_url", url)


def test_mistakes_are_told_with_their_lines_and_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _load(tmp_path, "a: 1\nfeishu:\n  style: html\n  secret: [x]\nstate: 5\n")
    places = [line.split("config.yaml:")[1].split(":")[0] for line in caught.value.lines]
    assert places == ["1", "3", "4", "5"]


def test_yaml_that_would_do_more_than_hold_values_does_not() -> None:
    for text in ("!!python/object/apply:os.system [ls]", "language: !!python/name:os.system"):
        with pytest.raises(UserError):
            build(parse_document(text, "x"), Settings)


def _trouble(data: bytes | str) -> tuple[str, ...]:
    """The lines of the error that a file is, if it is one."""
    try:
        build(parse_document(data, "config.yaml"), Settings)
    except UserError as error:
        return error.lines
    return ("none",)


@given(st.binary(max_size=300))
def test_any_bytes_are_settings_or_a_user_error(data: bytes) -> None:
    lines = _trouble(data)
    assert lines
    assert all("\n" not in line for line in lines)


@given(st.text(alphabet=" \n:-[]{}&*!|>'\"%@`#,?abl1.", max_size=120))
def test_any_yaml_like_text_too(text: str) -> None:
    assert all("\n" not in line for line in _trouble(text))


@pytest.mark.parametrize(
    "text",
    [
        "language: !!int x",
        "timezone: 2026-13-45",
        "log: &a {level: *a}",
        "&a [*a]",
        "monitor: &a {source: *a}",
        "language: !!binary '%'",
        "server: {name: [x]}",
    ],
)
def test_odd_yaml_is_a_user_error(text: str) -> None:
    assert _trouble(text) != ("none",)
