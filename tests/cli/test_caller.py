"""Who calls: an ordinary user is whom the kernel says; root is the person who became it."""

from __future__ import annotations

from pathlib import Path

import pytest

from usersessionmon.cli.caller import caller

NAMES = {0: "root", 1000: "alice", 1001: "bob"}


@pytest.mark.parametrize(
    ("uid", "sudo", "login", "who"),
    [
        (1000, None, None, "alice"),
        (1000, "1001", "1001", "alice"),  # an environment that lies
        (0, None, None, "root"),
        (0, None, "4294967295", "root"),  # no login: a timer, a container
        (0, "1001", "1000", "bob"),
        (0, None, "1000", "alice"),  # su -
        (0, "x", "1000", "alice"),
        (0, "7777", "1000", "alice"),  # gone meanwhile
        (0, "9" * 400, "-1", "root"),
        (0, "", "", "root"),
        (0, "١", "1\n", "root"),
        (7777, "1000", "1000", "uid 7777"),
    ],
)
def test_who_calls(tmp_path: Path, uid: int, sudo: str | None, login: str | None, who: str) -> None:
    file = tmp_path / "loginuid"
    if login is not None:
        file.write_text(login)
    environment = {"LOGNAME": "mallory", "USER": "mallory", "SUDO_USER": "mallory"}
    if sudo is not None:
        environment["SUDO_UID"] = sudo
    assert caller(uid, environment, file, NAMES.get) == who
