"""What detectors found, in words: a sentence in the login's or logout's notice that says why, and
the notices about many failures."""

from __future__ import annotations

from usersessionmon.model import Bout, Finding, Notice, Oddity, Scope, Severity

from .sanitize import harmless, one_word
from .words import Server, Speaker

GRAVE = frozenset({Oddity.SUCCESS_AFTER_FAILURES, Oddity.ROOT_PASSWORD, Oddity.OUTSIDE_HOURS})
"""What is sent before routine notices that wait."""
_SHOWN = 5
"""Names that a notice shows; they may be an attacker's."""
_FIRST = "此用户首次从 {place} 登录（自 {since} 起已知 {total} 次登录）"
_SENTENCES = {
    Oddity.SUCCESS_AFTER_FAILURES: "此前来自同一地址的失败 {times} 次，最近一次在 {span}之前",
    Oddity.FIRST_LOGIN: "此用户首次登录此服务器（自 {since} 起已知 {total} 次登录）",
    Oddity.FIRST_NETWORK: _FIRST,
    Oddity.FIRST_ADDRESS: _FIRST,
    Oddity.ROOT_PASSWORD: "高权限账户以密码登录（{place}）",
    Oddity.OUTSIDE_HOURS: "不在允许的登录时间内（{place}）",
    Oddity.UNUSUAL_HOUR: (
        "不是此用户惯常的登录时间：已知的 {total} 次登录中，{place} 之间只有 {times} 次"
    ),
    Oddity.TWO_PLACES: "此用户同时还从另外 {times} 个网络在线：{place}",
    Oddity.LONG_SESSION: "会话超过 {span}",
    Oddity.LONGER_THAN_USUAL: "会话远长于以往：最近 {total} 次最长为 {span}",
    Oddity.ABNORMAL_AGAIN: "此用户的会话在 {span}内第 {times} 次异常结束",
}
_WHY = {
    Scope.ADDRESS: "{} 分钟内来自同一地址的失败过多；平息后汇总",
    Scope.ACCOUNT: "{} 分钟内同一账户的失败过多；平息后汇总",
    Scope.HOST: "{} 分钟内此服务器上的失败过多；此后不再逐个通知，平息后一并汇总",
    Scope.SWEEP: "{} 分钟内同一地址试探了多个不存在的账户；平息后汇总",
}
_DAY = "仍在继续；这是一天的合计"
_OVER = "已有 {} 分钟没有新的失败"


def sentence(say: Speaker, finding: Finding, *, digest: bool = False) -> str:
    """Why it is unusual; ``digest``: for one, whose words are told apart by blanks."""
    place = one_word(finding.place) if digest else finding.place
    return say(_SENTENCES[finding.oddity]).format(
        place=place,
        times=finding.times,
        total=finding.total,
        span=say.span(finding.seconds).strip(),
        since=say.time_us(finding.since_us)[:10],
    )


def bout_notice(bout: Bout, server: Server) -> Notice:
    """Many failures: that they began, or that they are over, with the sum."""
    say = server.say
    by_account = bout.scope is Scope.ACCOUNT
    address = bout.subject if bout.scope in {Scope.ADDRESS, Scope.SWEEP} else None
    user = say.user(bout.subject) if by_account else None
    of_names = "来源地址" if by_account or bout.scope is Scope.HOST else "涉及账户"
    pairs = [
        *server.pairs(bout.host),
        ("用户名", user),
        ("IP地址", address),
        ("开始时间", say.time_us(bout.began_us)),
        ("最近", say.time_us(bout.last_us)),
        ("失败次数", str(bout.times)),
        (of_names, _names(say, bout)),
        ("说明", say(_about(bout)).format(bout.minutes)),
    ]
    word = _word(bout)
    words = [say.time_us(bout.at_us), say(word)]
    places = (user, address, server.of(bout.host))
    words += [one_word(text) if text else "-" for text in places]
    return Notice(
        kind="failures",
        severity=Severity.ROUTINE if bout.over or bout.day else Severity.ABNORMAL,
        title=say(f"{word}通知"),
        pairs=say.pairs(pairs),
        digest=" ".join([*words, f"×{bout.times}"]),
        at_us=bout.at_us,
        user=bout.subject if by_account else None,
        ip=address,
        host=server.of(bout.host),
        people=(bout.subject,) if by_account else (),
    )


def _about(bout: Bout) -> str:
    if bout.day:
        return _DAY
    return _OVER if bout.over else _WHY[bout.scope]


def _word(bout: Bout) -> str:
    """What it is called, in the title and in a digest."""
    base = "账户试探" if bout.scope is Scope.SWEEP else "大量登录失败"
    if bout.day:
        return f"{base}持续"
    if bout.over:
        return f"{base}结束"
    return base if bout.scope is Scope.SWEEP else f"{base}告警"


def _names(say: Speaker, bout: Bout) -> str | None:
    """``7 个：admin, oracle, …``"""
    if not bout.names:
        return None
    form = say("{} 个以上" if bout.more else "{} 个").format(len(bout.names))
    shown = [harmless(name, 64) for name in bout.names[:_SHOWN]]
    shown += ["…"] if len(bout.names) > _SHOWN else []
    return f"{form} ({', '.join(shown)})"
