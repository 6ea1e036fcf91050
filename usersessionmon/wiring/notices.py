"""From settings to what is told, how, and where it goes."""

from __future__ import annotations

import logging
import sqlite3
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import TextIO

from usersessionmon.alarm import Alarm
from usersessionmon.app import Delivery
from usersessionmon.clock import Clock, Waker
from usersessionmon.config import FEISHU, Settings, check_files
from usersessionmon.daily import Daily
from usersessionmon.detect.folding import Folding
from usersessionmon.detect.quiet import QuietHours
from usersessionmon.detect.watch import Watch
from usersessionmon.entries import Entry, entry
from usersessionmon.metrics.counted import CountedChannel
from usersessionmon.metrics.counters import Counters
from usersessionmon.model import Bout, Change, Company, Finding, Forged, Notice, Tally
from usersessionmon.notify.base import Dropped
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.folded import daily_notice, in_company
from usersessionmon.notify.forged import forged_notice
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.pace import Budget
from usersessionmon.notify.registry import budget_of, channel_of
from usersessionmon.notify.routing import Router
from usersessionmon.notify.servers import away_notice
from usersessionmon.notify.silent import silent_notice
from usersessionmon.notify.terminal import TerminalChannel
from usersessionmon.notify.trouble import damaged_notice, dropped_notice
from usersessionmon.notify.unusual import bout_notice
from usersessionmon.notify.words import Server, Voice
from usersessionmon.pipeline import Pipeline
from usersessionmon.silence import Connected, Silence, Silent
from usersessionmon.sources.base import Source
from usersessionmon.store import outbox_view
from usersessionmon.store.damage import UNTOLD, Damage
from usersessionmon.store.faults import DamagedError
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.tellers import Teller
from usersessionmon.telling import Telling
from usersessionmon.watching.servers import Away, Servers
from usersessionmon.windows.servers import WindowsSource

from .claims import Mark
from .here import Here, zone_of

LOG = logging.getLogger("usersessionmon")


def channels_of(
    settings: Settings, zone: tzinfo, stream: TextIO
) -> list[tuple[BatchChannel, Budget]]:
    """Every channel that is configured, with how fast it may be; where there is none, the terminal.
    Raises UserError when a file that one of them names cannot be used."""
    check_files(settings)  # all that is wrong at once
    voice = Voice(zone, settings.language.value, settings.people)
    shared: dict[tuple[str, str], Budget] = {}
    found = [
        (channel_of(name, where_of(name), channel, voice), budget_of(channel, shared))
        for name, channel in settings.all_channels().items()
    ]
    return found or [(TerminalChannel(stream, voice=voice), Budget.unlimited())]


def check_channels(settings: Settings) -> None:
    """Raise UserError when a channel cannot be made."""
    for channel, _ in channels_of(settings, zone_of(settings), sys.stderr):
        channel.close()


def where_of(name: str) -> str:
    """Under which key a channel's settings stand."""
    return name if name == FEISHU else f"channels.{name}"


def router_of(settings: Settings, channels: Sequence[str]) -> Router:
    """Where each notice goes."""
    held = QuietHours(settings.quiet_hours, zone_of(settings)).end
    return Router(channels, settings.routes, settings.people, settings.mention, held)


def server_of(settings: Settings, here: Here) -> Server:
    """What notices say of this host, and how."""
    hosts = here.names | {here.name}
    return Server(here.name, here.address, hosts, here.zone, settings.language.value)


def telling_of(
    settings: Settings, here: Here, mark: Mark = lambda notice, _change: notice
) -> Telling:
    """What this host tells, and how it words it.  ``mark`` adds what is known of the host."""
    kinds = frozenset(settings.notices.events)
    texts = OwnTexts(settings.templates)
    server = server_of(settings, here)

    def word(change: Change, findings: Sequence[Finding]) -> Notice:
        return mark(texts.word(change, server, findings), change)

    def tell(bout: Bout) -> Notice:
        return bout_notice(bout, server)

    def accompany(notice: Notice, change: Change, company: Company) -> Notice:
        return in_company(notice, change, company, server.say)

    watch = Watch(settings.detect, settings.quiet, settings.maintenance, here.zone, kinds)
    return Telling(word, tell, kinds, watch, Folding(settings.fold), accompany)


