"""Who wrote a record of OpenSSH's log, to which every local user may write."""

from __future__ import annotations

import pytest

from tests.sessions.logs import RULES
from tests.windows.rendering import SAMPLES, event
from usersessionmon.model import Change, Record
from usersessionmon.pipeline import Pipeline
from usersessionmon.sessions.engine import Engine
from usersessionmon.windows.channels import OPENSSH
from usersessionmon.windows.files import open_log
from usersessionmon.windows.xml import record_of

SYSTEM = "S-1-5-18"
ADMINISTRATOR = "S-1-5-21-3461203602-4096304019-2269080069-500"
EVE = "S-1-5-21-3461203602-4096304019-2269080069-1001"
LOGIN = "Accepted password for alice from 192.0.2.9 port 4711 ssh2"
LOGOUT = "Disconnected from user alice 192.0.2.9 port 4711"


def line(text: str, sid: str | None, number: int = 1, process: str = "sshd") -> Record:
    data = {"process": process, "payload": text}
    time = f"2026-11-21T08:15:{number:02}Z"
    xml = event(4, OPENSSH, data, record_id=number, time=time, provider="OpenSSH")
    if sid is not None:
        xml = xml.replace("<Security/>", f"<Security UserID='{sid}'/>")
    found = record_of(xml, "rds-1", frozenset({OPENSSH}))
    assert found is not None
    return found


def told(*records: Record) -> tuple[list[str], Pipeline]:
    pipeline = Pipeline(RULES, Engine())
    changes: list[Change] = pipeline.process(records) + pipeline.finish()
    return [str(one.kind) for one in changes], pipeline


@pytest.mark.parametrize("sid", [SYSTEM, ADMINISTRATOR, None, ""])
def test_the_systems_own_lines_are_believed_and_those_that_nobody_vouches_for(
    sid: str | None,
) -> None:
    kinds, pipeline = told(line(LOGIN, sid, 1), line(LOGOUT, sid, 2))
    assert kinds == ["login", "logout"]
    assert pipeline.forged == 0


@pytest.mark.parametrize("sid", [EVE, "S-1-5-19", "S-1-5-180", "S-1-5-21-1-2-3-1500", "root", "0"])
@pytest.mark.parametrize("process", ["sshd", "sshd-session"])
def test_nobody_else_opens_a_session_and_who_tries_is_told(sid: str, process: str) -> None:
    kinds, pipeline = told(line(LOGIN, sid, process=process))
    assert kinds == []
    assert pipeline.forged == 1
    [forger] = pipeline.forgeries.take().counts
    assert (forger.sid, forger.program) == (sid, process)


def test_nobody_else_ends_a_session_or_makes_up_failures() -> None:
    failure = "Failed password for bob from 192.0.2.10 port 4712 ssh2"
    kinds, pipeline = told(line(LOGIN, SYSTEM, 1), line(LOGOUT, EVE, 2), line(failure, EVE, 3))
    assert kinds == ["login"]
    assert pipeline.forged == 1, "why a connection ended, older versions of sshd say as the user"


def test_real_logs_are_the_systems() -> None:
    pytest.importorskip("evtx")
    if not SAMPLES.is_dir():
        pytest.skip(f"{SAMPLES} is not there")
    for name in ("openssh-invalid-user", "openssh-listening"):
        log = open_log(str(SAMPLES / f"{name}.evtx"))
        entries = [one for block, _ in log.blocks(newest_first=False) for one in block]
        log.close()
        records = [record_of(one.xml, "fs01", frozenset({OPENSSH})) for one in entries]
        assert len(records) >= 6
        for one in records:
            assert one is not None and one.trusted is not None
            assert (one.trusted.uid, one.trusted.sid) == (0, SYSTEM)
