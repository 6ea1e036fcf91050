"""Monitor this host until SIGTERM: follow the log, keep the sessions, send the notices.

Without a saved position it begins at the end of the log, after taking stock of who is on.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from usersessionmon.store.faults import DamagedError

from .common import log_to_stderr, settings_of

DAMAGES = 3
"""A state that is found damaged so often in one life of the process is no accident any more."""
EXAMPLE = "user-session-monitor run --config /etc/user-session-monitor/config.yaml"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from-start",
        action="store_true",
        help="begin at the log's beginning when there is no saved position",
    )
    parser.add_argument(
        "--once", action="store_true", help="stop at the end of what is there now, all state saved"
    )


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, _end)  # until the monitor is there to end in order
    from usersessionmon import wiring

    settings = settings_of(options)
    log_to_stderr(settings.log.level.value)
    os.umask(0o027)  # the state is for its owner and its group
    for left in reversed(range(DAMAGES)):
        signal.signal(signal.SIGTERM, _end)
        try:
            with wiring.monitor(
                settings, from_start=options.from_start, once=options.once, stream=sys.stdout
            ) as monitor:
                monitor.handle_signals()
                monitor.run()
            break
        except DamagedError:  # set aside: again, with a new one
            if not left:
                raise
    return 0
