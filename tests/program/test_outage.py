"""The running program while the webhook is down, and after: digests, drops, asked to try."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.feishu_double import FeishuDouble

from .running import append, end, login, monitor, run, stamp, until, write_config

DOWN = "code:19007"


def lost(at: float, pid: int, user: str, port: int) -> list[str]:
    return [
        f"{stamp(at)} web-1 sshd[{pid + 1}]: Connection reset by 198.51.100.7 port {port}",
        f"{stamp(at)} web-1 sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}",
    ]


def status(config: Path) -> dict[str, Any]:
    found = run("status", "--json", "--config", str(config)).stdout
    channels: list[dict[str, Any]] = json.loads(found)["channels"] or [{"waiting": 0}]
    return channels[0]


def test_an_outage_is_told_in_digests_as_soon_as_somebody_asks(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(keyword="通知") as double:
        double.always = DOWN
        config = write_config(tmp_path, log, url=double.url)
        with monitor(config) as process:
            until(lambda: run("status", "--config", str(config)).returncode == 0)
            for number in range(120):
                lines = login(number, 1000 + 10 * number, f"user{number}", 40000 + number)
                if number % 30 == 7:
                    lines += lost(number + 0.5, 1000 + 10 * number, f"user{number}", 40000 + number)
                append(log, lines)
            until(lambda: status(config)["waiting"] == 124, 30)
            assert not double.texts() and status(config)["answer"] == "configuration"
            held = len(double.requests())
            double.always = ""
            asked = run("outbox", "retry", "--channel", "feishu", "--config", str(config))
            assert asked.returncode == 0 and b"within 15 s" in asked.stdout
            until(lambda: status(config)["waiting"] == 0, 30)
            assert end(process)[0] == 0
        came = [one.text for one in double.requests()[held:]]
        assert came == double.texts(), "nothing was refused"
        ends = [text for text in came if "登出" in text]
        assert ends == came[: len(ends)], "the abnormal first, whether in full or as a digest"
        assert all(f"user{number}" in "\n".join(ends) for number in (7, 37, 67, 97))
        lines = [line for text in came for line in text.split("\n") if " 登录 " in line]
        assert {line.split()[3]: line.split()[1] for line in lines} == {
            f"user{number}": stamp(number)[11:19] for number in range(120)
        }, "each with its own time"
        assert len(lines) == 120 and len(came) - len(ends) <= 3


def test_what_is_too_much_is_dropped_and_told(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(keyword="通知") as double:
        double.always = DOWN
        config = write_config(tmp_path, log, url=double.url, more="outbox: {max_notices: 10}")
        with monitor(config) as process:
            until(lambda: run("status", "--config", str(config)).returncode == 0)
            for number in range(30):
                append(log, login(number, 1000 + 10 * number, f"user{number}", 40000 + number))
            until(lambda: status(config).get("dropped_total") == 20)
            double.always = ""
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        with monitor(config) as process:
            until(lambda: status(config)["waiting"] == 0)
            code, output = end(process)
        assert code == 0
        told = "\n".join(double.texts())
        assert "通知丢弃通知" in told and "丢弃数量：普通 20 条，异常 0 条" in told
        assert "事件时间：2026-11-21 08:00:00 至 2026-11-21 08:00:19" in told
        assert told.count("通知丢弃通知") == 1
        assert all(f"user{number}" in told for number in range(20, 30))
        assert "user19\n" not in told
        assert "dropped" not in output, "it began before"
