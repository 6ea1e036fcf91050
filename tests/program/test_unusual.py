"""What is unusual, through the whole program: a log of an attack read at once and in pieces."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest

from usersessionmon.config import load
from usersessionmon.wiring import monitor as wiring

from .running import append, login, logout, run, stamp, write_config


def failure(at: float, pid: int, user: str, ip: str, *, invalid: bool = False) -> list[str]:
    head = f"{stamp(at)} web-1 sshd[{pid}]:"
    who = f"invalid user {user}" if invalid else user
    lines = [f"{head} Failed password for {who} from {ip} port {pid} ssh2"]
    return [f"{head} Invalid user {user} from {ip} port {pid}", *lines] if invalid else lines


def story() -> list[str]:
    """A guessed password, a sweep, one person's week, and a login from elsewhere."""
    lines: list[str] = []
    for number in range(15):
        lines += failure(number, 3000 + number, "root", "203.0.113.9")
    lines += [line.replace("198.51.100.7", "203.0.113.9") for line in login(20, 50, "root", 9)]
    for number in range(8):
        lines += failure(60 + number, 4000 + number, f"u{number}", "203.0.113.7", invalid=True)
    for day in range(1, 8):
        lines += login(day * 86_400, 100 + 10 * day, "alice", 5000 + day)
        lines += logout(day * 86_400 + 600, 100 + 10 * day, "alice", 5000 + day)
    far = login(9 * 86_400, 900, "alice", 6000)
    return lines + [line.replace("198.51.100.7", "192.0.2.99") for line in far]


def told(config: Path) -> list[str]:
    """The notices of one run up to the log's end, without what depends on when it was."""
    stream = io.StringIO()
    with wiring.monitor(load(config), from_start=True, once=True, stream=stream) as monitor:
        monitor.run()
    notices = stream.getvalue().strip().split("\n\n")
    return [
        "\n".join(line for line in notice.split("\n") if not line.startswith("延迟送达"))
        for notice in notices
        if notice
    ]


def titles(notices: list[str]) -> list[str]:
    return [notice.split("\n")[0] for notice in notices]


def test_an_attack_and_a_login_from_elsewhere(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, story())
    notices = told(write_config(tmp_path, log))
    names = titles(notices)
    assert (names.count("用户登录通知"), names.count("用户登出通知")) == (9, 7)
    others = [name for name in names if name not in {"用户登录通知", "用户登出通知"}]
    assert sorted(others) == sorted(
        ["大量登录失败告警通知", "账户试探通知", "大量登录失败结束通知", "账户试探结束通知"]
    )
    unusual = [line for notice in notices for line in notice.split("\n") if line[:3] == "注意："]
    assert sorted(unusual) == sorted(
        [
            "注意：此前来自同一地址的失败 15 次，最近一次在 6秒之前",
            "注意：高权限账户以密码登录（password）",
            "注意：此用户首次从 192.0.2.0/24 登录（自 2026-11-22 起已知 7 次登录）",
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_cut_anywhere_the_same_is_told(tmp_path: Path, seed: int) -> None:
    lines = story()
    log = tmp_path / "auth.log"
    append(log, lines)
    whole = told(write_config(tmp_path, log))
    folder = tmp_path / "pieces"
    folder.mkdir()
    pieces, rng = folder / "auth.log", random.Random(seed)
    config, parts = write_config(folder, pieces), []
    while lines:
        size = rng.randint(1, 12)
        append(pieces, lines[:size])
        del lines[:size]
        parts += told(config)
    assert sorted(parts) == sorted(whole)


def test_quiet_lists_and_maintenance_are_counted_by_status(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, [*login(0, 10, "backup", 1), *logout(5, 10, "backup", 1)])
    append(log, [*login(10, 20, "alice", 2), *login(20, 30, "root", 3)])
    append(log, login(3700, 40, "bob", 4))
    more = "quiet: {users: [backup]}\nmaintenance: {windows: [Sat 08:00-09:00]}"
    config = write_config(tmp_path, log, more=more)
    notices = told(config)
    assert titles(notices) == ["用户登录通知"] * 2  # root by password, and bob after the window
    assert all("backup" not in notice and "alice" not in notice for notice in notices)
    said = json.loads(run("status", "--json", "--config", str(config)).stdout)
    assert (said["quieted"], said["in_maintenance"]) == (2, 1)
    shown = run("status", "--config", str(config)).stdout.decode()
    assert "2 events that were not told because of quiet" in shown
    assert "1 events that were not told in a maintenance window" in shown
    assert run("history", "--json", "--config", str(config)).stdout.count(b"\n") == 4
