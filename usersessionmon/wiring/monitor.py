"""From settings to the running monitor."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TextIO

from usersessionmon.app import Monitor
from usersessionmon.clock import Clock, SystemClock, Waker
from usersessionmon.config import Settings, find_config, load
from usersessionmon.entries import Entry, entry
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.metrics.counters import Counters
from usersessionmon.persons import Persons
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.coverage import Shapes
from usersessionmon.sd_notify import Notifier
from usersessionmon.sessions.engine import Engine
from usersessionmon.silence import SINCE
from usersessionmon.sources.base import Source
from usersessionmon.stock import moment_of
from usersessionmon.store import db, detectors, rescue, state
from usersessionmon.store.damage import Damage, set_aside
from usersessionmon.store.drops import Policy
from usersessionmon.store.faults import DamagedError, RemovedError, trouble
from usersessionmon.store.place import holder, locked, make_dir, open_state, state_dir
from usersessionmon.store.retention import Limits
from usersessionmon.watching.servers import SERVERS
from usersessionmon.windows.engine import Desktops

from .claims import mark_of, teller_of
from .here import look_around
from .log import (
    BootMarker,
    call_of,
    call_witnesses,
    choose_source,
    look_of,
    open_source,
    position_key,
    rules_of,
    say_choice,
    stock_of,
)
from .metering import Metering, metering_of
from .notices import (
    channels_of,
    check_channels,
    daily_of,
    deliveries_of,
    opening_of,
    router_of,
    say_left_behind,
    server_of,
    tellers_of,
    telling_of,
)
from .watchers import Post, Watchers, watchers_of
from .windows import check_servers

LOG = logging.getLogger("usersessionmon")
CONFIG = "config"
"""The fact that says with which file the monitor began; empty: with none."""


def load_engine(connection: sqlite3.Connection, file: Path) -> Engine:
    """The engine as it was saved.  Raises DamagedError when that cannot be understood."""
    connections, hosts = state.read_engine(connection)
    with _understanding(file):
        return Engine.load(connections, hosts)


def load_desktops(connection: sqlite3.Connection, file: Path) -> Desktops:
    """As ``load_engine``, for Windows."""
    logs = state.read_windows(connection)
    with _understanding(file):
        return Desktops.load(logs)


@contextmanager
def _understanding(file: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(
            file, f"the saved sessions cannot be understood: {type(error).__name__}"
        ) from error


def config_problems(path: str | None, running: Settings, began_with: str = "") -> Sequence[str]:
    """What is wrong with the configuration as it is now, a line each: ``path`` as the command line
    gave it.  ``running``, ``began_with``: the settings and the file of the monitor that asks; the
    file is missed when it is gone, for the defaults tell nobody."""
    try:
        file = find_config(path)
        if file is None and began_with:
            return (f"{began_with}: is not there any more; put it back, or stop the monitor",)
        settings = load(file)
        rules_of(settings, look_around(settings).os_ids)
        check_channels(settings)
        check_servers(settings)
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
    channels = channels_of(settings, here.zone, stream)  # what is wrong is told before all else
    check_servers(settings)
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
            say_choice(choice)
            key = position_key(choice)
            position = state.read_position(connection, key)
            kept = state.read_facts(connection)
            elsewhere_us = state.told_elsewhere_us(connection, key, kept)
            damage = Damage.load(kept)
            rebuilding = damage is not None and bool(damage.told_us)
            engine = load_engine(connection, file)
            source = open_source(
                choice,
                settings,
                rules=rules,
                clock=clock,
                position=position,
                from_start=from_start or rebuilding,
                rotated=rebuilding,
                once=once,
                waker=waker,
            )
            call_witnesses(engine, here)
            marker = BootMarker(here, clock)
            desktops = load_desktops(connection, file)
            pipeline = Pipeline(rules, engine, marker, Shapes(rules), desktops)
            server = server_of(settings, here)
            telling = telling_of(settings, here, mark_of(connection, server, clock))
            persons = Persons(settings.keys, here.names, here.boot, clock)
            bad = telling.watch.load(detectors.read_detectors(connection))
            if bad:
                LOG.warning("%s: %d rows of the detectors are damaged and forgotten", file, bad)
            new = position is None
            counters = Counters()
            deliveries = deliveries_of(settings, here, file, clock, channels, counters)
            tellers = [
                *tellers_of(settings, here, source, pipeline, clock, kept),
                *daily_of(settings, here, telling.folding, kept),
                *teller_of(settings, server, connection, kept),
            ]
            names = [delivery.channel for delivery in deliveries]
            say_left_behind(connection, names)
            post = Post(settings, server, here.zone, clock, connection, kept)
            watchers = watchers_of(post, pipeline, names, tellers, here.boot, once=once)
            metering = metering_of(settings.metrics, counters, connection, names, clock.now_us())
            yield Monitor(
                source=source,
                source_name=key,
                connection=connection,
                file=file,
                pipeline=pipeline,
                telling=telling,
                router=router_of(settings, names),
                deliveries=deliveries,
                clock=clock,
                waker=waker,
                notifier=Notifier(),
                stock=stock_of(here, clock, choice, marker, new=new),
                call=call_of(here, clock, choice),
                look=look_of(here, clock) if choice.kind == "file" else lambda change: change,
                know=persons.know,
                recall=persons.call,
                tellers=[*tellers, *watchers.tellers, *metering.tellers],
                seen=metering.seen,
                unsaved=watchers.unsaved,
                limits=Limits(settings.state.keep_days, settings.state.max_sessions),
                policy=Policy(settings.outbox.max_notices, settings.outbox.max_days),
                told_us=damage.told_us if damage is not None and rebuilding else None,
                elsewhere_us=elsewhere_us,
                opening=[*opening_of(settings, here, damage, kept), *watchers.opening],
                once=once,
                told=(f"{choice.path}: is not there; waiting for it",),
                facts={
                    "why": choice.why,
                    state.ELSEWHERE: str(elsewhere_us or ""),
                    SINCE: "",
                    SERVERS: "",
                    **watchers.facts,
                },
            )
        except RemovedError:
            left = rescue.leave(connection, folder)
            if left is not None:
                LOG.warning(
                    "%s: the state is kept as %s, and the next start goes on with it", file, left
                )
            raise
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
