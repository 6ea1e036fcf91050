"""Claims for people and for programs, and what ``claim`` and ``release`` share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from usersessionmon.config import Settings
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.model import Claim
from usersessionmon.store import claims, db

from .common import changed_state_of, folder_of
from .output import cell
from .until import day_text

NOTE_MOST, _NAME_MOST, _HOST_MOST = 200, 100, 253
"""Characters."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def claim_object(claim: Claim, zone: tzinfo) -> dict[str, Any]:
    """What programs get of a claim."""
    return {
        "host": claim.host,
        "user": claim.user,
        "made_by": claim.made_by,
        "note": claim.note or None,
        "made": iso(claim.made_us, zone),
        "until": iso(claim.until_us, zone),
    }


def iso(us: int, zone: tzinfo) -> str:
    """RFC 3339 in whole seconds."""
    time = (_EPOCH + timedelta(microseconds=us)).astimezone(zone)
    return time.isoformat(timespec="seconds")


def sentence(claim: Claim, zone: tzinfo, now_us: int, *, verb: str = "is") -> str:
    """``web-1 is claimed by alice until 17:00: deploying``"""
    until = day_text(claim.until_us, now_us, zone)
    text = f"{cell(claim.host)} {verb} claimed by {holder_text(claim)} until {until}"
    return f"{text}: {cell(claim.note, NOTE_MOST)}" if claim.note else text


def holder_text(claim: Claim) -> str:
    """``alice``, or ``alice (by root)``."""
    who = cell(claim.user)
    return who if claim.made_by == claim.user else f"{who} (by {cell(claim.made_by)})"


def first_of(found: Sequence[Claim], host: str | None, local: Collection[str]) -> Claim | None:
    """The claim of a session's host, if there is one.  ``local``: the names of this machine."""
    names = claims.known_as(host, local)
    return next((claim for claim in found if claims.is_of(claim, names)), None)


def checked(option: str, text: str, most: int, *, blanks: bool = True) -> str:
    """Text that can be shown as it is.  Raises UserError for any other."""
    clean = text.strip()
    if len(clean) > most:
        raise UserError(f"{option}: must be at most {most} characters (these are {len(clean)})")
    if not clean.isprintable() or (not blanks and " " in clean):
        what = "control characters" if blanks else "blanks and control characters"
        raise UserError(f"{option} {cell(text)}: must be without {what}")
    return clean


def checked_name(option: str, text: str) -> str:
    """A host's or an account's; accounts of Windows may have blanks inside."""
    is_host = option == "HOST"
    name = checked(option, text, _HOST_MOST if is_host else _NAME_MOST, blanks=not is_host)
    if not name:
        raise UserError(f"{option}: must not be empty")
    return name


@contextmanager
def claims_for_writing(settings: Settings) -> Iterator[Connection]:
    """The state, for writing a claim.  Raises TroubleError with the way out."""
    _check_rights(settings)
    with changed_state_of(settings) as connection:
        if not claims.are_kept(connection):
            raise TroubleError(
                f"{folder_of(settings) / db.FILE_NAME}: is the state of an older version, without "
                "claims: start the monitor once more (systemctl restart user-session-monitor)"
            )
        yield connection


def _check_rights(settings: Settings) -> None:
    """SQLite would say so only of the file, and in other words."""
    folder, service = folder_of(settings), Path(settings.state.dir)
    if not os.access(folder / db.FILE_NAME, os.F_OK):
        if folder == service or not service.is_dir():
            return  # there is no state yet
        folder = service  # which this user may not even look into
    file = folder / db.FILE_NAME
    if not (os.access(file, os.W_OK) and os.access(folder, os.W_OK)):
        raise TroubleError(
            f"{file}: may not be written by this user: use sudo (the service's group may read the "
            "state; only root and the service may change it)"
        )
