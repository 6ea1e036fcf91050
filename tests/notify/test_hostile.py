"""What strangers can put into a notice, over the wire: harmless, readable, and of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feishu_double import FeishuDouble
from tests.notify.support import NOW_US, SECRET, login, moment, queued, server
from usersessionmon.model import Change, ChangeKind, NamedBy, Notice, Severity
from usersessionmon.notify.base import Answer, Queued
from usersessionmon.notify.feishu import BODY_LIMIT, FeishuChannel
from usersessionmon.notify.http import HttpClient
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.sanitize import VALUE_LIMIT
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.settings import PersonSettings, TemplateSettings
from usersessionmon.notify.words import Voice

PEOPLE = {"alice": PersonSettings(feishu="ou_alice"), "duty": PersonSettings(feishu="ou_duty")}
CALLS = {
    "text": ['<at user_id="ou_alice"></at>', '<at user_id="ou_duty"></at>'],
    "card": ["<at id=ou_alice></at>", "<at id=ou_duty></at>"],
}
STYLES = pytest.mark.parametrize("style", ["text", "card"])
FAMILY = "👨\u200d👩\u200d👧"
NAMES = {
    "at": ('<at user_id="all"></at>', '＜at user_id="all"＞＜/at＞'),
    "at in a card": ("<at id=all></at>", "＜at id=all＞＜/at＞"),
    "entities": ("&lt;at user_id=all&gt;", "＆lt;at user_id=all＆gt;"),
    "link": ("[x](http://evil.example)", "[x］(http://evil.example)"),
    "link, hidden": ("[x]\u200b(http://evil.example)", "[x］(http://evil.example)"),
    "line": ("x\n用户名：root", "x 用户名：root"),
    "lines": ("x\r\n\r登录 y\u2028z\u2029\x85\x0b", "x   登录 y z   "),
    "bidi": ("\u202egpj.exe\u2066\u200f", "gpj.exe"),
    "emoji": (FAMILY * 220, "👨👩👧" * 33 + "…"),
    "half a pair": ("\ud83d管\udc00", "\ufffd管\ufffd"),
    "right to left": ("אבג علي", "אבג علي"),
    "zero width": ("ad\u200bm\ufeffin\u3164", "admin"),
    "escapes": ("\x1b[31mred\x07\x00", "[31mred"),
    "long": ("管理" * 5000, "管" + "理管" * 49 + "…"),
    "quotes": ('"\\' * 80, '"\\' * 49 + '"…'),
}
HOSTILE = pytest.mark.parametrize(("raw", "left"), NAMES.values(), ids=NAMES)
TEMPLATES = TemplateSettings(
    login="{user} 登录通知\n<b>{user}</b> {ip}\n{client_host}\n{key} {method}\n{host}",
    elevation="{user} 通知\n{command}",
)


def changes(raw: str) -> list[Change]:
    """Everything that an outsider, a user or another host can choose."""
    return [
        login(raw)._replace(
            ip=raw, client_host=raw, method=raw, key_fingerprint=raw, key_name=raw, host=raw,
            key_named_by=NamedBy.COMMENT, service=raw, tty=raw,
        ),
        Change(
            ChangeKind.LOGIN_FAILED, moment(), raw, raw, user=raw, ip=raw, client_host=raw, times=2
        ),
        Change(
            ChangeKind.ELEVATION, moment(), raw, "sudo", user=raw, target_user=raw, command=raw,
            login_user=raw, login_from=raw, key_name=raw, key_named_by=NamedBy.COMMENT,
        ),
    ]  # fmt: skip


def notices(raw: str, templates: TemplateSettings = TemplateSettings()) -> list[Notice]:  # noqa: B008
    """``changes`` in words, all of them calling both people; a person's name is foreign, too."""
    texts = OwnTexts(templates)
    made = [texts.word(change, server()) for change in changes(raw)]
    abnormal = {"severity": Severity.ABNORMAL, "people": (raw, "alice", "nobody", "duty", "alice")}
    return [replace(notice, **abnormal) for notice in made]  # type: ignore[arg-type]


def channel(url: str = "https://x/hook/y", *, style: str) -> FeishuChannel:
    return FeishuChannel(
        Secret("feishu.webhook_url", url),
        Secret("feishu.secret", SECRET),
        client=HttpClient(seconds=5),
        voice=Voice(UTC, people=PEOPLE),
        card=style == "card",
    )


