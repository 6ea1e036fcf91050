"""The ways in which a host gets the program, each with what a person types for it."""

from __future__ import annotations

from typing import Protocol

from .nspawn import Host, copy_project

NAME = "user-session-monitor"
BROKEN = """
_whole = migrate


def migrate(connection: sqlite3.Connection) -> None:
    _whole(connection)
    raise RuntimeError("this version does not come up")
"""


class Way(Protocol):
    name: str
    folder: str
    """Where the program is."""

    def prepare(self, host: Host) -> None:
        """What is done before the host boots."""

    def install(self, host: Host) -> str: ...

    def upgrade(self, host: Host) -> str: ...

    def upgrade_to_broken(self, host: Host) -> str:
        """To a version with new tables that does not come up; what was said on standard error."""

    def remove(self, host: Host) -> str: ...

    def purge(self, host: Host) -> str: ...


def break_version(host: Host, source: str) -> None:
    """Make the sources a version that changes the state's tables, and then ends."""
    folder = host.root / source / "usersessionmon/store"
    (folder / "migrations/0999_later.sql").write_text("CREATE TABLE later (a);\n")
    with (folder / "db.py").open("a", encoding="utf-8") as file:
        file.write(BROKEN)


class ByMake:
    name = "make"
    folder = "/usr/local"

    def prepare(self, host: Host) -> None:
        copy_project(host.root / "root/broken")
        break_version(host, "root/broken")

    def install(self, host: Host) -> str:
        return host.run("make --silent -C /root/src install install-service 2>&1", seconds=300)

    upgrade = install

    def upgrade_to_broken(self, host: Host) -> str:
        command = "make --silent -C /root/broken install install-service 2>&1"
        return host.run(command, status=2, seconds=300)

    def remove(self, host: Host) -> str:
        return host.run("make --silent -C /root/src uninstall")

    def purge(self, host: Host) -> str:
        return host.run("make --silent -C /root/src uninstall ARGS=--purge")


class ByDeb:
    name = "deb"
    folder = "/usr"

    def prepare(self, host: Host) -> None:
        """Three versions, built there from the unpacked sources."""
        copy_project(host.root / "root/broken")
        break_version(host, "root/broken")
        host.prepare("make --silent -C /root/src deb VERSION=0.0.1")
        host.prepare("make --silent -C /root/src deb VERSION=0.0.2")
        host.prepare("ln -s ../src/.venv /root/broken/.venv")
        host.prepare("VERSION=0.0.3 sh /root/broken/packaging/package.sh deb")

    def _apt(self, words: str) -> str:
        return f"DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -y {words} 2>&1"

    def _add(self, host: Host, package: str) -> str:
        return host.run(self._apt(f"install {package}_all.deb"), seconds=300)

    def install(self, host: Host) -> str:
        return self._add(host, f"/root/src/dist/{NAME}_0.0.1")

    def upgrade(self, host: Host) -> str:
        return self._add(host, f"/root/src/dist/{NAME}_0.0.2")

    def upgrade_to_broken(self, host: Host) -> str:
        return self._add(host, f"/root/broken/dist/{NAME}_0.0.3")

    def remove(self, host: Host) -> str:
        return host.run(self._apt(f"remove {NAME}"))

    def purge(self, host: Host) -> str:
        return host.run(f"dpkg --purge {NAME} 2>&1")


WAYS: tuple[Way, ...] = (ByMake(), ByDeb())
