"""Guided first run: finds the log and shows how much of it is understood, asks for the webhook,
sends a test notice and explains the answer, writes the configuration, starts the service and
measures the first notice.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace

from usersessionmon.clock import SystemClock
from usersessionmon.config import (
    SYSTEM_CONFIG,
    Language,
    MonitorSettings,
    Settings,
    SourceKind,
)
from usersessionmon.config import load as load_settings
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.system import users
from usersessionmon.system.host import IS_WINDOWS
from usersessionmon.yamledit import set_values

from . import config_file
from .asking import QuitError, Talk, check_can_ask
from .output import complain, say_json
from .setup_bot import Bot, bot_of, keep_or_ask, masked_url, try_out
from .setup_end import first_notice, start
from .setup_look import Look, look, sentence, show
from .setup_run import Run, program

EXAMPLE = "user-session-monitor setup --yes --webhook-file /root/webhook --wait 60"
_WAIT_MOST = 86_400.0
_UNASKED = "--yes with --webhook-file FILE (or - for standard input) or --no-webhook"


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
    except UserError as error:
        if users.is_root():
            raise
        path, blocked = SYSTEM_CONFIG, error.lines[0]  # an ordinary user may not even look
    if not users.is_root() and blocked and not os.access(path, os.R_OK):
        before, settings = None, Settings(monitor=MonitorSettings(rules_dir=""))
    else:
        before = config_file.read_text(path)
        settings = load_settings(None if before is None else path)
    if options.source:
        monitor = replace(settings.monitor, source=SourceKind(options.source))
        settings = replace(settings, monitor=monitor)
    report = {"config": str(path), "written": False, "service": None, "test": None, "first": None}
    return Run(options, talk, SystemClock(), path, blocked, before, settings, report=report)


def _steps(run: Run) -> None:
    if not users.is_root():
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
    if start(run):
        first_notice(run)


def _without_root(run: Run) -> None:
    talk = run.talk
    if IS_WINDOWS:
        talk.say("This is no administrator: the configuration is written for this user alone,")
        talk.say("and no service can be installed.")
        return
    talk.say("This is not root.  What works: reading the log as far as this user may, and the test")
    if run.blocked:
        talk.say("notice.  What does not: starting the service, and writing the configuration:")
        talk.say(run.blocked)
    else:
        talk.say("notice, and the configuration.  What does not: starting the service.")
    talk.say(f"For all of it: sudo {program()} setup")


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
    """The group's bot and the language, tried out.  Raises QuitError."""
    feishu, options, talk = run.settings.feishu, run.options, run.talk
    bot = bot_of(options, feishu)
    language = Language(options.language or run.settings.language)
    if talk.asks and not (options.webhook_file or options.no_webhook):
        bot = keep_or_ask(talk, bot)
    if talk.asks and not options.language:
        language = Language(talk.ask("language of the notices, zh or en", [*Language], language))
    run.settings = replace(run.settings, language=language)
    while True:
        run.settings = replace(run.settings, feishu=bot.over(feishu))
        run.report["webhook"] = masked_url(run.settings)
        if not bot.is_set:
            talk.say(_nowhere(run.settings))
        elif options.no_test:
            talk.say(f"notices go to {run.report['webhook']}, untried")
        elif not _is_good(run):
            bot = keep_or_ask(talk, bot)
            continue
        return bot


def _is_good(run: Run) -> bool:
    """Whether a test notice was delivered or need not be; else ask again.  Raises QuitError."""
    tried = try_out(run.settings, run.clock, run.talk)
    run.report["test"] = tried.report
    if tried.delivered:
        return True
    if not run.talk.asks:
        raise QuitError("the test notice was not delivered")
    choice = run.talk.ask("again, skip (keep it all the same) or quit?", _CHOICES, _CHOICES[0])
    if choice == "quit":
        raise QuitError("as you like")
    if choice == "skip":
        run.good = False
    return choice == "skip"


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
        whom = "administrators" if IS_WINDOWS else "root"
        run.talk.say(f"{run.path} is written; secrets in it are for {whom} and the service alone")
    run.report["written"] = changed != run.before


def _options(run: Run) -> Mapping[str, str]:
    now = load_settings(None if run.before is None else run.path)
    given = {}
    if run.settings.language is not now.language:
        given["language"] = run.settings.language.value
    if run.settings.monitor.source is not now.monitor.source:
        given["monitor.source"] = run.settings.monitor.source.value
    return given
