"""The main file, the drop-ins beside it and the environment: later ones win, and each mistake names
where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from usersessionmon.config import Settings, load
from usersessionmon.errors import UserError
from usersessionmon.layers import origins, read_layers


def site(tmp_path: Path, main: str, **drop_ins: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(main)
    (tmp_path / "conf.d").mkdir()
    for name, text in drop_ins.items():
        (tmp_path / "conf.d" / f"{name}.yaml").write_text(text)
    return path


def test_later_layers_win_key_by_key_and_lists_are_whole(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        "language: en\nfeishu: {style: card, per_minute: 10}\nquiet: {users: [a, b]}\n",
        b="feishu: {per_minute: 30}\n",
        a="feishu: {per_minute: 20}\nquiet: {users: [c]}\nlanguage:\n",
    )
    settings = load(path, {"USM__FEISHU__PER_SECOND": "2", "USM__SERVER__NAME": "007"})
    feishu = settings.feishu
    assert (feishu.style, feishu.per_minute, feishu.per_second) == ("card", 30, 2)
    assert settings.quiet.users == ("c",)
    assert settings.language == "en", "a key left empty changes nothing"
    assert settings.server.name == "007", "a text is taken as it stands"


def test_channels_of_one_name_are_one(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        "channels: {ops: {type: feishu, webhook_url: 'https://example.org/hook/1'}}",
        ops="channels: {ops: {style: card}}",
    )
    assert load(path, {}).channels["ops"].style == "card"  # type: ignore[union-attr]


def test_the_environment_alone(tmp_path: Path) -> None:
    settings = load(None, {"USM__NOTICES__EVENTS": "[login]", "USM_REQUIRE_SYSTEM": "1"})
    assert [kind.value for kind in settings.notices.events] == ["login"]
    assert load(None, {}) == Settings()


def test_each_mistake_names_where_it_stands(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        "feishu:\n  per_minute: x\n",
        extra="\nstate: {keep_dayz: 1}\nlanguage: de\n",
    )
    with pytest.raises(UserError) as caught:
        load(path, {"USM__LOG__LEVEL": "loud"})
    first, second, third, fourth = caught.value.lines
    assert first == f"{path}:2: feishu.per_minute must be a whole number, not 'x'"
    assert second.startswith(f"{tmp_path / 'conf.d' / 'extra.yaml'}:2: unknown key state.keep_dayz")
    assert third.startswith(f"{tmp_path / 'conf.d' / 'extra.yaml'}:3: language must be one of")
    assert fourth.startswith("environment USM__LOG__LEVEL: log.level must be one of debug")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("USM__FEISHU__WEBHOK_URL", "x", r"is no key \(did you mean USM__FEISHU__WEBHOOK_URL\?\)"),
        ("USM__FEISHU", "{}", "is no key"),
        ("USM__QUIET__USERS", "[", "environment USM__QUIET__USERS.*not valid YAML"),
        ("USM__FEISHU__SECRET", "ab\ncd", None),
    ],
)
def test_variables(name: str, value: str, problem: str | None) -> None:
    if problem is None:
        assert load(None, {name: value}).feishu.secret == value
        return
    with pytest.raises(UserError, match=problem):
        load(None, {name: value})


def test_what_cannot_be_read_and_what_holds_itself(tmp_path: Path) -> None:
    path = site(tmp_path, "&a {feishu: *a}", b="feishu: {feishu: {feishu: {style: card}}}")
    with pytest.raises(UserError):
        load(path, {})
    (tmp_path / "conf.d" / "b.yaml").write_text("[")
    with pytest.raises(UserError, match=r"b\.yaml:2: not valid YAML"):
        load(path, {})


def test_where_each_value_comes_from(tmp_path: Path) -> None:
    path = site(tmp_path, "language: en\nfeishu:\n  style: card\n", a="server: {name: x}")
    document = read_layers(path, Settings, {"USM__TIMEZONE": "UTC"})
    assert origins(document) == {
        "language": f"{path}:1",
        "feishu.style": f"{path}:3",
        "server.name": f"{tmp_path / 'conf.d' / 'a.yaml'}:1",
        "timezone": "environment USM__TIMEZONE",
    }


def test_a_credential_of_the_service_is_used_where_nothing_else_is_given(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    file = credentials / "feishu.webhook_url"
    file.write_text("https://example.org/hook/1")
    (credentials / "feishu.unknown").write_text("x")
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert load(None, environment).feishu.webhook_url_file == str(file)
    path = site(tmp_path, "feishu: {webhook_url: 'https://example.org/hook/2'}")
    feishu = load(path, environment).feishu
    assert feishu.webhook_url.endswith("2") and not feishu.webhook_url_file
    document = read_layers(None, Settings, environment)
    assert origins(document) == {"feishu.webhook_url_file": "environment CREDENTIALS_DIRECTORY"}
