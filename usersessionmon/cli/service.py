"""The monitor as a service of Windows: a task that starts with the host, runs as an account with
no rights but to read event logs, and is started again when it ends.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath

from usersessionmon.config import SYSTEM_CONFIG, find_config, load
from usersessionmon.errors import TroubleError, UserError
from usersessionmon.store.place import holder
from usersessionmon.system import places, users

from . import service_steps as steps
from .common import add_actions
from .output import cell, say, say_json
from .service_doing import Runner, Step, do, run, shown
from .service_steps import Site
from .service_task import DEFAULT_ACCOUNT, Account, account_of

EXAMPLE = "user-session-monitor service install"
_ACTIONS = {
    "install": ("make folders, rights and the task, and start it", EXAMPLE),
    "uninstall": ("remove the task", "user-session-monitor service uninstall --purge"),
    "start": ("start it, now and with the host", "user-session-monitor service start"),
    "stop": ("stop it until it is started again", "user-session-monitor service stop"),
    "status": ("does it run", "user-session-monitor service status --json"),
}
_LINUX = (
    "service: is for Windows; on Linux `make install-service` and the packages make a systemd unit "
    "(systemctl status user-session-monitor)"
)
_DRY = "; --dry-run shows what would be done on Windows"


def arguments(parser: argparse.ArgumentParser) -> None:
    made = add_actions(parser, _ACTIONS)
    for name, action in made.items():
        if name != "status":
            action.add_argument("--dry-run", action="store_true", help="show it, and do nothing")
    made["install"].add_argument(
        "--account",
        default=DEFAULT_ACCOUNT,
        metavar="ACCOUNT",
        help="LOCAL SERVICE (this host's log), NETWORK SERVICE (the computer's account towards "
        "other servers), or a managed service account DOMAIN\\NAME$",
    )
    made["install"].add_argument("--no-start", action="store_true", help="leave it stopped")
    made["uninstall"].add_argument(
        "--purge", action="store_true", help="remove configuration and state as well"
    )
    made["status"].add_argument("--json", action="store_true", help="as one JSON object")


def main(options: argparse.Namespace) -> int:
    """0 when it is done (``status``: it runs), 1 for trouble, 2 for wrong use."""
    pretends = getattr(options, "dry_run", False)
    if sys.platform != "win32" and not pretends:
        raise UserError(_LINUX + (_DRY if hasattr(options, "dry_run") else ""))
    site = _site(options)
    if options.action == "status":
        return _status(site, run, as_json=options.json)
    if pretends:
        for step in _steps(options, site):
            for line in shown(step).splitlines():
                say(line)
        return 0
    if not users.is_root():
        raise TroubleError("this needs an administrator's rights: open the terminal with them")
    if options.action == "install":
        _check_python(site, os.environ.get("USERPROFILE", ""))
    carry_out(_steps(options, site), run)
    for line in _notes(options, site):
        say(line)
    return 0


def carry_out(found: Iterable[Step], runner: Runner) -> None:
    """Up to the first that fails.  Raises TroubleError: done again, it goes on from there."""
    for step in found:
        do(step, runner)


def _steps(options: argparse.Namespace, site: Site) -> Iterator[Step]:
    match options.action:
        case "install":
            known = sys.platform != "win32" or Path(site.config).exists()
            yield from steps.install(site, account_of(options.account), has_config=known)
            yield from steps.stop(site) if options.no_start else steps.start(site)
        case "uninstall":
            yield from steps.uninstall(site, purge=options.purge)
        case "start":
            yield from steps.start(site)
        case _:
            yield from steps.stop(site)


def _site(options: argparse.Namespace) -> Site:
    """This host's; where there is no Windows, that of one as it is by default.  Raises UserError
    when the configuration is wrong: the service would only end again and again."""
    given = options.config is not None
    if sys.platform == "win32":
        config = (find_config(options.config) if given else None) or SYSTEM_CONFIG
        config = Path(os.path.abspath(config))  # noqa: PTH100 - as it is called, links and all
        settings = load(config if config.exists() else None)
        system = Path(os.environ.get("SYSTEMROOT") or r"C:\Windows") / "System32"
        state, python = Path(settings.state.dir), Path(sys.executable)
        site = Site(places.BASE, state, config, python, system, given, _program())
    else:
        base = PureWindowsPath(r"C:\ProgramData", places.NAME)
        config = PureWindowsPath(options.config) if given else base / "config.yaml"
        python = PureWindowsPath(r"C:\Program Files", places.NAME, "Scripts", "python.exe")
        system = PureWindowsPath(r"C:\Windows\System32")
        program = (python.parent.parent,)
        site = Site(base, base / "state", config, python, system, given, program)
    for text in map(str, (*site[:5], *site.program)):
        if not text.isprintable() or '"' in text:
            raise UserError("--config: no path of Windows has such characters")
        if "%" in text or "$(" in text:
            raise UserError(
                f"{text}: the Task Scheduler takes % and $( for variables: choose another path"
            )
    return site


def _program() -> tuple[Path, ...]:
    """The virtual environment, the Python below it, and this code, which may lie elsewhere."""
    found: list[Path] = []
    for one in (sys.prefix, sys.base_prefix, Path(__file__).parents[1]):
        folder = Path(one).resolve()
        if not any(folder.is_relative_to(known) for known in found):
            found.append(folder)
    return tuple(found)


def _check_python(site: Site, profile: str) -> None:
    """Raise UserError when the account could not even start the program."""
    home = Path(profile).parent
    for folder in (sys.prefix, sys.base_prefix):
        if profile and Path(folder).is_relative_to(home):
            raise UserError(
                f"{folder}: lies in a user's folder, where the service's account may not read: "
                "install Python for all users, and the program into a virtual environment under "
                rf"C:\Program Files\{places.NAME}"
            )


def _notes(options: argparse.Namespace, site: Site) -> Iterator[str]:
    if options.action == "uninstall":
        yield "the task is removed" + ("" if options.purge else f"; {site.base} is left as it is")
        yield (
            "the account is still in Event Log Readers; where nothing else needs it: "
            f"Remove-LocalGroupMember -SID {steps.READERS} -Member ACCOUNT"
        )
    elif options.action == "install":
        yield from _installed(account_of(options.account), site, started=not options.no_start)
    else:
        yield "started" if options.action == "start" else "stopped, until: service start"


def _installed(account: Account, site: Site, *, started: bool) -> Iterator[str]:
    yield f"the task runs as {account.id}" if started else f"installed, to run as {account.id}"
    yield f"its log: {site.log}"
    if not Path(site.config).exists():
        yield f"there is no {site.config} yet: notices go nowhere; next: user-session-monitor setup"
    if account.managed:
        yield f"{account.id} needs the right to log on as a batch job (secpol.msc)"
    else:
        yield (
            "if its log says that access is denied: built-in accounts learn of a new group when "
            "the host starts, so restart it once"
        )


def _status(site: Site, runner: Runner, *, as_json: bool) -> int:
    """By the lock, which no task that merely seems to run has; and what the scheduler says."""
    pid = holder(Path(site.state))
    try:
        said = do(steps.look(site), runner)
    except TroubleError as error:
        said, trouble = "", error.lines[0]
    else:
        trouble = ""
    if as_json:
        say_json({"running": pid is not None, "pid": pid, "task": said or None})
    else:
        say(f"monitor    {'NOT RUNNING' if pid is None else f'running (pid {pid})'}")
        say(f"task       {cell(said or trouble, 500)}")
        say(f"log        {site.log}")
    return 0 if pid is not None else 1
