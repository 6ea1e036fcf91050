"""Killed with -9 at any moment and started again: no event lost, no session wrong, a notice at
most doubled."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

from tests.feishu_double import FeishuDouble

from .running import append, end, login, logout, monitor, run, until, write_config

PEOPLE = 12


def _story() -> list[list[str]]:
    """Logins and logouts that overlap, in small pieces as a daemon writes them."""
    order = list(range(PEOPLE))
    random.Random(3).shuffle(order)
    return [
        *(login(n, 100 + 10 * n, f"user{n}", 4000 + n) for n in range(PEOPLE)),
        *(logout(60 + n, 100 + 10 * n, f"user{n}", 4000 + n) for n in order),
    ]


def _history(config: Path) -> list[tuple[object, ...]]:
    output = run("history", "--json", "--config", str(config)).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    return sorted(
        (row["session"], row["user"], row["port"], row["duration"], row["reason"], row["state"])
        for row in rows
    )


def test_killed_again_and_again_nothing_is_lost(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    rng = random.Random(11)
    pieces = _story()
    with FeishuDouble(limits=False) as double:
        config = write_config(tmp_path, log, url=double.url)
        with monitor(config, "--from-start"):
            until(lambda: _is_placed(config))  # a busy machine takes a life of its own to start
        while pieces:
            with monitor(config, "--from-start"):
                for _ in range(rng.randint(1, 6)):
                    if pieces:
                        append(log, pieces.pop(0))
                    time.sleep(rng.random() * 0.12)  # let the kill fall anywhere
                time.sleep(rng.random() * 0.3)
        with monitor(config) as process:
            expected = {
                (kind, f"user{number}") for kind in ("登录", "登出") for number in range(PEOPLE)
            }
            until(lambda: expected <= _told(double), 30)
            assert end(process)[0] == 0
        counts = _counts(double)
    assert set(counts) == expected
    whole = tmp_path / "whole"
    whole.mkdir()
    straight = write_config(whole, log)
    assert run("run", "--once", "--from-start", "--config", str(straight)).returncode == 0
    assert _history(config) == _history(straight)
    assert len(_history(config)) == PEOPLE


def _is_placed(config: Path) -> bool:
    return json.loads(run("status", "--json", "--config", str(config)).stdout)["source"] is not None


def _told(double: FeishuDouble) -> set[tuple[str, str]]:
    return set(_counts(double))


def _counts(double: FeishuDouble) -> dict[tuple[str, str], int]:
    """(登录 or 登出, user) → how often it was told, singly or in a digest."""
    counts: dict[tuple[str, str], int] = {}
    for text in double.texts():
        single = re.search(r"^用户(登录|登出)通知$.*^用户名：(\S+)$", text, re.M | re.S)
        found = (
            [(single[1], single[2])]
            if single
            else re.findall(r"^\S+ \S+ (登录|登出) (\S+) ", text, re.M)
        )
        for key in found:
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_a_session_open_over_a_kill_is_closed_with_all_it_had(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble() as double:
        config = write_config(tmp_path, log, url=double.url)
        with monitor(config, "--from-start") as process:
            append(log, login(0, 10, "li.wei", 50022))
            double.wait_for(1)
            process.kill()
            process.wait()
        append(log, logout(95, 10, "li.wei", 50022))
        with monitor(config):
            # Killed between the answer and its record, the login may be told twice.
            until(lambda: "用户登出通知" in double.texts()[-1])
            text = double.texts()[-1]
            assert len(double.texts()) <= 3
    lines = text.splitlines()
    assert lines[:6] == [
        "用户登出通知",
        "服务器：web-1",
        "服务器IP：192.0.2.10",
        "用户名：li.wei",
        "IP地址：198.51.100.7",
        "登出时间：2026-11-21 08:01:35",
    ]
    assert "会话时长：1分35秒" in lines


def test_a_webhook_that_hangs_holds_neither_reading_nor_the_end(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(script=["hang"] * 50) as double:
        config = write_config(tmp_path, log, url=double.url)
        with monitor(config, "--from-start") as process:
            for number in range(5):
                append(log, login(number, 100 + number, f"u{number}", 4000 + number))
            until(lambda: run("who", "--json", "--config", str(config)).stdout.count(b"\n") == 5)
            before = time.monotonic()
            status, _ = end(process)
            assert status == 0
            assert time.monotonic() - before < 5
    with FeishuDouble() as double:
        write_config(tmp_path, log, url=double.url)
        with monitor(config):
            texts = double.wait_for(5)
    assert len(texts) == 5
