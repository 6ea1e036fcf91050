"""What follows from the lines of a guess: asked of rules and engine once, and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from usersessionmon.model import Change, Means, Moment, Record
from usersessionmon.rules.matcher import RuleSet
from usersessionmon.sessions.engine import Engine

from .lines import FORMS

_SAMPLES = (
    {"user": "guessed-name", "ip": "192.0.2.1", "port": "40001"},
    {"user": "another", "ip": "198.51.100.200", "port": "50002"},
)
_HARMLESS = frozenset(
    {Means.FAILED, Means.FAILED_HINT, Means.INVALID_USER, Means.PREAUTH_END, Means.NOTHING}
)
"""What a line may mean that is known by heart: it is about its own connection only."""
_MAX_STEPS = 4096
_MAX_LINES = 24


@dataclass(slots=True)
class Step:
    """How far a conversation has come."""

    path: tuple[int, ...]
    """The lines so far, by their place in ``LINES``."""
    bound: frozenset[str]
    told: Change | None
    """What its last line leads to, with sample values; None: nothing."""
    over: bool
    """Nothing of it is left in the engine."""
    idle: bool
    """It was over before, and its last line leads to nothing."""
    hinted: bool
    """The engine holds a hint of PAM's about it, which its next failure tells of."""
    known: list[tuple[str, str, Step]] = field(default_factory=list)
    """The next lines seen so far that have no hole which is not yet bound: what stands before the
    first hole, and all with ``%(user)s`` and so on."""
    next: dict[int, Step | None] = field(default_factory=dict)
    """All next lines seen so far; None: one that is for the engine."""


class Teacher:
    """Makes steps."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._learned = 0

    def learn(self, before: Step, index: int) -> Step | None:
        """Ask rules and engine what follows from one more line."""
        step = None
        if self._learned < _MAX_STEPS and len(before.path) < _MAX_LINES:
            path = (*before.path, index)
            one, other = (self._rehearse(path, values) for values in _SAMPLES)
            step = one if one == other else None
            self._learned += 1
        before.next[index] = step
        form = FORMS[index]
        if step is not None and before.bound.issuperset(form.names):
            before.known.append((form.head, form.text, step))
        return step

    def _rehearse(self, path: tuple[int, ...], values: Mapping[str, str]) -> Step | None:
        """The conversation's last step, in an engine of its own; its values taken out again."""
        engine = Engine()
        changes: list[Change] = []
        bound: frozenset[str] = frozenset()
        idle = True
        for second, index in enumerate(path):
            form = FORMS[index]
            bound |= frozenset(form.names)
            time = Moment(second * 100_000, "")
            record = Record(time, "host", "sshd", 1, form.text % values)
            event = self._rules.match(record)
            if event is None or event.means not in _HARMLESS:
                return None
            idle = engine.remembers_nothing()
            changes = engine.feed(event)
        told = None
        if changes:
            told = changes[0]
            plain = told._replace(user=None, ip=None, port=None)
            expected = Change(
                told.kind, time, "host", "sshd", method=told.method,
                valid_user=told.valid_user, times=told.times,
            )  # fmt: skip
            own = (told.user, told.ip, told.port)
            known = (values["user"], values["ip"], int(values["port"]))
            if len(changes) > 1 or plain != expected or not _same_or_none(own, known):
                return None
            told = told._replace(
                user=told.user and "user", ip=told.ip and "ip", port=told.port and 1
            )
        hinted = engine.has_hint("host", "sshd", values["ip"])
        over = engine.remembers_nothing()
        return Step(path, bound, told, over=over, idle=idle and not changes and over, hinted=hinted)


def _same_or_none(own: tuple[object, ...], known: tuple[object, ...]) -> bool:
    return all(value is None or value == true for value, true in zip(own, known, strict=True))
