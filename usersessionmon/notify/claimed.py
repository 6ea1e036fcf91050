"""Claims of hosts, in words: to somebody who comes to one, and that one was made or ended."""

from __future__ import annotations

from dataclasses import replace

from usersessionmon.model import Claim, Notice, Severity

from .sanitize import VALUE_LIMIT, harmless, one_word, visible
from .words import Server, Speaker

_NAME_MOST = 30
"""Characters of a name; the rest of a value's room is the note's."""
_MADE = ("主机占用", "主机占用通知")
_RELEASED = ("主机释放", "主机释放通知")
_SENTENCE = "{who} 已占用本机至 {until}"


def with_claim(notice: Notice, claim: Claim, now_us: int, say: Speaker) -> Notice:
    """The notice of a login on a host that somebody else has claimed.  ``now_us``: microseconds
    UTC; a moment of the same day is told by its time alone."""
    until = until_text(claim.until_us, now_us, say)
    line = say(_SENTENCE).format(who=one_word(claim.user), until=until)
    return replace(
        notice,
        pairs=(*notice.pairs, (say("占用"), _polite(claim, until, say))),
        digest=f"{notice.digest} {line}",
    )


def until_text(us: int, now_us: int, say: Speaker) -> str:
    """``17:00``, or ``2026-11-22 17:00`` when that is another day."""
    text, now = say.time_us(us), say.time_us(now_us)
    return text[11:16] if text[:10] == now[:10] else text[:16]


def claim_notice(claim: Claim, server: Server) -> Notice:
    """That somebody claimed a host; or, of one that was ended before its time, that it is free."""
    say = server.say
    released_us = claim.released_us
    word, title = _MADE if released_us is None else _RELEASED
    at_us = claim.made_us if released_us is None else released_us
    until = say.time_us(claim.until_us)[:16]
    pairs = [
        *server.pairs(claim.host),
        ("占用人", _who(claim, say)),
        ("占用时间", say.time_us(claim.made_us)),
        ("占用至", until),
        ("释放人", claim.released_by),
        ("释放时间", None if released_us is None else say.time_us(released_us)),
        ("说明", claim.note),
    ]
    host = server.of(claim.host)
    words = [say.time_us(at_us), say(word), one_word(claim.user), "-", one_word(host)]
    if released_us is None:
        words.append(say("至 {}").format(until_text(claim.until_us, at_us, say)))
    return Notice(
        kind="claim",
        severity=Severity.ROUTINE,
        title=say(title),
        pairs=say.pairs(pairs),
        digest=" ".join(words),
        at_us=at_us,
        user=claim.user,
        host=host,
    )


def _who(claim: Claim, say: Speaker) -> str:
    who = visible(claim.user, _NAME_MOST)
    if claim.made_by == claim.user:
        return who
    return say("{}（由 {} 代为登记）").format(who, visible(claim.made_by, _NAME_MOST))


def _polite(claim: Claim, until: str, say: Speaker) -> str:
    """What there is no room for is left out: first of the note, then by whom it was made; the
    request is always there."""
    sentence, please = say(_SENTENCE), say("{}，使用前烦请先与其联系")
    said = sentence.format(who=_who(claim, say), until=until)
    if len(please.format(said)) > VALUE_LIMIT:
        said = sentence.format(who=visible(claim.user, _NAME_MOST), until=until)
    form = say("{}（{}）")
    room = VALUE_LIMIT - len(please.format(form.format(said, "")))
    if claim.note and room > 0:
        said = form.format(said, harmless(claim.note, room))
    return please.format(said)
