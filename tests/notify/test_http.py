"""One exchange over a real socket: bounded, no redirect, no secret in any word."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.feishu_double import TOKEN, FeishuDouble
from tests.notify.certificates import certificate_for
from usersessionmon.notify.http import HttpClient, Reply, Unanswered, masked

JSON = "application/json; charset=utf-8"
BODY = '{"msg_type":"text","content":{"text":"通知"}}'.encode()


@contextmanager
def client(seconds: float = 5.0, *, proxy: str = "", ca_file: str = "") -> Iterator[HttpClient]:
    made = HttpClient(seconds=seconds, proxy=proxy, ca_file=ca_file)
    try:
        yield made
    finally:
        made.close()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def threads_end(name: str = "http-exchange") -> bool:
    """Whether the exchange threads are gone, soon."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(5)
    return not any(thread.name == name for thread in threading.enumerate())


def test_an_answer_and_the_bytes_as_they_were() -> None:
    with FeishuDouble() as double, client() as http:
        reply = http.post(double.url, BODY, JSON)
        assert isinstance(reply, Reply) and reply.status == 200 and b'"code": 0' in reply.body
        (one,) = double.requests()
        assert one.body == BODY
        assert one.headers["content-type"] == JSON


def test_one_connection_is_kept_alive() -> None:
    with FeishuDouble() as double, client() as http:
        opened: list[object] = []
        note = double.opened

        def count(connection: socket.socket) -> None:
            opened.append(connection)
            note(connection)

        double.opened = count  # type: ignore[method-assign]
        for _ in range(4):
            assert isinstance(http.post(double.url, BODY, JSON), Reply)
        assert len(opened) == 1


@pytest.mark.parametrize("step", ["hang", "drip", "drip-head"])
def test_the_whole_exchange_is_bounded(step: str) -> None:
    with FeishuDouble(script=[step]) as double, client(1.5) as http:
        begun = time.monotonic()
        outcome = http.post(double.url, BODY, JSON)
        assert isinstance(outcome, Unanswered)
        assert time.monotonic() - begun < 6
        assert threads_end(), "the exchange's thread must not live on with the server"
        assert isinstance(http.post(double.url, BODY, JSON), Reply), "the next one is clean"


def test_an_endless_answer_is_cut() -> None:
    with FeishuDouble(script=["big"]) as double, client() as http:
        reply = http.post(double.url, BODY, JSON)
        assert reply == Reply(200, b"")


def test_no_redirect_is_followed() -> None:
    with FeishuDouble(script=["redirect"]) as double, client() as http:
        reply = http.post(double.url, BODY, JSON)
        assert isinstance(reply, Reply) and reply.status == 302
        assert double.elsewhere == 0


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    with FeishuDouble() as double, client() as http:
        assert isinstance(http.post(double.url, BODY, JSON), Reply)


def test_the_configured_proxy_is_used() -> None:
    with FeishuDouble() as proxy, client(proxy=f"http://127.0.0.1:{proxy.port}") as http:
        reply = http.post("http://open.feishu.invalid/hook/token", BODY, JSON)
        assert isinstance(reply, Reply)
        assert proxy.requests()[0].path == "http://open.feishu.invalid/hook/token"


