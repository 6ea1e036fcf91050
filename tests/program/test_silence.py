"""The running monitor against a real process that is called sshd and really has connections."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble
from tests.host.test_connections import PRETEND

from .running import append, follows, run, until, write_config

HASTY = """
import sys
from usersessionmon import silence
silence.LOOK_SECONDS, silence.SILENT_SECONDS, silence.PORTS_SECONDS = 0.2, 1.0, 0.2
from usersessionmon.cli.main import main
sys.exit(main(["run", "--from-start", "--config", sys.argv[1]]))
"""


def line(text: str) -> str:
    return f"{datetime.now(UTC).isoformat()} {os.uname().nodename} sshd[4194303]: {text}"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to pretend to be sshd")
@pytest.mark.parametrize("wanted", [True, False])
def test_connections_that_the_log_says_nothing_of(tmp_path: Path, wanted: bool) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(limits=False) as group:
        config = write_config(tmp_path, log, url=group.url)
        text = config.read_text()
        silent = str(wanted).lower()
        config.write_text(
            text.replace("{source: file,", f"{{alarm_silent: {silent}, source: file,")
        )

        def status() -> dict[str, Any]:
            answer = json.loads(run("status", "--json", "--config", str(config)).stdout)
            assert isinstance(answer, dict)
            return answer

        pretended = subprocess.Popen(
            [sys.executable, "-c", PRETEND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        hasty = subprocess.Popen([sys.executable, "-c", HASTY, str(config)])
        with pretended as sshd, hasty as process:
            assert sshd.stdout is not None
            port = int(sshd.stdout.readline())
            try:
                until(lambda: follows(config))
                append(log, [line("Server listening on 127.0.0.1 port 22.")])
                until(lambda: status()["last_line"] is not None)
                with ExitStack() as connected:
                    # The first may come before the look that follows the line: then the line could
                    # have been of it.
                    for _ in range(2 if not wanted else 10):
                        connected.enter_context(socket.create_connection(("127.0.0.1", port)))
                        if group.wait_for(1, 3):
                            break
                    if not wanted:
                        assert group.texts() == []
                        return
                    (told,) = group.texts()
                    assert told.startswith("日志静默通知\n")
                    (sentence,) = status()["trouble"]
                    assert sentence.startswith(f"people come and go on sshd and {log} says nothing")
                    append(log, [line("Server listening on 127.0.0.1 port 22.")])
                    assert group.wait_for(2, 30)[1].startswith("日志恢复通知\n")
                    assert status()["trouble"] == []
            finally:
                process.kill()
                sshd.kill()
