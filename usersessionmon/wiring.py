"""From settings to the parts that are to run: the one place that knows them all."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from usersessionmon.alarm import Alarm
from usersessionmon.app import Delivery, Monitor
from usersessionmon.clock import Clock, SystemClock, Waker
from usersessionmon.config import FEISHU, Settings, check_files, find_config, load
from usersessionmon.daily import Daily
from usersessionmon.detect.folding import Folding
from usersessionmon.detect.quiet import QuietHours
from usersessionmon.detect.watch import Watch
from usersessionmon.entries import Entry, entry
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.host import boots, facts
from usersessionmon.metering import Metering, metering_of
from usersessionmon.metrics.counted import CountedChannel
from usersessionmon.metrics.counters import Counters
from usersessionmon.model import Bout, Change, Company, Finding, Forged, Notice, Record, Tally
from usersessionmon.notify.base import Dropped
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.folded import daily_notice, in_company
from usersessionmon.notify.forged import forged_notice
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.pace import Budget
from usersessionmon.notify.registry import budget_of, channel_of
from usersessionmon.notify.routing import Router
from usersessionmon.notify.silent import silent_notice
from usersessionmon.notify.terminal import TerminalChannel
from usersessionmon.notify.trouble import damaged_notice, dropped_notice
from usersessionmon.notify.unusual import bout_notice
from usersessionmon.notify.words import Server, Voice
from usersessionmon.persons import Persons
from usersessionmon.pipeline import Pipeline
from usersessionmon.rollcall import RollCall
from usersessionmon.rules.coverage import Shapes
from usersessionmon.rules.matcher import RuleSet, load_rules
from usersessionmon.rules.pack import Keeps, identifiers
from usersessionmon.sd_notify import Notifier
from usersessionmon.sessions.engine import Engine
from usersessionmon.silence import SINCE, Connected, Silence, Silent
from usersessionmon.sources.auto import Choice, choose
from usersessionmon.sources.base import Source
from usersessionmon.sources.journal import JournalSource
from usersessionmon.sources.journal_boots import last_entries
from usersessionmon.sources.tail import TailSource
from usersessionmon.stock import doubted, moment_of, take_stock, witness
from usersessionmon.store import db, detectors, state
from usersessionmon.store.damage import UNTOLD, Damage, set_aside
from usersessionmon.store.drops import Policy
from usersessionmon.store.faults import DamagedError, trouble
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.place import holder, locked, make_dir, open_state, state_dir
from usersessionmon.store.retention import Limits
from usersessionmon.tellers import Teller
from usersessionmon.telling import Telling
from usersessionmon.watchers import Post, Watchers, watchers_of

LOG = logging.getLogger("usersessionmon")


@dataclass(frozen=True, slots=True)
class Here:
    """What the host says of itself."""

    names: frozenset[str]
    name: str
    address: str | None
    boot: str | None
    zone: tzinfo
    os_ids: tuple[str, ...]


def look_around(settings: Settings) -> Here:
    """Collect the host's facts; the settings' own values win."""
    names = facts.host_names()
    return Here(
        names=names,
        name=settings.server.name or os.uname().nodename,
        address=settings.server.ip or facts.primary_address(),
        boot=facts.boot_id(),
        zone=zone_of(settings),
        os_ids=facts.os_release().names,
    )


def zone_of(settings: Settings) -> tzinfo:
    """The zone that people read times in."""
    return ZoneInfo(settings.timezone) if settings.timezone else facts.local_zone()


def rules_of(settings: Settings, os_ids: tuple[str, ...]) -> RuleSet:
    """The rules that the settings and the host ask for.  Raises UserError."""
    own = settings.monitor.rules_dir
    return load_rules(settings.monitor.distro, os_ids, Path(own) if own else None)


def choose_source(settings: Settings, rules: RuleSet) -> Choice:
    """Which log is followed, and why."""
    distro = rules.distro
    choice = choose(
        settings.monitor.source.value,
        settings.monitor.log_file,
        default_log_files=distro.log_files,
    )
    missing = choice.kind == "file" and not Path(choice.path).exists()
    if missing and distro.keeps is Keeps.JOURNAL and not settings.monitor.log_file:
        hint = f"{distro.name} keeps the journal alone (monitor.source: journal) unless rsyslog is"
        choice = replace(choice, problems=(*choice.problems, f"{hint} installed"))
    return choice


def open_source(
    choice: Choice,
    *,
    rules: RuleSet,
    clock: Clock,
    position: str | None,
    from_start: bool,
    rotated: bool,
    waker: Waker,
) -> Source:
    """The chosen log, opened where it was left; ``rotated``: begin with its rotated copies, where
    it was not left yet.  Raises TroubleError."""
    zone = facts.local_zone()  # of the machine that wrote the log, whatever people read
    if choice.kind == "journal":
        return JournalSource(
            wanted=rules.wanted,
            zone=zone,
            clock=clock,
            position=position,
            from_start=from_start,
            wake=waker.wake,
            extra_identifiers=identifiers(rules.packs),
        )
    return TailSource(
        Path(choice.path),
        wanted=rules.wanted,
        zone=zone,
        clock=clock,
        position=position,
        from_start=from_start,
        rotated=rotated,
        wake=waker.wake,
    )


class BootMarker:
    """Gives this host's own records of a text log the boot that they were written in: by their
    time, and what is read once the log's end was reached is of this one, whatever was done to the
    clock."""

    def __init__(self, here: Here, clock: Clock) -> None:
        self._names = here.names
        self._boot = here.boot
        self._boot_of = facts.boot_of(here.boot, facts.boot_began_us(clock.now_us()))
        self.live = False

    def __call__(self, record: Record) -> Record:
        if record.host not in self._names or record.boot is not None:
            return record
        return record._replace(boot=self._boot if self.live else self._boot_of(record.time.us))


def call_witnesses(engine: Engine, here: Here) -> None:
    """Ask others than the log for the ends of this host's boots, where one has ended since."""
    mine = [name for name in engine.host_names() if name is not None and name in here.names]
    ended = {boot for name in mine for boot in engine.boots_of(name)} - {here.boot}
    if any(engine.boots_of(name)[-1:] != (here.boot,) for name in mine):
        last = last_entries(sorted(ended))
        engine.know(witness(here.names, boots.ups_and_downs(), last, here.zone))


