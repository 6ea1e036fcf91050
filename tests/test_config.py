"""The configuration: defaults, secrets in files, and every mistake told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.config import (
    Settings,
    check_files,
    load,
)
from usersessionmon.errors import UserError
from usersessionmon.notify.secret import secret_of
from usersessionmon.notify.settings import FeishuSettings, check_webhook
from usersessionmon.strict import BadValueError, build, parse_document, read_document


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
    webhook = secret_of("feishu", settings.feishu, "webhook_url")
    secret = secret_of("feishu", settings.feishu, "secret")
    assert webhook.text() == "https://example.org/hook/token-1" and secret.text() == "s3cret"
    assert "token" not in repr(webhook)
    assert "s3cret" not in repr(secret)
    assert "s3cret" not in repr(FeishuSettings(secret="s3cret"))
    assert not Settings().all_channels()


def check(feishu: FeishuSettings) -> None:
    check_files(Settings(feishu=feishu))


def test_a_secret_file_must_be_there_and_hold_something(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: feishu\.webhook_url_file: cannot be read"):
        check(FeishuSettings(webhook_url_file=str(tmp_path / "none")))
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="the file is empty"):
        check(FeishuSettings(webhook_url_file=str(tmp_path / "empty")))
    (tmp_path / "bad").write_text("http://example.org/x")
    with pytest.raises(UserError, match="must begin with https"):
        check(FeishuSettings(webhook_url_file=str(tmp_path / "bad")))


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
        "http://evil.example\\@127.0.0.1/",
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


def test_mistakes_of_one_section_hide_none_of_another(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _load(
            tmp_path,
            "timezone: nope\n"
            "monitor:\n"
            "  sorce: x\n"
            "  log_file: auth.log\n"
            "feishu:\n"
            '  webhook_url: "http://example.com/"\n'
            "  secret: [a]\n"
            "  webhook_url_file: /x\n"
            "state: {dir: a, dir: b}\n"
            "server: {ip: notanip}\n",
        )
    lines = [line.partition("config.yaml:")[2] for line in caught.value.lines]
    assert [line.partition(": ")[0] for line in lines] == [
        "1",
        "3",
        "4",
        "6",
        "7",
        "8",
        "9",
        "9",
        "10",
    ]
    assert lines[3].startswith("6: feishu.webhook_url: must begin with https://")
    assert lines[4] == "7: feishu.secret must be text (put it in quotes)"


@pytest.mark.parametrize("key", ["secret", "webhook_url", "proxy"])
@pytest.mark.parametrize("value", ["1234567", "2026-01-01", "[tok3n]", "!!int tok3n", "0x7f"])
def test_a_secret_of_a_wrong_type_is_not_shown(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(UserError) as caught:
        _load(tmp_path, f"feishu: {{{key}: {value}}}")
    (line,) = caught.value.lines
    assert line.endswith(f":1: feishu.{key} must be text (put it in quotes)")


def test_a_secret_list_is_asked_for_as_one_and_only_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _load(tmp_path, "channels: {a: {type: apprise, urls: 'tgram://tok3n'}}")
    (line,) = caught.value.lines
    assert line.endswith(":1: channels.a.urls must be a list")


@pytest.mark.parametrize(
    "key",
    [
        "feishu: {webhook_url_file",
        "feishu: {secret_file",
        "heartbeat: {url_file",
        "channels: {a: {type: webhook, url: 'https://soc.example/', secret_file",
        "channels: {a: {type: apprise, urls_file",
    ],
)
@pytest.mark.parametrize("value", ["https://open.feishu.cn/hook/tok3n", "tok3n", "./tok3n"])
def test_a_secret_in_place_of_its_files_name_is_not_shown(
    tmp_path: Path, key: str, value: str
) -> None:
    with pytest.raises(UserError) as caught:
        _load(tmp_path, f"{key}: {value}}}" + "}" * (key.count("{") - 1))
    (line,) = caught.value.lines
    assert "_file: must be the absolute path of a file" in line
    assert "tok3n" not in line


@pytest.mark.parametrize("section", ["feishu", "heartbeat"])
@pytest.mark.parametrize(
    "proxy",
    ["u:tok3n@proxy", "proxy.example:3128", "http://", "http://[", "ftp://tok3n", "http://p:99999"],
)
def test_a_proxy_is_an_address(tmp_path: Path, section: str, proxy: str) -> None:
    with pytest.raises(UserError) as caught:
        _load(tmp_path, f"{section}: {{proxy: '{proxy}'}}")
    (line,) = caught.value.lines
    assert line.endswith(
        f":1: {section}.proxy: must be the address of a proxy such as http://host:port"
    )


@pytest.mark.parametrize("proxy", ["http://192.0.2.1:3128", "https://u:p@proxy.example", ""])
def test_proxies_that_may_be_used(tmp_path: Path, proxy: str) -> None:
    assert _load(tmp_path, f"feishu: {{proxy: '{proxy}'}}").feishu.proxy == proxy


def test_secrets_are_in_no_repr() -> None:
    settings = FeishuSettings("https://tok3n/", secret="tok3n", proxy="http://u:tok3n@x")
    assert "tok3n" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('state: {dir: ""}', "state.dir: must be an absolute path"),
        ("state: {dir: var/lib}", "state.dir: must be an absolute path"),
        ("server: {ip: notanip}", "server.ip: must be an IP address"),
        ("server: {ip: 300.1.1.1}", "server.ip: must be an IP address"),
    ],
)
def test_values_that_cannot_be_meant(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        _load(tmp_path, text)


def test_every_named_file_is_read_whether_it_is_needed_or_not(tmp_path: Path) -> None:
    none, secret = str(tmp_path / "none"), tmp_path / "secret"
    with pytest.raises(UserError, match=r"none: feishu\.secret_file: cannot be read"):
        check(FeishuSettings(secret_file=none))
    with pytest.raises(UserError) as caught:
        check(FeishuSettings(webhook_url_file=none, secret_file=none, ca_file=none))
    assert len(caught.value.lines) == 3
    secret.write_bytes(b"\xff")
    with pytest.raises(UserError, match="is not text"):
        check(FeishuSettings(secret_file=str(secret)))
    secret.write_bytes(b"x")
    check(FeishuSettings(secret_file=str(secret)))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_yaml_is_not_followed_into_any_depth(opening: str) -> None:
    (line,) = _trouble(opening * 50_000)
    assert "nested more than 50 levels deep" in line


def test_a_configuration_is_no_larger_than_a_megabyte(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is larger than 1024 KiB"):
        _load(tmp_path, "#" * (1024 * 1024 + 1))
    assert _load(tmp_path, "#" * 1024 * 1024) == Settings()


def test_a_file_that_must_be_one_is_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is no regular file"):
        read_document(tmp_path / "pipe", regular=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("channels: {ops: {}}", ":1: channels.ops needs type: one of feishu, dingtalk, wecom"),
        ("channels: {ops: 1}", ":1: channels.ops must be a mapping"),
        ("channels: {ops: {type: feishuu}}", "channels.ops.type must be one of .*mean feishu"),
        ("channels: {ops: {type: [1]}}", "channels.ops.type must be one of"),
        ("channels: {ops: {type: wecom}}", "webhook_url or webhook_url_file is needed"),
        ("channels: {ops: {type: wecom, secret: x}}", "unknown key channels.ops.secret"),
        ("channels: {Ops: {type: apprise, urls: [x]}}", "channels: Ops must be up to 32 small"),
        ("channels: {terminal: {type: apprise, urls: [x]}}", "is the name of another channel"),
        (
            "routes: [{to: [feishu]}]",
            "routes: no channel is called feishu; there is none without feishu.webhook_url",
        ),
        ("routes: [{events: [logon], to: []}]", r"routes\[0\].events: must be a list of login"),
        ("routes: [{severity: high, to: []}]", r"routes\[0\].severity must be one of routine"),
        ("routes: [{networks: [x], to: []}]", r"routes\[0\].networks: must be addresses"),
        ("routes: [{}]", "needs to"),
        ("people: {alice: {feishu: all}}", "people.alice.feishu: must be an open_id"),
        ("people: {alice: {wecom: '@all'}}", "people.alice.wecom: must be a user's id"),
        ("people: {alice: {dingtalk: all}}", "people.alice.dingtalk: must be one person's id"),
        ("mention: {on_duty: [bob]}", "mention: on_duty: bob is not in people"),
        ("feishu: {per_minute: 0}", "feishu.per_minute: must be from 1 to"),
    ],
)
def test_channels_and_routes_that_cannot_be(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        _load(tmp_path, text)


def test_channels_of_several_kinds(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        """
feishu: {webhook_url: "https://example.org/hook/1"}
channels:
  ops: {type: feishu, webhook_url: "https://example.org/hook/2", style: card}
  mail: {host: mx.example.org, sender: usm@example.org, to: [ops@example.org], type: email}
routes:
  - {severity: abnormal, to: [feishu, mail]}
""",
    )
    assert list(settings.all_channels()) == ["feishu", "ops", "mail"]
    assert settings.routes[0].to == ("feishu", "mail")


def test_a_secret_is_read_anew_when_its_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one")
    secret = secret_of("feishu", FeishuSettings(secret_file=str(file)), "secret")
    assert secret.text() == "one"
    file.write_text("two!")
    assert secret.text() == "two!"
    file.unlink()
    assert secret.text() == "two!", "what cannot be read leaves the last one"
    file.write_text("three")
    assert secret.text() == "three"
