"""What a Feishu bot's refusal means in plain words, and what to change."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC

from usersessionmon.host import facts
from usersessionmon.notify.base import Answer, Result

from .output import micros_text
from .services import clock_is_synchronised

_CODE = re.compile(r"code (-?\d{1,10})\b")
_HTTP = re.compile(r"HTTP (\d{3})\b")
_IN_GROUP = "in the group: settings (设置) → bots (群机器人) → this bot"
_AGAIN = "wait a minute, then try again"

_CODES: Mapping[int, tuple[str, ...]] = {
    19001: (
        "Feishu does not know this webhook: it was not copied whole, or the bot is gone.",
        f"Copy the address anew, {_IN_GROUP}.",
    ),
    19022: (
        "The bot has a list of allowed addresses (IP 白名单), and this host's is not on it.",
        f"Add it, {_IN_GROUP}.  It is the address by which Feishu sees this host:",
    ),
    19024: (
        "The bot wants a keyword (自定义关键词) that the notice does not hold.",
        f"Make the keyword 通知, which every notice holds, {_IN_GROUP}.",
    ),
    19007: (
        "The bot is switched off.",
        f"Switch it on, {_IN_GROUP}; an administrator of the company may have to allow it.",
    ),
    11232: ("Feishu takes no more messages of this bot for now (5 a second, 100 a minute).",),
}
_STATUS: Mapping[int, tuple[str, ...]] = {
    407: ("The proxy wants a name and a password: put them into feishu.proxy.",),
    429: _CODES[11232],
}
_WAY: Mapping[str, tuple[str, ...]] = {
    "not trusted": (
        "The server's certificate is not trusted.  Is the package ca-certificates installed, and",
        "the clock right?  Where a proxy looks into TLS, name its authority in feishu.ca_file.",
    ),
    "TLS": ("No safe connection could be made: something between here and Feishu breaks TLS.",),
    "resolved": (
        "This host cannot find the server's name: is the address right, and /etc/resolv.conf?",
    ),
    "no JSON": ("Something that is not Feishu answered: a portal that wants a login, or a proxy.",),
    "proxy": ("The proxy's address in feishu.proxy cannot be used.",),
    "CA certificates": ("The file in feishu.ca_file cannot be read.",),
}


def explain(result: Result, *, has_secret: bool, now_us: int) -> list[str]:
    """Sentences for a refusal; the last says what to do.  Only what is known: never what the
    server said itself."""
    code = _number(_CODE, result.said)
    if code == 19021:
        return _signature(has_secret, now_us)
    if result.answer is Answer.THROTTLED:
        return [*_CODES[11232], f"Nothing is wrong with the set-up: {_AGAIN}."]
    if code is not None and code in _CODES:
        return [*_CODES[code], *([_address()] if code == 19022 else [])]
    status = _number(_HTTP, result.said)
    if status is not None and "no JSON" not in result.said:
        return _by_status(status)
    if code is not None:
        return ["Feishu refused the message; its own words are above."]
    return _by_way(result.said)


def _signature(has_secret: bool, now_us: int) -> list[str]:
    if not has_secret:
        return [
            "The bot checks signatures (签名校验), and no secret was given.",
            f"Copy the secret, {_IN_GROUP}, below 签名校验; or switch the check off there.",
        ]
    return [
        "The signature was refused: the secret is not this bot's, or this host's clock is wrong",
        "by more than an hour.",
        _clock(now_us),
        f"Copy the secret anew, {_IN_GROUP}, below 签名校验.",
    ]


def _clock(now_us: int) -> str:
    kept = {
        True: ", and is kept right by the network",
        False: ", and nothing keeps it right: try timedatectl set-ntp true",
        None: "",
    }
    return f"This host's clock says {micros_text(now_us, UTC)} UTC{kept[clock_is_synchronised()]}."


def _address() -> str:
    own = facts.primary_address()
    mine = f"this host calls itself {own}; " if own else ""
    return f"{mine}behind a router it is the router's, which the network's keeper knows."


def _by_status(status: int) -> list[str]:
    if status in _STATUS:
        return list(_STATUS[status])
    if status >= 500 or status == 408:
        return ["The server has trouble of its own.", f"Nothing is wrong here: {_AGAIN}."]
    return [
        "There is no bot at this address: it was not copied whole, or something in between",
        f"answers in Feishu's place.  Copy the address anew, {_IN_GROUP}.",
    ]


def _by_way(said: str) -> list[str]:
    lines = next((list(words) for sign, words in _WAY.items() if sign in said), None)
    if lines is None:
        lines = ["The server could not be reached from this host: is a firewall in between?"]
    if any(name.lower() in {"https_proxy", "all_proxy"} for name in os.environ):
        lines.append(
            "The environment names a proxy, which is not used by itself: put it into feishu.proxy."
        )
    return lines


def _number(pattern: re.Pattern[str], said: str) -> int | None:
    found = pattern.match(said)
    return int(found[1]) if found else None
