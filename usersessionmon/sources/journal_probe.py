"""What this process can see of the journal: for the choice of a source, and for ``check``.

libsystemd gives a process without rights its own entries and no error; so whether the system's
entries can be read is found out by reading one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usersessionmon.errors import TroubleError
from usersessionmon.system import users

from .journal import MISSING, open_reader
from .journal_reader import ERRORS, unchanged, words

PLACES = ("/var/log/journal", "/run/log/journal")


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """``importable``: systemd-python is there.  ``exists``: some journal file is there, readable
    or not.  ``permitted``: an entry of the system can be read.  ``newest_auth_us``: when sshd, PAM
    or another program of facility auth or authpriv last logged (None: never, as far as is kept).
    ``trouble``: what stands in the way, with the way out; empty when the journal can be used."""

    importable: bool
    exists: bool
    permitted: bool
    newest_auth_us: int | None
    trouble: str = ""


def probe(directory: str | None = None, places: Sequence[str] = PLACES) -> JournalFacts:
    """Look at this host's journal, or at a directory of journal files.  Never raises."""
    exists = any(_any_file(place) for place in ((directory,) if directory else places))
    try:
        reader = open_reader(path=directory)
    except TroubleError:
        return JournalFacts(False, exists, False, None, MISSING)
    except ERRORS as error:
        return JournalFacts(True, exists, False, None, f"the journal: {words(error)}")
    try:
        permitted = _newest(reader, "_UID=0") is not None
        newest = _newest(reader, "SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10") if permitted else None
    except ERRORS as error:
        return JournalFacts(True, exists, False, None, f"the journal: {words(error)}")
    finally:
        reader.close()
    return JournalFacts(True, exists, permitted, newest, _trouble(exists, permitted))


def _trouble(exists: bool, permitted: bool) -> str:
    if permitted:
        return ""
    if not exists:
        return "this host keeps no systemd journal"
    if users.is_root():
        return "the journal holds no entry of the system yet"
    return (
        "the system's journal may not be read by this user: run as root, or add the user to the"
        " group systemd-journal (usermod -aG systemd-journal USER) and start anew"
    )


def _any_file(place: str) -> bool:
    try:
        return any(path.suffix == ".journal" for path in Path(place).rglob("*.journal"))
    except OSError:
        return False


def _newest(reader: Any, *matches: str) -> int | None:
    """When the last entry with one of these was logged (microseconds); None: there is none."""
    reader.flush_matches()
    for match in matches:
        reader.add_match(match)
    reader.seek_tail()
    # Converters that convert nothing: a sender's field must not be able to raise here.
    reader.converters = dict.fromkeys(reader.converters, unchanged)
    entry = reader.get_previous()
    return int(entry["__REALTIME_TIMESTAMP"]) if entry else None
