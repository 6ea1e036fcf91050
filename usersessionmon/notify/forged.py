"""The notice about log lines that were written in a login program's name by somebody else.

It tells what journald or Windows vouches for.  The lines' own text is their writer's, and is not
repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from usersessionmon.model import Forged, Forger, Notice, Severity

from .sanitize import harmless, one_word
from .words import Server

_SHOWN = 5
"""Writers that a notice names, those with the most lines."""


def forged_notice(forged: Forged, now_us: int, server: Server) -> Notice:
    """Who wrote in whose name, and how often.  It happens ``now_us``: a sum waited on purpose, and
    only from here on can it be late."""
    say = server.say
    names: Counter[str] = Counter()
    for forger, count in forged.counts.items():
        names[forger.program] += count
    claimed = " ".join(f"{name or '-'}×{count}" for name, count in names.most_common(_SHOWN))
    writers = Counter(forged.counts).most_common()
    rest = sum(count for _, count in writers[_SHOWN:]) + forged.more
    total = names.total() + forged.more
    pairs = [
        *server.pairs(),
        ("冒充", claimed),
        *(("写入者", _writer(*each, server.local_hosts)) for each in writers[:_SHOWN]),
        ("其他写入者", say("{} 条").format(rest) if rest else None),
        ("最早", say.time_us(forged.first_us)),
        ("最近", say.time_us(forged.last_us) if total > 1 else None),
        ("说明", say("有人以登录程序的名义写日志；这些日志未被采信")),
    ]
    host = one_word(server.name)
    digest = f"{say.time_us(now_us)} {say('可疑日志')} - - {host} {harmless(claimed)}"
    return Notice(
        kind="forged",
        severity=Severity.ABNORMAL,
        title=say("可疑日志通知"),
        pairs=say.pairs(pairs),
        digest=digest,
        at_us=now_us,
        host=server.name,
    )


def _writer(forger: Forger, count: int, local_hosts: Collection[str]) -> str:
    """``uid=1000 exe=/usr/bin/logger comm=logger unit=session-3.scope ×12``"""
    far = forger.host is not None and forger.host not in local_hosts
    parts = (
        ("host", forger.host if far else None),
        ("uid", forger.uid if forger.sid is None else None),
        ("sid", forger.sid),
        ("exe", forger.exe),
        ("comm", forger.comm),
        ("unit", forger.unit),
    )
    words = [f"{name}={value}" for name, value in parts if value is not None]
    return f"{' '.join(words)} ×{count}"