def shown(payload: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The lines that a reader sees, and the calls behind them."""
    if payload["msg_type"] == "text":
        lines = payload["content"]["text"].split("\n")
        calls = [line for line in lines if line.startswith("<at")]
        assert calls == lines[len(lines) - len(calls) :], "calls stand at the end alone"
        return lines[: len(lines) - len(calls)], calls
    lines, calls = [payload["card"]["header"]["title"]["content"]], []
    for text in texts(payload["card"]["elements"]):
        assert set(text) == {"tag", "content"}
        if text["tag"] == "plain_text":
            lines += text["content"].split("\n")
        else:
            assert text["tag"] == "lark_md"
            calls.append(text["content"])
    return lines, calls


def texts(elements: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for element in elements:
        assert element["tag"] == "div"
        yield from [field["text"] for field in element.get("fields", [])]
        yield from [element["text"]] if "text" in element else []


def check(body: bytes, style: str, count: int) -> list[str]:
    """One message of ``count`` lines that calls nobody but whom it may; gives the lines."""
    assert len(body) <= BODY_LIMIT
    assert b"\\u" not in body.replace(b"\\\\", b""), "UTF-8, not escaped"
    lines, calls = shown(json.loads(body.decode("utf-8")))
    assert calls == CALLS[style]
    assert len(lines) == count
    assert not set("".join(lines)) & set("<>&\r\n\x1b\x00\u2028\u2029\u202e\u2066\u200b\u200d")
    assert "](" not in "\n".join(lines)
    return lines


def sent(style: str, batches: Sequence[Sequence[Queued]]) -> list[bytes]:
    with FeishuDouble(secret=SECRET, keyword="通知", limits=False) as double:
        bot = channel(double.url, style=style)
        for batch in batches:
            result = bot.send(batch, now_us=double.clock.now_us())
            assert result.answer is Answer.DELIVERED, result.said
        bot.close()
        return [one.body for one in double.requests()]


@STYLES
@HOSTILE
def test_one_by_one(raw: str, left: str, style: str) -> None:
    made = notices(raw)
    bodies = sent(style, [[queued(1, notice)] for notice in made])
    for notice, body in zip(made, bodies, strict=True):
        lines = check(body, style, 1 + len(notice.pairs) + 1)  # late: the double's clock is now
        assert lines[0] == notice.title
        names = [line.partition("：")[0] for line in lines[1:-1]]
        assert names == [name for name, _ in notice.pairs], "nothing looks like another line"
        assert f"用户名：{left}" in lines and f"服务器：{left}" in lines
        assert all(len(line) <= VALUE_LIMIT + 20 for line in lines)


@STYLES
@HOSTILE
def test_in_a_digest(raw: str, left: str, style: str) -> None:
    batch = [queued(number, notice) for number, notice in enumerate(notices(raw) * 3)]
    (body,) = sent(style, [batch])
    lines = check(body, style, 10)
    assert lines[0] == "会话通知汇总：9 条，延迟送达"
    word = left.replace(" ", "␣")
    lines = [line.replace("\u200e", "") for line in lines]  # our mark behind what runs leftward
    assert lines[1].split(" ")[:6] == ["2026-11-21", "08:15:30", "登录", word, word, word]
    assert lines[2].split(" ")[2:6] == ["登录失败", word, word, word]


@STYLES
@HOSTILE
def test_in_texts_of_ones_own(raw: str, left: str, style: str) -> None:
    first, _, last = notices(raw, TEMPLATES)
    bodies = sent(style, [[queued(1, first)], [queued(2, last)]])
    lines = check(bodies[0], style, 6)
    assert lines[0].endswith(" 登录通知") and len(lines[0]) <= 100
    assert lines[1:3] == [f"＜b＞{left}＜/b＞ {left}", left]
    assert check(bodies[1], style, 3)[1] == left


ANY = st.text(st.characters(), max_size=300) | st.sampled_from([raw for raw, _ in NAMES.values()])


@STYLES
@given(raw=ANY, other=ANY)
def test_whatever_they_think_of(raw: str, other: str, style: str) -> None:
    bot = channel(style=style)
    made = [*notices(raw), *notices(other), *notices(raw + other)]
    for notice in made:
        body = bot.body([queued(1, notice)], now_us=NOW_US)
        assert check(body, style, 1 + len(notice.pairs))[0] == notice.title
    batch = [queued(number, notice) for number, notice in enumerate(made)]
    check(bot.body(batch, now_us=NOW_US), style, 10)
    for notice in notices(raw, TEMPLATES):
        shown_lines = [value for name, value in notice.pairs if name or value]
        body = bot.body([queued(1, notice)], now_us=NOW_US)
        assert "通知" in check(body, style, 1 + len(shown_lines))[0]


@STYLES
def test_a_thousand_of_the_worst_are_cut_to_what_fits(style: str) -> None:
    bot = channel(style=style)
    worst = notices("😀" * 4000)[0]
    batch = [queued(number, worst) for number in range(1000)]
    count = bot.fits(batch, now_us=NOW_US)
    assert 1 < count < 1000
    check(bot.body(batch[:count], now_us=NOW_US), style, 1 + count)
    assert len(bot.body(batch[: count + 1], now_us=NOW_US)) > BODY_LIMIT
