"""What somebody who comes to a claimed host is told, in words."""

from __future__ import annotations

from dataclasses import replace

from usersessionmon.model import Claim, Notice

from .sanitize import VALUE_LIMIT, harmless, one_word
from .words import Speaker

_NAME_MOST = 40
"""Characters of a name; the rest of a value's room is the note's."""
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


def _polite(claim: Claim, until: str, say: Speaker) -> str:
    who = harmless(claim.user, _NAME_MOST)
    if claim.made_by != claim.user:
        who = say("{}（由 {} 代为登记）").format(who, harmless(claim.made_by, _NAME_MOST // 2))
    said = say(_SENTENCE).format(who=who, until=until)
    please = say("{}，使用前烦请先与其联系")
    if claim.note:
        form = say("{}（{}）")
        room = VALUE_LIMIT - len(please.format(form.format(said, "")))
        said = form.format(said, harmless(claim.note, max(1, room)))
    return please.format(said)
