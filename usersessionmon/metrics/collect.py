"""All the figures of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sqlite3 import Connection

from usersessionmon.notify.base import Answer
from usersessionmon.store import figures, state

from .counters import Counters
from .exposition import Family, Kind, Sample

PREFIX = "user_session_monitor_"


def collect(
    connection: Connection,
    counters: Counters,
    channels: Sequence[str],
    *,
    version: str,
    started_us: int,
    now_us: int,
) -> list[Family]:
    """Raises sqlite3.Error."""
    return [
        _family("info", Kind.GAUGE, "The program.", [Sample(1, {"version": version})]),
        _family("start_time_seconds", Kind.GAUGE, "When it started.", [Sample(started_us / 1e6)]),
        *_of_the_log(connection, counters, now_us),
        _family(
            "events_total",
            Kind.COUNTER,
            "What happened to people; failures by the attempt.",
            [
                Sample(count, {"event": kind, "service": service})
                for (kind, service), count in sorted(counters.seen_events().items())
            ],
        ),
        *_of_the_channels(connection, counters, channels, now_us),
    ]


def _of_the_log(connection: Connection, counters: Counters, now_us: int) -> Iterator[Family]:
    coverage = state.read_coverage(connection)
    yield _family(
        "lines_total",
        Kind.COUNTER,
        "Lines of the programs that matter, since the state was made.",
        [
            Sample(count, {"program": program, "understood": understood})
            for program, (good, bad) in coverage.items()
            for understood, count in (("true", good), ("false", bad))
        ],
    )
    last, most = counters.take_lag()
    if last is not None:
        about = "Seconds from a line's own time to its reading, of the last line."
        yield _family("lag_seconds", Kind.GAUGE, about, [Sample(last / 1e6)])
        about = "… the longest since the last figures."
        yield _family("lag_max_seconds", Kind.GAUGE, about, [Sample(most / 1e6)])
    found = figures.figures(connection, now_us)
    yield _family("sessions_open", Kind.GAUGE, "Sessions that are on.", [Sample(found.on_now)])
    facts = state.read_facts(connection)
    for name, key, about in (
        ("last_line_timestamp_seconds", "last_line_us", "The last line's own time."),
        ("last_save_timestamp_seconds", "saved_us", "When the state was last saved."),
        ("silent_since_timestamp_seconds", "silent_us", "Since when the log says nothing."),
    ):
        if facts.get(key, "").isdecimal():
            yield _family(name, Kind.GAUGE, about, [Sample(int(facts[key]) / 1e6)])
    for name, key, about in (
        ("forged_lines_total", "forged", "Lines in another's name."),
        ("lost_lines_notes_total", "losses", "Times that lines may be missing."),
        ("faults_total", "faults", "Lines on which the program failed."),
    ):
        yield _family(name, Kind.COUNTER, about, [Sample(int(facts.get(key) or 0))])


def _of_the_channels(
    connection: Connection, counters: Counters, channels: Sequence[str], now_us: int
) -> Iterator[Family]:
    standings = figures.standings(connection, channels, now_us)
    yield _family(
        "outbox_waiting",
        Kind.GAUGE,
        "Notices that wait for a channel.",
        [Sample(one.waiting, {"channel": one.channel}) for one in standings],
    )
    yield _family(
        "outbox_oldest_seconds",
        Kind.GAUGE,
        "For how long the oldest of them has been waiting.",
        [
            Sample(max(0, now_us - one.oldest_us) / 1e6, {"channel": one.channel})
            for one in standings
            if one.oldest_us is not None
        ],
    )
    yield _family(
        "channel_up",
        Kind.GAUGE,
        "1 when the last exchange delivered, or there was none.",
        [
            Sample(one.answer in {None, Answer.DELIVERED}, {"channel": one.channel})
            for one in standings
        ],
    )
    dropped = [Sample(figures.dropped(connection))]
    yield _family("outbox_dropped_total", Kind.COUNTER, "Notices that were dropped.", dropped)
    deliveries = sorted(counters.seen_deliveries().items())
    for what, about in (("exchanges", "Exchanges with"), ("notices", "Notices sent to")):
        samples = [
            Sample(count, {"channel": channel, "result": result})
            for (channel, result, kind), count in deliveries
            if kind == what
        ]
        yield _family(f"delivery_{what}_total", Kind.COUNTER, f"{about} a channel.", samples)


def _family(name: str, kind: Kind, about: str, samples: Sequence[Sample]) -> Family:
    return Family(PREFIX + name, kind, about, samples)
