"""From nothing to a running program: a host that has make and no Python at all."""

from __future__ import annotations

import time

import pytest

from .conftest import MakeHost
from .nspawn import CommandError, Host, copy_project

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"


@pytest.fixture(scope="module")
def bare(make_host: MakeHost) -> Host:
    """Not booted (as in a plain container): no systemd runs, there is nothing to follow."""
    host = make_host("bare")
    host.prepare(
        "dpkg --purge $(dpkg-query -W -f '${Package}\\n' '*python3*') >/dev/null;"
        "rm -rf /var/lib/apt/lists/*; ! command -v python3; update-ca-certificates >/dev/null"
    )
    copy_project(host.root / "root/src")
    copy_project(host.root / "srv/src")
    host.prepare("chown -R 65534:65534 /srv/src")
    return host


def test_without_root_one_line_names_the_command(bare: Host) -> None:
    with pytest.raises(CommandError) as caught:
        bare.prepare(f"cd /srv/src && {AS_NOBODY} make --silent deps")
    lines = [line for line in str(caught.value).splitlines() if "sudo " in line]
    assert len(lines) == 1
    assert "apt-get install -y" in lines[0]
    assert "python3-venv" in lines[0]


def test_root_gets_everything_from_the_distribution(bare: Host) -> None:
    said = bare.prepare("cd /root/src && make --silent deps")
    assert "installing with apt-get" in said
    assert "PyPI" not in said
    assert "0.1" in bare.prepare("cd /root/src && .venv/bin/user-session-monitor --version")
    assert "0.1" in bare.prepare("cd /root/src && .venv/bin/python -m usersessionmon --version")
    bare.prepare("cd /root/src && .venv/bin/python -c 'import systemd.journal, watchdog'")


def test_the_second_time_is_quick_and_silent(bare: Host) -> None:
    bare.prepare("cd /root/src && make --silent deps")
    before = time.monotonic()
    assert bare.prepare("cd /root/src && make --silent deps") == ""
    assert time.monotonic() - before < 1.0


def test_without_root_it_works_once_the_packages_are_there(bare: Host) -> None:
    bare.prepare("cd /root/src && make --silent deps")
    said = bare.prepare(f"cd /srv/src && HOME=/srv {AS_NOBODY} make --silent deps demo")
    assert "用户登录通知" in said
    assert "用户登出通知" in said


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("rm .venv/bin/python*", id="half-made"),
        pytest.param("rm .venv/done-run .venv/bin/pip*; rm -r .venv/lib", id="interrupted"),
    ],
)
def test_a_broken_environment_is_made_again(bare: Host, damage: str) -> None:
    bare.prepare("cd /root/src && make --silent deps")
    bare.prepare(f"cd /root/src && {damage}")
    bare.prepare("cd /root/src && make --silent deps")
    assert "0.1" in bare.prepare("cd /root/src && .venv/bin/user-session-monitor --version")


def test_a_moved_checkout_is_made_again(bare: Host) -> None:
    bare.prepare("cd /root/src && make --silent deps && cp -a /root/src /root/moved")
    bare.prepare("rm -rf /root/src/.venv && cd /root/moved && make --silent deps")
    assert "0.1" in bare.prepare("cd /root/moved && .venv/bin/user-session-monitor --version")


def test_a_package_can_be_staged(bare: Host) -> None:
    bare.prepare("cd /root/src && make --silent install install-service DESTDIR=/tmp/stage")
    staged = bare.prepare("cd /tmp/stage && find . -maxdepth 5 -not -path '*/venv-*/*'")
    for path in (
        "./usr/local/bin/user-session-monitor",
        "./etc/user-session-monitor/config.yaml",
        "./etc/systemd/system/user-session-monitor.service",
    ):
        assert path in staged
    assert bare.prepare("grep -rlI /tmp/stage /tmp/stage/usr/local/lib/*/venv/bin || :") == ""
    assert bare.prepare("getent passwd user-session-monitor || :") == ""


def test_where_no_systemd_runs_the_service_is_refused_in_one_line(bare: Host) -> None:
    with pytest.raises(CommandError, match="does not run systemd"):
        bare.prepare("cd /root/src && make --silent install-service")
