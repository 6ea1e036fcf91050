"""The task of Windows' Task Scheduler that keeps the monitor running: who it runs as, and its XML.

The schema's names and values are those of Microsoft's MS-TSCH, 2.5.  RestartOnFailure is for a
start that fails; for a monitor that ended there is a trigger every minute, which does nothing while
one runs (IgnoreNew).
"""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from usersessionmon.errors import UserError

TASK = "user-session-monitor"
NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
DEFAULT_ACCOUNT = "LOCAL SERVICE"
_BUILT_IN = {"localservice": "S-1-5-19", "networkservice": "S-1-5-20"}
_MANAGED = re.compile(r"[\w.-]{1,255}\\[\w.-]{1,63}\$")
_LONG_AGO = "2020-01-01T00:00:00"
_Tree = Mapping[str, "str | _Tree"]
_SETTINGS: _Tree = {
    "MultipleInstancesPolicy": "IgnoreNew",
    "DisallowStartIfOnBatteries": "false",
    "StopIfGoingOnBatteries": "false",
    "AllowHardTerminate": "true",
    "StartWhenAvailable": "true",
    "RunOnlyIfNetworkAvailable": "false",
    "IdleSettings": {"StopOnIdleEnd": "false", "RestartOnIdle": "false"},
    "AllowStartOnDemand": "true",
    "Enabled": "true",
    "Hidden": "false",
    "RunOnlyIfIdle": "false",
    "WakeToRun": "false",
    "ExecutionTimeLimit": "PT0S",  # else it is ended after three days
    "Priority": "5",  # an ordinary program's; a task's own 7 is a background one's
    "RestartOnFailure": {"Interval": "PT1M", "Count": "255"},
}
_TRIGGERS: _Tree = {
    "BootTrigger": {"Enabled": "true"},
    "TimeTrigger": {
        "Repetition": {"Interval": "PT1M", "StopAtDurationEnd": "false"},
        "StartBoundary": _LONG_AGO,
        "Enabled": "true",
    },
}


class Account(NamedTuple):
    """``id``: as the task and PowerShell take it: the SID of a built-in account, whose name is
    translated, or a managed account's name."""

    id: str
    managed: bool

    @property
    def for_icacls(self) -> str:
        return self.id if self.managed else f"*{self.id}"


def account_of(text: str) -> Account:
    """The account that ``--account`` names.  Raises UserError for all that have more rights than
    the monitor needs, and for those whose password somebody would have to keep."""
    plain = text.rpartition("\\")[2] if text.lower().startswith("nt authority\\") else text
    built_in = _BUILT_IN.get(plain.replace(" ", "").lower())
    if built_in is not None:
        return Account(built_in, managed=False)
    if _MANAGED.fullmatch(text):
        return Account(text, managed=True)
    shown = text if text.isprintable() and len(text) < 60 else "that"
    raise UserError(
        f"--account: {shown} is none of LOCAL SERVICE, NETWORK SERVICE and DOMAIN\\NAME$ (a "
        "managed service account): it would have rights that the monitor does not need, or a "
        "password to keep"
    )


def task_xml(words: Sequence[str], folder: PurePath, account: Account) -> bytes:
    """The task that runs ``words`` (a program and its arguments) in ``folder``, as UTF-16."""
    principal = {"UserId": account.id, "RunLevel": "LeastPrivilege"}
    if account.managed:  # of a built-in account the schema knows no kind of logon
        principal["LogonType"] = "Password"
    task = ET.Element("Task", {"version": "1.2", "xmlns": NAMESPACE})
    _fill(task, {
        "RegistrationInfo": {
            "Author": TASK,
            "Description": "Follows logins and logouts and tells of them.",
            "URI": f"\\{TASK}",
        },
        "Triggers": _TRIGGERS,
    })  # fmt: skip
    principals = ET.SubElement(task, "Principals")
    _fill(ET.SubElement(principals, "Principal", {"id": "Author"}), principal)
    _fill(task, {"Settings": _SETTINGS})
    command = {
        "Command": words[0],
        "Arguments": subprocess.list2cmdline(words[1:]),
        "WorkingDirectory": str(folder),
    }
    _fill(ET.SubElement(task, "Actions", {"Context": "Author"}), {"Exec": command})
    ET.indent(task)
    return bytes(ET.tostring(task, encoding="utf-16", xml_declaration=True))


def _fill(parent: ET.Element, tree: _Tree) -> None:
    for name, value in tree.items():
        child = ET.SubElement(parent, name)
        if isinstance(value, str):
            child.text = value
        else:
            _fill(child, value)
