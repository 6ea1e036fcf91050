"""Doubles of DingTalk's and WeCom's robots and of a server that takes the webhook, on loopback.

They misbehave by the same scripts as ``tests.feishu_double`` and check what the real ones check by
their documents, with code of their own.

By hand: ``python -m tests.notify.robots dingtalk --port 8901 --secret s``.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.feishu_double import FeishuDouble, Received

DINGTALK_TOKEN = "0123456789abcdef-test-token-ding"
WECOM_KEY = "693a91f6-7abc-4bc4-97a0-0ec2test-key"
HOOK_TOKEN = "hook-path-token-0123456789"
PER_MINUTE = 20
BLOCK_US = 600 * 1_000_000
SIGN_MS = 3_600_000


class _Double(FeishuDouble):
    """What the three have in common.  ``path`` and ``query`` lead to the hook."""

    path = ""
    query = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.url = f"http://127.0.0.1:{self.port}{self.path}{self.query}"
        self._blocked_until_us = 0

    def _too_fast(self, now_us: int) -> bool:
        """Beyond 20 in a minute the robot is blocked for ten."""
        self._arrivals = [at for at in self._arrivals if now_us - at < 60_000_000] + [now_us]
        if self.limits and len(self._arrivals) > PER_MINUTE:
            self._blocked_until_us = now_us + BLOCK_US
        return now_us < self._blocked_until_us

    def answer(self, code: int, message: str = "") -> tuple[int, bytes]:
        words = message or ("ok" if code == 0 else f"refused, {code}")
        return 200, json.dumps({"errcode": code, "errmsg": words}, ensure_ascii=False).encode()

    def readable(self, payload: dict[str, Any]) -> str:
        text = payload.get("text")
        return str(text.get("content", "")) if isinstance(text, dict) else ""


class DingTalkDouble(_Double):
    """A custom robot of DingTalk; ``secret`` and ``keyword`` are its security settings."""

    path = "/robot/send"
    query = f"?access_token={DINGTALK_TOKEN}"
    _why = ""

    def answer(self, code: int, message: str = "") -> tuple[int, bytes]:
        return super().answer(code, message or (self._why if code == 310000 else ""))

    def rung(self) -> list[set[str]]:
        """Whom each accepted message calls."""
        return [
            set((one.payload or {}).get("at", {}).get("atUserIds", [])) for one in self.notices()
        ]

    def _code(
        self,
        now_us: int,
        path: str,
        headers: dict[str, str],
        body: bytes,
        payload: dict[str, Any] | None,
    ) -> int:
        query = parse_qs(urlsplit(path).query)
        if urlsplit(path).path != self.path or query.get("access_token") != [DINGTALK_TOKEN]:
            return 300005
        if self._too_fast(now_us):
            return 130101
        self._why = "sign not match"
        if self.secret and not self._has_sign(query, now_us // 1000):
            return 310000
        if len(body) > 20_000:
            return 460101
        if headers.get("content-type") != "application/json; charset=utf-8":
            return 43004
        if payload is None or payload.get("msgtype") != "text":
            return 400105
        self._why = "keywords not in content"
        return 310000 if self.keyword not in self.readable(payload) else 0

    def _has_sign(self, query: dict[str, list[str]], now_ms: int) -> bool:
        stamp, sign = query.get("timestamp", [""])[0], query.get("sign", [""])[0]
        if not stamp.isdecimal() or abs(now_ms - int(stamp)) > SIGN_MS:
            return False
        wanted = hmac.digest(self.secret.encode(), f"{stamp}\n{self.secret}".encode(), "sha256")
        return base64.b64encode(wanted).decode() == sign


class WeComDouble(_Double):
    """A robot of a WeCom group."""

    path = "/cgi-bin/webhook/send"
    query = f"?key={WECOM_KEY}"

    def rung(self) -> list[set[str]]:
        """Whom each accepted message calls, by its list or by its text."""
        found = []
        for one in self.notices():
            text = (one.payload or {})["text"]
            found.append({*text.get("mentioned_list", ()), *re.findall(r"<@(.+?)>", one.text)})
        return found

    def _code(
        self,
        now_us: int,
        path: str,
        headers: dict[str, str],
        body: bytes,
        payload: dict[str, Any] | None,
    ) -> int:
        if path != self.path + self.query:
            return 93000
        if self._too_fast(now_us):
            return 45009
        if payload is None or not headers.get("content-type", "").startswith("application/json"):
            return 47001
        if payload.get("msgtype") != "text":
            return 40008
        content = self.readable(payload)
        if not content:
            return 44004
        return 40058 if len(content.encode("utf-8")) > 2048 else 0


class WebhookDouble(_Double):
    """A server that takes what follows the Standard Webhooks specification.  ``key``: the bytes
    that signatures are made with; none: it takes unsigned ones.  Its codes are HTTP's."""

    path = f"/in/{HOOK_TOKEN}"

    def __init__(self, *, key: bytes = b"", **options: Any) -> None:
        self.key = key
        super().__init__(**options)

    def answer(self, code: int, message: str = "") -> tuple[int, bytes]:
        return code or 200, message.encode()

    def readable(self, payload: dict[str, Any]) -> str:
        lines = ([one["title"], *one["text"]] for one in payload.get("notices", ()))
        return "\n\n".join("\n".join(part) for part in lines)

    def ids(self) -> list[str]:
        """The ``webhook-id`` of every request."""
        return [one.headers["webhook-id"] for one in self.requests()]

    def _code(
        self,
        now_us: int,
        path: str,
        headers: dict[str, str],
        body: bytes,
        payload: dict[str, Any] | None,
    ) -> int:
        if path != self.path:
            return 404
        if self.key and not self._is_signed(headers, body, now_us // 1_000_000):
            return 401
        return 413 if len(body) > 256 * 1024 else 0 if payload else 400

    def _is_signed(self, headers: dict[str, str], body: bytes, now: int) -> bool:
        stamp = headers.get("webhook-timestamp", "")
        if not stamp.isdecimal() or abs(now - int(stamp)) > 300:
            return False
        made = hmac.new(self.key, digestmod=hashlib.sha256)
        for part in (headers.get("webhook-id", ""), ".", stamp, "."):
            made.update(part.encode())
        made.update(body)
        wanted = "v1," + base64.b64encode(made.digest()).decode()
        return wanted in headers.get("webhook-signature", "").split(" ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of them by hand until interrupted; prints each request that comes."""
    kinds = {"dingtalk": DingTalkDouble, "wecom": WeComDouble, "webhook": WebhookDouble}
    parser = argparse.ArgumentParser(prog="python -m tests.notify.robots")
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--secret", default="", help="check signatures with this secret")
    parser.add_argument("--keyword", default="", help="refuse what lacks this word")
    parser.add_argument("--script", default="", help="steps, separated by commas")
    given = parser.parse_args(arguments)
    options: dict[str, Any] = {"port": given.port, "keyword": given.keyword, "told": _show}
    options["script"] = [step for step in given.script.split(",") if step]
    options["key" if given.kind == "webhook" else "secret"] = (
        given.secret.encode() if given.kind == "webhook" else given.secret
    )
    double = kinds[given.kind](**options)
    print(f"webhook: {double.url}", flush=True)
    with double, contextlib.suppress(KeyboardInterrupt):
        double.closing.wait()
    return 0


def _show(one: Received) -> None:
    verdict = "accepted" if one.accepted else f"not accepted (step {one.step})"
    print(
        f"--- {verdict}, {len(one.body)} bytes\n{one.body.decode('utf-8', 'replace')}", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
