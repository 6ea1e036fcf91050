"""Several channels at once, some of which do not work, through the whole program."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble

from .running import append, end, login, monitor, run, until, write_config


@pytest.mark.parametrize("once", [False, True])
def test_it_ends_in_time_however_many_channels_hang(tmp_path: Path, once: bool) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1))
    with ExitStack() as stack:
        works = stack.enter_context(FeishuDouble())
        hang = [stack.enter_context(FeishuDouble(script=["hang"] * 9)) for _ in range(4)]
        urls = [f'  c{n}: {{type: feishu, webhook_url: "{one.url}"}}' for n, one in enumerate(hang)]
        config = write_config(tmp_path, log, url=works.url, more="\n".join(["channels:", *urls]))
        with monitor(config, "--from-start", *(["--once"] if once else [])) as process:
            for one in hang:
                one.wait_for_requests(1)
            works.wait_for(1)
            begun = time.monotonic()
            assert end(process)[0] == 0
            assert time.monotonic() - begun < 5


def test_what_waits_for_a_channel_that_a_reload_took_away_is_not_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    append(log, login(0, 10, "alice", 1))
    with FeishuDouble() as fails, FeishuDouble() as works:
        fails.always = "status:503"

        def configure(name: str) -> Path:
            channel = f'channels: {{{name}: {{type: feishu, webhook_url: "{fails.url}"}}}}'
            return write_config(tmp_path, log, url=works.url, more=channel)

        def standing(config: Path) -> dict[str, Any]:
            said = run("status", "--json", "--config", str(config)).stdout
            found: dict[str, Any] = json.loads(said)
            return {one["channel"]: one for one in found["channels"]} | {
                "": found["trouble"],
                "started": found["started"],
            }

        config = configure("ops")
        with monitor(config, "--from-start") as process:
            fails.wait_for_requests(1)
            until(lambda: standing(config).get("ops", {}).get("waiting") == 1)
            before = standing(config)["started"]
            configure("duty")
            process.send_signal(signal.SIGHUP)
            until(lambda: standing(config)["started"] != before)
            append(log, login(1, 20, "bob", 2))
            until(lambda: "duty" in standing(config))
            found = standing(config)
            code, output = end(process)
        assert found["ops"]["waiting"] == 1
        assert any(one.startswith("ops: 1 notices wait, and no such channel") for one in found[""])
        assert code == 0
        assert "error: 1 notices wait for the channel ops, which is not configured any" in output
        configure("ops")
        with monitor(config):
            fails.always = ""
            assert "alice" in fails.wait_for(1)[0], "it is there again, and nothing was lost"


def test_two_channels_of_one_bot_keep_its_limits_together(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble() as bot:
        other = f'channels: {{duty: {{type: feishu, webhook_url: "{bot.url}"}}}}'
        with monitor(write_config(tmp_path, log, url=bot.url, more=other), "--from-start"):
            append(log, [line for n in range(8) for line in login(n, 10 + n, f"u{n}", 5000 + n)])
            told = "".join(bot.wait_for(16, 20))
        assert all(told.count(f"用户名：u{n}\n") == 2 for n in range(8))
        assert all(one.accepted for one in bot.requests())
