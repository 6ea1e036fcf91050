"""Rule packs: YAML files, read strictly.

A *program* pack (``sshd.yaml``) says what the lines of some programs mean.  A *distro* pack
(``distros/debian.yaml``) names the packs that apply and where the distribution keeps its log.
OpenSSH's texts change in the middle of a log when it is upgraded: the distro chooses the source and
the programs, never which form of a line is understood.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from usersessionmon.errors import UserError
from usersessionmon.model import Captures, Means, Reason
from usersessionmon.strict import build, nearest, parse_document, read_document, shown


@dataclass(frozen=True, slots=True)
class Example:
    """A true line of a rule, and all that it must give (``means`` where ``instead`` applies)."""

    text: str
    gives: dict[str, Any] = field(default_factory=dict)
    means: Means | None = None


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule as it stands in a pack."""

    means: Means
    lines: tuple[str, ...]
    about: str = ""
    sets: dict[str, Any] = field(default_factory=dict)
    """Captures with a fixed value that the line implies."""
    instead: dict[str, Means] = field(default_factory=dict)
    """By kind of PAM service: another meaning for it (``noise: nothing``)."""
    shared: bool = False
    """Of a process that serves everybody: its pid is no session's."""
    examples: tuple[Example, ...] = ()
    never: tuple[str, ...] = ()
    """Texts that look alike and must not be of this rule."""


class ServiceKind(StrEnum):
    """What a session of a PAM service is."""

    LOGIN = "login"
    ELEVATION = "elevation"  # the program itself logs who became whom
    ELEVATION_ALONE = "elevation-alone"  # PAM's line is the only one
    FAILURES = "failures"  # only its refused attempts are of interest
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A PAM service: the contract's name for it, and what its sessions are."""

    kind: ServiceKind = ServiceKind.NOISE
    name: str = ""


@dataclass(frozen=True, slots=True)
class PackSpec:
    """A program pack as it stands in its file."""

    about: str = ""
    programs: tuple[str, ...] = ()
    """Tags in the log; a trailing ``*`` matches any ending."""
    other_facilities: tuple[str, ...] = ()
    """Of these programs, those that log neither as auth nor as authpriv: a journal is searched for
    them by name.  In a pack of the user's own all are, but for those with a ``*``."""
    service: str = ""
    services: dict[str, str] = field(default_factory=dict)
    """PAM service → ``kind`` or ``kind name``: ``gdm-password: login gdm``."""
    rules: dict[str, RuleSpec] = field(default_factory=dict)


class Keeps(StrEnum):
    """Where a distribution puts its log as it is installed."""

    JOURNAL = "journal"  # alone; a file only where somebody added a syslog daemon
    FILES = "files"  # there is no journal
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class DistroSpec:
    """A distribution: which names of os-release are it, and what applies there.

    What is left out is the one's that it extends; ``packs`` adds to that one's.
    """

    about: str = ""
    extends: str = ""
    ids: tuple[str, ...] = ()
    """As ``host.facts.OsRelease.names`` has them: ``amzn``, and ``amzn-2`` for that version."""
    keeps: Keeps | None = None
    log_files: tuple[str, ...] = ()
    """Where a syslog daemon writes logins, if there is one; the likeliest first."""
    packs: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    """What people should know about this distribution's logs, a sentence each."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A program pack with its name and the file that it came from."""

    name: str
    file: str
    spec: PackSpec
    own: bool = False
    """Of the user's folder, not built in."""


@dataclass(frozen=True, slots=True)
class Distro:
    """A distribution with what it inherits."""

    name: str
    about: str
    keeps: Keeps
    log_files: tuple[str, ...]
    packs: tuple[str, ...]
    quirks: tuple[str, ...]


GENERIC = "generic"
_FOLDER = Path(__file__).with_name("packs")
"""The program is installed as files; importlib.resources would cost an idle monitor a megabyte."""


def builtin_packs() -> dict[str, Pack]:
    """Every program pack that comes with the program, by name."""
    found: dict[str, Pack] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        spec = build(parse_document(path.read_bytes(), path.name), PackSpec)
        found[path.stem] = Pack(path.stem, path.name, spec)
    return found


