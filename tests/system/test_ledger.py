"""Who is on, when the log does not say: lines lost, the journal removed, the host without power
while nobody watched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble

from .conftest import MakeHost
from .nspawn import Host, free_port, wait_until
from .people import Visit
from .test_end_to_end import LOGIN, LOGOUT, SERVICE, Site, prepare

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

NEAR = 22.0
"""Seconds between two looks at the host, and a little."""


SLOW = bool(os.environ.get("USM_SLOW"))
"""What takes minutes of waiting is tried when asked for."""
SOURCES = ("journal", "file") if SLOW else ("file",)


@pytest.fixture(scope="module", params=SOURCES)
def site(
    request: pytest.FixtureRequest,
    make_host: MakeHost,
    boot: Callable[[Host], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    host = make_host(f"ledger-{request.param}")
    port = free_port()
    key = tmp_path_factory.mktemp("key") / "id"
    prepare(host, port, key)
    boot(host)
    host.run("make --silent -C /root/src install install-service", seconds=300)
    with FeishuDouble(limits=False) as group:
        one = Site(host, group, port, key, request.param)
        one.configure()
        yield one
    host.close()


@pytest.fixture(autouse=True)
def quiet(site: Site) -> Iterator[None]:
    yield
    for visit in site.visits:
        if not visit.ended:
            visit.cut()
    site.visits.clear()
    site.seen = len(site.group.texts())


def lose(site: Site) -> None:
    """All that was logged is gone."""
    if site.source == "file":
        site.host.run("rm -f /var/log/auth.log; systemctl kill -s HUP rsyslog")
    else:
        site.host.run(
            "journalctl --sync; journalctl --rotate; journalctl --vacuum-time=1s;"
            "rm -f /run/log/journal/*/*@* /var/log/journal/*/*@*"
        )


def gone(site: Site, visit: Visit) -> None:
    """The visit ends, and so does sshd's work for it."""
    visit.leave()
    served = f"pgrep -f '^sshd: {visit.user}' || true"
    wait_until("sshd has gone", 20, lambda: not site.host.run(served).strip())


def told_of(site: Site, count: int, seconds: float = 90) -> list[tuple[str, str | None]]:
    site.group.wait_for(site.seen + count, seconds)
    return [(one.title, one.values.get("IP地址")) for one in site.told(count)]


def moment(text: Any) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


def test_who_left_while_the_log_was_lost_has_left(site: Site) -> None:
    visit = site.visit()
    stays = site.visit("bob", by_key=False)
    site.told(2)
    time.sleep(1)
    site.host.run(f"systemctl stop {SERVICE}")
    before = time.time()
    gone(site, visit)
    lose(site)
    site.host.run(f"systemctl start {SERVICE}")
    assert told_of(site, 1) == [(LOGOUT, visit.address)]
    row = site.row_of(visit)
    assert (row["reason"], row["inferred"]) == ("unknown", True)
    assert before - NEAR <= moment(row["logout_time"]) <= time.time()
    assert moment(row["logout_time"]) >= moment(row["login_time"])
    (who,) = site.rows("who")
    assert (who["user"], who["confirmed"]) == ("bob", True)
    gone(site, stays)
    assert told_of(site, 1) == [(LOGOUT, stays.address)]
    assert site.row_of(stays)["inferred"] is False
    site.nothing_more()


def test_who_came_while_the_log_was_lost_is_on(site: Site) -> None:
    site.host.run(f"systemctl stop {SERVICE}")
    visit = site.visit()
    came = time.time()
    lose(site)
    site.host.run(f"systemctl start {SERVICE}")
    assert told_of(site, 1) == [(LOGIN, visit.address)]  # logind knows the address
    (who,) = site.rows("who")
    assert (who["user"], who["ip"], who["inferred"]) == ("alice", visit.address, True)
    assert abs(moment(who["login_time"]) - came) <= 2
    gone(site, visit)
    assert told_of(site, 1) == [(LOGOUT, visit.address)]
    site.nothing_more()


@pytest.mark.skipif(not SLOW, reason="waits for minutes; USM_SLOW=1 runs it")
def test_whose_lines_the_logger_never_wrote_comes_and_goes_all_the_same(site: Site) -> None:
    """LogLevel QUIET and no PAM: only sshd's processes tell."""
    config = "/etc/ssh/sshd_config.d/quiet.conf"
    site.host.run(f"printf 'LogLevel QUIET\\nUsePAM no\\n' > {config}; systemctl restart ssh")
    site.host.run("usermod -p '*' alice")
    visit = site.visit()
    assert told_of(site, 1, 400)[0][0] == LOGIN
    gone(site, visit)
    assert told_of(site, 1, 90)[0][0] == LOGOUT
    site.host.run(f"rm {config}; systemctl restart ssh")
    site.nothing_more()


@pytest.mark.parametrize("orderly", [True, False])
def test_the_host_was_down_while_nobody_watched(
    site: Site, boot: Callable[[Host], None], orderly: bool
) -> None:
    left, stayed = site.visit(), site.visit()
    site.told(2)
    site.host.run(f"systemctl disable --now {SERVICE}")
    site.leave_and_be_gone(left)
    site.host.run("journalctl --sync; sync")
    down = time.time()
    if orderly:
        site.host.power_off()
    else:
        site.host.pull_the_plug()
    stayed.cut()
    boot(site.host)
    site.host.run(f"systemctl enable --now {SERVICE}")
    assert sorted(told_of(site, 2)) == sorted([(LOGOUT, left.address), (LOGOUT, stayed.address)])
    assert site.row_of(left)["reason"] == "user"
    row = site.row_of(stayed)
    expected = ("shutdown", False) if orderly else ("reboot", True)
    assert (row["reason"], row["abnormal"]) == expected
    assert abs(moment(row["logout_time"]) - down) <= 3
    site.nothing_more()
