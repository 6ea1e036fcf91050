"""SIGHUP: the configuration as it is now, in the same process, with nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.feishu_double import FeishuDouble
from tests.program import running
from tests.program.running import follows, monitor, run, until, write_config
from usersessionmon.config import SYSTEM_CONFIG

LOGIN = (
    "2026-11-21T08:{minute:02}:00+00:00 web-1 sshd[{pid}]: Accepted password for {user} from"
    " 198.51.100.7 port 50022 ssh2\n"
)


def append(log: Path, user: str, number: int) -> None:
    with log.open("a") as file:
        file.write(LOGIN.format(minute=number % 60, pid=1000 + number, user=user))


def status(config: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("status", "--json", "--config", str(config)).stdout)
    return found


def hang_up(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGHUP)


def began(config: Path) -> object:
    return status(config).get("started")


def test_a_new_webhook_without_a_restart(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble() as first, FeishuDouble() as second:
        config = write_config(tmp_path, log, url=first.url)
        with monitor(config) as process:
            until(lambda: follows(config))
            append(log, "alice", 1)
            assert "alice" in first.wait_for(1)[0]
            before = began(config)
            write_config(tmp_path, log, url=second.url)
            append(log, "bob", 2)
            assert "bob" in first.wait_for(2)[1], "nobody asked for it to be read yet"
            hang_up(process)
            until(lambda: began(config) != before)
            assert status(config)["pid"] == process.pid
            append(log, "carol", 3)
            assert "carol" in second.wait_for(1)[0]
            assert len(first.texts()) == 2
            code, output = running.end(process)
            assert code == 0 and "beginning anew" in output


BAD = {
    "feishu: {webhok_url: x}": "unknown key feishu.webhok_url",
    "feishu: [": "not valid YAML",
    "feishu: {secret_file: /nowhere/secret}": "feishu.secret_file: cannot be read",
    "state: {dir: /proc/nowhere}": "/proc/nowhere",
}


def test_a_bad_configuration_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble() as double:
        config = write_config(tmp_path, log, url=double.url)
        good = config.read_text()
        spare = tmp_path / "spare.yaml"  # for who looks meanwhile
        spare.write_text(good)
        with monitor(config) as process:
            until(lambda: follows(config))
            for number, (text, problem) in enumerate(BAD.items(), 1):
                config.write_text(text)
                refused = run("check", "--configuration", "--config", str(config))
                assert refused.returncode == 2 and problem in refused.stderr.decode()
                hang_up(process)
                append(log, f"user{number}", number)
                assert f"user{number}" in double.wait_for(number)[-1]
                until(lambda problem=problem: problem in _refusal(spare))  # type: ignore[misc]
                config.write_text(good)
            found = run("status", "--config", str(config))
            assert found.returncode == 1
            assert "the new configuration was refused" in found.stdout.decode()
            before = began(config)
            hang_up(process)
            until(lambda: began(config) != before)
            assert status(config)["reload_refused"] is None
            code, output = running.end(process)
            assert code == 0 and all(problem in output for problem in BAD.values())


@pytest.mark.skipif(SYSTEM_CONFIG.exists(), reason="this host has a configuration of its own")
def test_a_configuration_that_is_gone_is_no_reason_to_tell_nobody(tmp_path: Path) -> None:
    """The file that is looked for where none is named."""
    log = tmp_path / "auth.log"
    log.touch()
    (tmp_path / "config").mkdir()
    with FeishuDouble() as double:
        config = write_config(tmp_path, log, url=double.url).rename(tmp_path / "config/config.yaml")
        environment = {**os.environ, "USM__STATE__DIR": str(tmp_path / "state")}

        def ask(*arguments: str) -> subprocess.CompletedProcess[bytes]:
            return run(*arguments, env=environment, cwd=tmp_path)

        with monitor(None, env=environment, cwd=tmp_path) as process:
            until(lambda: ask("status", "--json").returncode == 0)
            config.rename(tmp_path / "away")
            checked = ask("check", "--configuration")
            assert checked.returncode == 2
            assert "config/config.yaml: is not there any more" in checked.stderr.decode()
            hang_up(process)
            append(log, "alice", 1)
            assert "alice" in double.wait_for(1)[0]
            until(lambda: b"is not there any more" in ask("status").stdout)
            (tmp_path / "away").rename(config)
            assert ask("check", "--configuration").returncode == 0
            code, output = running.end(process)
            assert code == 0 and "reload refused" in output


def _refusal(config: Path) -> str:
    found = status(config)["reload_refused"]
    return str(found["why"]) if isinstance(found, dict) else ""


def test_many_reloads_lose_nothing_and_leave_nothing_open(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    with FeishuDouble(limits=False) as double:
        config = write_config(tmp_path, log, url=double.url)
        with monitor(config) as process:
            until(lambda: follows(config))
            folder = Path(f"/proc/{process.pid}/fd")
            append(log, "user0", 0)
            double.wait_for(1)
            before = len(list(folder.iterdir()))
            for number in range(1, 16):
                hang_up(process)  # often in the middle of beginning anew
                append(log, f"user{number}", number)
                if number % 5 == 0:
                    double.wait_for(number)
            texts = double.wait_for(16, 30)
            assert running.end(process)[0] == 0
        told = "\n".join(texts)
        assert all(told.count(f"用户名：user{number}\n") == 1 for number in range(16))
        assert before > 0


def test_descriptors_stay_as_many(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    with monitor(config) as process:
        until(lambda: follows(config))
        counts = []
        for _ in range(3):
            before = began(config)
            hang_up(process)
            until(lambda before=before: began(config) != before)  # type: ignore[misc]
            counts.append(len(list(Path(f"/proc/{process.pid}/fd").iterdir())))
        assert max(counts) - min(counts) <= 1, counts
        assert running.end(process)[0] == 0


def test_terminate_right_after_a_reload_ends_in_order(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    config = write_config(tmp_path, log)
    for pause in (0.0, 0.1, 0.3):
        with monitor(config) as process:
            until(lambda: follows(config))
            hang_up(process)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(pause or 0.001)
            assert running.end(process)[0] == 0
