"""Finding the place in a journal from which on everything is new."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

from .entry import moment_of
from .journal_position import Position
from .journal_reader import ERRORS, Log, Terms, match


class Place(NamedTuple):
    """``found``: False while the journal has nothing there; then it is to be tried again at the
    next look, since a seek into emptiness need not hold.  ``doubtful``: the first entries may be
    known already (``Position.knows``).  ``note`` is for people, or empty."""

    found: bool
    doubtful: bool = False
    note: str = ""


def end_of(log: Log, terms: Terms, now_us: int) -> Position:
    """The position behind the last entry there is."""
    match(log, terms)
    log.reader.seek_tail()
    # Not get_next: what that gives after seek_tail differs from one systemd to the next.
    if not log.retreat():
        return Position(None, now_us)
    return Position(log.cursor(), *log.stamp())


def go_behind(log: Log, terms: Terms, saved: Position | None, zone: tzinfo) -> Place:
    """Go to where ``advance`` gives the first entry behind ``saved`` (None: the first of all)."""
    if saved is None:
        match(log, terms)
        log.reader.seek_head()
        return Place(True)
    if saved.cursor is not None and _is_there(log, saved.cursor):
        return Place(_go_behind_cursor(log, terms, saved.cursor))
    return _go_near(log, terms, saved, zone)


def _is_there(log: Log, cursor: str) -> bool:
    """Is the cursor's own entry still there?  Looked for without matches, because these may have
    changed with the rules and hide it."""
    match(log, ())
    try:
        log.reader.seek_cursor(cursor)
    except ERRORS:
        return False  # no cursor at all: a damaged state, or another systemd's
    return log.advance() and bool(log.reader.test_cursor(cursor))


def _go_behind_cursor(log: Log, terms: Terms, cursor: str) -> bool:
    match(log, terms)
    log.reader.seek_cursor(cursor)
    if not log.advance():
        return False
    if not log.reader.test_cursor(cursor):
        log.reader.seek_cursor(cursor)  # hidden by the matches: this one is new already
    return True


def _go_near(log: Log, terms: Terms, saved: Position, zone: tzinfo) -> Place:
    """The entry is gone, or never was: go on with the first later one that is there."""
    match(log, terms)
    _seek_near(log, saved)
    if not log.advance():
        return Place(False)
    first = log.stamp()
    _seek_near(log, saved)
    if saved.cursor is None or saved.is_at(first):
        return Place(True, doubtful=True)
    since, until = (moment_of(us, zone) for us in (saved.realtime_us, first[0]))
    note = (
        "journal: the entry where reading stopped is no longer there;"
        f" lines between {since.text if since else 'then'}"
        f" and {until.text if until else 'now'} may be missing"
    )
    return Place(True, doubtful=True, note=note)


def _seek_near(log: Log, saved: Position) -> None:
    """To the first entry behind a lost one.

    libsystemd knows from the cursor's parts (sequence number, boot and its clock) what came later
    even when the wall clock was set back; the time alone is the last resort.
    """
    if saved.cursor is not None:
        try:
            log.reader.seek_cursor(saved.cursor)
        except ERRORS:
            pass
        else:
            return
    log.reader.seek_realtime(saved.realtime_us)
