"""The end of ``setup``: the service takes up the configuration, and its first notice is timed."""

from __future__ import annotations

import shlex

from usersessionmon.clock import Waker
from usersessionmon.config import FEISHU, SYSTEM_CONFIG, TERMINAL
from usersessionmon.system import users
from usersessionmon.system.host import IS_WINDOWS

from . import services
from .common import folder_of
from .first_login import await_login, await_start
from .output import cell
from .setup_run import Run, program

_WAIT = 120.0
_START_SECONDS = 20.0


def start(run: Run) -> bool:
    """Whether a monitor runs now with the configuration."""
    own = f"{program()}{_config_option(run)} run"
    if run.options.no_service:
        run.talk.say(f"left as it is; by hand: {own}")
        return False
    if IS_WINDOWS:
        own = f"{program()}{_config_option(run)} service install"
        run.talk.say(f"next, as an administrator: {own}")
        return False
    if not users.is_root() or run.blocked or run.path.resolve() != SYSTEM_CONFIG.resolve():
        run.talk.say(f"next: {own}")
        return False
    if not services.has_unit():
        run.talk.say(f"there is no {services.UNIT} yet; next:")
        if services.has_systemd():
            run.talk.say("make install-service    (in the folder of the sources), or")
        run.talk.say(own)
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


def _config_option(run: Run) -> str:
    return "" if run.options.config is None else f" --config {shlex.quote(run.options.config)}"


def first_notice(run: Run) -> None:
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
    whole = view.login_time is not None and view.login_time.us % 1_000_000 == 0
    rough = ", which has whole seconds" if whole else ""
    run.talk.say(f"{who}: told {first.latency:.2f} s after the time in the log{rough}")
