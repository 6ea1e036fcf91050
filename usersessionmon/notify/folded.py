"""What is told of several connections at once, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from usersessionmon.contract import event_line
from usersessionmon.model import Change, Company, Notice, Severity, Tally

from .sanitize import harmless, one_word
from .words import Server, Speaker

_SHOWN = 5
"""Addresses that a notice shows."""


def in_company(notice: Notice, change: Change, company: Company, say: Speaker) -> Notice:
    """The notice of a person who has, or had, other connections.  The event of a departure, which
    programs read, stays that of the last session."""
    count = f"×{company.connections}" if company.connections else f"+{company.others}"
    return replace(
        notice,
        pairs=(*notice.pairs, *say.pairs(_lines(say, company))),
        digest=f"{notice.digest} {count}",
        event=event_line(change),
    )


def _lines(say: Speaker, company: Company) -> Iterable[tuple[str, str | None]]:
    if company.others:
        yield "其他连接", say("另有 {} 个仍在线").format(company.others)
    if company.connections:
        yield "连接数", str(company.connections)
    if len(company.addresses) > 1:
        yield "来源地址", _addresses(say, company.addresses, more=company.more)


def _addresses(say: Speaker, addresses: Sequence[str], *, more: bool) -> str:
    form = say("{} 个以上" if more else "{} 个").format(len(addresses))
    shown = [harmless(address, 64) for address in addresses[:_SHOWN]]
    shown += ["…"] if len(addresses) > _SHOWN else []
    return f"{form} ({', '.join(shown)})"


def daily_notice(tallies: Sequence[Tally], since_us: int, until_us: int, server: Server) -> Notice:
    """A day's connections by purpose, a line each."""
    say = server.say
    head = [*server.pairs(), ("时段", f"{say.time_us(since_us)} – {say.time_us(until_us)}")]
    words = [say.time_us(until_us), say("每日汇总"), "-", "-", one_word(server.name)]
    words += [f"{one_word(one.purpose)}×{one.logins}" for one in tallies]
    return Notice(
        kind="report",
        severity=Severity.ROUTINE,
        title=say("每日汇总通知"),
        pairs=(*say.pairs(head), *((one.purpose, _sum(say, one)) for one in tallies)),
        digest=" ".join(words),
        at_us=until_us,
        host=server.name,
    )


def _sum(say: Speaker, one: Tally) -> str:
    parts = [say("{} 次登录").format(one.logins)]
    if one.addresses:
        form = say("{} 个地址以上" if one.more else "{} 个地址")
        parts.append(form.format(len(one.addresses)))
    if one.longest:
        parts.append(say("最长 {}").format(say.span(one.longest)))
    parts.append(say("失败 {} 次").format(one.failures))
    if one.alone:
        parts.append(say("{} 次已单独通知").format(one.alone))
    return say("，").join(parts)
