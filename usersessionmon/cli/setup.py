"""Guided first run: finds the log and shows how much of it is understood, asks for the webhook,
sends a test notice and explains the answer, writes the configuration, starts the service and
measures the first notice.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from usersessionmon.clock import Clock, SystemClock, Waker
from usersessionmon.config import (
    FEISHU,
    SYSTEM_CONFIG,
    TERMINAL,
    Language,
    MonitorSettings,
    Settings,
    SourceKind,
)
from usersessionmon.config import load as load_settings
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.yamledit import set_values

from . import config_file, services
from .asking import QuitError, Talk, check_can_ask
from .common import folder_of
from .first_login import await_login, await_start
from .output import cell, complain, say_json
from .setup_bot import Bot, bot_of, keep_or_ask, masked_url, try_out
from .setup_look import Look, look, sentence, show

EXAMPLE = "user-session-monitor setup --yes --webhook-file /root/webhook --wait 60"
_WAIT, _WAIT_MOST = 120.0, 86_400.0
_START_SECONDS = 20.0
_UNASKED = "--yes with --webhook-file FILE (or - for standard input) or --no-webhook"


@dataclass(slots=True)
class Run:
    """One run: what it works with, and what it found and did."""

    options: argparse.Namespace
    talk: Talk
    clock: Clock
    path: Path
    blocked: str
    """Why the configuration cannot be written; empty if it can."""
    before: str | None
    settings: Settings
    good: bool = True
    report: dict[str, Any] = field(default_factory=dict)

    def failed(self, text: str) -> None:
        self.good = False
        self.talk.say(text)


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--yes", action="store_true", help="ask nothing: what no option gives stays as it is")
    add("--webhook-file", metavar="FILE", help="a file with the webhook; - is standard input")
    add("--secret-file", metavar="FILE", help="a file with the secret of the signature check")
    add("--no-webhook", action="store_true", help="no group: notices go to the terminal or journal")
    add("--no-test", action="store_true", help="send no test notice")
    add("--source", choices=[*SourceKind], help="where logins are read from")
    add("--language", choices=[*Language], help="the language of notices")
    add("--no-service", action="store_true", help="leave the service as it is")
    add("--wait", type=float, metavar="SECONDS",
        help="how long to wait for a first login (120, with --yes 0: not)")  # fmt: skip
    add("--json", action="store_true", help="what was found and done as one JSON object")


def main(options: argparse.Namespace) -> int:
    """0 when all went well, 1 when something was refused or could not be done, 2 for wrong use."""
    _check(options)
    talk = Talk(as_json=options.json, asks=not options.yes)
    run = _begin(options, talk)
    try:
        _steps(run)
    except KeyboardInterrupt:
        talk.head("interrupted" + ("" if run.report["written"] else ": nothing was changed"))
        raise
    except QuitError as error:
        talk.head(f"{error.lines[0]}: nothing was changed")
        run.good = False
    except (TroubleError, UserError) as error:
        if not options.json:
            raise
        complain(error.lines)
        run.report["trouble"] = list(error.lines)
        say_json(run.report)
        return 2 if isinstance(error, UserError) else 1
    if options.json:
        say_json(run.report)
    return 0 if run.good else 1


def _check(options: argparse.Namespace) -> None:
    if options.no_webhook and (options.webhook_file or options.secret_file):
        raise UserError("--no-webhook: goes with neither --webhook-file nor --secret-file")
    if options.wait is not None and not 0 <= options.wait <= _WAIT_MOST:
        raise UserError(f"--wait {options.wait:g}: must be from 0 (not at all) to {_WAIT_MOST:g}")
    if not options.yes:
        check_can_ask(_UNASKED)


def _begin(options: argparse.Namespace, talk: Talk) -> Run:
    """The configuration as it is; what is wrong with it is told before anything is done."""
    try:
        path = config_file.goal(options.config)
        blocked = config_file.why_not_writable(path)
        before = config_file.read_text(path)
        settings = load_settings(None if before is None else path)
    except UserError as error:
        if os.geteuid() == 0 or options.config is not None:
            raise
        # an ordinary user, who may not see what root has
        path, blocked, before = SYSTEM_CONFIG, error.lines[0], None
        settings = Settings(monitor=MonitorSettings(rules_dir=""))
    if options.source:
        monitor = replace(settings.monitor, source=SourceKind(options.source))
        settings = replace(settings, monitor=monitor)
    report = {"config": str(path), "written": False, "service": None, "test": None, "first": None}
    return Run(options, talk, SystemClock(), path, blocked, before, settings, report=report)


def _steps(run: Run) -> None:
    if os.geteuid() != 0:
        _without_root(run)
    run.talk.head("1. This host")
    found = look(run.settings, run.clock, run.talk)
    show(found, run.talk)
    _note(run, found)
    run.talk.head("2. The group")
    bot = _bot(run)
    run.talk.head("3. The configuration")
    _write(run, bot)
    run.talk.head("4. The service")
    if _start(run):
        _first(run)


def _without_root(run: Run) -> None:
    talk = run.talk
    talk.say("This is not root.  What works: reading the log as far as this user may, and the test")
    if run.blocked:
        talk.say("notice.  What does not: starting the service, and writing the configuration:")
        talk.say(run.blocked)
    else:
        talk.say("notice, and the configuration.  What does not: starting the service.")
    talk.say("For all of it: sudo user-session-monitor setup")


def _note(run: Run, found: Look) -> None:
    run.good = run.good and not found.trouble
    run.report |= {
        "distro": found.distro,
        "source": found.choice.kind,
        "path": found.choice.path or None,
        "why": found.choice.why,
        "problems": list(found.choice.problems),
        "readable": not found.trouble,
        "understood": found.understood,
        "not_understood": found.missed,
        "shapes": [
            {"program": one.program, "shape": one.text, "count": count}
            for one, count in found.shapes
        ],
        "on_now": list(found.on),
        "summary": None if found.trouble else sentence(found),
    }


def _bot(run: Run) -> Bot:
    """The group's bot and the language, tried out."""
    feishu = run.settings.feishu
    bot = bot_of(run.options, feishu)
    wanted = Language(run.options.language or run.settings.language)
    again = run.talk.asks
    if run.talk.asks and not (run.options.webhook_file or run.options.no_webhook):
        bot = keep_or_ask(run.talk, bot)
    if run.talk.asks and not run.options.language:
        wanted = Language(run.talk.ask("language of the notices, zh or en", [*Language], wanted))
    run.settings = replace(run.settings, language=wanted, feishu=bot.over(feishu))
    run.report["webhook"] = masked_url(run.settings)
    while bot.is_set and not run.options.no_test:
        tried = try_out(run.settings, run.clock, run.talk)
        run.report["test"] = tried.report
        if tried.delivered:
            break
        run.good = False
        if not again:
            raise QuitError("the test notice was not delivered")
        choice = run.talk.ask("again, skip (keep it all the same) or quit?", _CHOICES, _CHOICES[0])
        if choice == "quit":
            raise QuitError("quit")
        if choice == "skip":
            break
        bot = keep_or_ask(run.talk, bot)
        run.settings = replace(run.settings, feishu=bot.over(feishu))
        run.report["webhook"] = masked_url(run.settings)
        run.good = True
    if not bot.is_set:
        run.talk.say(_nowhere(run.settings))
    elif run.options.no_test:
        run.talk.say(f"notices go to {run.report['webhook']}, untried")
    return bot


