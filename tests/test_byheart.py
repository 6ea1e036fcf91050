"""What is known by heart leads to the same as asking rules and engine about every line."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from usersessionmon.byheart.lane import MAX_TALKS
from usersessionmon.byheart.lines import LINES
from usersessionmon.model import Change, Means, Moment, Record
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import RuleSet, load_rules
from usersessionmon.sessions.engine import Engine

RULES = load_rules()
SECOND = 1_000_000
OTHER_LINES = (
    "Accepted password for {user} from {ip} port {port} ssh2",
    "Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:abc",
    "Failed none for invalid user {user} from {ip} port {port} ssh2",
    "Failed publickey for {user} from {ip} port {port} ssh2",
    "Failed password for {user} from 198.18.0.77 port 7 ssh2",
    "error: PAM: Authentication failure for {user} from {ip}",
    "Postponed keyboard-interactive for {user} from {ip} port {port} ssh2",
    "User {user} from {ip} not allowed because not listed in AllowUsers",
    "error: maximum authentication attempts exceeded for {user} from {ip} port {port} ssh2 "
    "[preauth]",
    "Disconnecting authenticating user {user} {ip} port {port}: Too many authentication failures "
    "[preauth]",
    "pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)",
    "pam_unix(sshd:session): session closed for user {user}",
    "Disconnected from user {user} {ip} port {port}",
    "fatal: Timeout before authentication for {ip} port {port}",
    "Connection from {ip} port {port} on 192.0.2.1 port 22",
    "no rule knows this",
    "Server listening on 0.0.0.0 port 22.",
)
WHOLE = (
    (1, 3, 5, 10, 31),
    (0, 3, 5, 7, 9, 20),
    (0, 3, 7, 7, 10, 27, 24),
    (4, 8, 9, 11, 28, 25),
    (4, 8, 8, 8, 29, 23, 23),
)
"""Conversations as they go, by place in ``LINES``."""
USERS = ("root", "alice", "a", "user", "from", "invalid", "with blank", "x from 192.0.2.9 port 1")
PEERS = ("198.18.0.1", "198.18.0.2", "2001:db8::1", "::ffff:198.18.0.1")


def directly(records: Iterable[Record], engine: Engine) -> list[Change]:
    """The engine hears of every line."""
    changes: list[Change] = []
    for record in records:
        event = RULES.match(record)
        if event is None or event.means is Means.NOTHING:
            changes += engine.pass_by(record)
        else:
            changes += engine.feed(event)
    return changes


def compare(records: Sequence[Record], cuts: Sequence[int], *, settled: bool) -> None:
    """In blocks that end at ``cuts``; ``settled``: what is remembered is saved after each."""
    plain, engine = Engine(), Engine()
    pipeline = Pipeline(RULES, engine)
    begin = 0
    found: list[Change] = []
    expected: list[Change] = []
    for end in [*sorted(cuts), len(records)]:
        block = records[begin:end]
        expected += directly(block, plain)
        found += pipeline.process(block, more=not settled)
        if settled:
            assert found == expected
            assert state(engine) == state(plain)
        begin = end
    assert found + pipeline.finish() == expected + plain.finish()


def state(engine: Engine) -> tuple[object, ...]:
    world = engine._world
    return (
        {key: repr(item) for key, item in world.connections.items()},
        {name: repr(item) for name, item in world.hosts.items()},
        {place: set(keys) for place, keys in world._hints.items()},
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Conversations that overlap, mostly of the lines that are known by heart."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    clock = {"web-1": 0, "web-2": 7_200 * SECOND}
    clients: list[tuple[str, int, dict[str, str], list[int]]] = []
    records: list[Record] = []
    for _ in range(draw(st.integers(1, 60))):
        if not clients or rng.random() < 0.25:
            values = {
                "user": rng.choice(USERS),
                "ip": rng.choice(PEERS),
                "port": str(rng.choice((40001, 40002))),
            }
            script = list(rng.choice((*WHOLE, ())))
            pid = rng.choice((100, 101, 102, 103))
            clients.append((rng.choice(tuple(clock)), pid, values, script))
        host, pid, values, script = rng.choice(clients[-4:])
        step = rng.choice((0, 0, 0, 1, 1, 2, 3, 9, 12, 16, 130, 700, -1, -3, -20))
        clock[host] += step * SECOND
        line = rng.choice(LINES if rng.random() < 0.8 else OTHER_LINES)
        if script and rng.random() < 0.95:
            line = LINES[script.pop(0)]
        text = line.format(**values)
        program = rng.choice(("sshd",) * 9 + ("sshd-session", "CRON"))
        number = None if rng.random() < 0.03 else pid
        us = 1_700_000_000 * SECOND + clock[host]
        records.append(Record(Moment(us, f"t{us}"), host, program, number, text))
    return records


@given(logs(), st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=400, deadline=None)
def test_the_same_follows_from_any_log(records: list[Record], cuts: list[int]) -> None:
    compare(records, [min(cut, len(records)) for cut in cuts], settled=False)


@given(logs(), st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=200, deadline=None)
def test_the_same_is_remembered_wherever_it_is_saved(
    records: list[Record], cuts: list[int]
) -> None:
    compare(records, [min(cut, len(records)) for cut in cuts], settled=True)


def test_a_clock_that_goes_back_makes_no_conversation_wait_longer() -> None:
    """By less than what counts as setting it, and by that twice."""
    hint, failed = LINES[6], LINES[8]
    lines = [(63, 105, hint), (58, 100, LINES[1]), (55, 101, hint), (71, 101, failed)]
    values = {"user": "root", "ip": "198.18.0.2", "port": "40001"}
    records = [
        Record(Moment(second * SECOND, f"t{second}"), None, "sshd", pid, line.format(**values))
        for second, pid, line in lines
    ]
    compare(records, [], settled=False)
    compare(records, [2], settled=True)


def test_the_engine_does_not_hear_of_a_guess() -> None:
    """Or nothing is gained."""
    values = {"user": "admin", "ip": "198.18.0.1", "port": "40001"}
    pipeline = Pipeline(RULES, Engine())
    records = [
        Record(Moment(us * SECOND, ""), None, "sshd", 7, LINES[index].format(**values))
        for us, index in enumerate((1, 3, 5, 7, 7))
    ]
    told = pipeline.process(records, more=True)
    assert [change.user for change in told] == ["admin", "admin"]
    assert pipeline.engine.remembers_nothing()
    assert pipeline.process([], more=False) == []
    assert not pipeline.engine.remembers_nothing()


def test_many_conversations_are_not_kept() -> None:
    pipeline = Pipeline(RULES, Engine())
    for pid in range(1, 3000):
        text = LINES[1].format(user="admin", ip="198.18.0.1", port="40001")
        pipeline.process([Record(Moment(SECOND, ""), None, "sshd", pid, text)], more=True)
    (crowd,) = pipeline._heart._crowds.values()
    assert len(crowd.talks) <= MAX_TALKS


def test_own_rules_are_asked_about_every_line() -> None:
    rules = RuleSet(RULES.packs, RULES.distro, own=True)
    pipeline = Pipeline(rules, Engine())
    text = LINES[1].format(user="admin", ip="198.18.0.1", port="40001")
    pipeline.process([Record(Moment(SECOND, ""), None, "sshd", 7, text)], more=True)
    assert not pipeline.engine.remembers_nothing()
