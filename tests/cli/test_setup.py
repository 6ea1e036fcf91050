"""`setup`: at a terminal and unattended, with every refusal, and what it leaves behind."""

from __future__ import annotations

import difflib
import json
import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import TOKEN, FeishuDouble
from tests.program.running import run
from tests.strangers import let_in
from usersessionmon.cli import config_file
from usersessionmon.cli.main import main
from usersessionmon.cli.refusals import explain
from usersessionmon.cli.setup_bot import mistake_in
from usersessionmon.config import load
from usersessionmon.notify.base import Answer, Result

from .terminal import Terminal, terminal

SECRET = "s3cret#: \"x' 密钥"
QUIT = "nothing was changed"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a log of today and a configuration that follows it."""
    log = tmp_path / "auth.log"
    now = datetime.now(UTC)
    lines = [
        (-30 * 3600, "Accepted password for old from 192.0.2.1 port 1 ssh2"),
        (-600, "Accepted password for alice from 198.51.100.7 port 50022 ssh2"),
        (-599, "Something that alice@198.51.100.7 makes sshd say"),
        (-500, "Failed password for bob from 198.51.100.7 port 50023 ssh2"),
    ]
    log.write_text(
        "".join(
            f"{(now + timedelta(seconds=ago)).isoformat()} web-1 sshd[99]: {text}\n"
            for ago, text in lines
        )
    )
    (tmp_path / "config.yaml").write_text(
        f"# mine\nmonitor: {{source: file, log_file: {log}}}  # stays\n"
        f"state: {{dir: {tmp_path}/state}}\nfeishu:\n  # the group's\n  style: text\n"
    )
    return tmp_path


def unattended(place: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    return run("setup", "--yes", "--config", "config.yaml", *words, cwd=place, **more)


def secrets_into(place: Path, group: FeishuDouble) -> None:
    (place / "webhook").write_text(f"{group.url}\n")
    (place / "secret").write_text(SECRET)


FILES = ("--webhook-file", "webhook", "--secret-file", "secret")


def test_unattended_by_files(place: Path) -> None:
    before = (place / "config.yaml").read_text()
    with FeishuDouble(secret=SECRET, keyword="通知") as group:
        secrets_into(place, group)
        done = unattended(place, *FILES)
        assert done.returncode == 0, done.stderr.decode()
        assert len(group.notices()) == 1
        said = done.stdout.decode()
        assert f"logins are read from {place}/auth.log: monitor.log_file names it" in said
        assert "2 of 3 authentication lines of the last day understood" in said
        assert "1  sshd: Something {word}" in said and "alice" not in said
        assert "delivered: it stands in the group" in said
        assert "next: user-session-monitor --config config.yaml run" in said
        url = group.url
    text = (place / "config.yaml").read_text()
    settings = load(place / "config.yaml")
    assert (settings.feishu.webhook_url, settings.feishu.secret) == (url, SECRET)
    added = [one for one in difflib.ndiff(before.splitlines(), text.splitlines()) if one[0] != " "]
    assert len(added) == 2 and all(one.startswith("+   ") for one in added)
    assert stat.S_IMODE((place / "config.yaml").stat().st_mode) == 0o640
    left = {one.name for one in place.iterdir()}
    assert left == {"auth.log", "config.yaml", "webhook", "secret"}
    for shown in (said, done.stderr.decode()):
        assert TOKEN not in shown and "s3cret" not in shown


def test_a_file_that_was_not_there_is_the_example(place: Path) -> None:
    with FeishuDouble(secret=SECRET) as group:
        secrets_into(place, group)
        new = ("--config", "sub/new.yaml", "--language", "en", "--source", "file")
        done = run("setup", "--yes", *new, *FILES, cwd=place)
        assert QUIT not in done.stdout.decode()
    text = (place / "sub/new.yaml").read_text()
    example = config_file.example_text()
    changed = difflib.ndiff(example.splitlines(), text.splitlines())
    keys = {one.split()[1] for one in changed if one.startswith("+ ")}
    assert keys == {"webhook_url:", "secret:", "language:", "source:"}
    assert len(text.splitlines()) == len(example.splitlines())
    assert stat.S_IMODE((place / "sub/new.yaml").stat().st_mode) == 0o640


def test_one_object_for_programs(place: Path) -> None:
    with FeishuDouble(secret=SECRET) as group:
        secrets_into(place, group)
        done = unattended(place, "--json", *FILES)
    found = json.loads(done.stdout)
    assert (found["source"], found["understood"], found["not_understood"]) == ("file", 2, 1)
    assert found["test"] == {"delivered": True, "answer": "delivered", "said": "code 0: success"}
    assert found["written"] is True and found["webhook"].endswith("****abcd")
    assert b"The group" in done.stderr and TOKEN.encode() not in done.stdout + done.stderr
    (place / "auth.log").unlink()
    done = unattended(place, "--json", "--no-webhook", "--no-test")
    assert done.returncode == 1
    assert json.loads(done.stdout)["readable"] is False


def test_again_it_changes_nothing_and_no_webhook_removes_it(place: Path) -> None:
    config = place / "config.yaml"
    with FeishuDouble(secret=SECRET) as group:
        secrets_into(place, group)
        assert unattended(place, *FILES).returncode == 0
        before = config.stat().st_ino
        config.chmod(0o644)
        done = unattended(place)
        assert done.returncode == 0 and len(group.notices()) == 2
        assert b"says all this already" in done.stdout
        assert config.stat().st_ino == before and stat.S_IMODE(config.stat().st_mode) == 0o640
        done = unattended(place, "--no-webhook")
        assert b"notices go to the terminal" in done.stdout and len(group.notices()) == 2
    assert not load(config).feishu.is_set


def test_the_webhook_by_standard_input(place: Path) -> None:
    with FeishuDouble() as group:
        done = unattended(place, "--webhook-file", "-", input=group.url.encode())
        assert done.returncode == 0
        assert load(place / "config.yaml").feishu.webhook_url == group.url


REFUSALS = {
    "code:19001": "does not know this webhook",
    "code:19022": "IP 白名单",
    "code:19024": "Make the keyword 通知",
    "code:19007": "The bot is switched off",
    "code:11232": "takes no more messages",
    "429:5": "takes no more messages",
    "code:77": "its own words are above",
    "status:404": "There is no bot at this address",
    "status:407": "put them into feishu.proxy",
    "status:503": "The server has trouble of its own",
    "redirect": "There is no bot at this address",
    "html": "a portal that wants a login",
    "close": "could not be reached",
}


@pytest.mark.parametrize("step", REFUSALS)
def test_each_refusal_is_explained_and_nothing_is_changed(
    place: Path, step: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    before = (place / "config.yaml").read_bytes()
    with FeishuDouble(secret=SECRET, script=[step]) as group:
        secrets_into(place, group)
        assert main(["setup", "--yes", "--config", "config.yaml", *FILES]) == 1
    said = capsys.readouterr().out
    assert REFUSALS[step] in said and QUIT in said
    assert (place / "config.yaml").read_bytes() == before
    assert TOKEN not in said and "s3cret" not in said


def test_a_wrong_signature_is_explained_by_what_was_given(place: Path) -> None:
    with FeishuDouble(secret="another") as group:
        secrets_into(place, group)
        none = unattended(place, *FILES[:2]).stdout.decode()
        wrong = unattended(place, *FILES).stdout.decode()
    assert "no secret was given" in none
    assert "the secret is not this bot's" in wrong and "This host's clock says 20" in wrong


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("TLS: the certificate is not trusted: self-signed certificate", "feishu.ca_file"),
        ("TLS failed: WRONG_VERSION_NUMBER", "breaks TLS"),
        ("the name cannot be resolved: Name or service not known", "/etc/resolv.conf"),
        ("timed out", "is a firewall in between?"),
    ],
)
def test_what_is_on_the_way_is_explained(
    said: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    result = Result(Answer.TRANSIENT, said)
    lines = explain(result, has_secret=False, now_us=0)
    assert meant in "\n".join(lines)
    assert not any("environment names a proxy" in line for line in lines)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pass@proxy:3128")
    assert "environment names a proxy" in explain(result, has_secret=False, now_us=0)[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--no-webhook", "--webhook-file", "x"), "--no-webhook: goes with neither"),
        (("--wait", "-1"), "--wait -1: must be from 0"),
        (("--wait", "nan"), "--wait nan: must be from 0"),
        (("--webhook-file", "none"), "--webhook-file none: cannot be read: No such file"),
        (("--webhook-file", "empty"), "--webhook-file empty: is empty"),
        (("--webhook-file", "two"), "--webhook-file two: must hold one line"),
        (("--webhook-file", "auth.log"), "must hold one line"),
        (("--webhook-file", "plain"), "must begin with https://"),
        (("--webhook-file", "ding"), "is not Feishu's: put it under channels, with type: dingtalk"),
    ],
)
def test_wrong_use_is_one_line(
    place: Path,
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place)
    (place / "empty").touch()
    (place / "two").write_text("a\nb")
    (place / "plain").write_text("http://open.feishu.cn/hook/t0ken")
    (place / "ding").write_text("https://oapi.dingtalk.com/robot/send?access_token=t0ken")
    assert main(["setup", "--yes", "--config", "config.yaml", *words]) == 2
    found = capsys.readouterr().err
    assert said in found and "t0ken" not in found
    assert len(found.splitlines()) == 1


def test_without_a_terminal_the_options_are_named(place: Path) -> None:
    done = run("setup", "--config", "config.yaml", cwd=place, input=b"")
    assert done.returncode == 2
    assert b"--yes with --webhook-file FILE" in done.stderr and done.stdout == b""


def test_a_wrong_configuration_is_told_first(place: Path) -> None:
    (place / "config.yaml").write_text("feishu: {webhok_url: x}")
    with FeishuDouble() as group:
        secrets_into(place, group)
        done = unattended(place, *FILES)
        assert group.requests() == []
    assert done.returncode == 2
    assert b"config.yaml:1: unknown key feishu.webhok_url" in done.stderr


def test_a_drop_in_that_says_otherwise_is_named(place: Path) -> None:
    (place / "conf.d").mkdir()
    (place / "conf.d/bot.yaml").write_text("feishu:\n  secret: other\n")
    before = (place / "config.yaml").read_bytes()
    with FeishuDouble() as group:
        secrets_into(place, group)
        done = unattended(place, *FILES)
    assert done.returncode == 2
    assert b"conf.d/bot.yaml:2: gives feishu.secret" in done.stderr
    assert (place / "config.yaml").read_bytes() == before


# --- at a terminal --------------------------------------------------------------------------------


def test_a_person_is_asked_and_what_they_type_is_not_shown(place: Path) -> None:
    with (
        FeishuDouble(secret=SECRET, keyword="通知") as group,
        terminal(["setup", "--config", "config.yaml"], place) as person,
    ):
        person.expect("2 of 3 authentication lines of the last day understood")
        person.expect(r"webhook, not shown.*: ")
        person.type("http://open.feishu.cn/nonsense")
        person.expect("must begin with https://")
        person.expect(r"webhook, not shown.*: ")
        person.type(f' "{group.url}" ')
        person.expect(r"secret of the signature check.*: ")
        person.type("wrong")
        person.expect(r"language of the notices.*\[zh\]: ")
        person.type("klingon")
        person.expect("please answer with one of: zh, en")
        person.type("en")
        person.expect("the secret is not this bot's")
        person.expect(r"again, skip .* quit\? \[again\]: ")
        person.type("")
        person.expect(r"webhook, not shown.*Enter keeps it.*: ")
        person.type("")
        person.expect(r"secret .*Enter keeps it.*: ")
        person.type(SECRET)
        person.expect("delivered: it stands in the group")
        assert person.end() == 0
        url = group.url
        assert "notice" in group.texts()[0]
        assert [one.accepted for one in group.requests()] == [False, True]
    settings = load(place / "config.yaml")
    assert (settings.feishu.webhook_url, settings.feishu.secret) == (url, SECRET)
    assert settings.language == "en"
    assert TOKEN not in person.shown and "s3cret" not in person.shown
    assert "nonsense" not in person.shown


def answered_until_refused(person: Terminal, group: FeishuDouble) -> None:
    person.expect(r"webhook, not shown.*: ")
    person.type(group.url)
    person.expect(r"secret .*: ")
    person.type("")
    person.expect(r"language .*: ")
    person.type("")
    person.expect(r"again, skip .* quit\? \[again\]: ")


LATIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale in which half of the questions cannot be written."""