_CHOICES = ("again", "skip", "quit")


def _nowhere(settings: Settings) -> str:
    if settings.channels:
        return f"no bot; notices go to {', '.join(settings.channels)}"
    return "no bot: notices go to the terminal, or to the service's journal"


def _write(run: Run, bot: Bot) -> None:
    """Only the keys that were asked for, and only where they say something else."""
    if run.blocked:
        run.failed(f"NOT written: {run.blocked}")
        return
    given = {**bot.changes(), **_options(run)}
    text = config_file.example_text() if run.before is None else run.before
    changed = set_values(text, given, str(run.path))
    if changed == run.before:
        mended = config_file.protect(run.path)
        run.talk.say(f"{run.path} says all this already")
        if mended:
            run.talk.say("its owner and mode were mended: root and the service's group, 0640")
    else:
        config_file.write(run.path, changed, run.before, given)
        run.talk.say(f"{run.path} is written; secrets in it are for root and the service alone")
    run.report["written"] = changed != run.before


def _options(run: Run) -> Mapping[str, str]:
    now = load_settings(None if run.before is None else run.path)
    given = {}
    if run.settings.language is not now.language:
        given["language"] = run.settings.language.value
    if run.settings.monitor.source is not now.monitor.source:
        given["monitor.source"] = run.settings.monitor.source.value
    return given


def _start(run: Run) -> bool:
    """Whether a monitor runs now with the configuration."""
    own = f"user-session-monitor{_config_option(run)} run"
    if run.options.no_service:
        run.talk.say(f"left as it is; by hand: {own}")
        return False
    if os.geteuid() != 0 or run.blocked or run.path.resolve() != SYSTEM_CONFIG.resolve():
        run.talk.say(f"next: {own}")
        return False
    if not services.has_unit():
        unit = "make install-service    (in the folder of the sources)\n" if _by_systemd() else ""
        run.talk.all([f"there is no {services.UNIT} yet; next:", *unit.splitlines(), f"or: {own}"])
        return False
    since_us = run.clock.now_us()
    outcome = services.start()
    run.report["service"] = outcome.done or "failed"
    if not outcome.done:
        run.failed(f"{services.UNIT} did NOT start:")
        run.talk.all([cell(line, 300) for line in outcome.said])
        return False
    run.talk.say(f"{services.UNIT} is {outcome.done}; its log: journalctl -u user-session-monitor")
    waker = Waker()
    try:
        running = await_start(folder_of(run.settings), since_us, _START_SECONDS, run.clock, waker)
    finally:
        waker.close()
    if not running:
        run.failed("it has not begun its work yet; look again with: user-session-monitor status")
    return running


def _by_systemd() -> bool:
    return services.has_systemd()


def _config_option(run: Run) -> str:
    return "" if run.options.config is None else f" --config {shlex.quote(run.options.config)}"


def _first(run: Run) -> None:
    """The first login from now on, with how quick its notice was."""
    seconds = run.options.wait
    if seconds is None:
        seconds = _WAIT if run.talk.asks else 0.0
    if seconds == 0:
        return
    run.talk.head("5. The first notice")
    run.talk.say(f"log in now, from a second terminal (waiting {seconds:.0f} s; Ctrl-C skips)")
    channel = next(iter(run.settings.all_channels()), TERMINAL)
    channel = FEISHU if run.settings.feishu.is_set else channel
    waker = Waker()
    try:
        first = await_login(
            folder_of(run.settings), channel, run.clock.now_us(), seconds, run.clock, waker
        )
    finally:
        waker.close()
    if first is None:
        run.talk.say("nobody has logged in; try it later: every login is told")
        return
    view = first.view
    run.report["first"] = {"user": view.user, "ip": view.ip, "latency": first.latency}
    who = f"{cell(view.user)} from {cell(view.ip)}"
    if first.latency is None:
        run.failed(f"{who} logged in, but {channel} has not taken the notice:")
        run.talk.say("user-session-monitor status says why")
        return
    run.talk.say(f"{who}: told {first.latency:.2f} s after the time in the log")