def tellers_of(
    settings: Settings,
    here: Here,
    source: Source,
    pipeline: Pipeline,
    clock: Clock,
    kept: Mapping[str, str],
) -> list[Teller]:
    """What tells of more than single changes, as the settings want it."""
    tellers: list[Teller] = []
    if settings.monitor.alarm_forged:
        tellers.append(forged_alarm(settings, here, pipeline, kept))
    if isinstance(source, WindowsSource):
        tellers.append(away_of(settings, here, source, clock, kept))
    elif settings.monitor.alarm_silent:
        tellers.append(silence_of(settings, here, source, clock, kept))
    return tellers


def daily_of(
    settings: Settings, here: Here, folding: Folding, kept: Mapping[str, str]
) -> list[Teller]:
    """What tells once a day of the connections that have a purpose, where there are any."""

    def word(tallies: Sequence[Tally], since_us: int, until_us: int) -> Notice:
        return daily_notice(tallies, since_us, until_us, server_of(settings, here))

    if not folding.purposes.daily:
        return []
    daily = Daily(word, folding.purposes, settings.fold.daily_at, here.zone)
    daily.load(kept)
    return [daily]


def forged_alarm(
    settings: Settings, here: Here, pipeline: Pipeline, kept: Mapping[str, str]
) -> Alarm:
    """What tells of lines in another's name."""

    def word(forged: Forged, now_us: int) -> Notice:
        return forged_notice(forged, now_us, server_of(settings, here))

    alarm = Alarm(word, pipeline.forgeries)
    alarm.load(kept)
    return alarm


def silence_of(
    settings: Settings, here: Here, source: Source, clock: Clock, kept: Mapping[str, str]
) -> Silence:
    """What compares the log with who is connected."""

    def word(silent: Silent, now_us: int) -> Notice:
        server = server_of(settings, here)
        return silent_notice(*silent, now_us, source=source.name, server=server)

    silence = Silence(here.names, clock, Connected(clock), word)
    silence.load(kept)
    return silence


def away_of(
    settings: Settings, here: Here, source: WindowsSource, clock: Clock, kept: Mapping[str, str]
) -> Servers:
    """What tells of servers that cannot be read."""

    def word(away: Away, now_us: int) -> Notice:
        found = [(one.name, one.state.value, one.error, us) for one, us in away.servers]
        return away_notice(away.over, found, now_us, server=server_of(settings, here))

    servers = Servers(source.states, clock, word if settings.monitor.alarm_silent else None)
    servers.load(kept)
    return servers


def deliveries_of(
    settings: Settings,
    here: Here,
    file: Path,
    clock: Clock,
    channels: Iterable[tuple[BatchChannel, Budget]],
    counters: Counters,
) -> Sequence[Delivery]:
    """The channels (``channels_of``) with their workers."""
    if not settings.all_channels():
        LOG.info("no webhook is configured: notices are printed here")
    server = server_of(settings, here)

    def announce(dropped: Dropped, now_us: int) -> Notice:
        return dropped_notice(dropped, now_us, server)

    deliveries = []
    for channel, budget in channels:
        waker = Waker()
        damage: list[DamagedError] = []
        outbox_of = partial(SqliteOutbox, file, damage.append)
        counted = CountedChannel(channel, counters)
        worker = DeliveryWorker(counted, outbox_of, clock, waker, budget, announce=announce)
        deliveries.append(Delivery(channel.name, worker, waker, damage))
    return deliveries


def say_left_behind(connection: sqlite3.Connection, channels: Collection[str]) -> None:
    """What waits for a channel that the configuration does not have any more waits for ever; it is
    kept, for a name may come back, but not in silence."""
    for name, count in outbox_view.waiting(connection).items():
        if name not in channels:
            LOG.error(
                "%d notices wait for the channel %s, which is not configured any more: configure "
                "it again, or give them up (user-session-monitor outbox drop --all --channel %s)",
                count, name, name,
                extra=entry(Entry.CHANNEL_HELD, channel=name, said="not configured any more"),
            )  # fmt: skip


def opening_of(
    settings: Settings, here: Here, damage: Damage | None, facts: Mapping[str, str]
) -> Sequence[Notice]:
    """What is to be told at the beginning: that the state was damaged, once."""
    if damage is None or not facts.get(UNTOLD):
        return ()
    notice = damaged_notice(
        file=str(damage.file),
        sessions=damage.sessions,
        notices=damage.notices,
        told_us=damage.told_us,
        now_us=damage.at_us,
        server=server_of(settings, here),
    )
    return (notice,)
