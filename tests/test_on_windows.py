"""The program where POSIX is not: what a host with Windows would run, in a process that lacks what
Windows lacks (``tests.windows_host``)."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .feishu_double import FeishuDouble
from .program.running import append, login, logout, until, write_config
from .windows_host import done, environment, windows

SAMPLES = Path(__file__).parents[2] / "shared/samples/windows"
_HELP = """
from tests.windows_host import become
become()
from usersessionmon.cli.main import COMMANDS, main
for name in [*COMMANDS, ""]:
    try:
        main([*name.split(), "--help"])
    except SystemExit as end:
        print(f"<{name} {end.code}>")
"""
_WAKER = """
from tests.windows_host import become
become()
import signal, threading
from usersessionmon.clock import Waker
waker = Waker()
assert not waker.wait(0)
waker.wake(), waker.wake()
assert waker.wait(60), "a wake before the wait is kept"
assert not waker.wait(0.001), "and two are one"
threading.Thread(target=waker.wake).start()
assert waker.wait(60), "from another thread"
def handler(number, frame):
    waker.wake()
signal.signal(signal.SIGBREAK, handler)
signal.raise_signal(signal.SIGBREAK)
assert waker.wait(60), "from a handler"
waker.close()
waker.wake()
print("good")
"""


@contextmanager
def monitor(folder: Path, config: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.windows_host", "--config", str(config), "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[1],
        env=environment(folder),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def status(folder: Path, config: Path) -> dict[str, object]:
    said = windows(folder, "--config", str(config), "status", "--json").stdout
    return dict(json.loads(said))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "auth.log"
    append(log, [*login(0, 100, "alice", 50022), *login(1, 200, "bob", 50023)])
    return log


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    """Else all that follows would show nothing."""
    code = "from tests.windows_host import become\nbecome()\nimport {}"
    for name in ("fcntl", "pwd", "grp", "termios", "resource", "systemd.journal"):
        assert "ModuleNotFoundError" in windows(tmp_path, code=code.format(name)).stderr
    code = "from tests.windows_host import become\nbecome()\nimport os, signal, select\n{}"
    for name in ("os.geteuid", "os.pread", "os.O_NONBLOCK", "signal.SIGHUP", "select.poll"):
        assert "AttributeError" in windows(tmp_path, code=code.format(name)).stderr


def test_the_help_of_each_command(tmp_path: Path) -> None:
    said = windows(tmp_path, code=_HELP)
    assert "<run 0>" in said.stdout
    assert said.stdout.count(" 0>") == said.stdout.count("\n<"), said
    assert "< 0>" in said.stdout


def test_the_waker(tmp_path: Path) -> None:
    said = windows(tmp_path, code=_WAKER)
    assert said.stdout == "good\n", said.stderr


def test_a_log_is_scanned(tmp_path: Path, log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b"\n", b"\r\n"))  # as files are written there
    events = [json.loads(line) for line in done(tmp_path, "scan", "--json", str(log)).splitlines()]
    assert [(one["event"], one["user"]) for one in events] == [
        ("login", "alice"),
        ("login", "bob"),
    ]


def test_what_only_looks(tmp_path: Path) -> None:
    assert "sshd.accepted" in done(tmp_path, "rules", "list")
    assert "alice" in done(tmp_path, "notices", "preview")
    assert "login" in done(tmp_path, "demo", "--fast")
    assert str(tmp_path / "ProgramData/user-session-monitor/rules.d") in done(
        tmp_path, "config", "show"
    )


def test_the_monitor_goes_on_where_it_was(tmp_path: Path, log: Path) -> None:
    config = write_config(tmp_path, log)
    words = ("--config", str(config))
    own = platform.node()  # of which nothing is known but by the log: there is no /proc
    log.write_text(log.read_text(encoding="utf-8").replace("web-1", own), encoding="utf-8")
    done(tmp_path, *words, "run", "--once", "--from-start")
    append(log, [line.replace("web-1", own) for line in logout(60, 100, "alice", 50022)])
    done(tmp_path, *words, "run", "--once")
    past = [json.loads(one) for one in done(tmp_path, *words, "history", "--json").splitlines()]
    on = [json.loads(line) for line in done(tmp_path, *words, "who", "--json").splitlines()]
    assert [one["user"] for one in past if one["logout_time"]] == ["alice"]
    assert [(one["user"], one["confirmed"]) for one in on] == [("bob", None)]
    assert done(tmp_path, *words, "outbox", "list") is not None
    findings = done(tmp_path, *words, "check", "--json").splitlines()
    assert all(json.loads(line)["ok"] for line in findings)


def test_notices_are_sent(tmp_path: Path, log: Path) -> None:
    with FeishuDouble() as double:
        config = write_config(tmp_path, log, url=double.url)
        done(tmp_path, "--config", str(config), "run", "--once", "--from-start")
        assert [name for name in ("alice", "bob") if name in "".join(double.texts())] == [
            "alice",
            "bob",
        ]


def test_a_host_is_claimed(tmp_path: Path, log: Path) -> None:
    words = ("--config", str(write_config(tmp_path, log)))
    done(tmp_path, *words, "run", "--once")
    alice = {"USERNAME": "alice"}
    done(tmp_path, *words, "claim", "web-1", "--for", "1h", "--note", "测试", more=alice)
    assert "alice" in done(tmp_path, *words, "claim", "--list")
    found = windows(tmp_path, *words, "release", "web-1", more={"USERNAME": "bob"})
    assert found.returncode == 1, "it is somebody else's"
    done(tmp_path, *words, "release", "web-1", more=alice)
    assert "alice" not in done(tmp_path, *words, "claim", "--list")


def test_an_event_log_is_scanned(tmp_path: Path) -> None:
    samples = sorted(SAMPLES.glob("*.evtx")) if SAMPLES.is_dir() else []
    if not samples:
        pytest.skip(f"the samples are not there: {SAMPLES}")
    said = windows(tmp_path, "scan", "--json", *map(str, samples))
    assert said.returncode == 0, said.stderr
    assert {json.loads(line)["event"] for line in said.stdout.splitlines()} >= {"login", "logout"}


def test_one_monitor_on_a_state(tmp_path: Path, log: Path) -> None:
    config = write_config(tmp_path, log)
    with monitor(tmp_path, config) as process:
        until(lambda: status(tmp_path, config)["last_saved"] is not None)
        assert status(tmp_path, config)["pid"] == process.pid
        second = windows(tmp_path, "--config", str(config), "run")
        assert second.returncode == 1
        assert f"another monitor runs on this state (pid {process.pid})" in second.stderr
        process.kill()  # as the Task Scheduler ends what it began
        process.wait(20)
        assert status(tmp_path, config)["running"] is False
    append(log, logout(60, 100, "alice", 50022))
    with monitor(tmp_path, config) as process:
        until(lambda: status(tmp_path, config)["open_sessions"] == 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR2])
def test_ctrl_c_and_ctrl_break_end_it_in_order(
    tmp_path: Path, log: Path, number: signal.Signals
) -> None:
    config = write_config(tmp_path, log)
    with monitor(tmp_path, config) as process:
        until(lambda: status(tmp_path, config)["last_saved"] is not None)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert status(tmp_path, config)["running"] is False


def test_event_logs_are_what_is_followed(tmp_path: Path) -> None:
    found = windows(tmp_path, "run", "--once")
    assert found.returncode == 2
    assert "this is Windows" in found.stderr
    assert "pip install 'user-session-monitor[windows]'" in found.stderr


def test_the_configuration_is_written_by_setup(tmp_path: Path, log: Path) -> None:
    folder = tmp_path / "ProgramData/user-session-monitor"
    words = ("setup", "--yes", "--no-webhook", "--source", "windows")
    said = windows(tmp_path, *words, admin=True).stdout
    assert "as an administrator: user-session-monitor service install" in said
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    assert "source: windows" in text
    windows(tmp_path, *words, "--language", "en", admin=True)
    assert "language: en" in (folder / "config.yaml").read_text(encoding="utf-8")
    assert [one.name for one in folder.iterdir()] == ["config.yaml"]
    shown = done(tmp_path, "config", "show")
    assert f"{folder}/state" in shown and f"{folder}/rules.d" in shown
    assert "/var/lib" not in shown and "/etc" not in shown


def test_a_damaged_state_is_set_aside(tmp_path: Path, log: Path) -> None:
    config = write_config(tmp_path, log)
    words = ("--config", str(config), "run", "--once", "--from-start")
    done(tmp_path, *words)
    file = tmp_path / "state/state.db"
    file.write_bytes(b"no database" * 1000)
    done(tmp_path, *words)
    assert status(tmp_path, config)["open_sessions"] == 2


def test_a_file_to_follow_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("monitor: {source: file}\n", encoding="utf-8")
    found = windows(tmp_path, "--config", str(config), "run", "--once")
    assert found.returncode == 2 and "needs monitor.log_file" in found.stderr
    found = windows(tmp_path, "--config", str(config), "check")
    assert found.returncode == 1 and "needs monitor.log_file" in found.stdout


def test_relative_paths_are_refused(tmp_path: Path, log: Path) -> None:
    config = write_config(tmp_path, Path("auth.log"))
    assert windows(tmp_path, "--config", str(config), "check").returncode == 2
