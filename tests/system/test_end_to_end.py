"""The whole program on a real host: installed by make, people log in over ssh, notices arrive."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble

from .conftest import MakeHost
from .nspawn import Host, copy_project, free_port, wait_until
from .people import PASSWORD, Told, Visit

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PROGRAM = "/usr/local/bin/user-session-monitor"
SERVICE = "user-session-monitor.service"
LOGIN, LOGOUT = "用户登录通知", "用户登出通知"
SECONDS = 30.0
"""How long a notice may take on a busy machine; it is there within a second."""


@dataclass
class Site:
    """A host with the service running, its group, and a key that alice's account accepts."""

    host: Host
    group: FeishuDouble
    port: int
    key: Path
    source: str
    seen: int = 0
    visits: list[Visit] = field(default_factory=list)
    addresses: Iterator[int] = field(default_factory=lambda: iter(range(10, 250)))

    def visit(self, user: str = "alice", *, by_key: bool = True, address: str = "") -> Visit:
        """Somebody logs in, by default from an address that nobody has had before."""
        address = address or f"127.0.7.{next(self.addresses)}"
        visit = Visit(self.port, user, address, self.key if by_key else None)
        self.visits.append(visit)
        return visit

    def told(self, count: int) -> list[Told]:
        """The next ``count`` notices."""
        texts = self.group.wait_for(self.seen + count, SECONDS)[self.seen :]
        assert len(texts) >= count, f"{len(texts)} of {count} notices came: {texts}"
        self.seen += count
        return [Told.of(text) for text in texts[:count]]

    def nothing_more(self) -> None:
        """All that was told is accounted for, and nothing waits."""
        later = self.group.texts()[self.seen :]
        assert later == []

    def leave_and_be_gone(self, visit: Visit) -> None:
        """As ``visit.leave``; returns when sshd has written so (clients go before it does)."""
        log = self.host.root / "var/log/auth.log"
        ends = b"session closed for user " + visit.user.encode()
        before = log.read_bytes().count(ends)
        visit.leave()
        wait_until("sshd logs the end", 20, lambda: log.read_bytes().count(ends) > before, 0.01)

    def rows(self, command: str) -> list[dict[str, Any]]:
        """The objects that a command of the program prints with --json."""
        text = self.host.run(f"user-session-monitor {command} --json")
        return [json.loads(line) for line in text.splitlines()]

    def row_of(self, visit: Visit) -> dict[str, Any]:
        (row,) = [
            row
            for row in self.rows("history --limit 1000")
            if (row["ip"], row["port"]) == (visit.address, visit.port)
        ]
        return row

    def configure(self) -> None:
        text = (
            f"monitor:\n  source: {self.source}\n"
            f"feishu:\n  webhook_url: {self.group.url}\n"
            "server:\n  name: web-1\n  ip: 192.0.2.10\n"
        )
        self.host.run("cat > /etc/user-session-monitor/config.yaml", stdin=text)
        self.host.run(f"systemctl restart {SERVICE}")


