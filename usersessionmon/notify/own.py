"""Notices in the user's own words, where the configuration has any, else in the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC

from usersessionmon.model import Change, ChangeKind, Finding, Notice

from . import templates
from .settings import TemplateSettings
from .text import TITLES, notice_of
from .words import Server, Speaker

_NAMES = {
    "host": "服务器",
    "server_ip": "服务器IP",
    "user": "用户名",
    "ip": "IP地址",
    "tty": "终端",
    "client_host": "客户端",
    "method": "登录方式",
    "key_fingerprint": "密钥指纹",
    "login_time": "登录时间",
    "duration": "会话时长",
    "reason": "结束方式",
    "abnormal": "异常",
    "valid_user": "账户",
    "count": "失败次数",
    "target_user": "目标用户",
    "command": "命令",
    "login_user": "登录用户",
    "login_from": "来源",
    "domain": "域",
}
"""Holes, by the line of the built-in text that says the same."""
_UNUSUAL = ("核对", "注意")
_RESERVED = [
    (kind, say(TITLES[kind]))
    for kind in (ChangeKind.LOGIN, ChangeKind.LOGOUT)
    for say in (Speaker("zh", UTC), Speaker("en", UTC))
]
"""What only these may be called, whatever language the notice is in."""


class OwnTexts:
    """Puts changes into words."""

    def __init__(self, settings: TemplateSettings) -> None:
        self._templates = {
            kind: template
            for kind in ChangeKind
            if (template := templates.parse(getattr(settings, kind)))
        }

    def word(self, change: Change, server: Server, findings: Sequence[Finding] = ()) -> Notice:
        """A change in words.  ``findings``: what is unusual about it."""
        notice = notice_of(change, server, findings)
        template = self._templates.get(change.kind)
        return notice if template is None else _told_by(template, notice, change, server.say)


def _told_by(
    template: Sequence[templates.Line], notice: Notice, change: Change, say: Speaker
) -> Notice:
    """The notice as ``template`` has it, and behind it what is unusual, unless that is in it."""
    names = {say(name) for name in _UNUSUAL}
    if not any("by_user" in line.holes for line in template):
        names.add(say("结束者"))
    unusual = [(name, value) for name, value in notice.pairs if name in names]
    told = [value for _, value in unusual]
    title, lines, placed = templates.fill(template, _values(notice, change, say), told)
    if any(other in title for kind, other in _RESERVED if kind is not change.kind):
        title = notice.title  # a name that was chosen to look like another notice
    pairs = [("", line) for line in lines] + ([] if placed else unusual)
    return replace(notice, title=title, pairs=tuple(pairs))


def _values(notice: Notice, change: Change, say: Speaker) -> Mapping[str, str | None]:
    lines = dict(notice.pairs)
    return {
        **{hole: lines.get(say(name)) for hole, name in _NAMES.items()},
        "inferred": lines.get(say("推断")) or (say("是") if change.inferred else None),
        "time": say.time(change.time),
        "service": change.service,
        "port": None if change.port is None else str(change.port),
        "session": change.session,
        "reconnected": say("是") if change.again else None,
        "disconnected": say("是") if change.kept else None,
        "by_user": change.by_user,
        "by_ip": change.by_ip,
        "key": lines.get(say("密钥")) or change.key_fingerprint,
    }
