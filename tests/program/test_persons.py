"""The name of a key, and the person behind a su, through the whole program."""

from __future__ import annotations

import json
from pathlib import Path

from .running import append, run, stamp, write_config
from .test_unusual import told

PRINT = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8"


def test_notices_name_key_and_person(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    pam = "pam_unix(su:session): session opened for user"
    append(
        log,
        [
            f"{stamp(0)} far-1 sshd[10]: Accepted publickey for deploy from 198.51.100.7 port 5000 "
            f"ssh2: ED25519 {PRINT}",
            f"{stamp(5)} far-1 su[20]: (to root) deploy on pts/0",
            f"{stamp(5)} far-1 su[20]: {pam} root(uid=0) by deploy(uid=1000)",
            f"{stamp(9)} far-1 su[21]: (to postgres) root on pts/0",
            f"{stamp(9)} far-1 su[21]: {pam} postgres(uid=5) by deploy(uid=0)",
        ],
    )
    more = f"notices: {{events: [login, elevation]}}\nkeys: {{{PRINT}: alice@laptop}}"
    config = write_config(tmp_path, log, more=more)
    login, first, second = told(config)
    assert "\n密钥：alice@laptop\n" in f"{login}\n"
    assert (
        "\n登录用户：deploy（推断）\n来源：198.51.100.7\n密钥：alice@laptop\n目标用户：root"
        in first
    )
    assert (
        "\n登录用户：deploy\n来源：198.51.100.7\n密钥：alice@laptop\n目标用户：postgres" in second
    )
    (row,) = map(json.loads, run("who", "--json", "--config", str(config)).stdout.splitlines())
    assert (row["user"], row["elevated_to"]) == ("deploy", "root → postgres")
    assert (row["person"], row["key_named_by"]) == ("alice@laptop", "config")
    append(
        log, [f"{stamp(20)} far-1 su[21]: pam_unix(su:session): session closed for user postgres"]
    )
    assert run("run", "--once", "--config", str(config)).returncode == 0
    (row,) = map(json.loads, run("who", "--json", "--config", str(config)).stdout.splitlines())
    assert row["elevated_to"] == "root"
    assert run("who", "--config", str(config)).stdout.decode().count("deploy → root ") == 1
