"""``GET /metrics`` on a loopback address, by the standard library: one request at a time, each
bounded, and only what was made before is given."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_INET6, SHUT_RDWR, socket
from typing import Any

from usersessionmon.errors import TroubleError

from .exposition import CONTENT_TYPE

SECONDS = 3.0
"""What one request may take."""


class MetricsServer:
    """Serves what ``publish`` was given last."""

    def __init__(self, place: tuple[str, int]) -> None:
        """Raises TroubleError when the address is in use."""
        host, port = place
        try:
            self._server = (_Server6 if ":" in host else _Server)((host, port), _Handler)
        except OSError as error:
            raise TroubleError(f"metrics.listen: {host}:{port}: {error.strerror}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.5,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def publish(self, data: bytes) -> None:
        self._server.data = data

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(SECONDS)


class _Server(HTTPServer):
    data = b""
    request_queue_size = 8

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Who sends a byte now and then is cut off: the next one waits."""
        timer = threading.Timer(SECONDS, _cut, (request,))
        timer.start()
        try:
            super().finish_request(request, client_address)
        finally:
            timer.cancel()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


def _cut(request: socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(SHUT_RDWR)


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "user-session-monitor"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(self.server.data)))
        self.end_headers()
        self.wfile.write(self.server.data)

    def log_message(self, format: str, *args: Any) -> None:
        """Who asks is nobody's news."""