@pytest.fixture(scope="module", params=["journal", "file"])
def site(
    request: pytest.FixtureRequest,
    make_host: MakeHost,
    boot: Callable[[Host], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    host = make_host(request.param)
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
    """Nobody is on when a test begins, even when the one before has failed."""
    yield
    left = [visit for visit in site.visits if not visit.ended]
    for visit in left:
        visit.cut()
    if left:
        site.group.wait_for(site.seen + len(left), 5)
    site.visits.clear()
    site.group.always = ""
    site.seen = len(site.group.texts())


def prepare(host: Host, port: int, key: Path) -> None:
    """Accounts, sshd's port and the project, before the host boots."""
    copy_project(host.root / "root/src")
    (host.root / "etc/ssh/sshd_config.d/test.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nMaxStartups 200\nMaxSessions 100\n"
        "PasswordAuthentication yes\nUseDNS no\n"
    )
    host.prepare(
        "useradd -m -s /bin/sh alice; useradd -m -s /bin/sh bob;"
        f"printf '%s\\n' 'alice:{PASSWORD}' 'bob:{PASSWORD}' | chpasswd;"
        "mkdir -m 700 /home/alice/.ssh; ssh-keygen -q -t ed25519 -N '' -f /home/alice/.ssh/id;"
        "cp /home/alice/.ssh/id.pub /home/alice/.ssh/authorized_keys;"
        "chown -R alice:alice /home/alice/.ssh"
    )
    key.write_bytes((host.root / "home/alice/.ssh/id").read_bytes())
    key.chmod(0o600)


def test_installed_as_promised(site: Site) -> None:
    run = site.host.run
    assert run(f"systemctl is-enabled {SERVICE}").strip() == "enabled"
    assert run(f"systemctl is-active {SERVICE}").strip() == "active"
    modes = run("cd /etc/user-session-monitor && stat -c '%a %U %G' . config.yaml").splitlines()
    assert modes == ["750 root user-session-monitor", "640 root user-session-monitor"]
    assert set(run("id -nG user-session-monitor").split()) >= {"systemd-journal", "adm"}
    owner = run("stat -c '%a %U' /var/lib/user-session-monitor").strip()
    assert owner == "750 user-session-monitor"
    assert run(f"systemctl show -p Type,WatchdogUSec --value {SERVICE}").split() == [
        "notify",
        "1min",
    ]


def test_a_login_by_password_is_told(site: Site) -> None:
    visit = site.visit("bob", by_key=False)
    (login,) = site.told(1)
    assert login.title == LOGIN
    assert login.values["服务器"] == "web-1"
    assert login.values["服务器IP"] == "192.0.2.10"
    assert login.values["用户名"] == "bob"
    assert login.values["IP地址"] == visit.address
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", login.values["登录时间"])
    (who,) = [row for row in site.rows("who") if row["port"] == visit.port]
    assert (who["user"], who["method"], who["state"]) == ("bob", "password", "open")
    visit.leave()
    (logout,) = site.told(1)
    assert logout.title == LOGOUT
    assert (logout.values["用户名"], logout.values["IP地址"]) == ("bob", visit.address)
    assert [row for row in site.rows("who") if row["port"] == visit.port] == []
    site.nothing_more()


def test_a_login_by_key_is_told_with_its_fingerprint(site: Site) -> None:
    visit = site.visit()
    (login,) = site.told(1)
    assert (login.title, login.values["用户名"]) == (LOGIN, "alice")
    row = site.row_of(visit)
    own = site.host.run("ssh-keygen -lf /home/alice/.ssh/id.pub").split()[1]
    assert (row["method"], row["key_fingerprint"]) == ("publickey", own)
    visit.leave()
    (logout,) = site.told(1)
    assert logout.title == LOGOUT
    row = site.row_of(visit)
    assert (row["state"], row["reason"], row["abnormal"]) == ("closed", "user", False)
    assert row["duration"] >= 0
    site.nothing_more()


def test_killed_between_login_and_logout_nothing_is_lost(site: Site) -> None:
    visit = site.visit()
    (login,) = site.told(1)
    assert login.title == LOGIN
    main_pid = f"systemctl show -p MainPID --value {SERVICE}"
    before = site.host.run(main_pid)
    site.host.run(f"systemctl kill --kill-who=main --signal=KILL {SERVICE}")
    visit.leave()
    wait_until("systemd has started it again", 20, lambda: site.host.run(main_pid) != before)
    titles = [told.title for told in site.told(1)]
    if titles == [LOGIN]:  # told twice is allowed after a kill, never told is not
        titles = [told.title for told in site.told(1)]
    assert titles == [LOGOUT]
    assert site.row_of(visit)["state"] == "closed"
    site.nothing_more()


def test_what_happened_while_it_was_stopped_is_told_afterwards(site: Site) -> None:
    before = site.visit()
    site.told(1)
    site.host.run(f"systemctl stop {SERVICE}")
    during = site.visit()
    during.leave()
    stays = site.visit()
    before.leave()
    site.host.run(f"systemctl start {SERVICE}")
    told = {(one.title, one.values["IP地址"]) for one in site.told(4)}
    assert told == {
        (LOGIN, during.address),
        (LOGOUT, during.address),
        (LOGIN, stays.address),
        (LOGOUT, before.address),
    }
    stays.leave()
    assert site.told(1)[0].values["IP地址"] == stays.address
    site.nothing_more()


def test_twenty_sessions_of_one_user_closed_in_another_order(site: Site) -> None:
    address = f"127.0.7.{next(site.addresses)}"
    with ThreadPoolExecutor(5) as pool:
        visits = list(pool.map(lambda _: site.visit(address=address), range(20)))
    ports = {visit.port for visit in visits}
    assert {told.title for told in site.told(20)} == {LOGIN}
    open_ports = {row["port"] for row in site.rows("who") if row["ip"] == address}
    assert open_ports == ports
    random.Random(20).shuffle(visits)
    for visit in visits:
        site.leave_and_be_gone(visit)
    assert {told.title for told in site.told(20)} == {LOGOUT}
    rows = [row for row in site.rows("history --limit 1000") if row["ip"] == address]
    assert {row["port"] for row in rows} == ports
    assert len(rows) == 20
    assert {(row["state"], row["reason"]) for row in rows} == {("closed", "user")}
    in_order_of_end = [row["port"] for row in sorted(rows, key=lambda row: str(row["logout_time"]))]
    assert in_order_of_end == [visit.port for visit in visits]
    site.nothing_more()


def test_the_webhook_down_loses_nothing(site: Site) -> None:
    site.group.always = "status:503"
    visit = site.visit()
    site.group.wait_for_requests(len(site.group.requests()) + 1, SECONDS)
    visit.leave()
    site.host.run(f"systemctl restart {SERVICE}")
    site.group.always = ""
    text = "\n".join(site.group.wait_for(site.seen + 1, 60)[site.seen :])
    wait_until(
        "login and logout are told",
        60,
        lambda: "\n".join(site.group.texts()[site.seen :]).count(visit.address) >= 2,
    )
    assert text
    site.seen = len(site.group.texts())


def test_a_reboot_ends_the_open_sessions(site: Site) -> None:
    visit = site.visit()
    site.told(1)
    site.host.reboot()
    visit.cut()
    (logout,) = site.told(1)
    assert (logout.title, logout.values["IP地址"]) == (LOGOUT, visit.address)
    row = site.row_of(visit)
    assert (row["state"], row["reason"] in ("shutdown", "reboot")) == ("closed", True), row
    again = site.visit()
    assert site.told(1)[0].title == LOGIN
    again.leave()
    assert site.told(1)[0].values["IP地址"] == again.address
    site.nothing_more()


def test_a_power_off_ends_the_open_sessions(site: Site, boot: Callable[[Host], None]) -> None:
    visit = site.visit()
    site.told(1)
    site.host.power_off()
    visit.cut()
    boot(site.host)
    (logout,) = site.told(1)
    assert (logout.title, logout.values["IP地址"]) == (LOGOUT, visit.address)
    row = site.row_of(visit)
    assert (row["state"], row["reason"], row["abnormal"]) == ("closed", "shutdown", False), row
    site.nothing_more()


def test_who_outlives_the_killed_monitor_process_is_on_until_gone(site: Site) -> None:
    """sshd's child goes on without its monitor: the person is still there."""
    visit = site.visit()
    site.told(1)
    (who,) = [row for row in site.rows("who") if row["port"] == visit.port]
    assert who["confirmed"] is True
    site.host.run("pkill -KILL -f '^sshd: alice \\[priv\\]'")
    visit.cut()
    (logout,) = site.told(1)
    assert (logout.title, logout.values["IP地址"]) == (LOGOUT, visit.address)
    site.nothing_more()


def test_power_lost_ends_the_open_sessions_as_inferred(
    site: Site, boot: Callable[[Host], None]
) -> None:
    visit = site.visit()
    site.told(1)
    site.host.run("journalctl --sync; sync")
    site.host.pull_the_plug()
    visit.cut()
    boot(site.host)
    (logout,) = site.told(1)
    assert (logout.title, logout.values["IP地址"]) == (LOGOUT, visit.address)
    row = site.row_of(visit)
    assert (row["reason"], row["abnormal"], row["inferred"]) == ("reboot", True, True)
    site.nothing_more()


def test_the_commands_answer(site: Site) -> None:
    run = site.host.run
    for command in ("who", "history", "status", "check", "rules list"):
        assert run(f"{PROGRAM} {command}").strip()
    (status,) = site.rows("status")
    assert status
    run(f"{PROGRAM} test-notify")
    assert "通知" in site.told(1)[0].title
    run("printf 'monitor:\\n  sourc: file\\n' > /tmp/bad.yaml")
    done = site.host.try_run(f"{PROGRAM} --config /tmp/bad.yaml check")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert "/tmp/bad.yaml:2" in line
    assert "source" in line


def test_a_second_monitor_is_refused_with_the_first_ones_pid(site: Site) -> None:
    pid = site.host.run(f"systemctl show -p MainPID --value {SERVICE}").strip()
    done = site.host.try_run(f"{PROGRAM} run")
    assert done.returncode == 1
    assert pid in done.stderr.decode()


def test_hardened(site: Site) -> None:
    said = site.host.run(f"systemd-analyze security {SERVICE} --no-pager | tail -n 1")
    found = re.search(r"([0-9.]+) OK", said)
    assert found, said
    assert float(found[1]) <= 2.0


def test_an_upgrade_keeps_what_is_the_users(site: Site) -> None:
    config = site.host.run("cat /etc/user-session-monitor/config.yaml")
    visit = site.visit()
    site.told(1)
    site.host.run("make --silent -C /root/src install install-service", seconds=300)
    assert site.host.run("cat /etc/user-session-monitor/config.yaml") == config
    visit.leave()
    (logout,) = site.told(1)
    assert logout.values["IP地址"] == visit.address
    copies = site.host.run("ls -d /usr/local/lib/user-session-monitor/venv-*").split()
    assert len(copies) == 2
    site.nothing_more()


def test_a_service_that_cannot_start_shows_why(site: Site) -> None:
    run = site.host.run
    config = "/etc/user-session-monitor/config.yaml"
    run(f"cp -a {config} /tmp/good.yaml && echo 'wrong: 1' >> {config}")
    done = site.host.try_run("make --silent -C /root/src install-service")
    run(f"cp -a /tmp/good.yaml {config}")
    assert done.returncode != 0
    assert "wrong" in done.stderr.decode()
    run(f"systemctl restart {SERVICE}")


def test_zz_uninstall_keeps_configuration_and_state(site: Site) -> None:
    """Last on its host."""
    run = site.host.run
    said = run("make --silent -C /root/src uninstall")
    assert "/etc/user-session-monitor" in said
    assert "/var/lib/user-session-monitor" in said
    assert site.host.try_run(f"systemctl is-active {SERVICE}").returncode != 0
    run(f"test ! -e {PROGRAM} && test ! -e /usr/local/lib/user-session-monitor")
    run("grep -q webhook_url /etc/user-session-monitor/config.yaml")
    run("test -s /var/lib/user-session-monitor/state.db")
    run("make --silent -C /root/src uninstall PURGE=1")
    run("test ! -e /etc/user-session-monitor && test ! -e /var/lib/user-session-monitor")
