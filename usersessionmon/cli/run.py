"""Monitor this host until SIGTERM: follow the log, keep the sessions, send the notices.

Without a saved position it begins at the end of the log, after taking stock of who is on.  SIGHUP
has it take the configuration as it is now; a wrong one is refused and the old one stays.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from functools import partial
from types import FrameType

from usersessionmon.config import find_config, load
from usersessionmon.store.faults import DamagedError
from usersessionmon.system import signals

from .common import log_to_stderr

LOG = logging.getLogger("usersessionmon")
DAMAGES = 3
"""A state that is found damaged so often in one life of the process is no accident any more."""
EXAMPLE = "user-session-monitor run --config /etc/user-session-monitor/config.yaml"
_BLOCKED = {*signals.HANGUPS, signal.SIGTERM}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from-start",
        action="store_true",
        help="begin at the log's beginning when there is no saved position",
    )
    parser.add_argument(
        "--once", action="store_true", help="stop at the end of what is there now, all state saved"
    )
    parser.add_argument(
        "--log-file", metavar="FILE", help="the program's own log, in place of standard error"
    )


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(options: argparse.Namespace) -> int:
    os.umask(0o027)  # the state is for its owner and its group
    if options.log_file is None:
        return _main(options)
    from .log_file import log_in

    with log_in(options.log_file):
        return _main(options)


def _main(options: argparse.Namespace) -> int:
    signals.hold(signals.HANGUPS)  # until somebody minds it
    signal.signal(signal.SIGTERM, _end)  # until the monitor is there to end in order
    signals.release({signal.SIGTERM})
    from usersessionmon.wiring import monitor as wiring

    file = find_config(options.config)
    settings = load(file)
    if options.log_file is None:
        log_to_stderr(settings.log.level.value)
    else:
        LOG.setLevel(settings.log.level.value.upper())
    for left in reversed(range(DAMAGES)):
        signal.signal(signal.SIGTERM, _end)
        try:
            with wiring.monitor(
                settings, from_start=options.from_start, once=options.once, stream=sys.stdout
            ) as monitor:
                began_with = monitor.facts[wiring.CONFIG] = str(file or "")
                monitor.look_anew = partial(
                    wiring.config_problems, options.config, settings, began_with
                )
                monitor.handle_signals(on_terminal=sys.stdin is not None and sys.stdin.isatty())
                signals.release(signals.HANGUPS)
                monitor.run()
                signals.hold(_BLOCKED)
            break
        except DamagedError:  # set aside: again, with a new one
            if not left:
                raise
    if monitor.again and not monitor.stopped:
        _begin_anew()
    return 0


def _begin_anew() -> None:
    """Become the program as it is now, under the same pid: all that matters is saved, and nothing
    of an old life can leak into the new one.  Signals that come meanwhile wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    script = sys.argv[0]
    if script in sys.orig_argv and os.access(script, os.X_OK):
        os.execv(script, sys.argv)  # noqa: S606  as it was called, under its own name
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  ourselves
