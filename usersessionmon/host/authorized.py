"""What the owner of an account calls a key: its comment in authorized_keys (sshd(8)).

The files are those of sshd_config's ``AuthorizedKeysFile``.  They are the owner's, who may write
anything there, put a pipe in their place, or a link to something endless: so little is read of a
regular file only, and a comment is words without control characters, and short.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from usersessionmon.system import users
from usersessionmon.system.files import AT_ONCE, BYTES
from usersessionmon.system.places import ETC

_CONFIG = ETC / "ssh/sshd_config"
_DEFAULT = (".ssh/authorized_keys", ".ssh/authorized_keys2")
_MOST = 1024 * 1024
_LINES = 20_000
_FILES = 16
_NAME = 100
_TYPES = ("ssh-", "ecdsa-", "sk-")


def comment_of(user: str, fingerprint: str, config: Path = _CONFIG) -> str | None:
    """What stands behind the key with this fingerprint (``SHA256:…``) in the account's files; None
    where it does not stand there, has no comment, or may not be read."""
    account = users.account(user)
    if account is None:
        return None
    for pattern in key_files(config):
        path = _file_of(pattern, account)
        for line in _lines(path) if path is not None else ():
            comment = _comment(line, fingerprint)
            if comment is not None:
                return comment or None
    return None


def key_files(config: Path = _CONFIG) -> tuple[str, ...]:
    """The patterns of ``AuthorizedKeysFile``: the first that is given holds.  What stands in a
    ``Match`` block is passed over."""
    for word, values in _settings(config, 0):
        if word == "match":
            break
        if word == "authorizedkeysfile":
            return tuple(value for value in values if value != "none")[:_FILES]
    return _DEFAULT


def _settings(config: Path, depth: int) -> Iterator[tuple[str, list[str]]]:
    for line in _lines(config):
        words = line.replace("=", " ", 1).replace('"', " ").split()
        if not words or words[0].startswith("#"):
            continue
        word = words[0].lower()
        if word != "include":
            yield word, words[1:]
            continue
        for pattern in words[1:] if depth < 4 else ():
            absolute = str(config.parent / pattern).lstrip("/")
            for file in sorted(Path("/").glob(absolute))[:100]:
                for setting in _settings(file, depth + 1):
                    if setting[0] == "match":  # ends with its own file
                        break
                    yield setting


def _file_of(pattern: str, account: users.Account) -> Path | None:
    names = {"h": account.home, "u": account.name, "U": str(account.uid), "%": "%"}
    pieces = pattern.split("%")
    text = pieces[0]
    rest = iter(pieces[1:])
    for piece in rest:
        if piece:
            text += names.get(piece[0], "") + piece[1:]
        else:  # %%
            text += "%" + next(rest, "")
    path = Path(account.home) / text
    return path if path.is_absolute() and "\0" not in text else None


def _lines(path: Path) -> Iterator[str]:
    try:
        # Without waiting: the account's owner may have put a pipe there.
        descriptor = os.open(path, os.O_RDONLY | AT_ONCE | BYTES)
    except OSError:
        return
    try:
        data = b""
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            with contextlib.suppress(OSError):
                data = os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)
    for line in data.split(b"\n", _LINES)[:_LINES]:
        yield line.decode("utf-8", "replace")


def _comment(line: str, fingerprint: str) -> str | None:
    """The comment of a line with this key, "" when it has none; None for any other line."""
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    if not line.startswith(_TYPES):
        line = _behind_options(line)
    kind, _, rest = line.partition(" ")
    blob, _, comment = rest.strip().partition(" ")
    if not kind.startswith(_TYPES):
        return None
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except (binascii.Error, ValueError):
        return None
    if f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}" != fingerprint:
        return None
    words = "".join(c if c.isprintable() else " " for c in comment).split()
    return " ".join(words)[:_NAME]


def _behind_options(line: str) -> str:
    """The rest behind the options, in whose quotes blanks may stand."""
    quoted = False
    for at, character in enumerate(line):
        if character == '"' and (at == 0 or line[at - 1] != "\\"):
            quoted = not quoted
        elif character in " \t" and not quoted:
            return line[at:].lstrip()
    return ""
