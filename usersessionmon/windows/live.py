"""Windows event logs through pywin32: the calls, with all their handles given back, and no
decision.  The only file that knows pywin32; only Windows has it.

Signatures, flags and oddities: pywin32's ``win32evtlog.i``, release 312.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Protocol, TypeVar, cast

from usersessionmon.errors import UserError

from .errors import is_odd
from .eventlog import ChannelFacts, EventLogError, Rendered, Signal

T = TypeVar("T")
NEXT_MS = 2000
"""What one look for events may take, at most."""
_PROVIDER = re.compile(r"<Provider Name=['\"]([^'\"]{1,255})['\"]")
_TRIES = 3
"""Of rendering, which now and then fails with no reason, and would take all of a round with it."""
_SPENT = (1500, 15005)
"""EVENTLOG_FILE_CORRUPT, EVT_INVALID_EVENT_DATA: this one event cannot be read."""


class _Closing(Protocol):
    def Close(self) -> None: ...  # noqa: N802 - pywin32's own name


class LiveEventLog:
    """``EventLog`` on this Windows.  Raises UserError where pywin32 is not to be had."""

    def __init__(self) -> None:
        try:
            import win32cred  # noqa: F401
            import win32event  # noqa: F401
            import win32evtlog  # noqa: F401
        except ImportError as error:
            raise UserError(
                "live event logs of Windows need Windows and pywin32 "
                "(pip install 'user-session-monitor[windows]'); scan FILE.evtx reads files anywhere"
            ) from error

    def signal(self) -> LiveSignal:
        return LiveSignal()

    def open(self, host: str, credentials: str) -> LiveSession:
        return LiveSession(_open_session(host, credentials) if host else None)


class LiveSignal:
    """An event of the system: set at first, so that nothing is missed before the first wait."""

    def __init__(self) -> None:
        import win32event

        self.handle: Any = _done(win32event.CreateEvent, None, 1, 1, None)

    def wait(self, seconds: float) -> None:
        import win32event

        _done(win32event.WaitForSingleObject, self.handle, max(0, round(seconds * 1000)))
        _done(win32event.ResetEvent, self.handle)

    def wake(self) -> None:
        import win32event

        _done(win32event.SetEvent, self.handle)

    def close(self) -> None:
        _close(self.handle)


class LiveSession:
    """``handle``: None for this machine."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def subscribe(self, channel: str, query: str, bookmark: str, signal: Signal) -> LiveEvents:
        import win32evtlog as evt

        assert isinstance(signal, LiveSignal)
        mark = _done(evt.EvtCreateBookmark, BookmarkXML=bookmark or None)
        flags = evt.EvtSubscribeStartAtOldestRecord
        if bookmark:
            flags = evt.EvtSubscribeStartAfterBookmark | evt.EvtSubscribeStrict
        try:
            found = _done(
                evt.EvtSubscribe,
                channel,
                flags,
                SignalEvent=signal.handle,
                Query=query,
                Session=self._handle,
                Bookmark=mark if bookmark else None,
            )
        except EventLogError:
            _close(mark)
            raise
        return LiveEvents(found, mark)

    def query(
        self, channel: str, query: str, *, newest_first: bool = False, messages: bool = False
    ) -> LiveEvents:
        import win32evtlog as evt

        way = evt.EvtQueryReverseDirection if newest_first else evt.EvtQueryForwardDirection
        mark = _done(evt.EvtCreateBookmark)
        try:
            found = _done(
                evt.EvtQuery,
                channel,
                evt.EvtQueryChannelPath | way,
                Query=query,
                Session=self._handle,
            )
        except EventLogError:
            _close(mark)
            raise
        return LiveEvents(found, mark, _Messages(self._handle) if messages else None)

    def facts(self, channel: str) -> ChannelFacts:
        import win32evtlog as evt

        config = _done(evt.EvtOpenChannelConfig, channel, Session=self._handle)
        try:
            get = evt.EvtGetChannelConfigProperty
            enabled, _ = _done(get, config, evt.EvtChannelConfigEnabled)
            max_bytes, _ = _done(get, config, evt.EvtChannelLoggingConfigMaxSize)
        finally:
            _close(config)
        log = _done(evt.EvtOpenLog, channel, evt.EvtOpenChannelPath, Session=self._handle)
        try:
            oldest, _ = _done(evt.EvtGetLogInfo, log, evt.EvtLogOldestRecordNumber)
        finally:
            _close(log)
        return ChannelFacts(bool(enabled), int(max_bytes), int(oldest or 0))

    def close(self) -> None:
        if self._handle is not None:
            _close(self._handle)