def test_skip_keeps_what_was_refused(place: Path) -> None:
    with (
        FeishuDouble(script=["code:19007"]) as group,
        terminal(["setup", "--config", "config.yaml"], place, LATIN) as person,
    ):
        answered_until_refused(person, group)
        person.type("s")
        person.expect("config.yaml is written")
        assert person.end() == 1
        assert load(place / "config.yaml").feishu.webhook_url == group.url


def test_what_was_wrong_before_is_not_forgotten_by_trying_again(place: Path) -> None:
    (place / "auth.log").unlink()
    with (
        FeishuDouble(script=["code:19007"]) as group,
        terminal(["setup", "--config", "config.yaml"], place) as person,
    ):
        person.expect("NOT readable: .*there is no such file")
        answered_until_refused(person, group)
        for _ in range(3):  # again, with what is there
            person.type("")
            person.expect(r"webhook.*: |secret.*: |delivered: it stands in the group")
        assert person.end() == 1


@pytest.mark.parametrize(
    ("answer", "end", "status"), [("q", "\n", 1), ("\x04", "", 1), ("\x03", "", 130)]
)
def test_who_stops_changes_nothing(place: Path, answer: str, end: str, status: int) -> None:
    """Quit, the end of the input (Ctrl-D) and Ctrl-C."""
    before = (place / "config.yaml").read_bytes()
    with (
        FeishuDouble(script=["code:19007"]) as group,
        terminal(["setup", "--config", "config.yaml"], place) as person,
    ):
        answered_until_refused(person, group)
        person.type(answer, end)
        person.expect(QUIT)
        assert person.end() == status
    assert (place / "config.yaml").read_bytes() == before


