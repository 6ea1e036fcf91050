"""Packages where no systemd runs, as in a container that is being built."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import MakeHost
from .nspawn import PROJECT, Host
from .ways import NAME

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CONFIG = f"/etc/{NAME}/config.yaml"


def built(kind: str, folder: Path, version: str) -> Path:
    if shutil.which({"deb": "dpkg-deb", "rpm": "rpmbuild"}[kind]) is None:
        pytest.skip(f"no {kind} can be built here")
    subprocess.run(
        ["sh", PROJECT / "packaging/package.sh", kind],
        env={**os.environ, "VERSION": version, "DIST": str(folder)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (package,) = folder.glob(f"*{version}*")
    return package


def owned(host: Host) -> list[str]:
    return host.prepare(f"stat -c '%a %U %G' /etc/{NAME} {CONFIG}").splitlines()


OWNED = [f"750 root {NAME}", f"640 root {NAME}"]


def test_apt_brings_the_debs_libraries(make_host: MakeHost, tmp_path: Path) -> None:
    host = make_host("bare-deb")
    host.prepare(
        "dpkg --purge $(dpkg-query -W -f '${Package}\\n' '*python3*') >/dev/null;"
        "rm -rf /var/lib/apt/lists/*; ! command -v python3; update-ca-certificates >/dev/null"
    )
    shutil.copy(built("deb", tmp_path, "0.0.1"), host.root / "root/package.deb")
    host.prepare(
        "apt-get -qq update && DEBIAN_FRONTEND=noninteractive"
        " apt-get -qq -y --no-install-recommends install /root/package.deb 2>&1"
    )
    assert host.prepare(f"{NAME} --version").startswith(NAME)
    assert "用户登录通知" in host.prepare(
        f"setpriv --reuid=65534 --clear-groups {NAME} demo --fast"
    )
    assert owned(host) == OWNED
    host.prepare(f"test -L /etc/systemd/system/multi-user.target.wants/{NAME}.service")
    host.prepare(f"ls /usr/lib/{NAME}/usersessionmon/__pycache__/app.*.pyc")
    host.prepare(f"dpkg --purge {NAME} 2>&1")
    host.prepare(f"test ! -e /etc/{NAME} && test ! -e /var/lib/{NAME} && test ! -e /usr/lib/{NAME}")
    host.prepare(f"test ! -L /etc/systemd/system/multi-user.target.wants/{NAME}.service")


def test_the_rpms_scriptlets_do_their_work(make_host: MakeHost, tmp_path: Path) -> None:
    """On Debian, without dependencies: the scriptlets use what every systemd has."""
    first, second = (built("rpm", tmp_path, version) for version in ("0.0.1", "0.0.2"))
    host = make_host("rpm")

    def rpm(*words: str | Path) -> None:
        command = ["rpm", "--root", host.root, "--nodeps", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    rpm("-i", first)
    assert owned(host) == OWNED
    assert host.prepare(f"{NAME} --version").startswith(NAME)
    groups = host.prepare(f"id -nG {NAME}").split()
    assert set(groups) == {NAME, "systemd-journal", "adm"}
    host.prepare(f"echo '# mine' >> {CONFIG}")
    rpm("-U", second)
    assert host.prepare(f"tail -n 1 {CONFIG}") == "# mine\n"
    assert owned(host) == OWNED
    rpm("-e", NAME)
    host.prepare(f"test ! -e /usr/lib/{NAME} && ! command -v {NAME}")
    assert host.prepare(f"tail -n 1 {CONFIG}.rpmsave") == "# mine\n"
    host.prepare("mkdir -p /usr/local/lib/user-session-monitor/venv")
    with pytest.raises(AssertionError, match="make install"):
        rpm("-i", first)
