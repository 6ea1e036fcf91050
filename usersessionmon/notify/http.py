"""One bounded POST over requests: the only file that imports it, and only when there is first
something to send (it is most of the program's import time).

``requests`` bounds each read and not the whole, and its exceptions carry the URL, which for a
webhook is the secret.  So an exchange runs in a thread of its own whose sockets are cut when its
time is over, and every failure is a value with words made here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import ssl
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests

EXCHANGE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
ANSWER_LIMIT = 64 * 1024

_LONG = 12
"""Characters from which on a part of an address may be a token."""
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")


@dataclass(frozen=True, slots=True)
class Reply:
    """The server answered.  ``body`` is cut at 64 KiB."""

    status: int
    body: bytes
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No usable answer; the request may have arrived all the same.  ``text`` is safe to show."""

    text: str
    ours: bool = False
    """True when it is this host's configuration (CA file, proxy address) and not the network."""
    unsent: bool = False
    """True when there was no connection at all: nothing can have arrived."""


def masked(url: str) -> str:
    """A webhook's address that may be shown: ``…/hook/****abcd``, ``…/send?key=****abcd``."""
    address = urlsplit(url)
    parts = [part for part in address.path.split("/") if part]
    last = parts[-1] if parts else ""
    if address.query:
        query = "&".join(map(_masked_pair, address.query.split("&")))
        return f"…/{last if len(last) < _LONG else _end(last)}?{query}"
    folder = parts[-2] if len(parts) > 1 else ""
    return f"…/{folder}/{_end(last)}"


def _masked_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}={_end(value)}" if value.strip("=") else _end(pair)


def _end(token: str) -> str:
    """What tells one token from another, and opens nothing."""
    return f"****{token[-4:] if len(token) >= _LONG else ''}"