@contextmanager
def one_shot(answer: bytes) -> Iterator[int]:
    """A server that says ``answer`` to whatever comes, once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(5)


def test_a_proxy_that_wants_a_password_is_a_407() -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with one_shot(answer) as port, client(proxy=f"http://127.0.0.1:{port}") as http:
        reply = http.post(f"https://open.feishu.invalid/hook/{TOKEN}", BODY, JSON)
        assert reply == Reply(407, b"")


def failures(tmp_path: Path) -> dict[str, tuple[str, str, str, str]]:
    """(URL, proxy, CA file, what the words must hold) of exchanges that cannot succeed."""
    port = unused_port()
    return {
        "refused": (f"http://127.0.0.1:{port}/hook/{TOKEN}", "", "", "refused"),
        "dns": (f"https://nowhere.invalid/hook/{TOKEN}", "", "", "resolved"),
        "ca": (f"https://127.0.0.1:{port}/hook/{TOKEN}", "", str(tmp_path / "no"), "CA"),
        "url": (f"https://[::1/hook/{TOKEN}", "", "", "address"),
        "proxy": (f"http://127.0.0.1:{port}/hook/{TOKEN}", "http://[", "", "address"),
    }


@pytest.mark.parametrize("case", ["refused", "dns", "ca", "url", "proxy"])
def test_failures_are_words_without_the_token(case: str, tmp_path: Path) -> None:
    url, proxy, ca_file, word = failures(tmp_path)[case]
    with client(proxy=proxy, ca_file=ca_file) as http:
        outcome = http.post(url, BODY, JSON)
    assert isinstance(outcome, Unanswered)
    assert word in outcome.text
    assert TOKEN not in outcome.text and "127.0.0.1" not in outcome.text
    assert outcome.ours is (case in ("ca", "url", "proxy"))


def test_no_tls_on_the_other_side() -> None:
    with FeishuDouble() as double, client() as http:
        outcome = http.post(double.url.replace("http:", "https:"), BODY, JSON)
        assert isinstance(outcome, Unanswered) and "TLS" in outcome.text


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_for(tmp_path)


def test_tls_with_a_private_ca(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FeishuDouble(script=["ok", "ok", "drip"], tls=context) as double:
        with client(ca_file=str(certificate)) as http:
            for _ in range(2):
                assert isinstance(http.post(double.url, BODY, JSON), Reply)
        with client(0.5, ca_file=str(certificate)) as http:
            assert isinstance(http.post(double.url, BODY, JSON), Unanswered)
            assert threads_end()
        with client() as http:
            outcome = http.post(double.url, BODY, JSON)
        assert isinstance(outcome, Unanswered) and "not trusted" in outcome.text
        assert not outcome.ours and len(double.requests()) == 3


def test_a_tls_handshake_that_never_ends_is_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, client(0.5) as http:
        port = silent.getsockname()[1]
        outcome = http.post(f"https://127.0.0.1:{port}/hook/{TOKEN}", BODY, JSON)
        assert isinstance(outcome, Unanswered)
        assert threads_end()


@pytest.mark.parametrize("step", ["close", "short", "deliver-cut"])
def test_a_cut_connection(step: str) -> None:
    with FeishuDouble(script=[step]) as double, client() as http:
        outcome = http.post(double.url, BODY, JSON)
        assert isinstance(outcome, Unanswered) or outcome.status == 200


def test_close_ends_a_running_exchange_at_once() -> None:
    with FeishuDouble(script=["hang"]) as double, client(30) as http:
        outcomes: list[Reply | Unanswered] = []
        thread = threading.Thread(target=lambda: outcomes.append(http.post(double.url, BODY, JSON)))
        thread.start()
        double.wait_for_requests(1)
        http.close()
        thread.join(3)
        assert not thread.is_alive() and isinstance(outcomes[0], Unanswered)
        assert threads_end()
        assert isinstance(http.post(double.url, BODY, JSON), Unanswered)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://open.feishu.cn/open-apis/bot/v2/hook/0123-4567-89ab-cdef", "…/hook/****cdef"),
        ("https://x/hook/abcd", "…/hook/****"),
        ("https://x", "…//****"),
        ("https://x/robot/send?access_token=0123456789abcdef", "…/send?access_token=****cdef"),
        ("https://x/send?key=0123&0123456789abcdef", "…/send?key=****&****cdef"),
        ("https://x?0123456789abcdef", "…/?****cdef"),
        ("https://x/hook?0123456789abcd==", "…/hook?****cd=="),
        ("https://x/hook/0123456789abcdef?v=1", "…/****cdef?v=****"),
    ],
)
def test_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_requests_is_imported_only_when_something_is_sent() -> None:
    code = (
        "import sys, usersessionmon.notify.feishu as f; from usersessionmon.notify.http import"
        " HttpClient; HttpClient().close(); sys.exit('requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
