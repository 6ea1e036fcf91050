"""Notices as Feishu cards (card JSON 1.0, which every client renders).

Whatever may be foreign stands in ``plain_text`` elements, which interpret nothing.  Only
``lark_md`` can call somebody, so each call is an element that holds nothing else.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from usersessionmon.model import Notice, Severity

from .text import Page, line_of
from .words import Speaker

_SHORT = 34
"""Columns (a Chinese character takes two) that half a card's width has room for."""
_ABNORMAL, _ROUTINE, _GOOD = "red", "blue", "green"
_COLOURS = {
    "login": "blue",
    "logout": "grey",
    "login_failed": "yellow",
    "failures": "yellow",
    "elevation": "purple",
    "claim": "indigo",
    "report": "turquoise",
    "heartbeat": "turquoise",
    "test": _GOOD,
}
_OF_TROUBLE = "orange"
"""What is wrong with the monitor and not with anybody's session."""
_WELL_AGAIN = (
    "大量登录失败结束通知",
    "账户试探结束通知",
    "日志恢复通知",
    "监控覆盖率恢复通知",
    "通知渠道恢复通知",
    "服务器读取恢复通知",
)


def card_of(page: Page, notices: Sequence[Notice], ids: Sequence[str], say: Speaker) -> object:
    """``page`` says ``notices``; ``ids`` are the open_ids of whom it calls."""
    body = _fields(page, say) if len(notices) == 1 else [_lines(page, say)]
    calls = [_element("lark_md", f"<at id={one}></at>") for one in ids]
    return {
        "config": {"wide_screen_mode": True},
        "header": {
            "title": {"tag": "plain_text", "content": page.title},
            "template": _colour(notices, say),
        },
        "elements": [*body, *calls] or [_element("plain_text", "-")],
    }


def _colour(notices: Sequence[Notice], say: Speaker) -> str:
    """Of a digest: red as soon as anything in it is abnormal."""
    abnormal = [one for one in notices if one.severity is Severity.ABNORMAL]
    if len(notices) > 1:
        return _ABNORMAL if abnormal else _ROUTINE
    (notice,) = notices
    if notice.title.startswith(tuple(map(say, _WELL_AGAIN))):
        return _GOOD
    if notice.kind == "trouble":
        return _OF_TROUBLE
    return _ABNORMAL if abnormal else _COLOURS.get(notice.kind, _ROUTINE)


def _fields(page: Page, say: Speaker) -> list[object]:
    """The lines in order, short ones side by side."""
    fields = [
        _field(name, line_of(say, name, value)) for name, value in page.pairs if name or value
    ]
    return [{"tag": "div", "fields": fields}] if fields else []


def _field(name: str, line: str) -> object:
    text = {"tag": "plain_text", "content": line}
    return {"is_short": bool(name) and _columns(line) <= _SHORT, "text": text}


def _lines(page: Page, say: Speaker) -> object:
    return _element("plain_text", "\n".join(line_of(say, *pair) for pair in page.pairs))


def _element(tag: str, content: str) -> object:
    return {"tag": "div", "text": {"tag": tag, "content": content}}


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
