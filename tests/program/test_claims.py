"""A host is claimed beside the running monitor, and released: who comes is told, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble

from .running import append, end, login, monitor, run, write_config


def titles(texts: list[str]) -> list[str]:
    return [text.split("\n")[0] for text in texts]


@pytest.mark.parametrize("notify", [True, False])
def test_who_logs_in_meanwhile_is_told_in_the_one_notice(tmp_path: Path, notify: bool) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble() as group:
        more = f"claims: {{notify: {str(notify).lower()}}}"
        config = write_config(tmp_path, log, url=group.url, more=more)

        def call(*words: str) -> str:
            done = run(words[0], "--config", str(config), *words[1:])
            assert (done.returncode, done.stderr) == (0, b""), done.stderr
            return done.stdout.decode()

        with monitor(config, "--from-start") as process:
            append(log, login(0, 10, "bob", 1))
            group.wait_for(1)
            call("claim", "web-1", "--for", "2h", "--user", "alice", "--note", "部署中")
            if notify:
                group.wait_for(2)
            append(log, login(1, 20, "bob", 2))
            group.wait_for(2 + notify)
            append(log, login(2, 30, "alice", 3))
            group.wait_for(3 + notify)
            rows = call("who", "--json").splitlines()
            assert [json.loads(row)["claim"]["user"] for row in rows] == ["alice"] * 3
            assert call("who").splitlines()[-1].startswith("web-1 is claimed by alice")
            assert call("release", "web-1", "--anyway").startswith("released: web-1 was claimed")
            if notify:
                group.wait_for(5)
            append(log, login(3, 40, "bob", 4))
            group.wait_for(4 + 2 * notify)
            assert end(process)[0] == 0
        texts = group.texts()
    (line,) = [one for text in texts for one in text.split("\n") if one.startswith("占用：")]
    assert line.startswith("占用：alice") and "（部署中），使用前烦请先与其联系" in line
    logins = [text for text in texts if text.startswith("用户登录通知")]
    assert [line in text for text in logins] == [False, True, False, False]
    others = [title for title in titles(texts) if title != "用户登录通知"]
    assert others == (["主机占用通知", "主机释放通知"] if notify else [])


def test_a_claim_made_while_the_monitor_is_down_is_told_at_its_start(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble() as group:
        config = write_config(tmp_path, log, url=group.url)
        assert run("run", "--once", "--config", str(config)).returncode == 0
        done = run("claim", "--config", str(config), "--until", "2h", "--user", "alice")
        assert done.returncode == 0 and b"the monitor is not running" in done.stderr
        append(log, login(0, 10, "bob", 1))
        with monitor(config) as process:
            group.wait_for(2)
            assert end(process)[0] == 0
        assert run("run", "--once", "--config", str(config)).returncode == 0
        assert sorted(titles(group.texts())) == ["主机占用通知", "用户登录通知"]
        (line,) = [one for text in group.texts() for one in text.split("\n") if "占用：" in one]
        assert line.startswith("占用：alice")
