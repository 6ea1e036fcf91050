"""One host's life: installed, used, upgraded, removed; for each distribution and way of install.

Debian 12 always; with ``USM_HOSTS=all`` (``make test-hosts``) the others as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.feishu_double import FeishuDouble

from .conftest import MakeHost
from .nspawn import SUITE, free_port
from .people import Visit
from .test_end_to_end import LOGIN, LOGOUT, SERVICE, Site, prepare
from .ways import NAME, WAYS, Way

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SUITES = (SUITE, "trixie", "testing") if os.environ.get("USM_HOSTS") == "all" else (SUITE,)
SCHEMA = (
    "python3 -c \"import sqlite3; print(*sqlite3.connect('/var/lib/user-session-monitor/state.db')"
    ".execute('PRAGMA user_version').fetchone())\""
)


@dataclass
class Life:
    site: Site
    way: Way

    def run(self, command: str) -> str:
        return self.site.host.run(command)

    def is_running(self) -> bool:
        return self.site.host.try_run(f"systemctl is-active {SERVICE}").returncode == 0

    def follow(self, source: str) -> None:
        self.site.source = source
        self.site.configure()

    def login_is_told(self) -> Visit:
        visit = self.site.visit()
        (login,) = self.site.told(1)
        assert (login.title, login.values["IP地址"]) == (LOGIN, visit.address)
        return visit

    def logout_is_told(self, visit: Visit) -> None:
        visit.leave()
        (logout,) = self.site.told(1)
        assert (logout.title, logout.values["IP地址"]) == (LOGOUT, visit.address)


@pytest.fixture(
    scope="module",
    params=[(s, w) for s in SUITES for w in WAYS],
    ids=lambda p: f"{p[0]}-{p[1].name}",
)
def life(
    request: pytest.FixtureRequest,
    make_host: MakeHost,
    boot: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Life]:
    suite, way = request.param
    host = make_host(f"{suite}-{way.name}", suite)
    port, key = free_port(), tmp_path_factory.mktemp("key") / "id"
    prepare(host, port, key)
    way.prepare(host)
    boot(host)
    with FeishuDouble(limits=False) as group:
        yield Life(Site(host, group, port, key, "journal"), way)
    host.close()


def test_install(life: Life) -> None:
    life.way.install(life.site.host)
    assert life.is_running()
    assert life.run(f"systemctl is-enabled {SERVICE}").strip() == "enabled"
    modes = life.run(
        "cd /etc/user-session-monitor && stat -c '%a %U %G' . config.yaml"
    ).splitlines()
    assert modes == ["750 root user-session-monitor", "640 root user-session-monitor"]
    owner = life.run("stat -c '%a %U %G' /var/lib/user-session-monitor").strip()
    assert owner == "750 user-session-monitor user-session-monitor"
    assert set(life.run(f"id -nG {NAME}").split()) == {NAME, "systemd-journal", "adm"}
    assert life.run(f"command -v {NAME}").strip() == f"{life.way.folder}/bin/{NAME}"
    lib = f"{life.way.folder}/lib/{NAME}"
    life.run(f"find -L {lib} -path '*/usersessionmon/config.yaml.example' -size +1k | grep -q .")
    share = f"{life.way.folder}/share"
    life.run(f"ls {share}/man/man8/{NAME}.8* {share}/man/man5/{NAME}.yaml.5*")
    life.run(f"bash -c '. {share}/bash-completion/completions/{NAME}'")


def test_journal(life: Life) -> None:
    life.follow("journal")
    life.logout_is_told(life.login_is_told())


def test_file(life: Life) -> None:
    life.follow("file")
    life.logout_is_told(life.login_is_told())


def test_again(life: Life) -> None:
    """Installed once more, nothing is different."""
    config = life.run("cat /etc/user-session-monitor/config.yaml")
    life.way.install(life.site.host)
    assert life.is_running()
    assert life.run("cat /etc/user-session-monitor/config.yaml") == config


def test_upgrade(life: Life) -> None:
    visit = life.login_is_told()
    before = life.run(f"systemctl show -p MainPID --value {SERVICE}")
    life.way.upgrade(life.site.host)
    assert life.is_running()
    assert life.run(f"systemctl show -p MainPID --value {SERVICE}") != before
    life.logout_is_told(visit)


def test_broken(life: Life) -> None:
    """A version that does not come up leaves the former one running (make), or says how to get it
    back (a package); the state is as it was."""
    visit = life.login_is_told()
    schema = life.run(SCHEMA)
    said = life.way.upgrade_to_broken(life.site.host)
    assert "does not come up" in life.run(f"journalctl -u {SERVICE} --no-pager")
    if life.way.name == "deb":
        assert "did not start" in said
        life.run(f"systemctl stop {SERVICE}")
        undo = "".join(line for line in said.splitlines(keepends=True) if line.startswith("  "))
        life.run(undo)
        life.run(f"dpkg --force-downgrade -i /root/src/dist/{NAME}_0.0.2_all.deb")
    else:
        assert "the former one runs again" in said
    assert life.is_running()
    assert life.run(SCHEMA) == schema
    life.run("test ! -e /var/lib/user-session-monitor/state.db.former")
    life.logout_is_told(visit)
    life.site.nothing_more()


def test_other_way(life: Life) -> None:
    """Two ways of install would be two programs on one state."""
    host = life.site.host
    if life.way.name == "deb":
        done = host.try_run("make --silent -C /root/src install", 300)
        assert "apt-get remove" in done.stderr.decode()
    else:
        host.run("make --silent -C /root/src deb VERSION=0.0.2", seconds=300)
        done = host.try_run(f"dpkg -i /root/src/dist/{NAME}_0.0.2_all.deb")
        assert "make uninstall" in done.stderr.decode()
    assert done.returncode != 0
    assert life.is_running()


def test_remove(life: Life) -> None:
    for _ in range(2):
        life.way.remove(life.site.host)
        assert not life.is_running()
    life.run(f"! command -v {NAME}")
    life.run("grep -q webhook_url /etc/user-session-monitor/config.yaml")
    life.run("test -s /var/lib/user-session-monitor/state.db")


def test_purge(life: Life) -> None:
    """Nothing is left; a package leaves the account, as its numbers may stand somewhere."""
    for _ in range(2):
        life.way.purge(life.site.host)
    left = life.run(
        f"find / -xdev -name '*{NAME}*' -not -path '/proc/*' -not -path '/root/*'"
        " -not -path '/sys/*' -not -path '/run/*' -not -path '/var/log/*'"
    )
    assert left == ""
    life.run(f"! systemctl cat {SERVICE}")
    there = life.site.host.try_run(f"id {NAME}").returncode == 0
    assert there == (life.way.name == "deb")
