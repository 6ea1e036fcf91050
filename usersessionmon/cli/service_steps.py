"""What installing the task takes, and starting, stopping and removing it.

Of what is given from outside only an account's name and paths reach PowerShell, in its quotes.  Its
cmdlets are taken because schtasks.exe asks for passwords and speaks the language of the host.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

from .service_doing import Command, File, Folder, Removal, Step
from .service_task import TASK, Account, task_xml

READERS = "S-1-5-32-573"
"""The group Event Log Readers, whose name is translated."""
_SYSTEM, _ADMINISTRATORS = "*S-1-5-18", "*S-1-5-32-544"
_QUOTES = "'‘’‚‛"
"""What PowerShell takes for a single quote."""
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
    """Folders that only administrators and the account may read, the right to read event logs, and
    the task."""
    named = account.for_icacls
    yield Folder(site.base)
    yield _powershell(
        site,
        "see that all in the folder is an administrator's",
        _owners(site),
        f"look at it, remove it or: takeown /F {subprocess.list2cmdline([str(site.base)])} /A /R",
    )
    yield _rights(site, site.base, f"{named}:(OI)(CI)RX", inherited="(OI)(CI)")
    yield Folder(site.state)
    yield _rights(site, site.state, f"{named}:(OI)(CI)M", inherited="(OI)(CI)")
    if has_config:  # moved here it would have kept the rights of the folder that it came from
        yield _rights(site, site.config, f"{named}:R")
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


def quoted(text: str) -> str:
    """As PowerShell takes it for exactly this text: within single quotes only they are special."""
    return "'" + "".join(c * 2 if c in _QUOTES else c for c in text) + "'"


def _owners(site: Site) -> str:
    """A script that fails when what lies in the folder, but for what is in the state, is a link or
    is not an administrator's: everybody may make folders under ProgramData, and wait."""
    base, state = quoted(str(site.base)), quoted(f"{site.state}\\")
    return (
        "$good = 'S-1-5-18', 'S-1-5-32-544', "
        "[Security.Principal.WindowsIdentity]::GetCurrent().User.Value; "
        f"& {{ Get-Item -Force -LiteralPath {base}; "
        f"Get-ChildItem -Force -Recurse -LiteralPath {base} }} | "
        f"Where-Object {{ -not $_.FullName.StartsWith({state}, 'OrdinalIgnoreCase') }} | "
        "ForEach-Object { "
        "$owner = (Get-Acl -LiteralPath $_.FullName)"
        ".GetOwner([Security.Principal.SecurityIdentifier]).Value; "
        "if ($owner -notin $good) { throw ('{0} belongs to {1}' -f $_.FullName, $owner) }; "
        "if (($_.Attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0) "
        "{ throw ('{0} is a link' -f $_.FullName) } }"
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