def test_no_webhook_is_an_answer(place: Path) -> None:
    with terminal(["setup", "--config", "config.yaml", "--language", "zh"], place) as person:
        person.expect(r"webhook, not shown.*: ")
        person.type("")
        person.expect("no bot: notices go to the terminal")
        assert person.end() == 0


def test_an_ordinary_user_is_told_what_works(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    let_in(place)
    (place / "config.yaml").chmod(0o644)
    (place / "auth.log").chmod(0o644)
    with FeishuDouble() as group:
        secrets_into(place, group)
        for name in ("webhook", "secret"):
            (place / name).chmod(0o644)
        done = unattended(place, *FILES, user=65534, group=65534, extra_groups=[])
        assert len(group.notices()) == 1
    said = done.stdout.decode()
    assert done.returncode == 1
    assert said.index("This is not root") < said.index("1. This host")
    assert "2 of 3 authentication lines" in said
    assert "NOT written: " in said and "cannot be written by this user" in said


# --- the parts ------------------------------------------------------------------------------------


def test_somebody_else_changed_the_file_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("language: zh\n")
    with pytest.raises(Exception, match="was changed by somebody else"):
        config_file.write(path, "language: en\n", "language: zh # before\n", {})
    assert path.read_text() == "language: zh\n"
    assert [one.name for one in tmp_path.iterdir()] == ["config.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text("language: zh\n")
    link.symlink_to(real)
    config_file.write(link, "language: en\n", "language: zh\n", {"language": "en"})
    assert link.is_symlink() and real.read_text() == "language: en\n"


def test_what_an_ordinary_user_keeps_to_himself_stays_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    path = tmp_path / "config.yaml"
    path.write_text("language: zh\n")
    path.chmod(0o604)
    assert config_file.protect(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config_file.write(path, "language: en\n", "language: zh\n", {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config_file.write_new(tmp_path / "new.yaml", "")
    assert stat.S_IMODE((tmp_path / "new.yaml").stat().st_mode) == 0o640


def test_a_text_that_is_no_configuration_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(Exception, match=r"config\.yaml:1: unknown key nonsense"):
        config_file.write(path, "nonsense: 1\n", None, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://open.feishu.cn/open-apis/bot/v2/hook/x", ""),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", "wecom"),
        ("open.feishu.cn/hook", "must begin with https://"),
    ],
)
def test_what_is_wrong_with_a_webhook(url: str, said: str) -> None:
    assert said in mistake_in(url) if said else mistake_in(url) == ""
