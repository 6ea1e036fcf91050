"""Several channels at once, some of which do not work, through the whole program."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble

from .running import append, end, login, monitor, write_config


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
