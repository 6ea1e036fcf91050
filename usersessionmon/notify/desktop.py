"""What only Windows tells of a login or a logout, in words: whose account it is, what becomes of
the desktop session, and who took it or ended it."""

from __future__ import annotations

from collections.abc import Iterator

from usersessionmon.model import Change, ChangeKind

from .sanitize import harmless, one_word
from .words import Speaker

_NAME_MOST = 40
"""Characters of a name; the rest of a value's room is the address's."""
_NETBIOS = 15
"""Of a computer's name, where it stands for the domain of its own accounts."""
_AGAIN = "本人从 {} 重新连接"
_AGAIN_SOMEWHERE = "本人从别处重新连接"


def domain_of(change: Change) -> str | None:
    """Of an account that is not the host's own."""
    domain = (change.domain or "").strip()
    own = (change.host or "").partition(".")[0][:_NETBIOS]
    if domain in {"", "."} or domain.casefold() == own.casefold():
        return None
    return domain


def ended_by(say: Speaker, change: Change) -> Iterator[tuple[str, str | None]]:
    """Who ended a session that somebody else did not leave by themselves."""
    if change.by_user is None:
        return
    if change.is_replaced:
        where = None if change.by_ip is None else say(_AGAIN).format(harmless(change.by_ip))
        yield "被取代", where or say(_AGAIN_SOMEWHERE)
    elif change.by_ip is None:
        yield "结束者", say.user(change.by_user)
    else:
        who = harmless(say.user(change.by_user) or "", _NAME_MOST)
        yield "结束者", say("{}（{}）").format(who, harmless(change.by_ip))


def state_of(say: Speaker, change: Change) -> str | None:
    """What becomes of the desktop session."""
    if change.kind is ChangeKind.LOGIN:
        return say("重新连接，程序一直在运行") if change.again else None
    return say("已断开，程序仍在运行") if _is_left(change) else None


def digest_words(say: Speaker, change: Change) -> Iterator[str]:
    """The same for a digest's line."""
    if change.kind is ChangeKind.LOGIN and change.again:
        yield say("重新连接")
    if change.kind is ChangeKind.LOGOUT and _is_left(change):
        yield say("会话保留")
    if change.by_user is None:
        return
    place = None if change.by_ip is None else one_word(change.by_ip)
    if not change.is_replaced:
        who = one_word(say.user(change.by_user) or "")
        yield say("由 {} 结束").format(" ".join(filter(None, (who, place))))
    else:
        yield say(_AGAIN_SOMEWHERE) if place is None else say(_AGAIN).format(place)


def _is_left(change: Change) -> bool:
    """Whether the session lives on with nobody in it: whoever replaced their own is back."""
    return change.kept and not change.is_replaced