class HttpClient:
    """Keeps one connection alive between exchanges.  ``post`` is for one thread; ``close`` may be
    called from any other and ends a running exchange at once."""

    def __init__(
        self, *, ca_file: str = "", proxy: str = "", seconds: float = EXCHANGE_SECONDS
    ) -> None:
        """``ca_file``: PEM certificates to trust in place of the system's.  ``proxy``: a URL, or
        nothing for none, whatever the environment says.  ``seconds`` bounds a whole exchange."""
        self._ca_file = ca_file
        self._proxy = proxy
        self._seconds = seconds
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._exchange: _Exchange | None = None
        self._closed = False

    def post(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> Reply | Unanswered:
        """POST ``body``; no redirect is followed.  Never raises for what the network does."""
        with self._lock:
            if self._closed:
                return Unanswered("the program is ending")
            if self._line is None:
                self._line = _Line(self._ca_file, self._proxy)
            exchange = _Exchange(self._line, url, body, content_type, headers or {}, self._seconds)
            self._exchange = exchange
        thread = threading.Thread(target=exchange.run, name="http-exchange", daemon=True)
        thread.start()
        if exchange.done.wait(self._seconds) and exchange.outcome is None:
            exchange.outcome = Unanswered("cut off: the program is ending")
        with self._lock:
            outcome = exchange.outcome
            self._exchange = None
            if not isinstance(outcome, Reply):
                exchange.cut()
                self._line = None
        return outcome or Unanswered(f"no whole answer in {self._seconds:g} s")

    def close(self) -> None:
        """Give the connection back and cut a running exchange.  Safe to call twice."""
        with self._lock:
            self._closed = True
            if self._exchange is not None:
                self._exchange.cut()
            elif self._line is not None:
                self._line.close()
            self._line = None


@dataclass(slots=True)
class _Exchange:
    """One request, in its own thread."""

    line: _Line
    url: str = field(repr=False)
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(repr=False)
    seconds: float
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Reply | Unanswered | None = None

    def run(self) -> None:
        try:
            self.outcome = self.line.exchange(self)
        except Exception as error:  # any of several libraries', and none may pass
            self.outcome = _unanswered(error)
        finally:
            if self.line.is_cut or not isinstance(self.outcome, Reply):
                self.line.close()
            self.done.set()

    def cut(self) -> None:
        self.line.cut()
        self.done.set()


class _Line:
    """A requests session whose sockets can be shut from another thread."""

    def __init__(self, ca_file: str, proxy: str) -> None:
        self._verify = _trusted(ca_file)
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._session: requests.Session | None = None
        self._lock = threading.Lock()
        self._connections: list[Any] = []
        self._handles: list[socket.socket] = []
        self.is_cut = False

    def exchange(self, what: _Exchange) -> Reply:
        if self._session is None:
            self._session = _session(self)
        response = self._session.post(
            what.url,
            data=what.body,
            headers={
                "Content-Type": what.content_type,
                "Accept-Encoding": "identity",  # nothing to inflate: 64 KiB stay 64 KiB
                "User-Agent": "user-session-monitor",
                **what.headers,
            },
            timeout=(min(CONNECT_SECONDS, what.seconds), what.seconds),
            allow_redirects=False,
            stream=True,
            verify=self._verify,
            proxies=self._proxies,
        )
        try:
            answer = response.raw.read(ANSWER_LIMIT, decode_content=False)
            whole = not response.raw.read(1, decode_content=False)
            retry_after = response.headers.get("Retry-After")
            return Reply(response.status_code, answer if whole else answer[:0], retry_after)
        finally:
            response.close()
            self._release_handles()

    def watch(self, connection: Any, made: socket.socket) -> socket.socket:
        """A connection was made.  A duplicate of its descriptor can be shut even while the TLS
        handshake has the original."""
        with self._lock:
            if self.is_cut:
                made.close()
                raise ConnectionAbortedError
            self._connections = [one for one in self._connections if one.sock is not None]
            self._connections.append(connection)
            self._handles.append(made.dup())
        return made

    def cut(self) -> None:
        """Shut every socket: whoever reads from one sees its end."""
        with self._lock:
            self.is_cut = True
            alive = [found for one in self._connections if (found := one.sock) is not None]
            for handle in [*self._handles, *alive]:
                with contextlib.suppress(OSError, ValueError):
                    # not SSLSocket's own: it would take the reader's state away
                    socket.socket.shutdown(handle, socket.SHUT_RDWR)

    def close(self) -> None:
        self._release_handles()
        if self._session is not None:
            self._session.close()

    def _release_handles(self) -> None:
        """A duplicate that lives on would keep a closed connection open for the server."""
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()


def _session(line: _Line) -> requests.Session:
    # A distribution's requests beside a newer urllib3 says so at import; they work together.
    warnings.filterwarnings("ignore", message=r"urllib3 .* doesn't match a supported version")
    import requests
    import requests.adapters
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    _hush("urllib3")

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return line.watch(self, super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return line.watch(self, super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    pools = {"http": PlainPool, "https": SecurePool}

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools
            # requests 2.28 sets what urllib3 2 warns of
            self.poolmanager.connection_pool_kw.pop("strict", None)

        def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter(pool_connections=1, pool_maxsize=1, max_retries=0))
    return session


def _hush(library: str) -> None:
    """A library that logs addresses must not log: ours hold tokens.  Whatever level or handler
    anybody sets."""
    for name in tuple(logging.root.manager.loggerDict):
        if name.partition(".")[0] == library:
            logging.getLogger(name).disabled = True


def _trusted(ca_file: str) -> str | bool:
    """What requests shall verify with: the given file, else the system's, else its own bundle."""
    if ca_file:
        return ca_file
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and any(Path(paths.capath).iterdir()):
        return paths.capath
    return True


def _unanswered(error: BaseException) -> Reply | Unanswered:
    """An exception of requests, urllib3, ssl or socket in words that hold nothing of it but what
    the operating system or OpenSSL calls the trouble."""
    import requests.exceptions as known

    if isinstance(error, (known.InvalidURL, known.MissingSchema, known.InvalidSchema)):
        return Unanswered("the address of the webhook or the proxy cannot be used", ours=True)
    if type(error) is OSError:  # requests' own, for a CA bundle that is not there
        return Unanswered("the file of CA certificates cannot be read", ours=True)
    chain = _chain(error)
    for one in chain:
        refused = _TUNNEL.search(str(one)) if isinstance(one, OSError) else None
        if refused:
            return Reply(int(refused.group(1)), b"")
    return Unanswered(_words(error, chain), unsent=any(map(_is_unconnected, chain)))


def _is_unconnected(error: BaseException) -> bool:
    """Refused, unresolved, unreachable, too long in connecting, not trusted."""
    if isinstance(error, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)):
        return True
    return type(error).__name__ in {"NewConnectionError", "ConnectTimeoutError"}


def words_of(error: BaseException) -> str:
    """What went wrong on the way, in words that hold nothing of where it was going."""
    return _words(error, _chain(error))


def _words(error: BaseException, chain: list[BaseException]) -> str:
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"TLS: the certificate is not trusted: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            return f"TLS failed: {one.reason or 'no reason given'}"
        if isinstance(one, socket.gaierror):
            return f"the name cannot be resolved: {one.strerror}"
        if isinstance(one, TimeoutError) or "Timeout" in type(one).__name__:
            return "timed out"
        if isinstance(one, OSError) and one.errno:
            return os.strerror(one.errno).lower()
    return f"the connection failed ({type(chain[-1] if chain else error).__name__})"


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and those that it wraps, the innermost first."""
    found: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead and len(found) < 12:
        one = ahead.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            ahead += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
    return found[::-1]
