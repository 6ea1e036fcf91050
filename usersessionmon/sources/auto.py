"""``monitor.source: auto``: which log to follow on this host, and why.

The journal proves who wrote a line and a file does not, so the journal is taken wherever it can be
read and holds sshd's lines.  What can be read is found out by reading.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from usersessionmon.system.files import AT_ONCE, BYTES, read_at

from .journal_probe import JournalFacts, probe

Kind = Literal["journal", "file", "windows"]

_TAIL_BYTES = 256 * 1024
_BEHIND_US = 3600 * 1_000_000
"""A journal whose last auth line is an hour older than the file's is not where they go today."""
_AUTH_TAGS = (
    b" sshd[",
    b" sshd-session[",
    b" systemd-logind[",
    b" sudo:",
    b" sudo[",
    b" su:",
    b" su[",
    b" login[",
    b" dropbear[",
    b": pam_unix(",
)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """``auth_us``: the file's last change (microseconds), if lines about logins are at its end."""

    path: str
    exists: bool
    readable: bool
    auth_us: int | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """``path`` is the file's, empty for the journal; of Windows' event logs it says whose.  ``why``
    is one sentence for people; ``problems`` say what stands in the way of each log looked at, and
    the way out."""

    kind: Kind
    path: str
    why: str
    problems: tuple[str, ...] = ()


def choose(
    source: str,
    log_file: str,
    *,
    default_log_files: Sequence[str],
    probe_journal: Callable[[], JournalFacts] = probe,
) -> Choice:
    """``source`` and ``log_file`` are the settings ``monitor.source`` (auto, journal, file) and
    ``monitor.log_file``; ``default_log_files`` the distribution's, the likeliest first.

    A log file that is named in the settings is followed: whoever names one wants that one.
    """
    if source == "journal":
        facts = probe_journal()
        return Choice("journal", "", "monitor.source says so", _some(facts.trouble))
    if log_file:
        named = look_at(log_file)
        return Choice("file", log_file, "monitor.log_file names it", _some(named.trouble))
    file = _best([look_at(path) for path in default_log_files])
    if source == "file":
        return Choice("file", file.path, "monitor.source says so", _some(file.trouble))
    return decide(probe_journal(), file)


def decide(journal: JournalFacts, file: FileFacts) -> Choice:
    """The choice for ``auto`` between the journal and the best of the distribution's files."""
    problems = _some(journal.trouble)
    if journal.trouble:
        if file.readable:
            why = f"the journal cannot be used: {journal.trouble}"
            # A host that keeps no journal has nothing to mend.
            return Choice("file", file.path, why, problems if journal.exists else ())
        problems += _some(file.trouble)
        if journal.importable and journal.exists and not file.exists:
            return Choice("journal", "", "there is no log file, and a journal", problems)
        return Choice("file", file.path, "there is no log yet that can be read", problems)
    if file.auth_us is None:
        return Choice("journal", "", "the journal can be read, and no log file has logins")
    if journal.newest_auth_us is None:
        return Choice("file", file.path, "the journal holds no line about logins, this file does")
    if file.auth_us - journal.newest_auth_us > _BEHIND_US:
        return Choice("file", file.path, "its lines about logins are newer than the journal's")
    return Choice("journal", "", "the journal can be read, and proves who wrote a line")


def look_at(path: str) -> FileFacts:
    """What there is to a log file.  Never raises, never blocks (a fifo is no log file here)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | AT_ONCE | BYTES)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return FileFacts(path, True, False, None, f"{path}: is not a regular file")
            tail = read_at(descriptor, _TAIL_BYTES, max(0, status.st_size - _TAIL_BYTES))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return FileFacts(path, False, False, None, f"{path}: there is no such file")
    except PermissionError:
        trouble = (
            f"{path}: may not be read by this user: run as root, or add the user to the file's"
            " group (adm on Debian and Ubuntu)"
        )
        return FileFacts(path, True, False, None, trouble)
    except OSError as error:
        return FileFacts(path, True, False, None, f"{path}: cannot be read: {error.strerror}")
    has_auth = any(tag in tail for tag in _AUTH_TAGS)
    return FileFacts(path, True, True, status.st_mtime_ns // 1000 if has_auth else None)


def _best(files: Sequence[FileFacts]) -> FileFacts:
    """The one with the newest lines about logins, else the first readable, else the first."""
    with_auth = [file for file in files if file.auth_us is not None]
    if with_auth:
        return max(with_auth, key=lambda file: file.auth_us or 0)
    for file in files:
        if file.readable:
            return file
    return files[0] if files else FileFacts("", False, False, None, "no log file is known here")


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
