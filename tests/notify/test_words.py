"""Every text has its English, and every notice its keyword and its own title."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from tests.notify.support import NOW_US, server
from usersessionmon.model import Oddity
from usersessionmon.notify import unusual, words
from usersessionmon.notify.examples import EXAMPLES
from usersessionmon.notify.own import OwnTexts
from usersessionmon.notify.settings import TemplateSettings
from usersessionmon.notify.stage import Stage
from usersessionmon.notify.templates import KEYWORD
from usersessionmon.notify.text import render_lines
from usersessionmon.notify.words import Voice

PACKAGE = Path(__file__).parents[2] / "usersessionmon"
CHINESE = re.compile("[\u3400-\u9fff]")
NAMES = ("用户登录通知", "用户登出通知")


def texts(file: Path) -> Iterator[str]:
    """The texts of a file; what is put together (f-strings) and what is said about the
    code (docstrings) is none."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    passed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            passed.update(node.values)
        elif isinstance(node, ast.Expr):
            passed.add(node.value)
        elif isinstance(node, ast.Constant) and node not in passed:
            yield str(node.value)


COMPOSED = {
    base + what + notice
    for base in ("大量登录失败", "账户试探")
    for what in ("告警", "持续", "结束", "")
    for notice in ("通知", "")
}
"""``unusual`` puts these together."""


def used() -> set[str]:
    own = {file for file in PACKAGE.rglob("*.py") if file.name != "words.py"}
    return {text for file in own for text in texts(file) if CHINESE.search(text)}


def test_every_chinese_text_has_its_english() -> None:
    """Beside those that are for no notice: advice and marks, in English sentences or alone."""
    missing = used() - set(words._ENGLISH)
    assert {text for text in missing if not re.search("[a-z]{3}", text)} <= COMPOSED | {
        KEYWORD, "关键词", "白名单", "签名", "时间戳",
        "重新启动", "重新啟動", "再起動",  # as Windows calls it in its log
    }  # fmt: skip
    assert len(used()) > 100


def test_no_english_is_left_over() -> None:
    spoken = {"{}小时", "{}分", "{}秒", "(空)"}  # by words itself
    ours = {text for text in words._ENGLISH if CHINESE.search(text)}
    assert ours <= used() | COMPOSED | spoken


def test_the_english_has_the_same_holes() -> None:
    for chinese, english in words._ENGLISH.items():
        assert sorted(re.findall(r"\{\w*\}", chinese)) == sorted(re.findall(r"\{\w*\}", english))


def shown(name: str, language: str) -> list[str]:
    here = server(language)
    texts = OwnTexts(TemplateSettings())
    stage = Stage(here, lambda change, found: texts.word(change, here, found), NOW_US)
    return render_lines(EXAMPLES[name](stage), now_us=NOW_US, voice=Voice(UTC, language))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_notice_has_the_keyword_and_only_two_have_their_titles(name: str) -> None:
    chinese, english = shown(name, "zh"), shown(name, "en")
    assert len(chinese) == len(english)
    assert KEYWORD in chinese[0] and KEYWORD in english[0]
    about_one = name.startswith(
        ("login", "logout", "unusual", "late", "repeated", "arrival", "departure")
    )
    of_sessions = about_one and name != "login_failed"
    assert any(title in chinese[0] for title in NAMES) == of_sessions
    assert not CHINESE.search("".join(english).replace(KEYWORD, "", 1))
    assert not any(line.endswith("…") for line in chinese + english), "nothing of ours is cut"


def test_the_examples_show_all_that_can_be_unusual() -> None:
    every = "\n".join(line for name in EXAMPLES for line in shown(name, "zh"))
    for oddity in Oddity:
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(unusual._SENTENCES[oddity]))
        assert re.search(pattern, every), oddity