class LiveEvents:
    """A subscription or a query's result, with the bookmark that goes along."""

    def __init__(self, handle: Any, mark: Any, messages: _Messages | None = None) -> None:
        self._handle, self._mark, self._messages = handle, mark, messages

    def read(self, count: int) -> Generator[Rendered, None, None]:
        import win32evtlog as evt

        handles = list(_done(evt.EvtNext, self._handle, count, Timeout=NEXT_MS))
        try:
            while handles:
                event = handles.pop(0)
                try:
                    rendered = self._rendered(event)
                finally:
                    _close(event)
                yield rendered
        finally:
            for handle in handles:
                _close(handle)

    def _rendered(self, event: Any) -> Rendered:
        import win32evtlog as evt

        xml, unreadable = "", None
        try:
            xml = _again(evt.EvtRender, event, evt.EvtRenderEventXml)
        except EventLogError as error:
            if error.winerror not in _SPENT:
                raise
            unreadable = error
        _done(evt.EvtUpdateBookmark, self._mark, event)
        bookmark = _again(evt.EvtRender, self._mark, evt.EvtRenderBookmark)
        said = None if self._messages is None else self._messages.of(event, xml)
        return Rendered(xml, bookmark, said, unreadable)

    def close(self) -> None:
        if self._messages is not None:
            self._messages.close()
        _close(self._handle)
        _close(self._mark)


class _Messages:
    """Words of events, by the message files of their providers, which may be missing anywhere."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._metadata: dict[str, Any] = {}

    def of(self, event: Any, xml: str) -> str | None:
        import win32evtlog as evt

        found = _PROVIDER.search(xml)
        if found is None:
            return None
        name = found[1]
        with suppress(EventLogError):
            if name not in self._metadata:
                self._metadata[name] = None
                self._metadata[name] = _done(
                    evt.EvtOpenPublisherMetadata, name, Session=self._session
                )
            metadata = self._metadata[name]
            if metadata is not None:
                said = _done(evt.EvtFormatMessage, metadata, event, evt.EvtFormatMessageEvent)
                return said if isinstance(said, str) else None
        return None

    def close(self) -> None:
        for metadata in self._metadata.values():
            if metadata is not None:
                _close(metadata)


def _open_session(host: str, credentials: str) -> Any:
    import win32evtlog as evt

    user = domain = password = None
    if credentials:
        user, domain, password = _credentials(credentials)
    login: Any = (host, user, domain, password, evt.EvtRpcLoginAuthNegotiate)
    return _done(evt.EvtOpenSession, Login=login, LoginClass=evt.EvtRpcLogin)


def _credentials(name: str) -> tuple[str, str | None, str]:
    """(user, domain, password) of a generic entry of the Windows Credential Manager."""
    import win32cred

    entry = _done(win32cred.CredRead, name, win32cred.CRED_TYPE_GENERIC)
    blob = entry["CredentialBlob"]
    password = blob.decode("utf-16-le", "replace") if isinstance(blob, bytes) else str(blob or "")
    domain, backslash, user = str(entry["UserName"] or "").partition("\\")
    return (user, domain, password) if backslash else (domain, None, password)


def _done(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """A call of pywin32, with its error as ours.  The stubs lack handles' ``Close`` and want other
    types for sessions than the functions take, so handles are ``Any`` here."""
    import pywintypes

    try:
        return function(*arguments, **named)
    except pywintypes.error as error:
        raise EventLogError(error.winerror, error.funcname, error.strerror) from None


def _again(function: Callable[..., T], *arguments: Any) -> T:
    for _ in range(_TRIES - 1):
        try:
            return _done(function, *arguments)
        except EventLogError as error:
            if not is_odd(error):
                raise
    return _done(function, *arguments)


def _close(handle: Any) -> None:
    """Closing what died with its host fails, and is as good."""
    import pywintypes

    with suppress(pywintypes.error):
        cast(_Closing, handle).Close()
