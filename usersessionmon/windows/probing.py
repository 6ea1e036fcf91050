"""Whether a server's event log can be read, and how long it is kept: for ``check``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from .channels import SHORT
from .errors import Treatment, sentence, treatment
from .eventlog import ChannelFacts, EventLogError, Session
from .feed import NEEDED
from .marks import time_of
from .queries import query_of, record_query, wanted_ids
from .settings import WindowsServer
from .waiting import part

DAY_US = 86_400_000_000
_MEGABYTE = 1024 * 1024


class Probed(NamedTuple):
    """Of one channel."""

    channel: str
    ok: bool
    """Nothing must be mended."""
    text: str
    """What is wrong or worth knowing, with the way out; empty: all is well."""
    there: bool = True
    """It can be read."""


def probe(now_us: int, server: WindowsServer, session: Session) -> Iterator[Probed | None]:
    """Each channel of a server is tried; ``now_us``: microseconds UTC.  None: nothing yet.  Raises
    EventLogError for what is the whole server's."""
    for channel in server.follows():
        try:
            yield from _read_one(session, channel, query_of(wanted_ids(channel)), newest_first=True)
        except EventLogError as error:
            kind = treatment(error)
            if kind not in {Treatment.DENIED, Treatment.ABSENT, Treatment.USELESS}:
                raise
            optional = kind is Treatment.ABSENT and channel not in NEEDED
            yield Probed(channel, optional, sentence(error), there=False)
            continue
        yield (yield from _kept(channel, session, now_us))


def _kept(channel: str, session: Session, now_us: int) -> Generator[None, None, Probed]:
    try:
        facts = session.facts(channel)
        first = ""
        if facts.oldest:
            first = yield from _read_one(session, channel, record_query(facts.oldest))
    except EventLogError:  # who may read the log may not always ask for these
        return Probed(channel, True, "")
    if not facts.enabled:
        text = f"is switched off: wevtutil sl {channel} /e:true"
        return Probed(channel, channel not in NEEDED, text)
    begins_us = _us_of(first)
    return Probed(
        channel, True, "" if begins_us is None else _too_short(channel, facts, now_us - begins_us)
    )


def _too_short(channel: str, facts: ChannelFacts, age_us: int) -> str:
    """A log that was never full says nothing of how long it keeps."""
    if facts.oldest <= 1 or age_us >= DAY_US:
        return ""
    return (
        f"reaches back {age_us / 3_600_000_000:.0f} h only ({facts.max_bytes // _MEGABYTE} MB): "
        f"what happens in a longer outage is lost; make it larger (wevtutil sl {channel} /ms:BYTES)"
    )


def _us_of(xml: str) -> int | None:
    try:
        time = datetime.fromisoformat(time_of(xml))
    except ValueError:
        return None
    return (time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _read_one(
    session: Session, channel: str, query: str, *, newest_first: bool = False
) -> Generator[None, None, str]:
    events = session.query(channel, query, newest_first=newest_first)
    with closing(events):
        for found in part(events, 1):
            if found is not None:
                return found.xml
            yield
    return ""


def short(channel: str) -> str:
    return SHORT.get(channel, channel)