def position_key(choice: Choice) -> str:
    """Under which name a source's position is saved."""
    return "journal" if choice.kind == "journal" else f"file:{choice.path}"


def channels_of(
    settings: Settings, zone: tzinfo, stream: TextIO
) -> list[tuple[BatchChannel, Budget]]:
    """Every channel that is configured, with how fast it may be; where there is none, the terminal.
    Raises UserError when a file that one of them names cannot be used."""
    check_files(settings)  # all that is wrong at once
    voice = Voice(zone, settings.language.value, settings.people)
    found = [
        (channel_of(name, where_of(name), channel, voice), budget_of(channel))
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


def telling_of(settings: Settings, here: Here) -> Telling:
    """What this host tells, and how it words it."""
    kinds = frozenset(settings.notices.events)
    texts = OwnTexts(settings.templates)
    server = server_of(settings, here)

    def word(change: Change, findings: Sequence[Finding]) -> Notice:
        return texts.word(change, server, findings)

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
    if settings.monitor.alarm_silent:
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


def deliveries_of(
    settings: Settings,
    here: Here,
    file: Path,
    clock: Clock,
    stream: TextIO,
    counters: Counters,
) -> Sequence[Delivery]:
    """The channels with their workers.  Raises UserError for a bad webhook file."""
    if not settings.all_channels():
        LOG.info("no webhook is configured: notices are printed here")
    server = server_of(settings, here)

    def announce(dropped: Dropped, now_us: int) -> Notice:
        return dropped_notice(dropped, now_us, server)

    deliveries = []
    for channel, budget in channels_of(settings, here.zone, stream):
        waker = Waker()
        damage: list[DamagedError] = []
        outbox_of = partial(SqliteOutbox, file, damage.append)
        counted = CountedChannel(channel, counters)
        worker = DeliveryWorker(counted, outbox_of, clock, waker, budget, announce=announce)
        deliveries.append(Delivery(channel.name, worker, waker, damage))
    return deliveries


def load_engine(connection: sqlite3.Connection, file: Path) -> Engine:
    """The engine as it was saved.  Raises DamagedError when that cannot be understood."""
    connections, hosts = state.read_engine(connection)
    try:
        return Engine.load(connections, hosts)
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(
            file, f"the saved sessions cannot be understood: {type(error).__name__}"
        ) from error


def config_problems(path: str | None, running: Settings) -> Sequence[str]:
    """What is wrong with the configuration as it is now, a line each: ``path`` as the command line
    gave it.  ``running``: what the monitor that asks began with."""
    try:
        settings = load(find_config(path))
        rules_of(settings, look_around(settings).os_ids)
        check_channels(settings)
        folder = state_dir(settings.state.dir)
        make_dir(folder)
        pid = None if folder == state_dir(running.state.dir) else holder(folder)
    except (UserError, TroubleError) as error:
        return error.lines
    return () if pid is None else (f"{folder}: is in use by another monitor (pid {pid})",)


@contextmanager
def monitor(
    settings: Settings, *, from_start: bool, once: bool, stream: TextIO
) -> Iterator[Monitor]:
    """Everything that ``run`` needs, opened; closed again at the end.

    Raises UserError and TroubleError; DamagedError when the state was damaged, which is set aside
    then: called again, this goes on with a new one.
    """
    clock = SystemClock()
    here = look_around(settings)
    rules = rules_of(settings, here.os_ids)
    check_channels(settings)  # what is wrong is told before anything is made
    folder = state_dir(settings.state.dir)
    make_dir(folder)
    file = folder / db.FILE_NAME
    with locked(folder), setting_aside(folder, clock):
        connection = open_state(folder)
        waker = Waker()
        source: Source | None = None
        watchers, metering = Watchers(), Metering()
        try:
            choice = choose_source(settings, rules)
            _say(choice)
            key = position_key(choice)
            position = state.read_position(connection, key)
            kept = state.read_facts(connection)
            damage = Damage.load(kept)
            rebuilding = damage is not None and bool(damage.told_us)
            engine = load_engine(connection, file)
            source = open_source(
                choice,
                rules=rules,
                clock=clock,
                position=position,
                from_start=from_start or rebuilding,
                rotated=rebuilding,
                waker=waker,
            )
            call_witnesses(engine, here)
            marker = BootMarker(here, clock)
            pipeline = Pipeline(rules, engine, marker, Shapes(rules))
            telling = telling_of(settings, here)
            persons = Persons(settings.keys, here.names, here.boot, clock)
            bad = telling.watch.load(detectors.read_detectors(connection))
            if bad:
                LOG.warning("%s: %d rows of the detectors are damaged and forgotten", file, bad)
            new = position is None
            counters = Counters()
            deliveries = deliveries_of(settings, here, file, clock, stream, counters)
            tellers = [
                *tellers_of(settings, here, source, pipeline, clock, kept),
                *daily_of(settings, here, telling.folding, kept),
            ]
            channels = [delivery.channel for delivery in deliveries]
            post = Post(settings, server_of(settings, here), here.zone, clock, connection, kept)
            watchers = watchers_of(post, pipeline, channels, tellers, here.boot, once=once)
            metering = metering_of(settings.metrics, counters, connection, channels, clock.now_us())
            yield Monitor(
                source=source,
                source_name=key,
                connection=connection,
                file=file,
                pipeline=pipeline,
                telling=telling,
                router=router_of(settings, channels),
                deliveries=deliveries,
                clock=clock,
                waker=waker,
                notifier=Notifier(),
                stock=stock_of(here, clock, choice, marker, new=new),
                call=RollCall(
                    here.names,
                    here.boot,
                    here.zone,
                    clock,
                    name=lambda engine: name_in_log(here, choice, engine),
                ).call,
                look=look_of(here, clock) if choice.kind == "file" else lambda change: change,
                know=persons.know,
                recall=persons.call,
                tellers=[*tellers, *watchers.tellers, *metering.tellers],
                seen=metering.seen,
                unsaved=watchers.unsaved,
                limits=Limits(settings.state.keep_days, settings.state.max_sessions),
                policy=Policy(settings.outbox.max_notices, settings.outbox.max_days),
                told_us=damage.told_us if damage is not None and rebuilding else None,
                opening=[*opening_of(settings, here, damage, kept), *watchers.opening],
                once=once,
                told=(f"{choice.path}: is not there; waiting for it",),
                facts={"why": choice.why, SINCE: "", **watchers.facts},
            )
        finally:
            watchers.close()
            metering.close()
            if source is not None:
                source.close()
            waker.close()
            connection.close()


@contextmanager
def setting_aside(folder: Path, clock: Clock) -> Iterator[None]:
    """When the state proves to be damaged, put a new one in its place, say so, and raise on."""
    file = folder / db.FILE_NAME
    try:
        yield
    except DamagedError as error:
        try:
            damage = set_aside(folder, error.why, clock.now_us())
        except sqlite3.Error as problem:
            raise trouble(file, problem) from problem
        except OSError as problem:
            raise TroubleError(
                f"{file}: is damaged and cannot be set aside: {problem.strerror}"
            ) from problem
        LOG.error(
            "%s: the state is damaged (%s): set aside as %s; going on with a new one. %d ended "
            "sessions and %d waiting notices could be read from it, and the log is read again as "
            "far as it reaches; what happened until %s is not told again, and older sessions may "
            "be missing",
            file,
            error.why,
            damage.file.name,
            damage.sessions,
            damage.notices,
            moment_of(damage.told_us, UTC).text,
            extra=entry(Entry.STATE_DAMAGED, why=error.why),
        )
        raise


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


def stock_of(
    here: Here, clock: Clock, choice: Choice, marker: BootMarker, *, new: bool
) -> Callable[[Engine], Iterable[Change]]:
    """The look at the live host that ``Monitor.stock`` asks for."""

    def look(engine: Engine) -> Iterable[Change]:
        marker.live = True
        name = log_name(here, choice, engine)
        return take_stock(engine, here.names, name, here.boot, here.zone, clock, new=new)

    return look


def log_name(here: Here, choice: Choice, engine: Engine) -> str:
    """What the log calls this host: as it has done already, else as its writer does.

    The journal has the kernel's name; syslog daemons write it up to the first dot.
    """
    known = [name for name in engine.host_names() if name is not None and name in here.names]
    node = os.uname().nodename
    if known:
        return known[-1]
    return node if choice.kind == "journal" else node.partition(".")[0]


def name_in_log(here: Here, choice: Choice, engine: Engine) -> str | None:
    """As ``log_name``; None while a file, which may be other hosts', has not named this one."""
    named = not here.names.isdisjoint(name for name in engine.host_names() if name is not None)
    return log_name(here, choice, engine) if named or choice.kind == "journal" else None


def look_of(here: Here, clock: Clock) -> Callable[[Change], Change]:
    """The comparison with the live host for a log that proves nothing."""

    def look(change: Change) -> Change:
        return doubted(change, here.names, clock.now_us())

    return look


def _say(choice: Choice) -> None:
    """What is followed and why; where there is nothing yet, that in one line."""
    if choice.kind == "file" and not Path(choice.path).exists():
        LOG.warning(
            "nothing to follow yet: no journal can be read here and there is no %s; waiting for "
            "it (`make demo` shows what you would see)",
            choice.path,
        )
        return
    for problem in choice.problems:
        LOG.warning("%s", problem)
    LOG.info(
        "following %s: %s",
        choice.path or "the journal",
        choice.why,
        extra=entry(Entry.STARTED, source=choice.path or "journal"),
    )
