"""Show every notice that there is, as the configuration words it, with invented people.  Sends
nothing; needs no rights, no state and no secret.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from usersessionmon.clock import SystemClock
from usersessionmon.config import FEISHU, Language, Settings
from usersessionmon.errors import UserError
from usersessionmon.notify.base import Queued
from usersessionmon.notify.examples import EXAMPLES
from usersessionmon.notify.registry import channel_of
from usersessionmon.notify.robot import Robot
from usersessionmon.notify.settings import ChannelSettings, FeishuSettings, Style
from usersessionmon.notify.stage import Stage
from usersessionmon.notify.text import render_text
from usersessionmon.notify.words import Voice
from usersessionmon.strict import nearest
from usersessionmon.wiring.here import look_around
from usersessionmon.wiring.notices import router_of, server_of, telling_of, where_of

from .common import settings_if_any
from .output import say, say_json

EXAMPLE = "user-session-monitor notices preview login logout --card"
_ABOUT = "every notice, or those of the given kinds, with invented people"
_NOWHERE = "https://localhost/"
_KINDS = f"kinds: {', '.join(EXAMPLES)}"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    preview = actions.add_parser(
        "preview", help=_ABOUT, description=_ABOUT, epilog=f"{_KINDS}\n\nExample: {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    preview.add_argument("kinds", metavar="KIND", nargs="*", help="none: all")
    preview.add_argument("--card", action="store_true", help="as cards, whatever feishu.style says")
    preview.add_argument("--lang", choices=list(Language), help="in place of the configuration's")
    preview.add_argument("--channel", metavar="NAME", help="as this channel gets them")
    preview.add_argument("--json", action="store_true", help="JSON Lines, what would be posted")
    preview.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS,
                         help="the configuration to use")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    settings = settings_if_any(options)
    if options.lang:
        settings = replace(settings, language=Language(options.lang))
    name, channel = _channel(settings, options.channel, card=options.card)
    first = True
    for kind, batch, now_us in _batches(settings, name, options.kinds):
        body = _body(channel, batch, now_us)
        if options.json:
            if body is None:
                raise UserError(f"--json: {name} gets no JSON, look at it without")
            say_json({"notice": kind, "channel": name, "body": body})
            continue
        if not first:
            say()
        first = False
        say(f"── {kind} ──")
        for line in _lines(channel, body, batch, now_us):
            say(line)
    return 0


def _channel(settings: Settings, name: str | None, *, card: bool) -> tuple[str, Robot | Voice]:
    """The channel that is asked for, else the main one; of one that is no robot how it speaks."""
    known = settings.all_channels()
    chosen = name or (FEISHU if FEISHU in known or not known else next(iter(known)))
    if chosen not in known and (name or known):
        has = f"the channels are {', '.join(known) or 'none'}"
        raise UserError(f"no channel is called {chosen}{nearest(chosen, known)}; {has}")
    its = known.get(chosen, settings.feishu)
    if card:
        if not isinstance(its, FeishuSettings):
            raise UserError(f"--card: {chosen} is no channel of Feishu")
        its = replace(its, style=Style.CARD)
    voice = Voice(look_around(settings).zone, settings.language.value, settings.people)
    if not hasattr(its, "webhook_url") and not hasattr(its, "url"):
        return chosen, voice
    made = channel_of(chosen, where_of(chosen), _without_secrets(its), voice)
    return chosen, made if isinstance(made, Robot) else voice


def _without_secrets(settings: ChannelSettings) -> ChannelSettings:
    """Nothing is sent, so nobody needs to be able to read them."""
    names = {item.name for item in fields(settings)}
    places = {"webhook_url": _NOWHERE, "url": _NOWHERE, "secret": ""}
    bare = {key: value for key, value in places.items() if key in names}
    files = {f"{key}_file": "" for key in bare}
    return replace(settings, **bare, **files)  # type: ignore[arg-type]


def _batches(
    settings: Settings, channel: str, kinds: Sequence[str]
) -> Iterator[tuple[str, Sequence[Queued], int]]:
    """Each kind with its notices, called people included, and the moment of sending."""
    for kind in kinds:
        if kind not in EXAMPLES:
            raise UserError(f"no notice is called {kind}{nearest(kind, EXAMPLES)}; {_KINDS}")
    here = look_around(settings)
    router = router_of(settings, [channel])
    now_us = SystemClock().now_us()
    stage = Stage(server_of(settings, here), telling_of(settings, here).word, now_us)
    for kind in dict.fromkeys(kinds or EXAMPLES):
        batch = EXAMPLES[kind](stage)
        posted = router.post((queued.notice for queued in batch), now_us)
        called = [
            replace(queued, notice=one.notice) for queued, one in zip(batch, posted, strict=True)
        ]
        yield kind, called, now_us


def _body(channel: Robot | Voice, batch: Sequence[Queued], now_us: int) -> Any:
    """What would be posted; None where that is no JSON."""
    if isinstance(channel, Robot):
        return json.loads(channel.request(batch, now_us=now_us).body)
    return None


def _lines(
    channel: Robot | Voice, body: Any, batch: Sequence[Queued], now_us: int
) -> Iterator[str]:
    """What a reader sees."""
    if isinstance(channel, Voice):
        yield from render_text(batch, now_us=now_us, voice=channel).split("\n")
        return
    match body:
        case {"card": {"header": header, "elements": elements}}:
            yield f"[{header['template']}] {header['title']['content']}"
            yield from _texts(elements)
        case {"content": {"text": str(text)}} | {"text": {"content": str(text)}}:
            yield from text.split("\n")
        case _:
            yield from json.dumps(body, ensure_ascii=False, indent=2).split("\n")


def _texts(node: object) -> Iterator[str]:
    """The texts of a card's elements, in order."""
    if isinstance(node, Mapping):
        content = node.get("content")
        if isinstance(content, str):
            yield from content.split("\n")
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
