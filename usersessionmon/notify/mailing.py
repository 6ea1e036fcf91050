"""One exchange with a mail server: what it is told, and what its answers mean.  Imported when there
is first something to send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .base import Answer, Queued, Result
from .bounded import Cord
from .http import words_of
from .letter import Letterhead
from .smtp import Account, LackingError, NoSmtpError, Posted, RefusedError, Reply, Talk

CREDENTIALS = frozenset({530, 534, 535, 538})
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
_TOO_FAST = re.compile(r"\brate\b|too (?:many|much|fast|frequent)|throttl|frequency", re.IGNORECASE)
_MAYBE = "the message may have arrived"


def classify(stage: str, code: int, text: str) -> Answer:
    """What a refusal means.  ``stage``: the command, or BANNER or CONTENT (after DATA)."""
    found = _ENHANCED.match(text)
    enhanced = found[1] if found and found[1][0] == str(code)[0] else ""
    if 400 <= code <= 499:
        crowded = code == 452 and enhanced == "4.3.1"
        paced = enhanced.startswith("4.7.") and stage != "AUTH"
        fast = crowded or paced or _TOO_FAST.search(text)
        return Answer.THROTTLED if fast else Answer.TRANSIENT
    if not 500 <= code <= 599:
        return Answer.UNKNOWN
    if code in CREDENTIALS:
        return Answer.CONFIGURATION
    if enhanced == "5.3.4" or enhanced.startswith("5.6."):
        return Answer.PAYLOAD
    if stage in ("DATA", "CONTENT"):
        return Answer.PAYLOAD if code in (552, 554) else Answer.UNKNOWN
    return Answer.CONFIGURATION


@dataclass(slots=True)
class Mailing:
    """A call for ``Bounded``: each message that is still to be sent, over one connection."""

    account: Callable[[], Account]
    """Raises OSError (ssl's errors are such) for a file of certificates that is none."""
    head: Letterhead
    groups: Sequence[tuple[Sequence[Queued], Sequence[str]]]
    """What is to be sent to whom."""
    shared: bool
    """Whether all of it is had by some recipient already."""
    given_up: frozenset[str]
    """Who was put off for so long that nobody else waits for them."""
    now_us: int
    seconds: float
    taken: list[tuple[Sequence[Queued], Sequence[str]]] = field(default_factory=list)
    """What the server took, for whom."""
    refused: dict[str, Reply] = field(default_factory=dict)
    deferred: dict[str, Reply] = field(default_factory=dict)
    _talk: Talk | None = None

    def __call__(self, cord: Cord) -> Result:
        try:
            account = self.account()
        except OSError:
            said = "the file of CA certificates (ca_file) cannot be used"
            return Result(Answer.CONFIGURATION, said)
        try:
            return self._exchange(account, cord)
        except RefusedError as no:
            code, text = no.reply.code, no.reply.text
            return Result(classify(no.stage, code, text), _quoted(no.stage, no.reply))
        except LackingError as error:
            return Result(Answer.CONFIGURATION, str(error))
        except NoSmtpError:
            return self.lost("what answered is no mail server, or says too much")
        except Exception as error:  # of socket, ssl or smtplib, and none may pass
            return self.lost(words_of(error))

    def lost(self, text: str) -> Result:
        """No whole answer: ``text`` says why."""
        unsure = self._talk is not None and self._talk.unanswered
        return Result(Answer.TRANSIENT, f"{text}; {_MAYBE}" if unsure else text)

    def _exchange(self, account: Account, cord: Cord) -> Result:
        self._talk = talk = Talk(account, cord, self.seconds)
        try:
            talk.open()
            for batch, recipients in self.groups:
                posted = talk.post(self.head.sender, recipients, self._writer(batch))
                self.taken.append((batch, posted.taken))
                self.refused |= posted.refused
                self.deferred |= posted.deferred
            return self._outcome()
        finally:
            talk.close()

    def _writer(self, batch: Sequence[Queued]) -> Callable[[Posted], bytes]:
        def write(posted: Posted) -> bytes:
            hopeless = self.given_up & posted.deferred.keys()
            missed = [who for who in self.head.to if who in posted.refused or who in hopeless]
            return self.head.letter(batch, self.now_us, missed)

        return write

    def _outcome(self) -> Result:
        """Of messages none of which was refused as a whole."""
        shared = self.shared or any(who for _, who in self.taken)
        if shared:
            hopeless = self.given_up & self.deferred.keys()
            self.refused |= {who: self.deferred.pop(who) for who in sorted(hopeless)}
        if self.deferred:
            replies = self.deferred.values()
            answers = {classify("RCPT", reply.code, reply.text) for reply in replies}
            worst = Answer.THROTTLED if Answer.THROTTLED in answers else min(answers)
            return Result(worst, f"not yet for {_replies(self.deferred)}")
        if not self.refused:
            return Result(Answer.DELIVERED, "the server took it")
        if shared:
            return Result(Answer.DELIVERED, f"taken, but NOT for {_replies(self.refused)}")
        return Result(Answer.CONFIGURATION, f"refused for {_replies(self.refused)}")


def _quoted(stage: str, reply: Reply) -> str:
    said = f"{stage}: {reply.code} {reply.text}"
    if reply.code in CREDENTIALS or stage == "AUTH":
        said += " (check user and password, and whether the account may send by SMTP)"
    return said


def _replies(replies: Mapping[str, Reply]) -> str:
    return "; ".join(f"{who}: {reply.code} {reply.text}" for who, reply in replies.items())
