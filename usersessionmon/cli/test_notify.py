"""Send one notice through each configured channel and report what the server answered."""

from __future__ import annotations

import argparse
import sys

from usersessionmon.clock import SystemClock
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.courier import BatchChannel
from usersessionmon.notify.text import test_notice
from usersessionmon.wiring.here import look_around
from usersessionmon.wiring.notices import channels_of, server_of

from .common import settings_of
from .output import say, say_json

EXAMPLE = "user-session-monitor test-notify"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON Lines, one channel a line")


def main(options: argparse.Namespace) -> int:
    """0 when every channel delivered, else 1."""
    settings = settings_of(options)
    here = look_around(settings)
    stream = sys.stderr if options.json else sys.stdout
    good = True
    for channel, _ in channels_of(settings, here.zone, stream):
        now = SystemClock().now_us()
        notice = test_notice(server_of(settings, here), now)
        try:
            result = channel.send([Queued(0, notice, now, 0)], now_us=now)
        finally:
            channel.close()
        good = _shown(channel, result, as_json=options.json) and good
    return 0 if good else 1


def _shown(channel: BatchChannel, result: Result, *, as_json: bool) -> bool:
    """Whether the notice was delivered."""
    delivered = result.answer is Answer.DELIVERED
    if as_json:
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
    return delivered
