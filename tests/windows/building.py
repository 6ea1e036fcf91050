"""Records of Windows event logs, built by hand, and an engine that they are given to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from usersessionmon.model import Change, ChangeKind, Moment, Record, SessionView, WindowsEvent
from usersessionmon.windows.channels import (
    LSM,
    OPENSSH,
    RCM,
    RDP_CORE,
    SECURITY,
    SHORT,
    SYSTEM,
)
from usersessionmon.windows.engine import Desktops
from usersessionmon.windows.state import dump

START_US = 1_795_248_000_000_000
PERSON = "S-1-5-21-1-2-3-1001"
__all__ = ["LSM", "OPENSSH", "RCM", "RDP_CORE", "SECURITY", "SYSTEM"]


class Host:
    """One Windows host; each record is given to the engine at once.  Times are in seconds."""

    def __init__(self, *channels: str, patient: bool = True, origin: str = "srv") -> None:
        self.origin = origin
        self.beside = frozenset(channels)
        self.engine = Desktops(patient=patient)
        self.changes: list[Change] = []
        self.rows: list[SessionView] = []
        self.reload = False
        """Save and load the engine before every record."""
        self._ids: dict[str, int] = {}

    def give(self, at: float, channel: str, id: int, **fields: object) -> Host:
        return self.take(self.record(at, channel, id, **fields))

    def record(self, at: float, channel: str, id: int, **fields: object) -> Record:
        number = self._ids[channel] = self._ids.get(channel, 0) + 1
        us = START_US + round(at * 1_000_000)
        text = datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
        values = {name: str(value) for name, value in fields.items() if value is not None}
        event = WindowsEvent(channel, "", id, 2, number, values, self.origin, self.beside)
        return Record(Moment(us, text), "SRV01", SHORT[channel], None, "", windows=event)

    def take(self, record: Record) -> Host:
        """A channel that is not read gives nothing."""
        assert record.windows is not None
        if record.windows.channel not in self.beside:
            return self
        if self.reload:
            self.engine = reloaded(self.engine)
        self.changes += self.engine.take(record)
        return self

    # --- what people do ---------------------------------------------------------------------------

    def logon(self, at: float, user: str, luid: str, kind: int = 10, **more: object) -> Host:
        fields: dict[str, object] = {
            "TargetUserSid": PERSON, "TargetUserName": user, "TargetDomainName": "CORP",
            "TargetLogonId": luid, "LogonType": kind, "LogonProcessName": "User32",
            "ProcessName": r"C:\Windows\System32\svchost.exe",
        }  # fmt: skip
        return self.give(at, SECURITY, 4624, **(fields | more))

    def logoff(self, at: float, user: str, luid: str, id: int = 4634) -> Host:
        return self.give(at, SECURITY, id, TargetUserName=user, TargetLogonId=luid)

    def desktop(self, at: float, id: int, user: str, ts: int, address: str | None = None) -> Host:
        return self.give(at, LSM, id, User=rf"CORP\{user}", SessionID=ts, Address=address)

    def why(self, at: float, ts: int, reason: int) -> Host:
        return self.give(at, LSM, 40, Session=ts, Reason=reason)

    # --- what comes of it -------------------------------------------------------------------------

    def wait(self, begun: float, seconds: float) -> Host:
        """So long nothing is logged."""
        for tenth in range(round(seconds * 10) + 1):
            self.changes += self.engine.tick(begun + tenth / 10)
        return self

    def finish(self) -> Host:
        self.changes += self.engine.finish()
        self.rows += self.engine.skim()
        return self

    def told(self) -> list[tuple[str, str | None]]:
        return [(change.kind.value, change.user) for change in self.changes]

    def of(self, kind: ChangeKind) -> list[Change]:
        return [change for change in self.changes if change.kind is kind]

    @property
    def logins(self) -> list[Change]:
        return self.of(ChangeKind.LOGIN)

    @property
    def logouts(self) -> list[Change]:
        return self.of(ChangeKind.LOGOUT)


def reloaded(engine: Desktops) -> Desktops:
    """The engine as a new start of the program finds it."""
    logs, _ = engine.drain()
    texts = {origin: text for origin, text in logs.items() if text is not None}
    for origin, book in engine._books.items():
        texts.setdefault(origin, dump(book.log))
    fresh = Desktops.load(texts.values(), patient=engine._patient)
    fresh._heard = engine._heard  # which a real start begins anew
    return fresh


def changes_of(engine: Desktops, records: Iterable[Record]) -> list[Change]:
    """A log read in one go."""
    found: list[Change] = []
    for record in records:
        found += engine.take(record)
    return found + engine.finish()