def user_packs(folder: Path) -> list[Pack]:
    """The packs of a folder of the user's own; a rule there replaces the built-in one of its name.

    Raises UserError, a line for each mistake in any of its files.  A folder that is not there holds
    none.
    """
    found: list[Pack] = []
    problems: list[str] = []
    try:
        paths = [path for path in sorted(folder.iterdir()) if path.suffix == ".yaml"]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from error
    for path in paths:
        if path.name.startswith("."):
            continue  # an editor's
        try:
            spec = build(read_document(path, regular=True), PackSpec)
        except UserError as error:
            problems += error.lines
            continue
        spec = replace(spec, service=spec.service or path.stem)
        # With its ending, the name is never a built-in pack's, whose programs are not this one's.
        found.append(Pack(path.name, str(path), spec, own=True))
    if problems:
        raise UserError(problems)
    return found


def builtin_distros() -> dict[str, DistroSpec]:
    """Every distro pack, by name."""
    return {
        path.stem: build(parse_document(path.read_bytes(), path.name), DistroSpec)
        for path in sorted((_FOLDER / "distros").glob("*.yaml"))
    }


def resolve_distro(name: str, specs: dict[str, DistroSpec]) -> Distro:
    """A distro with what its ``extends`` chain gives.  Raises UserError for an unknown name."""
    if name not in specs:
        known = ", ".join(specs)
        raise UserError(
            f"monitor.distro: unknown distro '{shown(name)}'{nearest(name, specs)}; known: {known}"
        )
    spec = specs[name]
    if not spec.extends:
        keeps = spec.keeps or Keeps.BOTH
        return Distro(name, spec.about, keeps, spec.log_files, spec.packs, spec.quirks)
    base = resolve_distro(spec.extends, specs)
    return Distro(
        name,
        spec.about or base.about,
        spec.keeps or base.keeps,
        spec.log_files or base.log_files,
        base.packs + tuple(pack for pack in spec.packs if pack not in base.packs),
        spec.quirks or base.quirks,
    )


def identifiers(packs: Iterable[Pack]) -> tuple[str, ...]:
    """The tags by which a journal is to be searched beside the facilities auth and authpriv."""
    return tuple(
        dict.fromkeys(
            tag
            for pack in packs
            for tag in (pack.spec.programs if pack.own else pack.spec.other_facilities)
            if tag and not tag.endswith("*")
        )
    )


def own_rules(packs: Iterable[Pack]) -> tuple[int, int]:
    """(rules of the user's own, how many of them replace a built-in one)"""
    packs = tuple(packs)
    own = {rule for pack in packs if pack.own for rule in pack.spec.rules}
    return len(own), len(own & {rule for pack in packs if not pack.own for rule in pack.spec.rules})


def pick_distro(ids: tuple[str, ...], specs: dict[str, DistroSpec]) -> str:
    """The distro for what os-release calls it, the most exact name first; ``generic`` when unknown.

    A derivative that is listed under a name of its own goes there, any other to its ID_LIKE.
    """
    for wanted in ids:
        for name, spec in specs.items():
            if wanted in spec.ids:
                return name
    return GENERIC


def service_of(entry: str) -> ServiceSpec:
    """Read one value of ``services``: ``kind`` or ``kind name``.  Raises UserError."""
    kind, _, name = entry.partition(" ")
    try:
        return ServiceSpec(ServiceKind(kind), name.strip())
    except ValueError as error:
        known = ", ".join(ServiceKind)
        raise UserError(f"unknown kind of PAM service {kind!r}; known: {known}") from error


def wrong_captures(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with captures that a pack gives by itself (``sets``, ``gives``), a sentence
    each: the sessions and the state rely on ``model.Captures``."""
    for key, value in values.items():
        if key not in _CAPTURES:
            yield f"unknown capture {shown(key)}; known: {', '.join(sorted(_CAPTURES))}"
        elif type(value) not in _CAPTURES[key]:
            yield f"{key} must be {_KINDS[_CAPTURES[key][0]]}"
        elif isinstance(value, str) and not value.isprintable():
            yield f"{key} must be text without control characters"
        elif isinstance(value, int) and not 0 <= value < _TOO_MANY:
            yield f"{key} must be a whole number from 0 to {_TOO_MANY - 1}"
        elif key in _CLOSED and value not in list(_CLOSED[key]):
            yield f"{key} must be one of {', '.join(_CLOSED[key])}"


_CAPTURES: dict[str, tuple[type, ...]] = {
    key: typing.get_args(hint) or (hint,) for key, hint in typing.get_type_hints(Captures).items()
}
_KINDS = {
    str: "text (put it in quotes)",
    int: "a whole number",
    bool: "true or false",
}
_CLOSED = {"reason": tuple(Reason), "shutdown": (Reason.SHUTDOWN, Reason.REBOOT)}
_TOO_MANY = 10**10
"""A hole of digits holds ten at most."""
