"""A Feishu custom bot that lives on loopback: checks what the real one checks, and misbehaves on
request.

By hand: ``python -m tests.feishu_double --port 8900 --secret s --keyword 通知 --script html,hang``.

A script is a list of steps, one for each request to the hook, in order; when it is used up the
bot behaves.  Steps: ``ok`` (behave) · ``code:N`` or ``code:N:message`` · ``status:N`` ·
``429:SECONDS`` (with Retry-After) · ``html`` · ``redirect`` · ``hang`` · ``drip`` (the body, a byte
at a time) · ``drip-head`` · ``close`` (before any answer) · ``reset`` (the same by a TCP reset) ·
``short`` (close inside the answer) ·
``deliver-cut`` (take the notice, then cut) · ``deliver-short`` · ``deliver-hang`` · ``body:TEXT``
(HTTP 200 with this body) · ``big`` (an endless body).  Only ``ok`` and ``deliver-…`` take a notice.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from usersessionmon.clock import Clock, SystemClock

HOOK = "/open-apis/bot/v2/hook/"
TOKEN = "0f1e2d3c-test-token-abcd"
MAX_BODY = 20 * 1024
PER_SECOND = 5
PER_MINUTE = 100
SIGN_SECONDS = 3600
DRIP_SECONDS = 0.05

_TAKES = frozenset({"ok", "deliver-cut", "deliver-short", "deliver-hang"})
MESSAGES = {
    0: "success",
    9499: "Bad Request",
    11232: "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]",
    19001: "param invalid: incoming webhook access token invalid",
    19002: "params error, msg_type need",
    19007: "Bot Not Enabled",
    19021: "sign match fail or timestamp is not within one hour from current time",
    19022: "Ip Not Allowed",
    19024: "Key Words Not Found",
    19036: "params error, content is too large",
    11246: "card content is invalid",
    99991400: "request trigger frequency limit",
}


@dataclass(frozen=True, slots=True)
class Received:
    """One request to the hook, as it came."""

    at_us: int
    """By the double's clock."""
    path: str
    headers: dict[str, str]
    body: bytes
    payload: dict[str, Any] | None
    text: str
    """What a reader would see: the text, or a card's title and texts, a line each."""
    step: str
    accepted: bool


