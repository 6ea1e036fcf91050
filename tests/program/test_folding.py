"""Quiet hours, a person's connections and purposes through the whole program."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble
from usersessionmon.clock import SystemClock

from .running import append, end, login, logout, monitor, run, stamp, until, write_config
from .test_unusual import titles, told

TOGETHER = "fold: {presence: true, linger_minutes: 5}"


def lost(at: float, pid: int, user: str, port: int) -> list[str]:
    address = f"user {user} 198.51.100.7 port {port}"
    return [
        f"{stamp(at)} web-1 sshd[{pid + 1}]: Read error from remote host 198.51.100.7 port {port}: "
        "Connection reset by peer",
        f"{stamp(at)} web-1 sshd[{pid + 1}]: Connection closed by {address}",
        f"{stamp(at)} web-1 sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}",
    ]


def editor() -> list[str]:
    """Twelve connections of one person, one of which is lost, while another comes and goes; the
    last line is long after."""
    lines = [line for n in range(12) for line in login(n, 100 + 10 * n, "alice", 5000 + n)]
    lines += login(20, 900, "bob", 6000)
    lines += lost(30, 100, "alice", 5000)
    lines += [
        line for n in range(1, 12) for line in logout(60 + n, 100 + 10 * n, "alice", 5000 + n)
    ]
    lines += login(300, 800, "alice", 7000)  # before the five minutes are over
    lines += logout(3600, 800, "alice", 7000)
    lines += logout(4000, 900, "bob", 6000)
    return lines + login(9000, 700, "carol", 8000)


def test_twelve_connections_of_an_editor(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, editor())
    config = write_config(tmp_path, log, more=TOGETHER)
    notices = told(config)
    names = [
        f"{notice.split(chr(10))[0][2:4]} {notice.split('用户名：')[1].split(chr(10))[0]}"
        for notice in notices
    ]
    assert sorted(names) == sorted(
        ["登录 alice", "登出 alice", "登录 bob", "登出 alice", "登出 bob", "登录 carol"]
    )
    broken, whole = [notice for notice in notices if "登出" in notice and "alice" in notice]
    if "异常" not in broken:
        broken, whole = whole, broken
    assert "\n异常：是" in broken
    assert "\n其他连接：另有 11 个仍在线" in broken
    assert (
        "\n登出时间：2026-11-21 09:00:00\n会话时长：1小时\n登录时间：2026-11-21 08:00:00" in whole
    )
    assert "\n连接数：13" in whole
    said = json.loads(run("status", "--json", "--config", str(config)).stdout)
    assert said["folded"] == 12 + 11


@pytest.mark.parametrize("seed", range(3))
def test_cut_anywhere_the_same_is_told(tmp_path: Path, seed: int) -> None:
    lines, log = editor(), tmp_path / "auth.log"
    append(log, lines)
    whole = told(write_config(tmp_path, log, more=TOGETHER))
    folder = tmp_path / "pieces"
    folder.mkdir()
    pieces, rng = folder / "auth.log", random.Random(seed)
    config, parts = write_config(folder, pieces, more=TOGETHER), []
    while lines:
        size = rng.randint(1, 9)
        append(pieces, lines[:size])
        del lines[:size]
        parts += told(config)
    assert sorted(parts) == sorted(whole)


def test_a_day_of_backups_is_told_once_after_a_missed_day_too(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    more = "fold: {purposes: {backup: {users: [backup]}, robots: {users: [r], tell: never}}}"
    config = write_config(tmp_path, log, more=more)
    append(log, login(0, 10, "backup", 1))
    assert told(config) == []
    with closing(sqlite3.connect(tmp_path / "state/state.db")) as state, state:
        (since,) = state.execute("SELECT value FROM fact WHERE name = 'daily_since_us'").fetchone()
        earlier = str(int(since) - 2 * 86_400_000_000)
        state.execute("UPDATE fact SET value = ? WHERE name = 'daily_since_us'", (earlier,))
    append(log, [*logout(180, 10, "backup", 1), *login(200, 20, "backup", 2)])
    append(log, [*login(210, 30, "r", 3), *lost(240, 20, "backup", 2)])
    notices = told(config)
    assert sorted(titles(notices)) == ["每日汇总通知", "用户登出通知"]
    (day,) = [notice for notice in notices if "每日" in notice]
    assert "\nbackup：2 次登录，1 个地址，最长 3分，失败 0 次，1 次已单独通知" in day
    assert "robots" not in day
    assert f"\n时段：{datetime.fromtimestamp(int(earlier) / 1e6, UTC):%Y-%m-%d %H:%M:%S} – " in day
    assert told(config) == []
    shown = run("status", "--config", str(config)).stdout.decode()
    assert "purpose    robots: 1 logins, 0 logouts, 0 failures, 0 told by themselves since" in shown
    assert "purpose    backup: 0 logins" in shown


def test_at_night_the_abnormal_comes_and_the_routine_waits(tmp_path: Path) -> None:
    now = datetime.fromtimestamp(SystemClock().now_us() / 1e6, UTC)
    window = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    log = tmp_path / "auth.log"
    append(log, ["nothing of interest"])
    with FeishuDouble() as bot:
        more = f'quiet_hours: {{windows: ["{window}"]}}'
        config = write_config(tmp_path, log, url=bot.url, more=more)
        with monitor(config, "--from-start") as process:
            append(
                log, [*login(0, 10, "alice", 1), *login(1, 20, "bob", 2), *lost(2, 20, "bob", 2)]
            )
            (text,) = bot.wait_for(1)
            assert text.startswith("用户登出通知")
            with closing(sqlite3.connect(tmp_path / "state/state.db")) as state:
                query = "SELECT held_us, bundle FROM deliveries ORDER BY number"
                until(lambda: len(state.execute(query).fetchall()) == 2)
                waiting = state.execute(query).fetchall()
            assert end(process)[0] == 0
        assert bot.texts() == [text]
    morning = (now + timedelta(hours=2)).replace(second=0, microsecond=0)
    assert waiting == [(int(morning.timestamp()) * 1_000_000, "night")] * 2


def test_presence_live_and_over_a_restart(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, ["nothing of interest"])
    with FeishuDouble() as bot:
        more = "fold: {presence: true, linger_minutes: 0}"
        config = write_config(tmp_path, log, url=bot.url, more=more)
        with monitor(config, "--from-start") as process:
            append(log, [*login(0, 10, "alice", 1), *login(1, 20, "alice", 2)])
            bot.wait_for(1)
            append(log, logout(9, 10, "alice", 1))
            append(log, login(10, 40, "bob", 4))
            bot.wait_for(2)
            assert end(process)[0] == 0
        with monitor(config):
            append(log, logout(60, 20, "alice", 2))
            texts = bot.wait_for(3)
    assert [text.split("\n")[0] for text in texts] == [
        "用户登录通知",
        "用户登录通知",
        "用户登出通知",
    ]
    assert "用户名：bob" in texts[1]
    assert "\n会话时长：1分\n" in texts[2]
    assert "\n连接数：2" in texts[2]
