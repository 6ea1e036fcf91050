"""The Apprise library over real sockets, by its json:// addresses, and what it must not say."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.notify.support import NOW_US, login, logout, notice, queued
from usersessionmon.cli.main import main
from usersessionmon.errors import UserError
from usersessionmon.notify.apprise import AppriseChannel, make
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.settings import AppriseSettings
from usersessionmon.notify.words import Voice
from usersessionmon.strict import BadValuesError

A = Answer
PASSWORD = "correct-horse-battery"
ONE = [queued(7, notice(login()))]

if importlib.util.find_spec("apprise") is None and not os.environ.get("CI"):
    pytest.skip("the Apprise library is not installed (make deps)", allow_module_level=True)


@dataclass
class Hooks:
    """A server that takes what ``json://`` addresses send, by path."""

    port: int
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """What the next requests to a path are answered with; then 200.  0: nothing."""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str = "one", more: str = "") -> str:
        return f"json://bot:{PASSWORD}@127.0.0.1:{self.port}/{path}{more}"

    def texts(self, path: str = "one") -> list[str]:
        return [f"{one['title']}\n{one['message']}" for at, one in self.taken if at == path]

    def wait_for(self, requests: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.asked) >= requests, 5)


@contextmanager
def hooks(statuses: Mapping[str, Sequence[int]] | None = None) -> Iterator[Hooks]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.strip("/").partition("?")[0]
            steps = made.statuses.get(path, [])
            status = steps.pop(0) if steps else 200
            with made.came:
                made.asked.append(path)
                if status == 200:
                    made.taken.append((path, body))
                made.came.notify_all()
            if status == 0:
                made.release.wait(20)
                return
            self.send_response(status)
            if status == 307:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    steps = {path: list(some) for path, some in (statuses or {}).items()}
    made = Hooks(server.server_port, steps)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def channel(*urls: str, seconds: float = 5) -> AppriseChannel:
    secret = Secret("x", "\n".join(urls))
    return AppriseChannel("chat", "channels.chat", secret, Voice(UTC), seconds)


def send(made: AppriseChannel, batch: Sequence[Queued] = ONE) -> Result:
    return made.send(batch, now_us=NOW_US)


def calls_end() -> bool:
    for thread in threading.enumerate():
        if thread.name == "apprise-call":
            thread.join(5)
    return not any(thread.name == "apprise-call" for thread in threading.enumerate())


def test_a_notice_through_the_library() -> None:
    with hooks() as server:
        made = channel(server.url())
        assert send(made).answer is A.DELIVERED
        assert send(made, [queued(8, notice(logout(abnormal=True)))]).answer is A.DELIVERED
        first, second = (body for _, body in server.taken)
    assert first["title"] == "用户登录通知" and first["type"] == "info"
    assert first["message"].startswith("服务器：web-1\n服务器IP：192.0.2.10\n用户名：alice\n")
    assert second["type"] == "warning"


@pytest.mark.parametrize("name", ["a\\nb\\x41", "**b** <b>", ":smile:", '<at user_id="all">'])
def test_foreign_text_stays_text(name: str) -> None:
    with hooks() as server:
        assert send(channel(server.url()), [queued(1, notice(login(name)))]).answer is A.DELIVERED
        (text,) = server.texts()
    shown = name.replace("<", "＜").replace(">", "＞")
    assert f"\n用户名：{shown}\n" in text


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_means_unknown_and_does_not_say_where(status: int) -> None:
    with hooks({"one": [status]}) as server:
        made = channel(server.url())
        result = send(made)
        assert result == Result(A.UNKNOWN, "number 1 (json): did not take it")
        assert send(made).answer is A.DELIVERED


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    with hooks() as there:
        assert send(channel(there.url())).answer is Answer.DELIVERED
        assert len(there.taken) == 1


def test_no_redirect_is_followed() -> None:
    import apprise

    if not hasattr(apprise.AppriseAsset, "http_redirects"):
        pytest.skip("this version of the library cannot be told not to")
    with hooks({"one": [307]}) as server:
        assert send(channel(server.url())).answer is A.UNKNOWN
        assert server.asked == ["one"]


