"""Send one notice through each configured channel and report what the server answered."""

from __future__ import annotations

import argparse
import sys

from usersessionmon.clock import SystemClock
from usersessionmon.notify.base import Answer, Queued
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.terminal import TerminalChannel
from usersessionmon.notify.text import test_notice
from usersessionmon.wiring import feishu_channel, look_around, server_of

from .common import settings_of
from .output import say, say_json

EXAMPLE = "user-session-monitor test-notify"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON Lines, one channel a line")


def main(options: argparse.Namespace) -> int:
    """0 when every channel delivered, else 1."""
    settings = settings_of(options)
    here = look_around(settings)
    channel: BatchChannel | None = feishu_channel(settings, here.zone)
    if channel is None:
        stream = sys.stderr if options.json else sys.stdout
        channel = TerminalChannel(stream, zone=here.zone, language=settings.language.value)
    now = SystemClock().now_us()
    notice = test_notice(server_of(settings, here), now)
    try:
        result = channel.send([Queued(0, notice, now, 0)], now_us=now)
    finally:
        channel.close()
    delivered = result.answer is Answer.DELIVERED
    if options.json:
        say_json(
            {
                "channel": channel.name,
                "delivered": delivered,
                "answer": result.answer,
                "said": result.said,
            }
        )
    else:
        verdict = "delivered" if delivered else f"NOT delivered ({result.answer})"
        say(f"{channel.name}: {verdict}: {result.said}")
    return 0 if delivered else 1