class FeishuDouble:
    """The bot.  A context manager; ``url`` is its webhook."""

    def __init__(
        self,
        *,
        port: int = 0,
        secret: str = "",
        keyword: str = "",
        script: Sequence[str] = (),
        limits: bool = True,
        clock: Clock | None = None,
        told: Callable[[Received], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``limits``: refuse beyond 5 requests a second and 100 a minute by ``clock``.
        ``told`` is called for every request, in a thread of the server."""
        self.secret = secret
        self.token = TOKEN
        self.keyword = keyword
        self.limits = limits
        self.clock: Clock = clock or SystemClock()
        self.always = ""
        """A step for every request that the script has none for; empty: behave."""
        self.refused_text = ""
        """A text that makes a request a "Bad Request"."""
        self.refused_with = ""
        """The step that is played for it instead."""
        self.closing = threading.Event()
        self.elsewhere = 0
        """Requests to where ``redirect`` points: nobody should go there."""
        self.told = told
        self._script = list(script)
        self._requests: list[Received] = []
        self._arrivals: list[int] = []
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", port), self)
        self.port = int(self._server.server_address[1])
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{HOOK}{TOKEN}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="feishu-double", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, cutting every connection; returns when all of its threads are done."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, 5)

    def script(self, *steps: str) -> None:
        """Add steps for the requests to come."""
        with self._changed:
            self._script.extend(steps)

    def requests(self) -> list[Received]:
        """Everything that came to the hook, refused ones too, in order."""
        with self._changed:
            return list(self._requests)

    def notices(self) -> list[Received]:
        """What was accepted, in order: what the group's members see."""
        with self._changed:
            return [one for one in self._requests if one.accepted]

    def texts(self) -> list[str]:
        """The texts of ``notices``."""
        return [one.text for one in self.notices()]

    def wait_for(self, count: int, seconds: float = 10.0) -> list[str]:
        """The texts as soon as ``count`` were accepted, else those of after ``seconds``."""
        with self._changed:
            self._changed.wait_for(
                lambda: sum(one.accepted for one in self._requests) >= count, seconds
            )
        return self.texts()

    def wait_for_requests(self, count: int, seconds: float = 10.0) -> list[Received]:
        """As ``wait_for``, counting refused requests as well."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._requests) >= count, seconds)
        return self.requests()

    # Called by the handler, in the server's threads.

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> tuple[str, int]:
        """Note a request: (the step to play, the code that a behaving bot answers)."""
        now_us = self.clock.now_us()
        payload = _payload(body)
        with self._changed:
            step = self._script.pop(0) if self._script else (self.always or "ok")
            code = self._code(now_us, path, headers, body, payload)
            if self.refused_with and self._is_poisoned(body):
                step = self.refused_with
            accepted = code == 0 and step in _TAKES
            text = self.readable(payload) if payload else ""
            one = Received(now_us, path, headers, body, payload, text, step, accepted)
            self._requests.append(one)
            self._changed.notify_all()
        if self.told:
            self.told(one)
        return step, code

    def answer(self, code: int, message: str = "") -> tuple[int, bytes]:
        """The status and the body that say ``code``; other platforms' doubles have their own."""
        return 200, answer_body(code, message)

    def readable(self, payload: dict[str, Any]) -> str:
        return _readable(payload)

    def _code(
        self,
        now_us: int,
        path: str,
        headers: dict[str, str],
        body: bytes,
        payload: dict[str, Any] | None,
    ) -> int:
        self._arrivals = [at for at in self._arrivals if now_us - at < 60_000_000] + [now_us]
        if self.limits:
            last_second = sum(now_us - at < 1_000_000 for at in self._arrivals)
            if last_second > PER_SECOND or len(self._arrivals) > PER_MINUTE:
                return 11232
        if path != HOOK + self.token:
            return 19001
        if len(body) > MAX_BODY:
            return 19036
        if self._is_poisoned(body):
            return 9499
        if payload is None or not headers.get("content-type", "").startswith("application/json"):
            return 9499
        if not _well_formed(payload):
            return 19002
        if self.secret and not self._signed(payload, now_us // 1_000_000):
            return 19021
        if self.keyword and self.keyword not in self.readable(payload):
            return 19024
        return 0

    def _is_poisoned(self, body: bytes) -> bool:
        return bool(self.refused_text) and self.refused_text.encode() in body

    def _signed(self, payload: dict[str, Any], now: int) -> bool:
        stamp = payload.get("timestamp")
        if not isinstance(stamp, str) or not stamp.isdecimal():
            return False
        key = f"{stamp}\n{self.secret}".encode()
        wanted = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        return abs(now - int(stamp)) <= SIGN_SECONDS and payload.get("sign") == wanted


def answer_body(code: int, message: str = "") -> bytes:
    """An answer as Feishu words it."""
    answer: dict[str, object] = {"code": code, "msg": message or MESSAGES.get(code, "error")}
    answer["data"] = {}
    if code == 0:
        answer |= {"Extra": None, "StatusCode": 0, "StatusMessage": "success"}
    return json.dumps(answer).encode()


def _payload(body: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _well_formed(payload: dict[str, Any]) -> bool:
    if payload.get("msg_type") == "text":
        content = payload.get("content")
        return isinstance(content, dict) and isinstance(content.get("text"), str)
    return payload.get("msg_type") == "interactive" and isinstance(payload.get("card"), dict)


def _readable(payload: dict[str, Any]) -> str:
    if payload.get("msg_type") == "text":
        return str((payload.get("content") or {}).get("text", ""))
    found: list[str] = []
    _contents(payload.get("card"), found)
    return "\n".join(found)


def _contents(node: object, found: list[str]) -> None:
    """The texts of a card, its title first."""
    if isinstance(node, list):
        for item in node:
            _contents(item, found)
    elif isinstance(node, dict):
        if isinstance(node.get("content"), str):
            found.append(node["content"])
        for key in sorted(node, key=lambda name: name != "header"):
            _contents(node[key], found)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], double: FeishuDouble) -> None:
        self.double = double
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one segment, else delayed ACKs cost 40 ms a request
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.double.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.double.closed(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what came is in ``requests``."""

    def do_GET(self) -> None:
        self.server.double.elsewhere += 1
        self._reply(404, b"{}")

    def do_POST(self) -> None:
        double = self.server.double
        length = int(self.headers.get("Content-Length", "0"))
        sent = self.rfile.read(length)
        if self.path == "/elsewhere":
            double.elsewhere += 1
            self._reply(200, answer_body(0))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        step, code = double.judge(self.path, headers, sent)
        name, _, rest = step.partition(":")
        _STEPS[name](self, rest, code)

    def _reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def ok(self, _: str, code: int) -> None:
        self._reply(*self.server.double.answer(code))

    def refuse(self, rest: str, _code: int) -> None:
        number, _, message = rest.partition(":")
        self._reply(*self.server.double.answer(int(number), message))

    def status(self, rest: str, _: int) -> None:
        self._reply(int(rest), b"no", Connection="close")

    def throttle(self, rest: str, _: int) -> None:
        self._reply(429, answer_body(11232), Retry_After=rest)

    def html(self, _: str, _code: int) -> None:
        self._reply(200, b"<html><body>portal: please log in</body></html>")

    def redirect(self, _: str, _code: int) -> None:
        self._reply(302, b"", Location=f"http://127.0.0.1:{self.server.double.port}/elsewhere")

    def hang(self, _: str, _code: int) -> None:
        self.server.double.closing.wait(120)
        self.close_connection = True

    def drip(self, _: str, code: int) -> None:
        body = answer_body(code) + b" " * 100_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._drip(body)

    def drip_head(self, _: str, _code: int) -> None:
        self._drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: " + b"y" * 50_000)

    def _drip(self, data: bytes) -> None:
        for index in range(len(data)):
            self.wfile.write(data[index : index + 1])
            self.wfile.flush()
            if self.server.double.closing.wait(DRIP_SECONDS):
                break
        self.close_connection = True

    def close(self, _: str, _code: int) -> None:
        self.close_connection = True

    def reset(self, _: str, _code: int) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def short(self, _: str, code: int) -> None:
        status, body = self.server.double.answer(code)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def body(self, rest: str, _: int) -> None:
        self._reply(200, rest.encode())

    def big(self, _: str, _code: int) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while not self.server.double.closing.is_set():
            self.wfile.write(b"x" * 65536)
        self.close_connection = True


_STEPS: dict[str, Callable[[_Handler, str, int], None]] = {
    "ok": _Handler.ok,
    "code": _Handler.refuse,
    "status": _Handler.status,
    "429": _Handler.throttle,
    "html": _Handler.html,
    "redirect": _Handler.redirect,
    "hang": _Handler.hang,
    "drip": _Handler.drip,
    "drip-head": _Handler.drip_head,
    "close": _Handler.close,
    "reset": _Handler.reset,
    "deliver-cut": _Handler.close,
    "deliver-short": _Handler.short,
    "deliver-hang": _Handler.hang,
    "short": _Handler.short,
    "body": _Handler.body,
    "big": _Handler.big,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the double by hand until interrupted; prints each request that comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.feishu_double")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--secret", default="", help="check signatures with this secret")
    parser.add_argument("--keyword", default="", help="refuse what lacks this word")
    parser.add_argument("--script", default="", help="steps, separated by commas")
    parser.add_argument("--no-limits", action="store_true", help="no rate limits")
    given = parser.parse_args(arguments)
    double = FeishuDouble(
        port=given.port,
        secret=given.secret,
        keyword=given.keyword,
        script=[step for step in given.script.split(",") if step],
        limits=not given.no_limits,
        told=_show,
    )
    print(f"webhook: {double.url}", flush=True)
    with double, contextlib.suppress(KeyboardInterrupt):
        double.closing.wait()
    return 0


def _show(one: Received) -> None:
    verdict = "accepted" if one.accepted else f"not accepted (step {one.step})"
    print(f"--- {one.at_us / 1e6:.3f} {verdict}, {len(one.body)} bytes\n{one.text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
