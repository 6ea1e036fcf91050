"""The end of boots that are over, by any entry that the journal has of them."""

from __future__ import annotations

from collections.abc import Collection

from usersessionmon.errors import TroubleError

from .journal import open_reader
from .journal_reader import ERRORS, wrap

_MOST = 64


def last_entries(known: Collection[str], directory: str | None = None) -> dict[str, int]:
    """Boot id (32 hex digits) → microseconds UTC of its last entry: of these boots and of as many
    others as the journal has, within reason.  Empty where no journal can be read."""
    found: dict[str, int] = {}
    try:
        reader = open_reader(path=directory)
    except (TroubleError, *ERRORS):
        return found
    try:
        log = wrap(reader)
        others = sorted({_hex(boot) for boot in reader.query_unique("_BOOT_ID")} - set(known))
        for boot in (*known, *others)[:_MOST]:
            reader.flush_matches()
            reader.add_match(f"_BOOT_ID={boot}")
            reader.seek_tail()
            if log.retreat():
                found[boot] = log.stamp()[0]
    except ERRORS:
        pass  # damaged: what was found so far is true
    finally:
        reader.close()
    return found


def _hex(boot: object) -> str:
    return getattr(boot, "hex", None) or str(boot).replace("-", "")
