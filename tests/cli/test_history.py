"""`history`: the sums and the sheet, over a real state."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.cli.main import main
from usersessionmon.clock import SystemClock
from usersessionmon.model import Change, ChangeKind, Moment, Reason, SessionView
from usersessionmon.store import counts, db, state
from usersessionmon.store.place import open_state

DAY = 86_400
BEGIN = int(datetime(2026, 11, 19, 22, 0, tzinfo=UTC).timestamp())
EVIL = ("=1+2", "+1", "-1", "@SUM(A1)", " =1", "＝1", "\t=1")


def moment(seconds: float) -> Moment:
    text = datetime.fromtimestamp(seconds, UTC).isoformat()
    return Moment(round(seconds * 1_000_000), text)


def view(number: int, user: str | None, ip: str | None, at: float, seconds: float | None) -> Any:
    return SessionView(
        f"s{number}", "web-1", "sshd", user, ip, 50_000 + number, "password", None,
        moment(at), None if seconds is None else moment(at + seconds), seconds,
        None if seconds is None else Reason.NETWORK, abnormal=seconds is not None, inferred=False,
        state="open" if seconds is None else "closed", tty="pts/0",
    )  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    (tmp_path / "state").mkdir()
    now = SystemClock().now_us() / 1_000_000
    rows = [
        view(1, "alice", "192.0.2.7", BEGIN, 60),
        view(2, "alice", "192.0.2.8", BEGIN + 2 * 3600, 30.5),
        view(3, "bob", "192.0.2.7", BEGIN + 3 * 3600, 10),
        view(4, "bob", None, now - 100, None),
        *(view(10 + at, name, "192.0.2.9", BEGIN + DAY, 1) for at, name in enumerate(EVIL)),
    ]
    tries = [
        Change(ChangeKind.LOGIN_FAILED, moment(at), "web-1", "sshd", user=user, ip=ip, times=times)
        for at, user, ip, times in (
            (BEGIN + 5, "alice", "192.0.2.7", 4),
            (BEGIN + 4 * 3600, "root", "203.0.113.5", 99),
        )
    ]
    with closing(open_state(tmp_path / "state")) as connection, db.transaction(connection):
        state.write_engine(connection, {}, {}, rows)
        counts.add_failures(connection, tries, SystemClock().now_us())
    path = tmp_path / "config.yaml"
    path.write_text(f"state: {{dir: {tmp_path / 'state'}}}\ntimezone: Asia/Shanghai\n")
    return ["--config", str(path)]


Capture = pytest.CaptureFixture[str]


def objects(capsys: Capture, *words: str) -> list[dict[str, Any]]:
    assert main(["history", *words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def sheet(capsys: Capture, *words: str) -> list[list[str]]:
    assert main(["history", *words, "--csv"]) == 0
    text = capsys.readouterr().out
    assert text.count("\n") == text.count("\r\n")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_totals_by_user(config: list[str], capsys: Capture) -> None:
    rows = {row["user"]: row for row in objects(capsys, *config, "--totals", "user")}
    assert rows["alice"] == {
        "user": "alice", "sessions": 2, "open": 0, "abnormal": 2, "duration": 90.5, "longest": 60,
        "failures": 4, "last_seen": "2026-11-20T08:00:30.500000+08:00",
    }  # fmt: skip
    bob = rows["bob"]
    assert (bob["sessions"], bob["open"], bob["failures"]) == (2, 1, 0)
    assert 100 <= bob["longest"] <= 160  # still on: until now
    assert bob["duration"] == pytest.approx(bob["longest"] + 10)
    root = rows["root"]
    assert (root["sessions"], root["failures"], root["longest"]) == (0, 99, None)
    assert root["last_seen"] == "2026-11-20T10:00:00+08:00"


def test_totals_by_address_and_by_the_readers_day(config: list[str], capsys: Capture) -> None:
    rows = objects(capsys, *config, "--totals", "ip", "--until", "2026-11-20T12:00")
    assert [(row["ip"], row["sessions"], row["failures"]) for row in rows] == [
        ("192.0.2.7", 2, 4),
        ("192.0.2.8", 1, 0),
        ("203.0.113.5", 0, 99),
    ]
    days = objects(capsys, *config, "--totals", "day", "--until", "2026-11-22", "--user", "alice")
    assert [(row["day"], row["sessions"], row["failures"]) for row in days] == [
        ("2026-11-20", 2, 4)  # 22:00 in Greenwich is the next day in Shanghai
    ]


@pytest.mark.parametrize("words", [("--open",), ("--abnormal",), ("--limit", "9")])
def test_failures_are_unknown_of_chosen_sessions(
    config: list[str], capsys: Capture, words: tuple[str, ...]
) -> None:
    rows = objects(capsys, *config, "--totals", "user", *words)
    assert rows
    assert {row["failures"] for row in rows} == {None}
    assert sheet(capsys, *config, "--totals", "user", *words)[1][-2] == ""


def test_totals_for_people(config: list[str], capsys: Capture) -> None:
    assert main(["history", *config, "--totals", "user"]) == 0
    head, _, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "user"
    assert "failures" in head
    assert first.split()[:2] in (["alice", "2"], ["bob", "2"])
    assert main(["history", *config, "--totals", "ip", "--user", "nobody"]) == 0
    assert capsys.readouterr().out == "no sessions\n"


@pytest.mark.parametrize(
    ("name", "found"), [("web-1", 11), ("WEB-1", 11), ("web", 0), ("web-1.example", 0), ("db", 2)]
)
def test_the_sessions_of_a_host_by_any_of_its_names(
    config: list[str], capsys: Capture, tmp_path: Path, name: str, found: int
) -> None:
    others = [
        replace(view(50 + at, "carol", "192.0.2.9", BEGIN, 1), host=host)
        for at, host in enumerate(["db.example", "DB", "db-2", "dbx", None])
    ]
    with closing(open_state(tmp_path / "state")) as connection, db.transaction(connection):
        state.write_engine(connection, {}, {}, others)
    assert len(objects(capsys, "--host", name, *config)) == found
    (*_, last) = objects(capsys, "--totals", "day", *config)
    assert last["failures"] is not None
    for total in objects(capsys, "--host", name, "--totals", "day", *config):
        assert total["failures"] is None, "of what host they were is not kept"


def test_an_account_of_linux_is_as_it_is_written(config: list[str], capsys: Capture) -> None:
    assert objects(capsys, "--user", "ALICE", *config) == []


def test_the_sheet_has_what_json_has(config: list[str], capsys: Capture) -> None:
    head, first, *_ = sheet(capsys, *config)
    (known, *_) = objects(capsys, *config)
    assert head == [*known, "disconnected", "by_user", "by_ip"]  # of Windows alone
    shown = dict(zip(head, first, strict=True))
    assert (shown["user"], shown["duration"], shown["abnormal"]) == ("alice", "60", "true")
    assert shown["key_fingerprint"] == ""
    for by in ("user", "ip", "day"):
        rows = sheet(capsys, *config, "--totals", by)
        assert rows[0] == list(objects(capsys, *config, "--totals", by)[0])


def test_no_cell_is_a_formula(config: list[str], capsys: Capture) -> None:
    cells = [cell for row in sheet(capsys, *config) for cell in row]
    cells += [cell for row in sheet(capsys, *config, "--totals", "user") for cell in row]
    assert not [cell for cell in cells if cell.strip()[:1] in set("=+-@＝") and cell]
    assert {"'=1+2", "'+1", "'-1", "'@SUM(A1)", "' =1", "'＝1"} <= set(cells)
    assert "\\t=1" in cells  # what is not printable is escaped, and is no formula any more


def test_names_with_commas_and_quotes_come_back(
    config: list[str], tmp_path: Path, capsys: Capture
) -> None:
    with closing(open_state(tmp_path / "state")) as connection, db.transaction(connection):
        state.write_engine(connection, {}, {}, [view(99, 'a,"b"\n', None, BEGIN, 1)])
    assert 'a,"b"\\n' in {row[3] for row in sheet(capsys, *config)}


def test_one_form_at_a_time(config: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(["history", *config, "--csv", "--json"])
    assert end.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