def test_who_has_it_is_not_sent_it_again() -> None:
    with hooks({"two": [500, 500]}) as server:
        made = channel(server.url("one"), server.url("two"))
        for _ in range(2):
            result = send(made)
            assert result == Result(A.UNKNOWN, "number 2 (json): did not take it")
        both = [*ONE, queued(8, notice(login("bob")))]
        assert send(made, both).answer is A.DELIVERED
        one, two = server.texts("one"), server.texts("two")
    assert len(one) == 2 and len(two) == 1
    assert "alice" in one[0] and "bob" in one[1] and "alice" not in one[1]
    assert "alice" in two[0] and "bob" in two[0]


def test_a_call_that_hangs_is_left_behind_and_no_second_one_begins() -> None:
    with hooks({"one": [0]}) as server:
        made = channel(server.url("one"), server.url("two"), seconds=0.3)
        begun = time.monotonic()
        result = send(made)
        assert time.monotonic() - begun < 3
        assert result == Result(A.TRANSIENT, "number 1 (json): no whole answer in 0.3 s")
        for _ in range(3):
            result = send(made)
            assert result.answer is A.TRANSIENT and "still hangs" in result.said
        assert sum(thread.name == "apprise-call" for thread in threading.enumerate()) == 1
        assert sorted(server.asked) == ["one", "two"], "the other one has it, once"
        server.release.set()
        assert calls_end()
        assert send(made).answer is A.DELIVERED


def test_close_ends_a_running_call_at_once() -> None:
    with hooks({"one": [0]}) as server:
        made = channel(server.url(), seconds=30)
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(send(made)))
        thread.start()
        server.wait_for(1)
        made.close()
        thread.join(3)
        assert not thread.is_alive()
        assert results[0].answer is A.TRANSIENT and "ending" in results[0].said
        assert send(made).answer is A.TRANSIENT and len(server.asked) == 1
        server.release.set()
        assert calls_end()


def test_nothing_of_an_address_is_shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with hooks({"one": [500]}) as server, caplog.at_level(0):
        port = server.port
        made = channel(server.url(), "json://bot:correct-horse-battery@nowhere.invalid/x")
        result = send(made)
        assert result.answer is A.UNKNOWN
    shown = "".join([result.said, caplog.text, *capfd.readouterr(), made.address, repr(made)])
    shown += repr(made._addresses)
    assert made.address == "number 1 (json), number 2 (json)"
    for hidden in (PASSWORD, "127.0.0.1", str(port), "nowhere"):
        assert hidden not in shown


def test_the_librarys_log_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    """Python writes warnings that nobody takes to standard error."""
    code = (
        "import logging, sys; from datetime import UTC\n"
        "from usersessionmon.notify.apprise import AppriseChannel as C\n"
        "from usersessionmon.notify.secret import Secret\n"
        "from usersessionmon.notify.words import Voice\n"
        "C('chat', 'channels.chat', Secret('x', 'json://127.0.0.1:1/x'), Voice(UTC))\n"
        "for name in ('apprise', 'apprise.plugins', 'urllib3.connectionpool', 'paho', ''):\n"
        "    logging.getLogger(name).critical('SECRET')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "SECRET" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("urls", "numbers"),
    [
        (["nonsense"], [1]),
        (["json://localhost/x", f"nothing://bot:{PASSWORD}@x"], [2]),
        ([f"tgram://{PASSWORD}", "json://localhost/x", "json://"], [1, 3]),
    ],
)
def test_what_the_library_does_not_understand(urls: list[str], numbers: list[int]) -> None:
    with pytest.raises(UserError) as error:
        make("chat", "channels.chat", AppriseSettings(urls=tuple(urls)), Voice(UTC))
    words = "channels.chat.urls: Apprise does not understand number"
    assert list(error.value.lines) == [f"{words} {number}" for number in numbers]


