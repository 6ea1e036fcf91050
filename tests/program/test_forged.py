"""Lines forged in a real journal, through the whole program, read at a double of Feishu."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble
from tests.journal_files import START_US, entry, needs_journal, write
from usersessionmon.clock import ManualClock, SystemClock
from usersessionmon.config import load
from usersessionmon.sources.auto import Choice
from usersessionmon.sources.journal import JournalSource
from usersessionmon.stock import moment_of
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.wiring import log as wiring_log
from usersessionmon.wiring import monitor as wiring

from .running import append, login, monitor, run, until, write_config

pytestmark = needs_journal

TRUE = "Accepted password for alice from 198.51.100.7 port 50022 ssh2"
FALSE = "Accepted password for root from 203.0.113.9 port 4242 ssh2"
HAND: dict[str, Any] = {"_UID": 1000, "_COMM": "logger", "_EXE": "/usr/bin/logger",
                        "_SYSTEMD_UNIT": "session-3.scope"}  # fmt: skip
# `run`, but for the place of the journal, which no setting names
PROGRAM = """
import functools, sys
from usersessionmon.wiring import log as wiring_log, monitor as wiring
from usersessionmon.cli.main import main
from usersessionmon.sources.auto import Choice
from usersessionmon.sources.journal import JournalSource
wiring_log.JournalSource = functools.partial(JournalSource, directory=sys.argv[1], sessions=None)
wiring_log.choose = lambda *_, **__: Choice("journal", "", "the test says so")
sys.exit(main(["run", "--once", "--from-start", "--config", sys.argv[2]]))
"""


class Host:
    def __init__(self, folder: Path, url: str, more: str = "") -> None:
        self.journal = folder / "journal"
        self.journal.mkdir()
        self.config = write_config(folder, folder / "none", url=url, more=more)

    def log(self, *entries: bytes) -> None:
        write(self.journal / "system.journal", entries)

    def run(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, self.journal, self.config],
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def forged(self) -> int:
        said = run("status", "--json", "--config", str(self.config)).stdout
        return int(json.loads(said)["forged"])


def test_forged_lines_are_one_notice_and_logins_are_told_as_ever(tmp_path: Path) -> None:
    with FeishuDouble() as bot:
        host = Host(tmp_path, bot.url)
        host.log(
            entry(0, TRUE, _PID=10),
            *(entry(number, FALSE, _PID=10 + number, **HAND) for number in range(1, 8)),
            entry(9, FALSE, _PID=20, **(HAND | {"SYSLOG_IDENTIFIER": "sudo", "_UID": 1001,
                  "MESSAGE": "mallory : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"})),
        )  # fmt: skip
        host.run()
        assert host.forged() == 8
        first, second = sorted(bot.texts(), key=lambda text: "用户登录通知" not in text)
        assert first.startswith("用户登录通知") and "用户名：alice" in first
        assert second.startswith("可疑日志通知")
        assert "写入者：uid=1000 exe=/usr/bin/logger comm=logger unit=session-3.scope ×7" in second
        assert "uid=1001" in second and "冒充：sshd×7 sudo×1" in second
        for word in ("root", "203.0.113.9", "4242", "mallory", "登出", "登录通知"):
            assert word not in second

        host.log(entry(20, FALSE, _PID=40, **HAND), entry(21, FALSE, _PID=41, **HAND))
        host.run()  # within the hour: kept for later, over the restart too
        host.run()
        assert len(bot.texts()) == 2


def test_the_sum_is_told_after_an_hour_though_nothing_new_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, "")
    clock = ManualClock(START_US + 60_000_000)
    source = functools.partial(JournalSource, directory=str(host.journal), sessions=None)
    monkeypatch.setattr(wiring_log, "JournalSource", source)
    monkeypatch.setattr(wiring_log, "choose", lambda *_, **__: Choice("journal", "", "the test's"))
    monkeypatch.setattr(wiring, "SystemClock", lambda: clock)
    host.log(entry(0, TRUE, _PID=10, _HOSTNAME="far"), entry(1, FALSE, _PID=11, **HAND))
    settings = load(host.config)
    with wiring.monitor(settings, from_start=True, once=False, stream=sys.stdout) as it:

        def told() -> list[str]:
            outbox = SqliteOutbox(it.file)
            try:
                waiting = outbox.waiting("terminal", 10, 1 << 62)
            finally:
                outbox.close()
            return [queued.notice.title for queued in waiting]

        it.turn()
        assert told() == ["可疑日志通知", "用户登录通知"]  # what is abnormal goes first
        host.log(entry(70, FALSE, _PID=12, **HAND))
        clock.advance(600)
        it.turn()
        assert len(told()) == 2
        clock.advance(3599 - 600)
        it.turn()
        assert len(told()) == 2 and it._wait_seconds() <= 1
        clock.advance(1)
        it.turn()
        assert told().count("可疑日志通知") == 2
        clock.advance(7200)
        it.turn()
        assert len(told()) == 3


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with FeishuDouble() as bot:
        host = Host(tmp_path, bot.url)
        text = host.config.read_text().replace("monitor: {", "monitor: {alarm_forged: false, ")
        host.config.write_text(text)
        host.log(entry(0, TRUE, _PID=10), entry(1, FALSE, _PID=11, **HAND))
        host.run()
        assert host.forged() == 1
        assert [text.split("\n")[0] for text in bot.texts()] == ["用户登录通知"]


@pytest.mark.parametrize("means", ["nothing of a daemon's", "of root's, by way of the kernel"])
def test_what_nobody_forged_raises_no_alarm(tmp_path: Path, means: str) -> None:
    with FeishuDouble() as bot:
        host = Host(tmp_path, bot.url)
        if means == "nothing of a daemon's":
            host.log(entry(0, "hello", **HAND), entry(1, FALSE, **HAND, SYSLOG_IDENTIFIER="foo"))
        else:
            host.log(entry(0, TRUE, _TRANSPORT="kernel", _UID="", _EXE="", _COMM="", _PID=""))
        host.run()
        assert host.forged() == 0
        assert bot.texts() == []


def test_a_login_that_the_host_contradicts_is_marked_and_counted_once(tmp_path: Path) -> None:
    """A text log's: told in its own notice, with no second one."""
    log = tmp_path / "auth.log"
    log.touch()
    _, _, rest = login(0, 4_194_303, "root", 1)[0].partition(" web-1 ")
    with FeishuDouble() as bot:
        config = write_config(tmp_path, log, url=bot.url)
        with monitor(config):
            until(lambda: run("status", "--config", str(config)).returncode == 0)
            now = moment_of(SystemClock().now_us(), UTC)
            append(log, [f"{now.text} {os.uname().nodename} {rest}"])
            (text,) = bot.wait_for(1)
        assert text.startswith("用户登录通知") and "核对：日志所说的进程不存在" in text
    said = json.loads(run("status", "--json", "--config", str(config)).stdout)
    assert (said["doubted"], said["forged"]) == (1, 0)


def test_a_text_log_shows_nobodys_hand(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text("\n".join(login(0, 10, "alice", 1)) + "\n")
    with FeishuDouble() as bot:
        config = write_config(tmp_path, log, url=bot.url)
        assert run("run", "--once", "--from-start", "--config", str(config)).returncode == 0
        assert [text.split("\n")[0] for text in bot.texts()] == ["用户登录通知"]
