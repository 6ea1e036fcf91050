"""Results of queries, which may be long in coming: a host that looks for few events in a big log
says again and again that the time of one call is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from .errors import Treatment, treatment
from .eventlog import EventLogError, Events, Rendered

CANCELLED, TIMEOUT = 1223, 1460
ASKS = 30
"""Of two seconds each: a minute in a row without anything, and it is given up."""
LONG_ASKS = 300
_NO_END = 259
_ODD_ASKS = 3
"""What else says "nothing" is believed when it says so as often: a wrong end of a query would
look like a log that was cleared."""


def part(events: Events, count: int, asks: int = ASKS) -> Iterator[Rendered | None]:
    """Up to ``count`` events of a query; None each time that there is nothing yet.  Raises
    EventLogError, 1460 after so many ``asks``."""
    odd = 0
    while True:
        try:
            with closing(events.read(count)) as found:
                yield from found
            return
        except EventLogError as error:
            if error.function != "EvtNext" or treatment(error) is not Treatment.EMPTY:
                raise
            if error.winerror == TIMEOUT:
                asks -= 1
                if not asks:
                    raise
            else:
                odd += 1
                if error.winerror == _NO_END or odd == _ODD_ASKS:
                    return
        yield None


def first(events: Events, go_on: Callable[[], bool]) -> Rendered | None:
    """The first event of a query; None: it has none.  Raises EventLogError, 1223 where it is to go
    on no longer."""
    with closing(events):
        for found in part(events, 1):
            if found is not None:
                return found
            if not go_on():
                raise EventLogError(CANCELLED, "EvtNext", "")
    return None
