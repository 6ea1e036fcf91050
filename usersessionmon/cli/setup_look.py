"""The first thing that ``setup`` does: what this host has, and how much of it is understood."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from usersessionmon.clock import Clock
from usersessionmon.config import Settings
from usersessionmon.errors import TroubleError
from usersessionmon.host import facts
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.coverage import Shape, Shapes
from usersessionmon.rules.matcher import RuleSet
from usersessionmon.rules.pack import identifiers
from usersessionmon.sessions.engine import Engine
from usersessionmon.sources.archive import ReadOptions, Tally
from usersessionmon.sources.auto import Choice, look_at
from usersessionmon.sources.recent import read_recent
from usersessionmon.stock import Presence, presence, take_stock
from usersessionmon.wiring.here import Here, look_around
from usersessionmon.wiring.log import BootMarker, choose_source, log_name, rules_of
from usersessionmon.wiring.windows import why_not_live

from .asking import Talk
from .output import cell

_DAY_US = 86_400_000_000
_SECONDS = 20.0
"""Of reading; a day of a busy host takes one or two."""
_SHAPES = 5


@dataclass(frozen=True, slots=True)
class Look:
    """What was found.  ``trouble``: why nothing could be read, empty if it could."""

    distro: str
    choice: Choice
    understood: int = 0
    missed: int = 0
    headless: int = 0
    """Lines without a header that is known."""
    shapes: tuple[tuple[Shape, int], ...] = ()
    on: tuple[str, ...] = ()
    """Names of those who are on."""
    broke_off: bool = False
    trouble: str = ""

    @property
    def source(self) -> str:
        return self.choice.path or "the journal"


def look(settings: Settings, clock: Clock, talk: Talk) -> Look:
    """Look at the host and read the last day of its log.  Raises UserError for rules that are
    wrong."""
    here = look_around(settings)
    rules = rules_of(settings, here.os_ids)
    choice = choose_source(settings, rules)
    distro = f"{facts.os_release().name or 'an unknown system'}, rules for {rules.distro.name}"
    if choice.kind == "windows":
        return Look(distro, choice, trouble="; ".join(why_not_live()))
    if choice.kind == "file":
        file = look_at(choice.path)
        if not file.readable:
            trouble = "; ".join(choice.problems) or file.trouble
            return Look(distro, choice, trouble=trouble)
    return _read(Look(distro, choice), here, rules, clock, talk)


def _read(found: Look, here: Here, rules: RuleSet, clock: Clock, talk: Talk) -> Look:
    marker = BootMarker(here, clock)
    pipeline = Pipeline(rules, Engine(), marker, Shapes(rules))
    tally = Tally()
    now_us = clock.now_us()
    options = ReadOptions(
        wanted=rules.wanted,
        zone=facts.local_zone(),
        now_us=now_us,
        identifiers=identifiers(rules.packs),
        tally=tally,
    )
    until, read, broke_off, trouble = clock.monotonic() + _SECONDS, 0, False, ""
    with talk.counting("reading the last day, lines") as count:
        try:
            for records in read_recent(found.choice, now_us - _DAY_US, options):
                pipeline.process(records)
                read += len(records)
                count(read)
                if clock.monotonic() > until:
                    broke_off = True
                    break
        except TroubleError as error:
            trouble = error.lines[0]
    marker.live = True
    assert pipeline.shapes is not None
    return Look(
        found.distro,
        found.choice,
        pipeline.understood.total(),
        pipeline.not_understood.total(),
        tally.not_understood,
        tuple(pipeline.shapes.counts.most_common(_SHAPES)),
        _on_now(pipeline.engine, here, found.choice, clock),
        broke_off,
        trouble,
    )


def _on_now(engine: Engine, here: Here, choice: Choice, clock: Clock) -> tuple[str, ...]:
    """As ``who``, with a state that begins now."""
    name = log_name(here, choice, engine)
    take_stock(engine, here.names, name, here.boot, here.zone, clock, new=True)
    there = [
        view
        for _, view in engine.open_sessions()
        if view.host in here.names
        and presence(view, here.names, here.boot) not in {Presence.GONE, Presence.OVER}
    ]
    return tuple(Counter(view.user or "?" for view in there))


def show(found: Look, talk: Talk) -> None:
    """In words."""
    talk.say(found.distro)
    talk.say(f"logins are read from {found.source}: {found.choice.why}")
    if found.trouble:
        talk.say(f"NOT readable: {found.trouble}")
        if found.choice.kind == "file":
            talk.say("(where logins are logged elsewhere, name that file in monitor.log_file)")
        return
    talk.all([f"note: {problem}" for problem in found.choice.problems])
    talk.say(sentence(found))
    if found.broke_off:
        talk.say(f"(of the first {_SECONDS:.0f} s of reading: there is more)")
    if found.headless:
        talk.say(f"{found.headless} lines begin in a way that is not known and were passed over")
    if found.missed:
        talk.say("not understood, with names masked (everything else works; please report them):")
        talk.all([f"{count:>8}  {cell(one.program)}: {cell(one.text, 300)}"
                  for one, count in found.shapes])  # fmt: skip


def sentence(found: Look) -> str:
    """``212 of 212 authentication lines of the last day understood, 1 person on now``"""
    if found.choice.kind == "windows":
        return "what is in them already: user-session-monitor scan --server, and who, once it runs"
    lines = found.understood + found.missed
    people = "1 person" if len(found.on) == 1 else f"{len(found.on)} people"
    if not found.on:
        people = "nobody"
    names = f" ({', '.join(cell(name, 30) for name in found.on[:5])})" if found.on else ""
    return (
        f"{found.understood} of {lines} authentication lines of the last day understood, "
        f"{people} on now{names}"
    )
