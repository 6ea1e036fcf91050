"""A webhook on loopback that takes everything and notes when it came.

Not the Feishu double: that one checks and misbehaves, this one must not cost time.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

ANSWER = b'{"code":0,"msg":"success","data":{}}'


class Arrival(NamedTuple):
    at: float
    """Monotonic seconds."""
    wall: float
    """Seconds since the epoch."""
    text: str


class Stub:
    """The webhook.  A context manager; ``url`` is its address."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/open-apis/bot/v2/hook/bench"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.5,), name="stub", daemon=True
        )

    def __enter__(self) -> Stub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def took(self, arrival: Arrival) -> None:
        with self._changed:
            self.arrivals.append(arrival)
            self._changed.notify_all()

    def wait_for(self, words: tuple[str, ...], seconds: float, since: int = 0) -> Arrival | None:
        """The first notice (from the ``since``-th on) that has all the words; None: none came."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                for arrival in self.arrivals[since:]:
                    if all(word in arrival.text for word in words):
                        return arrival
                if not self._changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], stub: Stub) -> None:
        super().__init__(address, _Handler)
        self.stub = stub


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one segment: apart they cost 40 ms a request

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        arrival = Arrival(time.monotonic(), time.time(), "")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
        self.wfile.flush()
        text = str(json.loads(body).get("content", {}).get("text", ""))
        self.server.stub.took(arrival._replace(text=text))

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""
