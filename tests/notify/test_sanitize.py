"""What a stranger typed reaches people as one harmless line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.notify.sanitize import VALUE_LIMIT, harmless, one_word, visible


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("alice", "alice"),
        ("CORP\\zhang", "CORP\\zhang"),
        ("管理员", "管理员"),
        ('<at user_id="all"></at>', '＜at user_id="all"＞＜/at＞'),
        ("&lt;at&gt;", "＆lt;at＆gt;"),
        ("a\nIP地址：10.0.0.1", "a IP地址：10.0.0.1"),
        ("a\r\n\tb", "a   b"),
        ("\x1b[31mred\x07\x9b", "[31mred"),
        ("\u202egpj.exe\u2066\u2069\u200f", "gpj.exe"),
        ("a\u200bd\ufeffmin\u00ad\U000e0041", "admin"),
        ("\u3164\u115f\u2800", ""),
        ("a\u2028b\u2029c", "a b c"),
        ("\ud800", "\ufffd"),
        ("[a](b) [c]\u200b(d)", "[a］(b) [c］(d)"),
        ("a" + "\u0301" * 90 + "b", "a" + "\u0301" * 3 + "b"),
        ("ก" + "\u0e47" * 90, "ก" + "\u0e47" * 3),
        ("Việt ที่ naïve", "Việt ที่ naïve"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
    ],
)
def test_examples(raw: str, shown: str) -> None:
    assert harmless(raw) == shown


def test_a_huge_text_is_cut_before_it_is_looked_at() -> None:
    assert harmless("\u200b" * 10_000_000 + "x") == "…"


def test_what_nothing_can_be_seen_of_is_shown_as_such() -> None:
    assert harmless("\u200b\x07") == ""
    assert visible("\u200b\x07") == one_word("\u3164") == "\ufffd"
    assert visible("alice") == one_word("alice") == "alice"
    assert one_word("a b\u2003c") == "a␣b␣c"


@given(st.text(st.characters(), max_size=300))
def test_whatever_comes_is_one_safe_line(raw: str) -> None:
    shown = harmless(raw)
    assert len(shown) <= VALUE_LIMIT
    assert not set(shown) & set("<>&") and "](" not in shown
    assert all(unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in shown)
    shown.encode("utf-8")
    assert harmless(shown) == shown
