"""The first login and how quick its notice was, read from a monitor that really runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer

import pytest

from tests.feishu_double import FeishuDouble
from tests.program.running import monitor, write_config
from usersessionmon.cli.first_login import First, await_login, await_start
from usersessionmon.clock import SystemClock, Waker

CLOCK = SystemClock()


@pytest.fixture
def waker() -> Iterator[Waker]:
    made = Waker()
    yield made
    made.close()


@pytest.fixture
def group() -> Iterator[FeishuDouble]:
    with FeishuDouble(limits=False) as double:
        yield double


@pytest.fixture
def log(tmp_path: Path, group: FeishuDouble, waker: Waker) -> Iterator[Path]:
    """The log of a monitor that has begun."""
    path = tmp_path / "auth.log"
    path.touch()
    began_us = CLOCK.now_us()
    with monitor(write_config(tmp_path, path, url=group.url)):
        assert await_start(tmp_path / "state", began_us, 20, CLOCK, waker)
        yield path


def come(log: Path, user: str, pid: int, at: datetime) -> None:
    with log.open("a") as file:
        file.write(
            f"{at.isoformat()} web-1 sshd[{pid}]: Accepted password for {user} from 198.51.100.7"
            f" port {pid} ssh2\n"
        )


def first(log: Path, since_us: int, seconds: float, waker: Waker) -> First | None:
    return await_login(log.parent / "state", "feishu", since_us, seconds, CLOCK, waker)


def test_the_time_from_the_log_to_the_channels_yes(
    log: Path, group: FeishuDouble, waker: Waker
) -> None:
    come(log, "earlier", 1, datetime.now(UTC))
    group.wait_for(1)
    since_us = CLOCK.now_us()
    Timer(0.2, lambda: come(log, "alice", 2, datetime.now(UTC))).start()
    found = first(log, since_us, 20, waker)
    assert found is not None and found.latency is not None
    assert found.view.user == "alice"
    accepted_us = group.notices()[-1].at_us
    assert found.view.login_time is not None
    least = (accepted_us - found.view.login_time.us) / 1_000_000
    assert least <= found.latency < least + 5


def test_a_notice_that_is_not_taken(log: Path, group: FeishuDouble, waker: Waker) -> None:
    group.always = "status:503"
    since_us = CLOCK.now_us()
    come(log, "alice", 2, datetime.now(UTC))
    found = first(log, since_us, 5, waker)
    assert found is not None and found.view.user == "alice" and found.latency is None


def test_a_log_of_whole_seconds(log: Path, waker: Waker) -> None:
    since_us = CLOCK.now_us()
    whole = datetime.fromtimestamp(since_us // 1_000_000, UTC)
    come(log, "before", 1, whole - timedelta(seconds=1))
    come(log, "alice", 2, whole)
    found = first(log, since_us, 20, waker)
    assert found is not None and found.view.user == "alice" and found.latency is not None


def test_nobody_comes(log: Path, waker: Waker) -> None:
    assert first(log, CLOCK.now_us(), 0.3, waker) is None


def test_where_no_monitor_runs_none_has_started(tmp_path: Path, waker: Waker) -> None:
    assert not await_start(tmp_path, 0, 0.2, CLOCK, waker)


def test_one_that_began_before_does_not_count(log: Path, waker: Waker) -> None:
    assert not await_start(log.parent / "state", CLOCK.now_us(), 0.2, CLOCK, waker)
