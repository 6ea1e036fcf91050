"""What installing the task takes, and starting, stopping and removing it.

Of what is given from outside only an account's name and paths reach PowerShell, in its quotes.  Its
cmdlets are taken because schtasks.exe asks for passwords and speaks the language of the host.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

from .service_closed import closed, only_administrators, own, quoted
from .service_doing import Command, File, Folder, Removal, Step
from .service_task import TASK, Account, task_xml

READERS = "S-1-5-32-573"
"""The group Event Log Readers, whose name is translated."""
_SYSTEM, _ADMINISTRATORS = "*S-1-5-18", "*S-1-5-32-544"
_NAMED = f"-TaskName '{TASK}'"
_INSTALL_FIRST = "install it first: user-session-monitor service install"
_RIGHTS = "is the path on a disk with access rights (NTFS), and is this an administrator?"
_JOIN = (
    f"put it into the group {READERS} (Event Log Readers) by hand; a domain controller has that "
    "group in Active Directory"
)


class Site(NamedTuple):
    """Where everything is."""

    base: PurePath
    state: PurePath
    config: PurePath
    python: PurePath
    system: PurePath
    """Windows' System32: a program by its whole path is no other of that name."""
    is_given: bool
    """The configuration is another than the default one."""
    program: tuple[PurePath, ...]
    """The folders that the program's code is taken from."""

    @property
    def task_file(self) -> PurePath:
        return self.base / "task.xml"

    @property
    def log(self) -> PurePath:
        return self.state / "monitor.log"

    def words(self) -> tuple[str, ...]:
        """What the task runs."""
        program = (str(self.python), "-I", "-m", "usersessionmon")
        config = ("--config", str(self.config)) if self.is_given else ()
        return (*program, *config, "run", "--log-file", str(self.log))


def install(site: Site, account: Account, *, has_config: bool) -> Iterator[Step]:
    """A program that only administrators can change, folders that only they and the account may
    read, the right to read event logs, and the task."""
    named = account.for_icacls
    yield _powershell(
        site,
        "trust the program's folder",
        only_administrators(site.program),
        "install Python for all users under C:\\Program Files, and the program into a virtual "
        "environment there: whoever can change it would be the service",
    )
    yield from _own_folder(site, site.base, f"{named}:(OI)(CI)RX")
    yield from _own_folder(site, site.state, f"{named}:(OI)(CI)M")
    if has_config:  # moved here it would have kept the rights of the folder that it came from
        yield _powershell(site, f"trust {site.config}", own(site.config), _take(site.config))
        yield _rights(site, site.config, f"{named}:R")
    yield _powershell(
        site,
        "trust what was there before",
        closed(_folders(site), site.state, account),
        _take(site.base, "/R"),
    )
    yield _powershell(site, "let the account read event logs", _join(account), _JOIN)
    yield File(site.task_file, task_xml(site.words(), site.base, account))
    yield _powershell(site, "register the task", _register(site), _may_be_used(account))


def start(site: Site) -> Iterator[Step]:
    script = f"Enable-ScheduledTask {_NAMED} | Out-Null; Start-ScheduledTask {_NAMED}"
    yield _powershell(site, "start the task", script, _INSTALL_FIRST)


def stop(site: Site) -> Iterator[Step]:
    """Ended alone it would be started again within a minute."""
    script = f"Disable-ScheduledTask {_NAMED} | Out-Null; Stop-ScheduledTask {_NAMED}"
    yield _powershell(site, "stop the task", script, _INSTALL_FIRST)


def uninstall(site: Site, *, purge: bool) -> Iterator[Step]:
    script = (
        f"if (Get-ScheduledTask {_NAMED} -ErrorAction SilentlyContinue) {{ "
        f"Disable-ScheduledTask {_NAMED} | Out-Null; Stop-ScheduledTask {_NAMED}; "
        f"Unregister-ScheduledTask {_NAMED} -Confirm:$false }}"
    )
    yield _powershell(site, "remove the task", script, "remove it by hand in taskschd.msc")
    yield Removal(site.task_file)
    if purge:
        yield Removal(site.state)
        yield Removal(site.base)


def look(site: Site) -> Command:
    """What the Task Scheduler knows: the task's state, its last result and account, in a line."""
    script = (
        f"$task = Get-ScheduledTask {_NAMED}; $info = $task | Get-ScheduledTaskInfo; "
        "'{0}, last result 0x{1:x}, as {2}' -f "
        "$task.State, $info.LastTaskResult, $task.Principal.UserId"
    )
    return _powershell(site, "look at the task", script, _INSTALL_FIRST)


def _own_folder(site: Site, folder: PurePath, account: str) -> Iterator[Step]:
    """Closed first: what others put into it until then is looked for afterwards."""
    yield Folder(folder)
    yield _powershell(site, f"trust {folder}", own(folder), _take(folder))
    icacls, named = str(site.system / "icacls.exe"), str(folder)
    owner = (icacls, named, "/setowner", _ADMINISTRATORS, "/Q")
    yield Command(f"take {folder} for administrators", owner, _RIGHTS)
    yield _rights(site, folder, account, inherited="(OI)(CI)")


def _folders(site: Site) -> Iterator[PurePath]:
    yield site.base
    if not site.state.is_relative_to(site.base):
        yield site.state


def _take(path: PurePath, *more: str) -> str:
    named = subprocess.list2cmdline([str(path), "/A", *more])
    return (
        "look at it, remove what nobody of yours put there, then "
        f"takeown /F {named}, and for rights icacls FILE /reset"
    )


def _join(account: Account) -> str:
    add = f"Add-LocalGroupMember -SID {READERS} -Member {quoted(account.id)} -ErrorAction Stop"
    known = "[Microsoft.PowerShell.Commands.MemberExistsException]"
    return f"try {{ {add} }} catch {known} {{ }}"


def _register(site: Site) -> str:
    """Without ``-User``: the account stands in the XML, and none of them has a password to give.
    One that runs is of before, and ends."""
    xml = f"(Get-Content -Raw -LiteralPath {quoted(str(site.task_file))})"
    register = f"Register-ScheduledTask {_NAMED} -Force -Xml {xml} | Out-Null"
    return f"{register}; Stop-ScheduledTask {_NAMED}"


def _may_be_used(account: Account) -> str:
    if not account.managed:
        return "does the service Schedule run, and is this an administrator?"
    return (
        f"may {account.id} be used on this host (Test-ADServiceAccount), and has it the right to "
        "log on as a batch job (secpol.msc)?"
    )


def _rights(site: Site, path: PurePath, account: str, *, inherited: str = "") -> Command:
    others = (f"{_SYSTEM}:{inherited}F", f"{_ADMINISTRATORS}:{inherited}F")
    words = (str(path), "/inheritance:r", "/grant:r", *others, account, "/Q")
    return Command(f"set the rights of {path}", (str(site.system / "icacls.exe"), *words), _RIGHTS)


def _powershell(site: Site, what: str, script: str, way_out: str) -> Command:
    program = str(site.system / "WindowsPowerShell" / "v1.0" / "powershell.exe")
    whole = f"$ErrorActionPreference = 'Stop'; {script}"
    words = (program, "-NoProfile", "-NonInteractive", "-Command", whole)
    return Command(what, words, way_out)
