"""From settings to those who watch the monitor itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial

from usersessionmon.clock import Clock
from usersessionmon.config import Settings
from usersessionmon.model import Notice, Report
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.report import report_notice, well_notice
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.watched import broken_notice, down_notice, fallen_notice
from usersessionmon.notify.words import Server
from usersessionmon.pipeline import Pipeline
from usersessionmon.silence import Silence
from usersessionmon.store.figures import Standing, figures, standings
from usersessionmon.tellers import Teller
from usersessionmon.watching.channels import Broken, Channels
from usersessionmon.watching.down import Alive, begun, down_of
from usersessionmon.watching.health import Health
from usersessionmon.watching.heartbeat import Chat, Heartbeat, Well
from usersessionmon.watching.pinger import Pinger
from usersessionmon.watching.report import DailyReport
from usersessionmon.watching.servers import Servers
from usersessionmon.watching.understanding import Fallen, Understanding

MINUTE_SECONDS = 60.0
PING_SECONDS = 15.0
"""A sign of life takes no longer than this."""


@dataclass(slots=True)
class Watchers:
    """Those who watch, and what the main loop needs for them."""

    tellers: list[Teller] = field(default_factory=list)
    opening: Sequence[Notice] = ()
    """Told at the beginning."""
    facts: dict[str, str] = field(default_factory=dict)
    """To be kept at the beginning, in the same transaction."""
    unsaved: Callable[[int], None] = lambda _now_us: None
    """To be called now and then while the state cannot be written."""
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Post:
    """Where they look and how they speak."""

    settings: Settings
    server: Server
    zone: tzinfo
    clock: Clock
    connection: sqlite3.Connection
    kept: Mapping[str, str]
    """The facts of the last life."""


def watchers_of(
    post: Post,
    pipeline: Pipeline,
    channels: Collection[str],
    others: Iterable[Teller],
    boot: str | None,
    *,
    once: bool,
) -> Watchers:
    """All that the settings want.  ``others``: the tellers there are, some of which know when
    something is wrong.  With ``once`` nobody stays to watch.  Raises UserError when the file with
    the heartbeat's URL cannot be used."""
    found = Watchers()
    health = Health()
    for teller in others:
        if isinstance(teller, Silence | Servers):
            health.ask(teller.wrongs)
    if post.settings.monitor.alarm_coverage:
        understanding = _understanding(post, pipeline)
        health.ask(understanding.wrongs)
        found.tellers.append(understanding)
    if once:
        return found
    broken = _channels(post, channels)
    health.ask(broken.wrongs)
    now_us = post.clock.now_us()
    found.tellers += [broken, Alive(now_us)]
    found.facts.update(begun(now_us, boot))
    _look_back(post, found, now_us, boot)
    if post.settings.report.at:
        found.tellers.append(_report(post))
    _add_heartbeats(post, found, health, now_us)
    return found


def _understanding(post: Post, pipeline: Pipeline) -> Understanding:
    def word(fallen: Fallen, now_us: int) -> Notice:
        return fallen_notice(*fallen, now_us, server=post.server)

    made = Understanding(lambda: pipeline.understood.total(), word)
    made.load(post.kept)
    pipeline.missed = made.missed
    return made


def _channels(post: Post, names: Collection[str]) -> Channels:
    def look(now_us: int) -> list[Standing]:
        return standings(post.connection, names, now_us)

    def word(broken: Broken, now_us: int) -> Notice:
        return broken_notice(*broken, now_us, server=post.server)

    made = Channels(names, look, post.clock, word)
    made.load(post.kept)
    return made


def _look_back(post: Post, found: Watchers, now_us: int, boot: str | None) -> None:
    """Whether nobody watched for long."""
    minutes = post.settings.monitor.alarm_down_minutes
    down = down_of(post.kept, now_us, boot, minutes * MINUTE_SECONDS) if minutes else None
    if down is not None:
        found.opening = [down_notice(*down, server=post.server)]
        found.facts.update(down.facts())


def _report(post: Post) -> DailyReport:
    def word(report: Report, now_us: int) -> Notice:
        return report_notice(report, now_us, post.server)

    made = DailyReport(post.settings.report, post.zone, post.connection, word)
    made.load(post.kept)
    return made


def _add_heartbeats(post: Post, found: Watchers, health: Health, now_us: int) -> None:
    wanted = post.settings.heartbeat
    look = partial(figures, post.connection)
    if wanted.is_set:
        url = Secret("heartbeat.url", wanted.url, wanted.url_file)
        client = HttpClient(ca_file=wanted.ca_file, proxy=wanted.proxy, seconds=PING_SECONDS)
        pinger = Pinger(url, client, post.clock)
        heartbeat = Heartbeat(
            pinger, health, look, post.clock, minutes=wanted.minutes, fail=wanted.fail
        )
        found.tellers.append(heartbeat)
        found.unsaved, found.close = heartbeat.unsaved, pinger.close
    if wanted.chat_hours:

        def word(well: Well, at_us: int) -> Notice:
            return well_notice(*well, at_us, server=post.server)

        chat = Chat(health, look, word, hours=wanted.chat_hours, started_us=now_us)
        chat.load(post.kept)
        found.tellers.append(chat)
