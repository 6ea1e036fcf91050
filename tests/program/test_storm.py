"""Three thousand failed logins from two hundred addresses, and somebody who really logs in among
them, through the running program to a bot that refuses what comes too fast."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.detect.storms import NAMES, STORM, address, sources
from tests.feishu_double import FeishuDouble
from usersessionmon.clock import SystemClock

from .running import append, login, monitor, until, write_config
from .test_unusual import failure

AT_ONCE_US = 2_000_000
"""The login's notice is with the bot within this, whatever else is in the log."""
MOST = 5
"""Notices of one storm, its end included."""


def storm(order: str, names: str, sixth: int) -> list[list[str]]:
    """The lines of each failure, a minute in all."""
    found = []
    for number, source in enumerate(sources(order, random.Random(5))):
        user, valid = NAMES[names](number)
        at, ip = 100 + 60 * number / STORM, address(source, sixth)
        found.append(failure(at, 20_000 + number, user or "", ip, invalid=valid is False))
    return found


def value(text: str, name: str) -> str:
    (found,) = [line for line in text.split("\n") if line.startswith(f"{name}：")]
    return found.partition("：")[2]


def arrived(bot: FeishuDouble, user: str) -> list[int]:
    """When the notice of a user's login came, by the bot's clock."""
    return [
        one.at_us
        for one in bot.notices()
        if one.text.startswith("用户登录通知") and f"用户名：{user}\n" in one.text
    ]


@pytest.mark.parametrize(
    ("order", "names", "sixth"),
    [
        ("round robin", "root", 0),
        ("round robin", "invalid", 0),
        ("round robin", "exist", 3),
        ("one by one", "root", 0),
        ("one by one", "invalid", 0),
        ("one by one", "mixed", 1),
        ("shuffled", "mixed", 0),
        ("two loud", "unknown", 0),
        ("loud at last", "invalid", 0),
    ],
)
def test_the_login_comes_at_once_and_the_storm_is_a_handful(
    tmp_path: Path, order: str, names: str, sixth: int
) -> None:
    log, clock, lines = tmp_path / "auth.log", SystemClock(), storm(order, names, sixth)
    before = [line for each in lines[: STORM // 2] for line in each]
    after = [line for each in lines[STORM // 2 :] for line in each]
    log.touch()
    with FeishuDouble() as bot, monitor(write_config(tmp_path, log, url=bot.url), "--from-start"):
        append(log, login(0, 10, "first", 1))  # it is up and follows
        until(lambda: bool(arrived(bot, "first")))
        append(log, before)
        wrote_us = clock.now_us()
        append(log, login(130, 11, "alice", 2))
        append(log, after)
        until(lambda: bool(arrived(bot, "alice")))
        append(log, login(2 * 3600, 12, "last", 3))  # behind the quiet that ends it
        until(lambda: bool(arrived(bot, "last")))
        requests = bot.requests()
    (came_us,) = arrived(bot, "alice")
    told = [one.text for one in requests if not one.text.startswith("用户登录通知")]
    ends = [text for text in told if "结束通知" in text.split("\n")[0]]
    assert came_us - wrote_us < AT_ONCE_US
    assert all(one.accepted for one in requests)
    assert ends
    assert len(told) <= MOST
    assert sum(int(value(text, "失败次数")) for text in ends) == STORM
