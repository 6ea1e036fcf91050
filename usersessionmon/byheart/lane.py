"""Guessed passwords, known by heart: they are most lines of a log that faces the Internet.

A guess is a conversation of a few lines that come again and again with another name, address and
port.  What the rules and the sessions conclude from such lines is found out once, by asking them
with sample values, and remembered as a tree: a step for each line.  Of the next conversation each
line is only compared with the step's text, and what is known to follow from it is told.

The engine does not hear of such a conversation.  So whatever is not known by heart (another line,
another address in it, a line of another connection that might be about it, too much time) gives all
its lines to the engine, each with its own time, as if it had heard them when they came.  Nor does
the engine hear of lines that only let time pass, before something is due.  The tests hold that the
conclusions are the same.  Nothing may be asked of the engine before ``settle``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from usersessionmon.model import Change, Event, Means, Record
from usersessionmon.rules.matcher import RuleSet
from usersessionmon.sessions.engine import Engine
from usersessionmon.sessions.world import STEP_BACK

from .lines import FORMS, forms_of
from .steps import Step, Teacher

_ABOUT_OTHERS = frozenset(
    {
        *(Means.BOOT, Means.BOOT_HINT, Means.SHUTDOWN, Means.LISTENING, Means.LISTENER_STOPPED),
        *(Means.LOGGER_STOPPED, Means.LOSS),
    }
)
"""Lines that may be about connections which they do not name."""
PROGRAMS = frozenset({"sshd", "sshd-session"})
PATIENCE_US = 10_000_000
"""After this the engine gets a conversation: shorter than anything waits there."""
MAX_TALKS = 1024
_MAX_CROWDS = 1024
_NONE: list[Change] = []
_new = tuple.__new__


@dataclass(slots=True)
class Talk:
    """A conversation that goes on."""

    step: Step
    values: dict[str, str]
    records: list[Record]
    told: list[Change]


@dataclass(slots=True)
class Crowd:
    """The conversations of one host, and the lines that the engine has not heard of."""

    talks: dict[int | None, Talk] = field(default_factory=dict)
    """By pid, the oldest first."""
    peers: dict[str, int] = field(default_factory=dict)
    """How many of them each address has."""
    over: dict[int | None, Talk] = field(default_factory=dict)
    """The last ones that are over, for a line that may still come; by pid."""
    due_us: int = 0
    """When the engine gets the oldest of those that go on."""
    newest_us: int = 0
    """When the youngest of them began."""
    now_us: int = 0
    last: Record | None = None
    """The last line, and the one before it, if the engine has to hear of them."""
    before: Record | None = None
    failure: Change | None = None
    """What the last line told."""
    wake_us: int = 0
    """When something is due in the engine."""


class ByHeart:
    """Stands in front of an engine; see the module's text."""

    def __init__(self, rules: RuleSet, engine: Engine) -> None:
        self._rules = rules
        self._engine = engine
        self._crowds: dict[str | None, Crowd] = {}
        self._first = Step((), frozenset(), None, over=True, idle=True, hinted=False)
        # a rule of one's own may be about one name, which no sample shows
        self._by_heart = not rules.own
        self._teacher = Teacher(rules)

    def take(self, record: Record) -> list[Change] | None:
        """What a line known by heart leads to; None: it is for the rules, then for ``pass_by`` or
        ``feed``."""
        time, host, program, pid, text, boot, _, _, trusted, _, _ = record
        now_us = time[0]
        crowd = self._crowds.get(host) or self._new_crowd(host)
        if now_us < crowd.now_us or boot is not None or trusted is not None:
            self._odd(crowd, record)
        crowd.now_us = now_us
        talks = crowd.talks
        if talks:
            if now_us > crowd.due_us:
                self._give_old(crowd, now_us)
            talk = talks.get(pid)
            if talk is not None:
                step = self._next(talk, text) if program in PROGRAMS else None
                if step is not None:
                    return self._go_on(crowd, record, talk, step)
                self._give(crowd, pid, talk)
                return None
        if crowd.over and pid in crowd.over and self._is_epilogue(record, crowd.over.pop(pid)):
            return self._pass(crowd, record)
        forms = forms_of(text) if self._by_heart else ()
        return self._begin(record, crowd, forms) if forms else None

    def pass_by(self, record: Record) -> list[Change]:
        """A line that means nothing: time goes on."""
        return self._pass(self._crowds[record.host], record)

    def feed(self, event: Event) -> list[Change]:
        """What another line leads to: the engine is given the conversations that it may be about
        before it hears of it."""
        crowd = self._crowds[event.record.host]
        if crowd.talks:
            peer = event.got.get("ip")
            if event.means in _ABOUT_OTHERS or "monitor_pid" in event.got:
                self._give_all(crowd)
            elif peer in crowd.peers:
                self._give_peer(crowd, peer)
        crowd.before = None  # the one before the last is of no use to what follows now
        changes = self._catch_up(crowd)
        found = self._engine.feed(event)
        crowd.wake_us = self._engine.due_us(event.record.host)
        return changes + found if changes else found

    def settle(self) -> list[Change]:
        """Let the engine hear of all that it has not heard of."""
        changes: list[Change] = []
        for crowd in self._crowds.values():
            self._give_all(crowd)
            changes += self._catch_up(crowd)
        return changes

    # -- time -------------------------------------------------------------------------------

    def _pass(self, crowd: Crowd, record: Record) -> list[Change]:
        crowd.before = crowd.last
        crowd.last = record
        crowd.failure = None
        return _NONE if crowd.now_us < crowd.wake_us else self._catch_up(crowd)

    def _catch_up(self, crowd: Crowd) -> list[Change]:
        """Let the engine know of the last lines: earlier ones change nothing."""
        if crowd.last is None:
            return _NONE
        changes: list[Change] = []
        if crowd.before is not None:
            changes += self._engine.pass_by(crowd.before)
        changes += self._engine.pass_by(crowd.last)
        if crowd.failure is not None:
            self._engine.failed_last(crowd.failure)
        crowd.wake_us = self._engine.due_us(crowd.last.host)
        crowd.last = crowd.before = crowd.failure = None
        return changes

    def _odd(self, crowd: Crowd, record: Record) -> None:
        """The clock goes back, or a line tells more than its text."""
        if record.boot is not None or record.time.us < crowd.now_us - STEP_BACK:
            self._give_all(crowd)
        elif record.trusted is not None and record.pid in crowd.talks:
            self._give(crowd, record.pid, crowd.talks[record.pid])
        if record.time.us < crowd.now_us:
            crowd.wake_us = 0

    # -- conversations ----------------------------------------------------------------------

    def _begin(self, record: Record, crowd: Crowd, forms: Iterable[int]) -> list[Change] | None:
        """The first line of a process."""
        _, _, program, pid, text, boot, _, _, trusted, _, _ = record
        if program not in PROGRAMS or pid is None or boot is not None or trusted is not None:
            return None
        if crowd.talks and crowd.now_us < crowd.newest_us:
            self._give_all(crowd)  # a clock went back a little: the oldest is not the first
        talk = Talk(self._first, {}, [record], [])
        step = self._further(talk, text, forms)
        if step is None or "ip" not in talk.values or self._engine.knows(record):
            return None
        if step.told is not None and not self._may_tell(crowd, talk, record):
            return None
        talk.step = step
        if not step.over:
            talks = crowd.talks
            if len(talks) >= MAX_TALKS:
                self._give(crowd, *next(iter(talks.items())))
            if not talks:
                crowd.due_us = crowd.now_us + PATIENCE_US
            crowd.newest_us = crowd.now_us
            talks[pid] = talk
            peer = talk.values["ip"]
            crowd.peers[peer] = crowd.peers.get(peer, 0) + 1
        return self._pass(crowd, record) if step.told is None else self._say(crowd, step, talk)

    def _next(self, talk: Talk, text: str) -> Step | None:
        """The step that a conversation's next line leads to; None: it is for the engine."""
        for head, known, step in talk.step.known:
            if text.startswith(head) and known % talk.values == text:
                return step
        return self._further(talk, text, forms_of(text))

    def _go_on(self, crowd: Crowd, record: Record, talk: Talk, step: Step) -> list[Change] | None:
        """A line that is known to follow."""
        # what waits for a line that is earlier than the first would be due earlier, too
        told = step.told is not None
        if crowd.now_us < talk.records[0].time.us or (
            told and not self._may_tell(crowd, talk, record)
        ):
            if record.pid in crowd.talks:
                self._give(crowd, record.pid, talk)
            return None
        talk.step = step
        talk.records.append(record)
        if step.over:
            self._forget(crowd, record.pid, talk)
            self._keep_over(crowd, record.pid, talk)
        return self._say(crowd, step, talk) if told else self._pass(crowd, record)

    def _is_epilogue(self, record: Record, talk: Talk) -> bool:
        """Whether a line still belongs to a conversation that is over, and leads to nothing."""
        _, _, program, _, text, boot, _, _, trusted, _, _ = record
        if program not in PROGRAMS or boot is not None or trusted is not None:
            return False
        step = self._next(talk, text)
        return step is not None and step.idle

    def _keep_over(self, crowd: Crowd, pid: int | None, talk: Talk) -> None:
        """sshd has mostly one more line to say."""
        if len(crowd.over) >= MAX_TALKS:
            crowd.over.clear()
        crowd.over[pid] = talk

    def _may_tell(self, crowd: Crowd, talk: Talk, record: Record) -> bool:
        """A failure without a hint of its own takes another connection's about the same client:
        that is for the engine."""
        if talk.step.hinted:
            return True
        peer = talk.values["ip"]
        if crowd.peers.get(peer, 0) == (talk.step is not self._first):
            return not self._engine.has_hint(record.host, "sshd", peer)
        self._give_peer(crowd, peer)
        return False

    def _say(self, crowd: Crowd, step: Step, talk: Talk) -> list[Change]:
        """What a step leads to, with this conversation's values."""
        record, values, told = talk.records[-1], talk.values, step.told
        assert told is not None
        changes = self._pass(crowd, record)
        kind, _, _, service, user, ip, name, port, *rest = told
        user = None if user is None else values["user"]
        ip = None if ip is None else values["ip"]
        number = None if port is None else int(values["port"])
        # Change's own constructor takes three times as long
        place = (kind, record.time, record.host, service, user, ip, name, number)
        change = _new(Change, (*place, *rest))
        talk.told.append(change)
        if crowd.last is None:
            self._engine.failed_last(change)
        else:
            crowd.failure = change
        return [*changes, change]

    def _further(self, talk: Talk, text: str, forms: Iterable[int]) -> Step | None:
        """The step that a line leads to, learned when it is new."""
        for index in forms:
            form = FORMS[index]
            if form.inner not in text or not text.endswith(form.tail):
                continue
            found = form.regex.fullmatch(text)
            if found is None:
                continue
            said = dict(zip(form.names, found.groups(), strict=True))
            for name, value in talk.values.items():
                if said.get(name, value) != value:
                    return None
            if index in talk.step.next:
                step = talk.step.next[index]
            else:
                step = self._teacher.learn(talk.step, index)
            talk.values = {**talk.values, **said} if talk.values else said
            return step
        return None

    # -- what is for the engine -------------------------------------------------------------

    def _new_crowd(self, host: str | None) -> Crowd:
        if len(self._crowds) >= _MAX_CROWDS:  # a host's name is foreign text
            self.settle()
            self._crowds.clear()
        crowd = self._crowds[host] = Crowd()
        return crowd

    def _give_old(self, crowd: Crowd, now_us: int) -> None:
        old = []
        for pid, talk in crowd.talks.items():
            due_us = talk.records[0].time.us + PATIENCE_US
            if due_us >= now_us:
                crowd.due_us = due_us
                break
            old.append((pid, talk))
        for pid, talk in old:
            self._give(crowd, pid, talk)

    def _give_peer(self, crowd: Crowd, peer: str) -> None:
        for pid, talk in list(crowd.talks.items()):
            if talk.values["ip"] == peer:
                self._give(crowd, pid, talk)

    def _give_all(self, crowd: Crowd) -> None:
        for pid, talk in list(crowd.talks.items()):
            self._give(crowd, pid, talk)

    def _give(self, crowd: Crowd, pid: int | None, talk: Talk) -> None:
        """Let the engine hear of a conversation as if it had heard of it all the time."""
        self._forget(crowd, pid, talk)
        events = [self._rules.match(record) for record in talk.records]
        self._engine.relive([event for event in events if event is not None], talk.told)
        crowd.wake_us = self._engine.due_us(talk.records[0].host)

    def _forget(self, crowd: Crowd, pid: int | None, talk: Talk) -> None:
        del crowd.talks[pid]
        peer = talk.values["ip"]
        left = crowd.peers[peer] - 1
        if left:
            crowd.peers[peer] = left
        else:
            del crowd.peers[peer]

    # -- learning ---------------------------------------------------------------------------
