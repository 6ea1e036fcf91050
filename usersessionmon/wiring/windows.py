"""From settings to the Windows event logs that are read.

What reads them is imported where it is needed: every start of the program asks whether it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from usersessionmon.clock import Clock
from usersessionmon.config import Settings, SourceKind
from usersessionmon.errors import UserError
from usersessionmon.sources.auto import Choice
from usersessionmon.system.host import IS_WINDOWS, nodes
from usersessionmon.windows.settings import NAME, WindowsServer

if TYPE_CHECKING:
    from usersessionmon.windows.servers import WindowsSource

_NAMED = 3
"""Servers that are named where there are many."""


def choice_of(settings: Settings) -> Choice | None:
    """Windows' event logs, where they are what is followed; else None."""
    monitor, servers = settings.monitor, settings.windows.servers
    if monitor.source is SourceKind.WINDOWS:
        why = "monitor.source says so"
    elif servers:
        why = "windows.servers names them"
    elif monitor.source is SourceKind.AUTO and IS_WINDOWS and not monitor.log_file:
        why = "this is Windows"
    else:
        return None
    return Choice(NAME, f"the event logs of {_named(servers_of(settings))}", why)


def check_servers(settings: Settings) -> None:
    """Raises UserError where event logs are what is followed and cannot be."""
    choice = choice_of(settings)
    trouble = () if choice is None else why_not_live()
    if choice is not None and trouble:
        raise UserError(f"event logs are to be followed ({choice.why}): {'; '.join(trouble)}")


def servers_of(settings: Settings) -> Sequence[WindowsServer]:
    """Whose they are; none is configured: this machine's."""
    return settings.windows.servers or (WindowsServer(),)


def why_not_live() -> Sequence[str]:
    """What stands in the way of reading event logs live; which account may read them shows when
    it does."""
    from usersessionmon.windows.live import LiveEventLog

    try:
        LiveEventLog()
    except UserError as error:
        return error.lines
    return ()


def try_servers(settings: Settings, clock: Clock) -> Iterator[tuple[bool, str]]:
    """Each server tried, with what is wrong with it and how it is mended.  Raises UserError where
    that cannot be done on this system."""
    from usersessionmon.windows.asking import ask
    from usersessionmon.windows.errors import sentence
    from usersessionmon.windows.live import LiveEventLog
    from usersessionmon.windows.probing import probe, short

    fine: dict[str, list[str]] = {}
    what = partial(probe, clock.now_us())
    for answer in ask(servers_of(settings), LiveEventLog(), clock, what):
        label = answer.server.label
        if answer.found is None:
            if answer.error is not None:
                yield False, f"{label}: {sentence(answer.error)}"
            continue
        channel, ok, text, there = answer.found
        if there:
            fine.setdefault(label, []).append(short(channel))
        if text:
            yield ok, f"{label}: {short(channel)}: {text}"
    for label, channels in fine.items():
        yield True, f"{label}: {', '.join(channels)} can be read"


def open_servers(
    settings: Settings,
    *,
    clock: Clock,
    position: str | None,
    from_start: bool,
    once: bool,
    wake: Callable[[], None],
) -> WindowsSource:
    """Begin to follow all of them.  Raises UserError where that cannot be done."""
    import random

    from usersessionmon.windows.live import LiveEventLog
    from usersessionmon.windows.servers import WindowsSource
    from usersessionmon.windows.subscription import Means
    from usersessionmon.windows.xml import record_of

    chance = random.SystemRandom()
    means = Means(LiveEventLog(), clock, record_of, chance.random, from_start)
    return WindowsSource(
        servers_of(settings), means, position=position, wake=wake, once=once, here=nodes()
    )


def _named(servers: Sequence[WindowsServer]) -> str:
    names = [one.label for one in servers[:_NAMED]]
    more = len(servers) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