def test_addresses_are_read_anew_from_their_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "urls"
    with hooks() as server:
        path.write_text(f"# ours\n\n  {server.url('one')}  \n")
        settings = AppriseSettings(urls_file=str(path))
        made = make("chat", "channels.chat", settings, Voice(UTC))
        assert send(made, [queued(1, notice(login()))]).answer is A.DELIVERED
        path.write_text(f"{server.url('two')}\n{server.url('three')}\n{server.url('two')}\n")
        assert send(made, [queued(2, notice(login()))]).answer is A.DELIVERED
        path.write_text(f"{server.url('two')}\nnothing://{PASSWORD}\n")
        for number in (3, 4):
            assert send(made, [queued(number, notice(login()))]).answer is A.DELIVERED
        assert sorted(server.asked) == ["one", "three", "three", "three", "two", "two", "two"]
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [
        "channels.chat.urls: Apprise does not understand number 2; those before are used"
    ]
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ((), "urls or urls_file is needed"),
        (("json://x", ""), "number 2 is no address"),
        ((f"json://bot:{PASSWORD}@x\njson://y",), "number 1 is no address"),
        (tuple(f"json://x/{n}" for n in range(21)), "at most 20"),
    ],
)
def test_settings_that_cannot_be(urls: tuple[str, ...], expected: str) -> None:
    with pytest.raises(BadValuesError, match=expected) as error:
        AppriseSettings(urls=urls)
    assert PASSWORD not in str(error.value)


def test_a_file_without_addresses(tmp_path: Path) -> None:
    path = tmp_path / "urls"
    path.write_text("# none yet\n")
    with pytest.raises(UserError, match=r"channels.chat.urls: must be 1 to 20 addresses"):
        make("chat", "channels.chat", AppriseSettings(urls_file=str(path)), Voice(UTC))


def test_a_digest_is_as_long_as_the_tightest_service_takes() -> None:
    batch = [queued(number, notice(login(f"user{number}"))) for number in range(200)]
    wide = channel("json://localhost/x")
    assert wide.fits(batch, now_us=NOW_US) == 200 and wide.is_plain(batch)
    tight = channel("json://localhost/x", "tgram://123456789:abcdefg_hijklmnop/12315544/")
    count = tight.fits(batch, now_us=NOW_US)
    assert 20 < count < 100, "Telegram takes 4096 characters"
    assert tight.fits(batch[:1], now_us=NOW_US) == 1


@pytest.mark.parametrize("more", ["", "?overflow=upstream"])
def test_what_is_too_long_for_a_service_goes_in_parts(more: str) -> None:
    batch = [queued(number, notice(login(f"user{number}"))) for number in range(200)]
    with hooks() as server:
        made = channel(server.url(more=more))
        made._addresses[0].service[0].body_maxlen = 4096
        assert send(made, batch).answer is A.DELIVERED
        texts = "".join(body["message"] for _, body in server.taken)
        assert (len(server.taken) > 1) is (not more), "unless the address says otherwise"
        assert "user199" in texts


def test_the_library_is_imported_only_where_it_is_wanted() -> None:
    code = (
        "import sys, usersessionmon.notify.registry; sys.exit('apprise' in sys.modules or "
        "'smtplib' in sys.modules or 'email.message' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_library_it_is_said_which_key_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UserError) as error:
        channel("json://localhost/x")
    (line,) = error.value.lines
    assert line.startswith("channels.chat.type: apprise needs the Apprise library")
    assert "pip install apprise" in line


@pytest.mark.parametrize("command", [["check"], ["run", "--once"], ["test-notify"]])
def test_a_wrong_address_is_a_wrong_configuration(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"monitor: {{source: file, log_file: {tmp_path}/auth.log}}\n"
        f"state: {{dir: {tmp_path}/state}}\n"
        f"channels: {{chat: {{type: apprise, urls: ['nothing://{PASSWORD}']}}}}\n"
    )
    assert main(["--config", str(config), *command]) == 2
    shown = capfd.readouterr()
    assert shown.out == "" and shown.err == (
        "user-session-monitor: channels.chat.urls: Apprise does not understand number 1\n"
    )
    assert not (tmp_path / "state").exists(), "told before anything is made"
