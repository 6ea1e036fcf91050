"""From settings to the parts that are to run: the one place that knows them all."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from usersessionmon.alarm import Alarm
from usersessionmon.app import Delivery, Monitor, Wording
from usersessionmon.clock import Clock, SystemClock, Waker
from usersessionmon.config import Settings, Style, read_webhook
from usersessionmon.errors import TroubleError
from usersessionmon.host import facts
from usersessionmon.model import Change, Forged, Notice, Record
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.feishu import FeishuChannel
from usersessionmon.notify.forged import forged_notice
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.pace import Budget
from usersessionmon.notify.silent import silent_notice
from usersessionmon.notify.terminal import TerminalChannel
from usersessionmon.notify.text import notice_of
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import RuleSet, load_rules
from usersessionmon.rules.pack import Keeps, identifiers
from usersessionmon.sd_notify import Notifier
from usersessionmon.sessions.engine import Engine
from usersessionmon.silence import SINCE, Connected, Silence, Silent
from usersessionmon.sources.auto import Choice, choose
from usersessionmon.sources.base import Source
from usersessionmon.sources.journal import JournalSource
from usersessionmon.sources.tail import TailSource
from usersessionmon.stock import RollCall, doubted, take_stock
from usersessionmon.store import db, state
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.place import locked, make_dir, open_state, state_dir

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
    waker: Waker,
) -> Source:
    """The chosen log, opened where it was left.  Raises TroubleError."""
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
        wake=waker.wake,
    )


def boot_marker(here: Here) -> Callable[[Record], Record]:
    """Give this host's own records of a text log the boot that they were written in."""
    boot_of = facts.boot_of(here.boot, facts.boot_time_us())

    def mark(record: Record) -> Record:
        if record.host not in here.names or record.boot is not None:
            return record
        return record._replace(boot=boot_of(record.time.us))

    return mark


def position_key(choice: Choice) -> str:
    """Under which name a source's position is saved."""
    return "journal" if choice.kind == "journal" else f"file:{choice.path}"


def feishu_channel(settings: Settings, zone: tzinfo) -> FeishuChannel | None:
    """The Feishu channel; None when no webhook is configured.  Raises UserError."""
    webhook = read_webhook(settings.feishu)
    if webhook is None:
        return None
    return FeishuChannel(
        webhook.url,
        webhook.secret,
        client=HttpClient(ca_file=settings.feishu.ca_file, proxy=settings.feishu.proxy),
        zone=zone,
        language=settings.language.value,
        card=settings.feishu.style is Style.CARD,
    )


def wording_of(settings: Settings, here: Here) -> Wording:
    """How this host words its notices."""

    def word(change: Change) -> Notice:
        return notice_of(
            change,
            server_name=here.name,
            server_ip=here.address,
            local_hosts=here.names | {here.name},
            zone=here.zone,
            language=settings.language.value,
        )

    return Wording(word, frozenset(settings.notices.events))


def alarm_of(settings: Settings, here: Here) -> Alarm | None:
    """What tells of lines in another's name; None when it is not wanted."""

    def word(forged: Forged, now_us: int) -> Notice:
        return forged_notice(
            forged,
            now_us,
            server_name=here.name,
            server_ip=here.address,
            local_hosts=here.names | {here.name},
            zone=here.zone,
            language=settings.language.value,
        )

    return Alarm(word) if settings.monitor.alarm_forged else None


def silence_of(
    settings: Settings, here: Here, source: Source, clock: Clock, kept: Mapping[str, str]
) -> Silence | None:
    """What compares the log with who is connected; None when it is not wanted."""

    def word(silent: Silent, now_us: int) -> Notice:
        return silent_notice(
            *silent,
            now_us,
            source=source.name,
            server_name=here.name,
            server_ip=here.address,
            zone=here.zone,
            language=settings.language.value,
        )

    if not settings.monitor.alarm_silent:
        return None
    silence = Silence(here.names, clock, Connected(clock), word)
    silence.load(kept)
    return silence


def deliveries_of(
    settings: Settings, here: Here, file: Path, clock: Clock, stream: TextIO
) -> Sequence[Delivery]:
    """The channels with their workers.  Raises UserError for a bad webhook file."""
    channel: BatchChannel | None = feishu_channel(settings, here.zone)
    budget = Budget()
    if channel is None:
        LOG.info("no webhook is configured: notices are printed here")
        channel = TerminalChannel(stream, zone=here.zone, language=settings.language.value)
        budget = Budget.unlimited()
    waker = Waker()
    worker = DeliveryWorker(channel, lambda: SqliteOutbox(file), clock, waker, budget)
    return (Delivery(channel.name, worker, waker),)


def load_engine(connection: sqlite3.Connection, file: Path) -> Engine:
    """The engine as it was saved.  Raises TroubleError when that cannot be understood."""
    connections, hosts = state.read_engine(connection)
    try:
        return Engine.load(connections, hosts)
    except (ValueError, TypeError, KeyError) as error:
        raise TroubleError(
            f"{file}: the saved sessions cannot be understood ({type(error).__name__}): move the "
            "file away and start again with run --from-start to rebuild it from the log"
        ) from error


@contextmanager
def monitor(
    settings: Settings, *, from_start: bool, once: bool, stream: TextIO
) -> Iterator[Monitor]:
    """Everything that ``run`` needs, opened; closed again at the end.

    Raises UserError and TroubleError.
    """
    clock = SystemClock()
    here = look_around(settings)
    rules = rules_of(settings, here.os_ids)
    read_webhook(settings.feishu)  # a wrong file is told before anything is made
    folder = state_dir(settings.state.dir)
    make_dir(folder)
    file = folder / db.FILE_NAME
    with locked(folder):
        connection = open_state(folder)
        waker = Waker()
        source: Source | None = None
        try:
            choice = choose_source(settings, rules)
            _say(choice)
            key = position_key(choice)
            position = state.read_position(connection, key)
            engine = load_engine(connection, file)
            source = open_source(
                choice,
                rules=rules,
                clock=clock,
                position=position,
                from_start=from_start,
                waker=waker,
            )
            pipeline = Pipeline(rules, engine, boot_marker(here))
            alarm = alarm_of(settings, here)
            if alarm is not None:
                alarm.load(state.read_facts(connection), pipeline.forgeries)
            yield Monitor(
                source=source,
                source_name=key,
                connection=connection,
                file=file,
                pipeline=pipeline,
                wording=wording_of(settings, here),
                deliveries=deliveries_of(settings, here, file, clock, stream),
                clock=clock,
                waker=waker,
                notifier=Notifier(),
                stock=stock_of(here, clock, choice, new=position is None and not from_start),
                call=RollCall(here.names, here.boot, here.zone, clock).call,
                look=look_of(here, clock) if choice.kind == "file" else lambda change: change,
                alarm=alarm,
                silence=silence_of(settings, here, source, clock, state.read_facts(connection)),
                once=once,
                told=(f"{choice.path}: is not there; waiting for it",),
                facts={"why": choice.why, SINCE: ""},
            )
        finally:
            if source is not None:
                source.close()
            waker.close()
            connection.close()


def stock_of(
    here: Here, clock: Clock, choice: Choice, *, new: bool
) -> Callable[[Engine], Iterable[Change]]:
    """The look at the live host that ``Monitor.stock`` asks for."""

    def look(engine: Engine) -> Iterable[Change]:
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
    LOG.info("following %s: %s", choice.path or "the journal", choice.why)
