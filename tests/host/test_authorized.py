"""What a key is called in authorized_keys: real files, and the files of who means harm."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from usersessionmon.host.authorized import comment_of, key_files

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
PRINT = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8"
"""As `ssh-keygen -lf` says."""
OTHER = KEY[:-2] + "Eb"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "sshd_config"
    path.write_text(f'Port 22\nauthorizedkeysfile none "{tmp_path}/keys/%u" {tmp_path}/%%more-%U\n')
    (tmp_path / "keys").mkdir()
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys" / pwd.getpwuid(os.getuid()).pw_name


def asked(config: Path) -> str | None:
    return comment_of(pwd.getpwuid(os.getuid()).pw_name, PRINT, config)


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        (f"ssh-ed25519 {KEY} alice@laptop", "alice@laptop"),
        (f"  ssh-ed25519  {KEY}   alice at home  ", "alice at home"),
        (f'command="echo \\"a b\\"",no-pty ssh-ed25519 {KEY} bob', "bob"),
        (f'environment="X=ssh-ed25519 {OTHER} eve" ssh-ed25519 {KEY} 王芳', "王芳"),
        (f"ssh-ed25519 {KEY}", None),
        (f"# ssh-ed25519 {KEY} alice", None),
        (f"ssh-ed25519 {OTHER} alice", None),
        (f"ssh-ed25519 {KEY[:-1]} alice", None),
        (f"cert-authority{KEY} alice", None),
        ('command="never closed', None),
        (f"ssh-ed25519 {KEY} a\x1b[2Jb\u202ec\r", "a [2Jb c"),
        (f"ssh-ed25519 {KEY} {'x' * 5000}", "x" * 100),
    ],
)
def test_a_line(config: Path, keys: Path, line: str, comment: str | None) -> None:
    keys.write_bytes(b"\xff\xfe\0\n\n" + line.encode() + b"\n")
    assert asked(config) == comment


def test_the_second_file_and_the_default(tmp_path: Path, config: Path) -> None:
    (tmp_path / f"%more-{os.getuid()}").write_text(f"ssh-ed25519 {KEY} second\n")
    assert asked(config) == "second"
    assert key_files(tmp_path / "none") == (".ssh/authorized_keys", ".ssh/authorized_keys2")


def test_what_is_included_comes_first_and_a_match_block_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/1.conf").write_text("Match User x\nAuthorizedKeysFile /wrong\n")
    (tmp_path / "d/2.conf").write_text("AuthorizedKeysFile=/right/%u .ssh/k\n")
    path = tmp_path / "sshd_config"
    path.write_text("Include d/*.conf\nAuthorizedKeysFile /late\n")
    assert key_files(path) == ("/right/%u", ".ssh/k")
    path.write_text("Match all\nAuthorizedKeysFile /late\n")
    assert key_files(path) == (".ssh/authorized_keys", ".ssh/authorized_keys2")
    path.write_text(f"Include {path}\n")  # itself, for ever
    assert key_files(path) == (".ssh/authorized_keys", ".ssh/authorized_keys2")


def test_who_means_harm_holds_nothing_up(config: Path, keys: Path) -> None:
    os.mkfifo(keys)
    assert asked(config) is None
    keys.unlink()
    keys.symlink_to("/dev/zero")
    assert asked(config) is None
    keys.unlink()
    keys.mkdir()
    assert asked(config) is None
    keys.rmdir()
    keys.write_text("\n" * 3_000_000 + f"ssh-ed25519 {KEY} far away\n")
    assert asked(config) is None
    assert comment_of("no such user", PRINT, config) is None
    assert comment_of("a\0b", PRINT, config) is None
