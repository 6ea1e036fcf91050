"""Scripts for PowerShell that fail where somebody else than an administrator could have a say.

Everybody may make folders under ProgramData and under the root of a disk, and wait: the owner of
a file can always give himself its rights again, and who may write the program is the service.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from .service_task import Account

_QUOTES = "'‘’‚‛"
"""What PowerShell takes for a single quote."""
_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
_GOOD = ("S-1-5-18", "S-1-5-32-544", "S-1-3-4", _INSTALLER)
"""The system, administrators, an object's owner (who is looked at himself), and TrustedInstaller,
to whom Program Files belongs."""
_SERVICES = ("S-1-5-19", "S-1-5-20")
"""The state may be that of an installation with the other account."""
_REPLACE = 0x500D0040
"""FileSystemRights: all, write (generic), delete it or what is in it, its rights, its owner."""
_WRITE = _REPLACE | 0x6
"""And to write or append; of a folder: to put something in."""
_DOMAIN_ADMINS = "'^S-1-5-21-[-0-9]+-(500|512|519)$'"

_LOOK = (
    "$sid = [Security.Principal.SecurityIdentifier]; "
    "function Test-Sid($one, $known) "
    f"{{ ($one -in $known) -or ($one -match {_DOMAIN_ADMINS}) }}; "
    "function Test-Item($item, $known, $mask) { "
    "try { $acl = $item.GetAccessControl() } catch [IO.FileNotFoundException] { return }; "
    "$owner = $acl.GetOwner($sid).Value; "
    "if (-not (Test-Sid $owner $known)) "
    "{ throw ('{0} belongs to {1}' -f $item.FullName, $owner) }; "
    "foreach ($rule in $acl.GetAccessRules($true, $true, $sid)) { "
    "if ($rule.AccessControlType -eq 'Allow' -and ([int]$rule.PropagationFlags -band 2) -eq 0 "
    "-and ([int]$rule.FileSystemRights -band $mask) -ne 0 "
    "-and -not (Test-Sid $rule.IdentityReference.Value $known)) "
    "{ throw ('{0} can be changed by {1}' -f $item.FullName, $rule.IdentityReference.Value) } } }; "
    "function Test-Link($item) { "
    "if (($item.Attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0) "
    "{ throw ('{0} is a link' -f $item.FullName) } }; "
)


def quoted(text: str) -> str:
    """As PowerShell takes it for exactly this text: within single quotes only they are special."""
    return "'" + "".join(c * 2 if c in _QUOTES else c for c in text) + "'"


def own(path: PurePath) -> str:
    """The path itself is no link and belongs to an administrator, whatever may be in it."""
    return (
        f"{_known('good')}{_LOOK}$item = Get-Item -Force -LiteralPath {quoted(str(path))}; "
        "Test-Link $item; Test-Item $item $good 0"
    )


def closed(folders: Iterable[PurePath], state: PurePath, account: Account) -> str:
    """The folders and all in them are no links, and only administrators own or can change them;
    in ``state`` the account too."""
    start = quoted(f"{state}\\")
    within = f"($_.FullName + '\\').StartsWith({start}, 'OrdinalIgnoreCase')"
    wide = _known("wide", _sid(account), *map(quoted, _SERVICES))
    return wide + _all_of(folders, f"if ({within}) {{ $wide }} else {{ $good }}")


def only_administrators(folders: Iterable[PurePath]) -> str:
    """As ``closed``: nobody else can change the program, not even the account."""
    return _all_of(folders, "$good")


def _all_of(folders: Iterable[PurePath], known: str) -> str:
    """Of the folders above it is enough that they cannot be moved away: others may put something
    into ProgramData and the root of a disk."""
    roots = ", ".join(quoted(str(one)) for one in folders)
    return (
        f"{_known('good')}{_LOOK}"
        f"foreach ($root in {roots}) {{ "
        "$above = (Get-Item -Force -LiteralPath $root).Parent; "
        "while ($above -and $above.Parent) "
        f"{{ Test-Item $above $good {_REPLACE}; $above = $above.Parent }}; "
        "& { Get-Item -Force -LiteralPath $root; "
        "Get-ChildItem -Force -Recurse -LiteralPath $root } | ForEach-Object { "
        f"$known = {known}; Test-Link $_; Test-Item $_ $known {_WRITE} }} }}"
    )


def _known(name: str, *more: str) -> str:
    """Sets a variable; who does this is one of them."""
    user = "[Security.Principal.WindowsIdentity]::GetCurrent().User.Value"
    return f"${name} = {', '.join([*map(quoted, _GOOD), user, *more])}; "


def _sid(account: Account) -> str:
    if not account.managed:
        return quoted(account.id)
    return (
        f"([Security.Principal.NTAccount]{quoted(account.id)})"
        ".Translate([Security.Principal.SecurityIdentifier]).Value"
    )
