"""From settings to the log that is followed, and what the live host says beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from usersessionmon.clock import Clock, Waker
from usersessionmon.config import Settings
from usersessionmon.entries import Entry, entry
from usersessionmon.errors import UserError
from usersessionmon.host import boots, facts
from usersessionmon.model import Change, Record
from usersessionmon.rollcall import RollCall
from usersessionmon.rules.matcher import RuleSet, load_rules
from usersessionmon.rules.pack import Keeps, identifiers
from usersessionmon.sessions.engine import Engine
from usersessionmon.sources.auto import Choice, choose
from usersessionmon.sources.base import Source
from usersessionmon.sources.journal import JournalSource
from usersessionmon.sources.journal_boots import last_entries
from usersessionmon.sources.tail import TailSource
from usersessionmon.stock import doubted, take_stock, witness
from usersessionmon.system.host import IS_WINDOWS, node

from .here import Here
from .windows import choice_of, open_servers

LOG = logging.getLogger("usersessionmon")


def rules_of(settings: Settings, os_ids: tuple[str, ...]) -> RuleSet:
    """The rules that the settings and the host ask for.  Raises UserError."""
    own = settings.monitor.rules_dir
    return load_rules(settings.monitor.distro, os_ids, Path(own) if own else None)


def choose_source(settings: Settings, rules: RuleSet) -> Choice:
    """Which log is followed, and why.  Raises UserError where none can be meant."""
    windows = choice_of(settings)
    if windows is not None:
        return windows
    if IS_WINDOWS and not settings.monitor.log_file:  # a distribution's would be anybody's there
        raise UserError(
            "monitor.source: on Windows file needs monitor.log_file, and there is no journal"
        )
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
    settings: Settings,
    *,
    rules: RuleSet,
    clock: Clock,
    position: str | None,
    from_start: bool,
    rotated: bool,
    once: bool,
    waker: Waker,
) -> Source:
    """The chosen log, opened where it was left; ``rotated``: begin with its rotated copies, where
    it was not left yet.  Raises TroubleError, and UserError for what this system does not have."""
    if choice.kind == "windows":
        return open_servers(
            settings,
            clock=clock,
            position=position,
            from_start=from_start,
            once=once,
            wake=waker.wake,
        )
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
    return f"file:{choice.path}" if choice.kind == "file" else choice.kind


def stock_of(
    here: Here, clock: Clock, choice: Choice, marker: BootMarker, *, new: bool
) -> Callable[[Engine], Iterable[Change]]:
    """The look at the live host that ``Monitor.stock`` asks for."""

    def look(engine: Engine) -> Iterable[Change]:
        marker.live = True
        if choice.kind == "windows":
            return ()  # they say themselves what ended
        name = log_name(here, choice, engine)
        return take_stock(engine, here.names, name, here.boot, here.zone, clock, new=new)

    return look


def log_name(here: Here, choice: Choice, engine: Engine) -> str:
    """What the log calls this host: as it has done already, else as its writer does.

    The journal has the kernel's name; syslog daemons write it up to the first dot.
    """
    known = [name for name in engine.host_names() if name is not None and name in here.names]
    if known:
        return known[-1]
    return node() if choice.kind == "journal" else node().partition(".")[0]


def name_in_log(here: Here, choice: Choice, engine: Engine) -> str | None:
    """As ``log_name``; None while a file, which may be other hosts', has not named this one."""
    named = not here.names.isdisjoint(name for name in engine.host_names() if name is not None)
    return log_name(here, choice, engine) if named or choice.kind == "journal" else None


def call_of(here: Here, clock: Clock, choice: Choice) -> Callable[[Engine, bool], list[Change]]:
    """Who is asked, now and then, for the open sessions: the live host, if the log is its own."""
    if choice.kind == "windows":
        return lambda _engine, _gap: []
    return RollCall(
        here.names,
        here.boot,
        here.zone,
        clock,
        name=lambda engine: name_in_log(here, choice, engine),
    ).call


def look_of(here: Here, clock: Clock) -> Callable[[Change], Change]:
    """The comparison with the live host for a log that proves nothing."""

    def look(change: Change) -> Change:
        return doubted(change, here.names, clock.now_us())

    return look


def say_choice(choice: Choice) -> None:
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
