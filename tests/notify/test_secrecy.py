"""The webhook's token and the secret: taken up when their files change, and shown nowhere."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import pytest

from tests.feishu_double import HOOK, TOKEN, FeishuDouble
from tests.notify.certificates import certificate_for
from tests.notify.support import SECRET, login, notice, post_office, queued
from usersessionmon.cli.main import main
from usersessionmon.notify import feishu
from usersessionmon.notify.base import Answer, Result
from usersessionmon.notify.feishu import FeishuChannel
from usersessionmon.notify.settings import FeishuSettings
from usersessionmon.notify.words import Voice

PASSWORD = "hunter2-of-the-proxy"
NEW_TOKEN = "9a8b7c6d-moved-token-wxyz"
NEW_SECRET = "another-secret-of-the-bot"
HIDDEN = (TOKEN, SECRET, PASSWORD, NEW_TOKEN, NEW_SECRET)


def check(*texts: object) -> None:
    """None of it may stand in any of them."""
    for text in texts:
        for hidden in HIDDEN:
            assert hidden not in str(text)
            assert hidden not in repr(text)


def listen(caplog: pytest.LogCaptureFixture) -> None:
    """To all that is logged, whatever the program wants to be heard."""
    for name in ("", "urllib3", "urllib3.connectionpool", "requests", "http.client"):
        caplog.set_level(logging.DEBUG, logger=name)


def channel(settings: FeishuSettings) -> FeishuChannel:
    return feishu.make("feishu", "feishu", settings, Voice(UTC))


def send(bot: FeishuChannel, now_us: int) -> Result:
    return bot.send([queued(1, notice(login()))], now_us=now_us)


def test_a_bot_that_moves_gets_the_next_notice_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    address, secret = tmp_path / "webhook", tmp_path / "secret"
    with FeishuDouble(secret=SECRET, limits=False) as double:
        now_us = double.clock.now_us()
        address.write_text(double.url + "\n")
        secret.write_text(SECRET)
        settings = FeishuSettings(webhook_url_file=str(address), secret_file=str(secret))
        with contextlib.closing(channel(settings)) as bot:
            assert send(bot, now_us).answer is Answer.DELIVERED

            double.token = NEW_TOKEN
            refused = send(bot, now_us)
            assert refused.answer is Answer.CONFIGURATION and "19001" in refused.said
            address.write_text(double.url.replace(TOKEN, NEW_TOKEN))
            assert send(bot, now_us).answer is Answer.DELIVERED
            assert bot.address.endswith("wxyz")

            double.secret = NEW_SECRET
            refused = send(bot, now_us)
            assert refused.answer is Answer.CONFIGURATION and "19021" in refused.said
            secret.write_text(NEW_SECRET)
            assert send(bot, now_us).answer is Answer.DELIVERED

            address.unlink()
            assert send(bot, now_us).answer is Answer.DELIVERED, "the last one is good still"
        assert [one.path for one in double.requests()][-1] == HOOK + NEW_TOKEN
        check(refused, caplog.text)


ECHO = f"body:{{'code': 19001, 'msg': '{TOKEN} {SECRET}'}}".replace("'", '"')
FAULTS = [
    "ok", "code:19001", f"code:19021:{SECRET}", "code:19022", "code:19024", "code:19007",
    "code:11232", "code:9499:Bad Request", f"code:77777:{HOOK}{TOKEN}", "status:404", "status:407",
    "status:500", "429:5", "html", "redirect", "hang", "drip", "drip-head", "close", "short",
    "deliver-cut", "big", ECHO,
]  # fmt: skip


@pytest.mark.parametrize("step", FAULTS)
def test_whatever_the_server_does(
    step: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the worker: what it logs, what it notes of the channel and what others can read of it."""
    listen(caplog)
    with post_office(tmp_path, step) as post:
        post.queue(login())
        post.step()
        assert len(post.double.requests()) == 1
        state = post.reader.state("feishu")
        check(state, post.in_use, post.worker, caplog.text)
    check(caplog.text, *(path.read_bytes() for path in tmp_path.glob("state.db*")))
    assert state.answer is not None


@contextmanager
def raw_server(answer: bytes) -> Iterator[int]:
    """Says the same to everybody, whatever it hears."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


BROKEN = {
    "headers": b"HTTP/1.1 200 OK\r\nno header at all\r\nX: y\r\nContent-Length: 2\r\n\r\n{}",
    "status line": b"HTTP/9 abc\r\n\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_no_http(
    answer: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    listen(caplog)
    with raw_server(answer) as port:
        url = f"http://127.0.0.1:{port}{HOOK}{TOKEN}"
        with contextlib.closing(channel(FeishuSettings(url, secret=SECRET))) as bot:
            result = send(bot, 0)
    assert result.answer is not Answer.DELIVERED
    check(result, caplog.text, *capfd.readouterr())


def test_no_way_to_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """DNS, refused, TLS of several kinds, and proxies whose address holds a password."""
    listen(caplog)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_for(tmp_path))
    with socket.socket() as unused, FeishuDouble() as plain, FeishuDouble(tls=context) as tls:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        secure = plain.url.replace("http:", "https:")
        outside = f"https://feishu.invalid{HOOK}{TOKEN}"
        user = f"http://proxy-user:{PASSWORD}@127.0.0.1"
        tried = [
            FeishuSettings(outside),
            FeishuSettings(f"http://127.0.0.1:{closed}{HOOK}{TOKEN}"),
            FeishuSettings(secure),
            FeishuSettings(tls.url),
            FeishuSettings(tls.url, ca_file="/nowhere/ca.pem"),
            FeishuSettings(outside, proxy=f"{user}:{closed}"),
            FeishuSettings(outside, proxy=f"{user}:{plain.port}"),
            FeishuSettings(plain.url, proxy=f"http://proxy-user:{PASSWORD}@proxy.invalid:3128"),
        ]
        for settings in tried:
            with contextlib.closing(channel(settings)) as bot:
                result = send(bot, 0)
                assert result.answer is not Answer.DELIVERED
                check(result, bot, settings, caplog.text)
        assert plain.notices() == tls.notices() == []


def test_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    with FeishuDouble(script=[ECHO, "code:19021:" + SECRET]) as double:
        config = tmp_path / "config.yaml"
        proxy = f"http://u:{PASSWORD}@127.0.0.1:9"
        config.write_text(
            f"state: {{dir: {tmp_path / 'state'}}}\n"
            f"feishu: {{webhook_url: '{double.url}', secret: {SECRET}}}\n"
            f"channels: {{b: {{type: feishu, webhook_url: '{double.url}', proxy: '{proxy}'}}}}\n"
        )
        commands = (["check"], ["check", "--json"], ["status"], ["test-notify"])
        for words in (*commands, ["notices", "preview", "--json"]):
            main(["--config", str(config), *words])
            check(*capsys.readouterr())
        assert len(double.requests()) == 1
    check(caplog.text)


@pytest.mark.parametrize(
    "wrong",
    [
        f"webhook_url: http://example.com/{TOKEN}",
        f"webhook_url: [{TOKEN}]",
        f"webhook_url: 'https://x y/{TOKEN}'",
        f"secret: {{{SECRET}: 1}}",
        f"{{webhook_url: https://x/{TOKEN}, webhook_url_file: /a}}",
        f"proxy: [{PASSWORD}]",
        f"webhook_url: 'https://x/{TOKEN}",
    ],
)
def test_a_mistake_in_the_configuration(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"feishu:\n  {wrong}\n")
    assert main(["--config", str(config), "check"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"user-session-monitor: {config}:")
    check(err)
