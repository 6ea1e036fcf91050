"""The running monitor watches itself: over real sockets, its time made short."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.beat_double import TOKEN, BeatDouble
from tests.feishu_double import FeishuDouble

from .running import append, follows, login, run, until, write_config

HASTY = """
import sys
from usersessionmon import app
from usersessionmon.wiring import watchers
from usersessionmon.watching import channels, heartbeat
app.ALIVE_SAVE_US, watchers.MINUTE_SECONDS = 200_000, 0.2
channels.LOOK_SECONDS, heartbeat.CHANGED_SECONDS = 0.1, 0.1
from usersessionmon.cli.main import main
sys.exit(main(["run", "--from-start", *sys.argv[1:]]))
"""


@contextmanager
def hasty(config: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", HASTY, "--config", str(config), *words], stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def status(config: Path) -> dict[str, Any]:
    answer = json.loads(run("status", "--json", "--config", str(config)).stdout)
    assert isinstance(answer, dict)
    return answer


def moves(config: Path, name: str) -> None:
    """Wait until something that is saved is another."""
    before = status(config)[name]
    until(lambda: bool(status(config)[name] != before))


def titles(group: FeishuDouble) -> list[str]:
    return [text.split("\n")[0] for text in group.texts()]


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.mark.parametrize(("way", "in_order"), [(kill, "否"), (stop, "是")])
def test_it_was_down(
    tmp_path: Path, way: Callable[[subprocess.Popen[bytes]], None], in_order: str
) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(limits=False) as group:
        config = write_config(tmp_path, log, url=group.url)
        with hasty(config) as process:
            until(lambda: follows(config))
            moves(config, "last_saved")  # although nobody writes to the log
            assert status(config)["down"] is None
            way(process)
        saved = datetime.fromisoformat(status(config)["last_saved"])
        append(log, login(1, 100, "alice", 50001))
        assert run("run", "--once", "--config", str(config)).returncode == 0
        assert titles(group) == ["用户登录通知"]  # who only looks once was not down
        with hasty(config) as process:
            until(lambda: len(group.texts()) == 2)
            told = group.texts()[1]
            assert told.startswith("监控中断通知\n")
            assert f"正常停止：{in_order}\n期间主机重启：否\n" in told
            span = re.search(r"中断时段：(.+) 至 (.+)", told)
            down = status(config)["down"]
            assert span is not None and span[1] == down["from"][:19].replace("T", " ")
            alive, again = (datetime.fromisoformat(down[key]) for key in ("from", "to"))
            assert timedelta() <= saved - alive < timedelta(seconds=3) and alive < again
            kill(process)
        with hasty(config, "--once") as process:
            assert process.wait(20) == 0
        assert titles(group) == ["用户登录通知", "监控中断通知"]


def test_a_channel_that_is_held_is_told_on_the_other(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(limits=False) as group, FeishuDouble(limits=False, keyword="别的") as other:
        more = f"channels: {{ops: {{type: feishu, webhook_url: '{other.url}'}}}}"
        config = write_config(tmp_path, log, url=group.url, more=more)
        with hasty(config):
            until(lambda: follows(config))
            append(log, login(1, 100, "alice", 50001))
            until(lambda: len(group.texts()) == 2)
            assert titles(group) == ["用户登录通知", "通知渠道异常通知"]
            assert "渠道：ops\n原因：配置有误\n答复：" in group.texts()[1]
            waiting = {one["channel"]: one["waiting"] for one in status(config)["channels"]}
            assert waiting == {"feishu": 0, "ops": 1}  # not the notice about itself


def test_the_heartbeat_and_what_is_wrong(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(limits=False, keyword="别的") as group, BeatDouble() as beat:
        more = f"heartbeat: {{url: '{beat.url}', minutes: 1440}}"
        config = write_config(tmp_path, log, url=group.url, more=more)
        with hasty(config) as process:
            assert beat.wait_for(1) == [("", "ok lines=0 waiting=0 open=0")]
            until(lambda: bool(status(config)["heartbeat"]["taken"]))
            append(log, login(1, 100, "alice", 50001))
            posts = beat.wait_for(2)
            assert posts[1:] == [("/fail", "channel feishu delivers nothing: configuration")]
            beat.status = 500
            group.keyword = "通知"
            stop(process)
            assert process.stderr is not None
            said = process.stderr.read().decode()
        with hasty(config):
            assert beat.wait_for(3)[2:] == [("", "ok lines=2 waiting=0 open=1")]
            until(lambda: not status(config)["heartbeat"]["taken"])
            beaten = status(config)
        assert beaten["heartbeat"]["answer"] == "HTTP 500"
        assert (
            "heartbeat: http://127.0.0.1/**** did not take the last one: HTTP 500"
            in (beaten["trouble"])
        )
        assert TOKEN not in said + json.dumps(beaten)
        state = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
        assert TOKEN.encode() not in state


def test_the_report_and_fewer_lines_that_are_understood(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(limits=False) as group:
        config = write_config(tmp_path, log, url=group.url, more='report: {at: "08:30"}')
        with hasty(config) as process:
            until(lambda: follows(config))
            moves(config, "last_saved")
            append(log, login(1, 100, "alice", 50001))
            odd = [f"{login(2, 200, 'x', 1)[0].split(' web-1')[0]} web-1 sshd[9]: Odd thing {n}"
                   for n in range(60)]  # fmt: skip
            append(log, odd)
            until(lambda: len(group.texts()) == 2)
            told = sorted(group.texts())[1]  # what is abnormal may come first
            assert told.startswith("监控覆盖率下降通知\n")
            assert "日志识别：2 / 62 行（3.2%）" in told and "Odd {word} {number}" in told
            found = status(config)
            assert found["lately"] == {"understood": 2, "lines": 62}
            assert any("far fewer lines are understood" in one for one in found["trouble"])
            assert found["next_report"].endswith("T08:30:00+00:00")
            stop(process)
        _days_ago(tmp_path / "state/state.db")
        with hasty(config):
            until(lambda: any(one.startswith("每日会话报告通知") for one in group.texts()))
            (report,) = [one for one in group.texts() if one.startswith("每日会话报告通知")]
            assert "用户会话：alice：1 次，" in report and "来自 198.51.100.7" in report
            moves(config, "last_saved")
        assert sum(one.startswith("每日会话报告通知") for one in group.texts()) == 1


def _days_ago(file: Path) -> None:
    """As if the last report had been made the day before yesterday."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "UPDATE fact SET value = value - 2 * 86400 * 1000000 WHERE name = 'report_us'"
        )


def test_the_heartbeat_of_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with BeatDouble() as beat:
        more = f"heartbeat: {{url: '{beat.url}', minutes: 1440}}"
        config = write_config(tmp_path, log, more=more)
        with hasty(config):
            assert [path for path, _ in beat.wait_for(1)] == [""]
            file = tmp_path / "state/state.db"
            with closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                append(log, login(1, 100, "alice", 50001))
                assert beat.wait_for(2, 40)[1:] == [("/fail", "the state cannot be written")]
            ((path, text),) = beat.wait_for(3, 20)[2:]
            assert path == "" and text.startswith("ok lines=2 ")
